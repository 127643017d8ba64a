// The elements that matter least become zero.
#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// How many are kept of how many.
using NOfM = std::pair<std::size_t, std::size_t>;

std::string text(const NOfM& pattern) {
  return std::to_string(pattern.first) + ":" + std::to_string(pattern.second);
}

py::object prune_pattern(py::handle w, const NOfM& pattern, py::handle axis, py::handle nan,
                         py::handle out) {
  const std::size_t keep = pattern.first;
  const std::size_t of = pattern.second;
  const std::int64_t along = axis.is_none() ? -1 : to_integer("axis", axis);
  const sc_nan policy = to_selecting_nan(nan);
  Input in = floats(w);
  if (in.given().ndim() == 0) {
    throw py::value_error("w must have an axis for a pattern to run along, got shape ()");
  }
  const sc_slices slices = slices_along(in.given(), along, axis);
  if (slices.length % of != 0) {
    throw py::value_error("w must have a multiple of " + std::to_string(of) +
                          " elements along axis " + std::to_string(along) + ", got shape " +
                          shown(in.given().attr("shape")) +
                          "; pad it with zeros, or prune a slice of it");
  }
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return sc_prune_pattern(in.data(), in.core_dtype(), in.size(), keep, of, &slices, policy, data);
  });
  return result.finish();
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle pattern, py::handle axis, py::handle nan, py::handle out) {
  const bool by_pattern = !pattern.is_none();
  const NOfM n_of_m = by_pattern ? pattern.cast<NOfM>() : NOfM{};
  const py::object written = by_pattern ? py::object(py::str(text(n_of_m))) : py::none();
  require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}, {"pattern", written}});
  if (by_pattern) {
    return prune_pattern(w, n_of_m, axis, nan, out);
  }
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_number("threshold", threshold) : 0;
  if (!(limit >= 0)) {
    refuse("threshold", "a number, at least 0", threshold);
  }
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

}  // namespace

void define_pruning(py::module_& m) {
  m.def("prune", &prune);
  m.def("apply_mask", &apply_mask);
}

}  // namespace secateur::python
