// Selection along an axis, in each slice separately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "core/layout.hpp"
#include "secateur/secateur.h"
#include "select/operand.hpp"

namespace secateur {

// An array of results of slices, [outer][length][inner]. Its length may differ from that of the
// slices.
struct SliceResult {
  void* data;
  std::size_t length;
  std::size_t bytes_each;
};

// Computes the results of one slice and stores each at its pointer in `results`, contiguously.
// `known` is the selection in the slice. It is null if the slice is the whole array or too long to
// select in cache.
using SliceWork =
    std::function<void(const Operand& slice, void* const* results, const Selection* known)>;

// Calls `work` for each slice, with the selection of its k largest elements, 0 <= k <= length. If
// `needs_kth_key` is set, 1 <= k, and the threshold of the selection is the key of the k-th largest.
// The slices of an operand with scores have the scores of their elements. Throws Error if NaN is
// refused and present; results in place are then left unmodified.
void for_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                bool needs_kth_key, std::span<const SliceResult> results, const SliceWork& work);

// Writes the k largest elements of each slice to the output of the array.
void write_topk_of_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k);

}  // namespace secateur
