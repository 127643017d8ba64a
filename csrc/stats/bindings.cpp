// Python bindings of statistics, for quantization-error metrics and for choosing a format.
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/formats.hpp"
#include "python/layouts.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

constexpr py::ssize_t kSumsPerGroup = sizeof(sc_error_sums) / sizeof(double);

// `shape` with further axes before and after it.
Shape extended(const Shape& shape, std::initializer_list<py::ssize_t> before,
               std::initializer_list<py::ssize_t> after) {
  Shape all = before;
  all.insert(all.end(), shape.begin(), shape.end());
  all.insert(all.end(), after);
  return all;
}

// Returns sums for each group: an array of the shape of the groups, with a last axis for the fields
// of sc_error_sums, 8 bytes each. `fmt` is a format or None.
py::object compare(py::handle w, py::handle w_hat, py::handle axis, py::handle group_size,
                   py::handle fmt) {
  Groups groups(axis, group_size);
  std::optional<FormatArgument> format;
  if (!fmt.is_none()) {
    format.emplace(fmt);
  }
  Input a = floats(w);
  Input b = floats(w_hat, "w_hat");
  const Shape shape = shape_of(a.given());
  b.require_shape(shape, "that of w");
  groups.settle(shape);
  std::optional<FittedFormat> fitted;
  if (format) {
    fitted.emplace(**format, shape, a.core_dtype(), Scales::positive_and_normal, &groups);
  }
  Result sums(py::dtype(kFloat64.number), extended(groups.result_shape(), {}, {kSumsPerGroup}));
  sums.transpose(groups.result_order(0, 1));
  a.transpose(groups.order());
  b.transpose(groups.order());
  a.settle();
  b.settle();
  auto* const results = static_cast<sc_error_sums*>(sums.data());
  const sc_status status = without_gil(a.size(), [&] {
    return sc_compare(a.data(), a.core_dtype(), b.data(), b.core_dtype(), a.size(), groups.data(),
                      fitted ? fitted->get() : nullptr, results);
  });
  check(status, "");
  return sums.finish();
}

// Returns the least and the greatest of 0 and the elements of each group: two arrays of the shape of
// the groups in one.
py::object find_ranges(py::handle w, py::handle axis, py::handle group_size) {
  Groups groups(axis, group_size);
  Input in = floats(w);
  groups.settle(shape_of(in.given()));
  Result ranges(py::dtype(kFloat64.number), extended(groups.result_shape(), {2}, {}));
  ranges.transpose(groups.result_order(1, 0));
  in.transpose(groups.order());
  in.settle();
  double* const lowest = static_cast<double*>(ranges.data());
  const sc_status status = without_gil(in.size(), [&] {
    return sc_find_ranges(in.data(), in.core_dtype(), in.size(), groups.data(), lowest,
                          lowest + groups.count());
  });
  if (status == SC_ERROR_NAN && !groups.order().empty()) {
    // The message has the index of the first NaN. It should be that in the array of the caller.
    in.transpose({});
    in.settle();
    double range[2] = {};
    without_gil(in.size(), [&] {
      return sc_find_ranges(in.data(), in.core_dtype(), in.size(), nullptr, range, range + 1);
    });
  }
  check(status, "a format is chosen for finite numbers");
  return ranges.finish();
}

// Returns three sums for each group: an array of the shape of the groups, with a last axis for the
// sums. `grids` has the same shape; its last axis is for the three numbers of a grid.
py::object sum_rounding_errors(py::handle w, py::handle axis, py::handle group_size,
                               py::handle grids, double ratio) {
  Groups groups(axis, group_size);
  Input in = floats(w);
  groups.settle(shape_of(in.given()));
  const Shape shape = extended(groups.result_shape(), {}, {3});
  Input group_grids("grids", grids, {kFloat64});
  group_grids.require_shape(shape, "one for each group");
  group_grids.transpose(groups.result_order(0, 1));
  Result sums(py::dtype(kFloat64.number), shape);
  sums.transpose(groups.result_order(0, 1));
  in.transpose(groups.order());
  in.settle();
  group_grids.settle();
  call(in, "", [&, results = static_cast<sc_rounding_sums*>(sums.data())] {
    return sc_sum_rounding_errors(in.data(), in.core_dtype(), in.size(), groups.data(),
                                  static_cast<const sc_grid*>(group_grids.data()), ratio, results);
  });
  return sums.finish();
}

}  // namespace

void define_stats(py::module_& m) {
  m.def("compare", &compare);
  m.def("find_ranges", &find_ranges);
  m.def("sum_rounding_errors", &sum_rounding_errors);
}

}  // namespace secateur::python
