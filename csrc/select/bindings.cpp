// The bindings of kth_magnitude and topk.
#include <cstdint>
#include <string>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/layouts.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

py::object kth_magnitude(py::handle w, py::handle k, py::handle axis, py::handle nan) {
  const std::int64_t rank_argument = to_integer("k", k);
  const Axes axes(axis);
  Input in = floats(w);
  const Slices slices(shape_of(in.given()), axes);
  if (slices.length() == 0) {
    throw py::value_error(std::string("w must have at least one element") +
                          (slices.is_whole() ? "" : " along the axis") + ", got shape " +
                          shown(in.given().attr("shape")));
  }
  const std::size_t rank = in_range("k", rank_argument, 1, slices.length(), k);
  const sc_nan policy = to_selection_nan(nan);
  Result values(in.numpy_dtype(), slices.result_shape());
  // The order of all elements does not matter to a value that is found among them.
  const AxisOrder order = slices.is_whole() ? in.memory_order() : slices.order();
  call_selection(in, nullptr, order, policy, [&, data = values.data()] {
    return sc_kth_magnitude(in.data(), in.core_dtype(), in.size(), rank, slices.layout(), policy,
                            data);
  });
  return slices.is_whole() ? py::object(values.finish()[py::tuple()])  // the scalar of a 0-d array
                           : values.finish();
}

// The argument `residual` of topk, which the core reads and writes.
Result to_residual(py::handle residual, const Input& w) {
  return {residual, w.numpy_dtype(), w, false, nullptr, "residual"};
}

// Calls sc_topk_with_residual with the axes of the arrays in the order of the slices.
void call_with_residual(Input& w, py::handle residual, const Slices& slices, std::size_t k,
                        sc_nan nan, sc_order order, void* values, std::int64_t* indices) {
  const auto select = [&](Result& rest, std::size_t kept, const sc_layout* layout) {
    rest.load();
    w.prepare();
    return without_gil(w.size(), [&, rest_data = rest.data()] {
      return sc_topk_with_residual(w.data(), rest_data, w.core_dtype(), w.size(), kept, layout, nan,
                                   order, values, indices);
    });
  };
  Result rest = to_residual(residual, w);
  rest.transpose(slices.order());
  w.transpose(slices.order());
  const sc_status status = select(rest, k, slices.layout());
  check(with_index_of_caller(status, slices.order(),
                             [&] {
    Result given = to_residual(residual, w);
    w.transpose({});
    return select(given, 0, nullptr);  // selecting nothing only searches for NaN
  }),
        kSelectionRemedy);
  rest.finish();
}

py::object topk(py::handle w, py::handle k, py::handle axis, py::handle scores, py::handle residual,
                py::handle sorted, py::handle nan) {
  const std::int64_t count_argument = to_integer("k", k);
  const Axes axes(axis);
  const sc_order order = to_bool("sorted", sorted) ? SC_ORDER_RANK : SC_ORDER_INDEX;
  const sc_nan policy = to_selection_nan(nan);
  ScoresArgument ranked_by(scores);
  Input in = floats(w);
  ranked_by.require_fit(in);
  const Slices slices(shape_of(in.given()), axes);
  const std::size_t kept = in_range("k", count_argument, 0, slices.length(), k);
  const Shape shape = slices.result_shape(kept);
  Result values(in.numpy_dtype(), shape);
  Result indices(py::dtype::of<std::int64_t>(), shape);
  void* const value_data = values.data();
  auto* const index_data = static_cast<std::int64_t*>(indices.data());
  if (residual.is_none()) {
    call_selection(in, &ranked_by, slices.order(), policy, [&] {
      return sc_topk(in.data(), in.core_dtype(), in.size(), kept, slices.layout(), ranked_by.data(),
                     policy, order, value_data, index_data);
    });
  } else {
    call_with_residual(in, residual, slices, kept, policy, order, value_data, index_data);
  }
  return py::make_tuple(values.finish(), indices.finish());
}

}  // namespace

void define_select(py::module_& m) {
  m.def("kth_magnitude", &kth_magnitude);
  m.def("topk", &topk);
}

}  // namespace secateur::python
