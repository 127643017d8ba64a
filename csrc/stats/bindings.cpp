// Python bindings of statistics, for quantization-error metrics and for choosing a format.
#include <cstdint>
#include <optional>
#include <string>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "quantize/format_bindings.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

constexpr py::ssize_t kSumsPerGroup = sizeof(sc_error_sums) / sizeof(double);

// Returns one row of sums per group: the fields of sc_error_sums, 8 bytes each. `fmt` is a format or
// None.
py::object compare(py::handle w, py::handle w_hat, py::handle axis, py::handle fmt) {
  Cells groups(axis, py::none());
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
    fitted.emplace(**format, shape, a.core_dtype(), Scales::positive_and_normal);
  }
  Result sums(py::dtype(kFloat64.number),
              {static_cast<py::ssize_t>(groups.count()), kSumsPerGroup});
  a.settle();
  b.settle();
  call(a, "", [&, results = static_cast<sc_error_sums*>(sums.data())] {
    return sc_compare(a.data(), a.core_dtype(), b.data(), b.core_dtype(), a.size(), groups.data(),
                      fitted ? fitted->get() : nullptr, results);
  });
  return sums.finish();
}

// Returns two rows: the least and the greatest of 0 and the elements of each group.
py::object find_ranges(py::handle w, py::handle axis, py::handle group_size) {
  Cells groups(axis, group_size);
  Input in = floats(w);
  groups.settle(shape_of(in.given()));
  Result ranges(py::dtype(kFloat64.number), {2, static_cast<py::ssize_t>(groups.count())});
  in.settle();
  call(in, "a format is chosen for finite numbers",
       [&, lowest = static_cast<double*>(ranges.data())] {
    return sc_find_ranges(in.data(), in.core_dtype(), in.size(), groups.data(), lowest,
                          lowest + groups.count());
  });
  return ranges.finish();
}

// Returns the sums of each group. `grids` has one row of three numbers per group.
py::object sum_rounding_errors(py::handle w, py::handle axis, py::handle group_size,
                               py::handle grids, double ratio) {
  Cells groups(axis, group_size);
  Input in = floats(w);
  groups.settle(shape_of(in.given()));
  const Shape shape{static_cast<py::ssize_t>(groups.count()), 3};
  Input group_grids("grids", grids, {kFloat64});
  group_grids.require_shape(shape, "one for each cell");
  Result sums(py::dtype(kFloat64.number), shape);
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
