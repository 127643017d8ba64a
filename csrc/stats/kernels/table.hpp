// The interface of the kernels of statistics: extremes, and sums in an order that is the same on
// every ISA.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// The keys of the largest positive element, and of the negative element of largest magnitude. A key
// is 0 if there is no such element.
struct MinMax {
  Key positive;
  Key negative;
};

// Sums over pairs of elements (a, b): of (a - b)^2, a^2, b^2 and a * b; the largest |a - b| that is
// not NaN; the number of elements a that are out of range.
struct PairSums {
  double squared_error, squared_a, squared_b, products, max_error;
  uint64_t out_of_range;
};

// An element x is rounded to the integer in [lowest, highest] that is nearest to x * multiplier.
// The range includes 0. Rows whose multiplier is 0 are skipped.
struct Grid {
  double multiplier, lowest, highest;
};

// Sums of squared errors on three grids, in units of the squared step of each. The second grid is
// the given one. The first is coarser and the third is finer by a factor of `ratio`. An error is
// the distance of x * multiplier, with the multiplier of the grid,
//   coarser: from the nearest integer, in range or not
//   error: from the nearest integer in range
//   finer: from the range
struct RoundingSums {
  double coarser, error, finer;
};

// Kernels for rows of floats of one type. They add the sums of each row to `sums`. Element i of a
// row is added to partial sum i % 8. The partial sums are added in this order:
//   ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
// The parameters of a row are `stride` elements after those of the previous row. `stride` is 1, or 0
// if all rows share the same parameters.
struct SumKernels {
  // b has the same rows as a.
  void (*pair_sums)(const Rows& a, const void* b, PairSums* sums);
  // Counts the elements whose key is larger than the limit for their sign. NaN is not counted.
  void (*count_out_of_range)(const Rows& a, const MinMax* limits, size_t stride, PairSums* sums);
  // The errors are computed in the type of the elements, their squares in double. Elements that are
  // not finite make the sums infinite or NaN.
  void (*rounding_sums)(const Rows& rows, double ratio, const Grid* grids, size_t stride,
                        RoundingSums* sums);
};

struct StatsKernels {
  // Updates the extremes of each row.
  ByWidth<void (*)(const Rows& rows, MinMax* min_max)> min_max;
  SumKernels of_float32, of_float64;

  [[nodiscard]] const SumKernels& sums(Float type) const {
    return type == Float::float32 ? of_float32 : of_float64;
  }
};

}  // namespace secateur
