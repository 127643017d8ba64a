// Which elements are largest.
#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

py::object kth_magnitude(py::handle w, py::handle k, py::handle nan) {
  const std::int64_t rank_given = to_integer("k", k);
  Input in = floats(w);
  if (in.size() == 0) {
    throw py::value_error("w must have at least one element, got shape " +
                          shown(in.given().attr("shape")));
  }
  const std::size_t rank = in_range("k", rank_given, 1, in.size(), k);
  const sc_nan policy = to_selecting_nan(nan);
  Result value(in.numpy_dtype(), {});
  in.settle();
  call(in, kSelectingRemedy, [&, data = value.data()] {
    return sc_kth_magnitude(in.data(), in.core_dtype(), in.size(), rank, policy, data);
  });
  return value.finish()[py::tuple()];  // the scalar of a 0-d array
}

py::object topk_mask(py::handle w, py::handle k, py::handle sparsity, py::handle packed,
                     py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool bits = py::bool_(py::reinterpret_borrow<py::object>(packed));
  Input in = floats(w);
  const std::size_t kept = keep.of(in.size());
  Result mask =
      bits ? Result(py::dtype(kUInt8.number), {static_cast<py::ssize_t>((in.size() + 7) / 8)})
           : Result(py::dtype(kBool.number), shape_of(in.given()));
  in.settle();
  call(in, kSelectingRemedy, [&, data = mask.data()] {
    return sc_topk_mask(in.data(), in.core_dtype(), in.size(), kept, policy, data,
                        bits ? SC_MASK_BITS : SC_MASK_BOOLS);
  });
  return mask.finish();
}

}  // namespace

void define_selection(py::module_& m) {
  m.def("kth_magnitude", &kth_magnitude);
  m.def("topk_mask", &topk_mask);
}

}  // namespace secateur::python
