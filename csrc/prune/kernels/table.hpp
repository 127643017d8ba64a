// The interface of the pruning kernels: masks, N:M patterns, block norms, soft thresholding.
#pragma once

#include "core/kernel_types.hpp"
#include "core/layout.hpp"

namespace secateur {

// An N:M pattern keeps the `keep` largest elements of each group of `of` elements, its members.
// 1 <= keep <= of.
struct Pattern {
  size_t keep;
  size_t of;
};
inline constexpr size_t kMaxGroupSize = 32;

// Consecutive bands of an array of n elements, or some of their columns. A band is `of` rows of
// `inner` elements. Each column of a band is a group of the pattern.
struct Bands {
  const void* array;
  size_t n;
  size_t inner;
  size_t begin;    // the index of the first element
  size_t count;    // of bands
  size_t columns;  // from `begin` on; if all, `begin` is in the first column
};

// The norm of a block.
enum class Norm : uint32_t { l1, l2, max, count };
inline constexpr size_t kNorms = static_cast<size_t>(Norm::count);

// Kernels for elements of one width. A result has the same index in out as its element has in the
// array.
struct PruneElementKernels {
  // Writes the floats that the pattern keeps, and 0 for the others. Returns the largest key.
  Key (*prune_pattern)(const Bands& w, Pattern pattern, Order order, const Output& out);
  // Writes a mark for each element, -1 where the pattern keeps it and 0 elsewhere, one band after
  // another from the start of out. A mark is as wide as an element. Selecting marks of magnitude
  // above 0 selects the kept elements. Elements may be stored keys. Returns the largest key.
  Key (*mark_pattern)(const Bands& w, Pattern pattern, Order order, const Output& out);
  // Write the floats whose mask is set, and 0 for the others. The mask has one byte or one bit per
  // element.
  void (*apply_bools)(Part w, const void* mask, const Output& out);
  void (*apply_bits)(Part w, const void* mask, const Output& out);
};

// Kernels for floats of one type.
struct PruneFloatKernels {
  // Writes sign(w) * max(|w| - threshold, 0). The threshold is finite, and a value of the type. NaN
  // is left unmodified. A result has the same index in out as its element has in the array.
  void (*soft_threshold)(Part w, double threshold, const Output& out);
  // Writes the norms of the groups [begin, end) of a layout that is not shared to the same indices
  // of `norms`. Returns the largest norm as a key. Every NaN is written as the same NaN.
  Key (*block_norms[kNorms])(const void* w, const Layout& layout, size_t begin, size_t end,
                             double* norms);
};

struct PruneKernels {
  ByWidth<PruneElementKernels> elements;
  ByFloat<PruneFloatKernels> floats;
};

}  // namespace secateur
