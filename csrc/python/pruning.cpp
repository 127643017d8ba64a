// The elements that matter least become zero.
#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

double to_threshold(py::handle threshold) {
  const double limit = to_number("threshold", threshold);
  if (!(limit >= 0)) {
    refuse("threshold", "a number, at least 0", threshold);
  }
  return limit;
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle nan, py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_threshold(threshold) : 0;
  Input in = floats(w);
  const std::size_t kept = by_threshold ? 0 : keep.of(in.size());
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return by_threshold
               ? sc_prune_threshold(in.data(), in.core_dtype(), in.size(), limit, policy, data)
               : sc_prune(in.data(), in.core_dtype(), in.size(), kept, policy, data);
  });
  return result.finish();
}

py::object apply_mask(py::handle w, py::handle mask, py::handle out) {
  // Both become arrays before either is looked at.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input kept("mask", mask_array, {kBool, kUInt8});
  const bool bools = kept.is(kBool);
  if (bools) {
    kept.require_shape(shape_of(in.given()), "that of w");
  } else {
    kept.require_shape({static_cast<py::ssize_t>((in.size() + 7) / 8)},
                       "one bit for each element of w");
  }
  Result result(out, in.numpy_dtype(), in, true, &kept);
  in.settle();
  kept.settle();
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), kept.data(),
                         bools ? SC_MASK_BOOLS : SC_MASK_BITS, data);
  });
  return result.finish();
}

py::object soft_threshold(py::handle w, py::handle threshold, py::handle out) {
  const double limit = to_threshold(threshold);
  Input in = floats(w);
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, "", [&, data = result.data()] {
    return sc_soft_threshold(in.data(), in.core_dtype(), in.size(), limit, data);
  });
  return result.finish();
}

}  // namespace

void define_pruning(py::module_& m) {
  m.def("prune", &prune);
  m.def("apply_mask", &apply_mask);
  m.def("soft_threshold", &soft_threshold);
}

}  // namespace secateur::python
