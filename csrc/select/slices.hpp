// Selection along an axis, in each slice separately.
#pragma once

#include <array>
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

inline constexpr std::size_t kMaxResults = 2;

// Consecutive slices, the elements of each contiguous. A slice begins every `stride` elements.
struct Batch {
  Operand first_slice;
  std::size_t count, stride;
  std::size_t n;                // elements that may be read, from the first of the first slice on
  bool gathered;                // the slices and their scores are copies in a tile
  const void* ranked;           // the bits of their ranking values
  const Selection* selections;  // null if the slices are not selected in cache
  std::array<void*, kMaxResults> results;  // of the first slice; those of the others follow

  [[nodiscard]] Operand slice(std::size_t i) const;
  // The distance, in elements, from the results of one slice to those of the next.
  [[nodiscard]] std::size_t result_stride(const SliceResult& result) const;
  // The r-th result of slice i.
  [[nodiscard]] void* result(std::size_t r, const SliceResult& of, std::size_t i) const;
  // The elements of the slices, and the bits of their ranking values.
  [[nodiscard]] Rows rows() const { return {first_slice.w, count, first_slice.n, stride, n}; }
  [[nodiscard]] Rows ranked_rows() const { return {ranked, count, first_slice.n, stride, n}; }
};
using BatchWork = std::function<void(const Batch& batch)>;

// Computes the results of one slice and stores each at its pointer in `results`, contiguously.
// `known` is the selection in the slice. It is null if the slice is the whole array or too long to
// select in cache.
using SliceWork =
    std::function<void(const Operand& slice, void* const* results, const Selection* known)>;

// Calls `work` for batches of all slices, with the selections of their k largest elements,
// 0 <= k <= length. If `needs_kth_key` is set, 1 <= k, and the threshold of a selection is the key
// of the k-th largest. Throws Error if NaN is refused and present; results in place are then left
// unmodified.
void for_batches(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                 bool needs_kth_key, std::span<const SliceResult> results, const BatchWork& work);

// Does the same for each slice. The slices of an operand with scores have the scores of their
// elements.
void for_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                bool needs_kth_key, std::span<const SliceResult> results, const SliceWork& work);

// Writes the k largest elements of each slice to the output of the array.
void write_topk_of_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k);

}  // namespace secateur
