// The bindings of kth_magnitude and topk.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// The shape of a result with `length` elements along the axis. Without a length, the axis is
// removed. Without an axis, the array counts as one-dimensional.
Shape shape_along(Shape shape, py::ssize_t axis, std::optional<std::size_t> length) {
  const auto dimension = shape.begin() + std::max<py::ssize_t>(axis, 0);
  if (axis == kNoAxis) {
    shape.clear();
    if (length) {
      shape.push_back(static_cast<py::ssize_t>(*length));
    }
  } else if (length) {
    *dimension = static_cast<py::ssize_t>(*length);
  } else {
    shape.erase(dimension);
  }
  return shape;
}

py::object kth_magnitude(py::handle w, py::handle k, py::handle axis, py::handle nan) {
  const std::int64_t rank_argument = to_integer("k", k);
  const Axis axis_argument(axis);
  Input in = floats(w);
  const Shape shape = shape_of(in.given());
  const py::ssize_t normalized_axis = axis_argument.in(in.given().ndim());
  const Slices slices(shape, normalized_axis);
  const std::size_t length = length_along(in, slices);
  if (length == 0) {
    throw py::value_error(std::string("w must have at least one element") +
                          (slices.whole ? "" : " along the axis") + ", got shape " +
                          shown(in.given().attr("shape")));
  }
  const std::size_t rank = in_range("k", rank_argument, 1, length, k);
  const sc_nan policy = to_selecting_nan(nan);
  Result values(in.numpy_dtype(), shape_along(shape, normalized_axis, std::nullopt));
  in.settle();
  call(in, kSelectingRemedy, [&, data = values.data()] {
    return sc_kth_magnitude(in.data(), in.core_dtype(), in.size(), rank, slices.data(), policy,
                            data);
  });
  return slices.whole ? py::object(values.finish()[py::tuple()])  // the scalar of a 0-d array
                      : values.finish();
}

py::object topk(py::handle w, py::handle k, py::handle axis, py::handle scores, py::handle sorted,
                py::handle nan) {
  const std::int64_t count_argument = to_integer("k", k);
  const Axis axis_argument(axis);
  const sc_order order = to_bool("sorted", sorted) ? SC_ORDER_RANK : SC_ORDER_INDEX;
  const sc_nan policy = to_selecting_nan(nan);
  Scores ranked_by(scores);
  Input in = floats(w);
  ranked_by.require_fit(in);
  const py::ssize_t normalized_axis = axis_argument.in(in.given().ndim());
  const Slices slices(shape_of(in.given()), normalized_axis);
  const std::size_t kept = in_range("k", count_argument, 0, length_along(in, slices), k);
  const Shape shape = shape_along(shape_of(in.given()), normalized_axis, kept);
  Result values(in.numpy_dtype(), shape);
  Result indices(py::dtype::of<std::int64_t>(), shape);
  in.settle();
  ranked_by.settle();
  call(in, kSelectingRemedy,
       [&, value_data = values.data(), index_data = static_cast<std::int64_t*>(indices.data())] {
    return sc_topk(in.data(), in.core_dtype(), in.size(), kept, slices.data(), ranked_by.data(),
                   policy, order, value_data, index_data);
  });
  return py::make_tuple(values.finish(), indices.finish());
}

}  // namespace

void define_select(py::module_& m) {
  m.def("kth_magnitude", &kth_magnitude);
  m.def("topk", &topk);
}

}  // namespace secateur::python
