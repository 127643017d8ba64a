// Which elements are largest.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// The shape of results that have `length` elements along an axis, or none of it; along no axis, one
// dimension stands for all.
Shape shape_along(Shape shape, py::ssize_t axis, std::optional<std::size_t> length) {
  const auto place = shape.begin() + std::max<py::ssize_t>(axis, 0);
  if (axis == kNoAxis) {
    shape.clear();
    if (length) {
      shape.push_back(static_cast<py::ssize_t>(*length));
    }
  } else if (length) {
    *place = static_cast<py::ssize_t>(*length);
  } else {
    shape.erase(place);
  }
  return shape;
}

py::object kth_magnitude(py::handle w, py::handle k, py::handle axis, py::handle nan) {
  const std::int64_t rank_given = to_integer("k", k);
  const Axis along(axis);
  Input in = floats(w);
  const Shape shape = shape_of(in.given());
  const py::ssize_t at = along.in(in.given().ndim());
  const Slices slices(shape, at);
  const std::size_t length = length_along(in, slices);
  if (length == 0) {
    throw py::value_error(std::string("w must have at least one element") +
                          (slices.whole ? "" : " along the axis") + ", got shape " +
                          shown(in.given().attr("shape")));
  }
  const std::size_t rank = in_range("k", rank_given, 1, length, k);
  const sc_nan policy = to_selecting_nan(nan);
  Result values(in.numpy_dtype(), shape_along(shape, at, std::nullopt));
  in.settle();
  call(in, kSelectingRemedy, [&, data = values.data()] {
    return sc_kth_magnitude(in.data(), in.core_dtype(), in.size(), rank, slices.data(), policy,
                            data);
  });
  return slices.whole ? py::object(values.finish()[py::tuple()])  // the scalar of a 0-d array
                      : values.finish();
}

py::object topk(py::handle w, py::handle k, py::handle axis, py::handle order, py::handle nan) {
  static constexpr Choice<sc_order> kOrders[] = {{"index", SC_ORDER_INDEX},
                                                 {"magnitude", SC_ORDER_MAGNITUDE}};
  const std::int64_t count_given = to_integer("k", k);
  const Axis along(axis);
  const sc_order by = to_choice("order", order, kOrders);
  const sc_nan policy = to_selecting_nan(nan);
  Input in = floats(w);
  const py::ssize_t at = along.in(in.given().ndim());
  const Slices slices(shape_of(in.given()), at);
  const std::size_t kept = in_range("k", count_given, 0, length_along(in, slices), k);
  const Shape shape = shape_along(shape_of(in.given()), at, kept);
  Result values(in.numpy_dtype(), shape);
  Result indices(py::dtype::of<std::int64_t>(), shape);
  in.settle();
  call(in, kSelectingRemedy,
       [&, to = values.data(), places = static_cast<std::int64_t*>(indices.data())] {
    return sc_topk(in.data(), in.core_dtype(), in.size(), kept, slices.data(), policy, by, to,
                   places);
  });
  return py::make_tuple(values.finish(), indices.finish());
}

py::object topk_mask(py::handle w, py::handle k, py::handle sparsity, py::handle scores,
                     py::handle axis, py::handle packed, py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const Axis along(axis);
  const sc_nan policy = to_selecting_nan(nan);
  const bool bits = py::bool_(py::reinterpret_borrow<py::object>(packed));
  Scores ranked_by(scores);
  Input in = floats(w);
  ranked_by.require_fit(in);
  const Slices slices(shape_of(in.given()), along.in(in.given().ndim()));
  const std::size_t kept = keep.of(length_along(in, slices));
  const bool bools = !bits || !slices.whole;
  Result mask =
      bools ? Result(py::dtype(kBool.number), shape_of(in.given()))
            : Result(py::dtype(kUInt8.number), {static_cast<py::ssize_t>((in.size() + 7) / 8)});
  in.settle();
  ranked_by.settle();
  call(in, kSelectingRemedy, [&, data = mask.data()] {
    return sc_topk_mask(in.data(), in.core_dtype(), in.size(), kept, slices.data(),
                        ranked_by.data(), policy, data, bools ? SC_MASK_BOOLS : SC_MASK_BITS);
  });
  if (bits && bools) {
    return py::module_::import("numpy").attr("packbits")(
        mask.finish(), py::arg("axis") = py::none(), py::arg("bitorder") = "little");
  }
  return mask.finish();
}

}  // namespace

void define_selection(py::module_& m) {
  m.def("kth_magnitude", &kth_magnitude);
  m.def("topk", &topk);
  m.def("topk_mask", &topk_mask);
}

}  // namespace secateur::python
