// The interface of the kernels of statistics: least and greatest elements, and sums in an order
// that is the same on every ISA.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// The keys of the largest positive element, and of the negative element of largest magnitude. A key
// is 0 if there is no such element. E is the integer type of the width of the elements, or double
// for magnitudes in place of keys.
template <class E>
struct MinMax {
  E positive;
  E negative;
};

// For each sign, the largest key that is in range.
struct Limits {
  Key positive;
  Key negative;
};

// Sums over pairs of elements (a, b): of (a - b)^2, a^2, b^2 and a * b; the largest |a - b| that is
// not NaN; the number of elements a that are out of range.
struct PairSums {
  double squared_error, squared_a, squared_b, products, max_error;
  uint64_t out_of_range;
};

// An element x is rounded at x / step to an integer in [lowest, highest], which includes 0. Rows
// whose step is 0 are skipped.
struct Grid {
  double step, lowest, highest;
};

// How an element is rounded to an integer of a grid. All ways of rounding to nearest have the same
// errors.
enum class GridRounding : uint32_t { nearest, down, up, toward_zero, away, count };
inline constexpr size_t kGridRoundings = static_cast<size_t>(GridRounding::count);

// Sums of squared errors, in units of the squared step of each grid. The steps of a coarser and a
// finer grid are twice and half as large. A distance is that of x / step, with the step of the
// grid,
//   error: from its integer in range
//   coarser: from its integer, in range or not, on the coarser grid
//   finer: from the range of the finer grid
struct RoundingSums {
  double coarser, error, finer;
};

// Steps whose errors are computed together, with the same integers. If the third step is 0, only
// the first two are used; rows whose first step is 0 are skipped.
inline constexpr size_t kSteps = 4;
struct Steps {
  double step[kSteps], lowest, highest;
  bool in_float;
};

// Sums of the squared errors of x / step, one for each step.
struct StepErrors {
  double error[kSteps];
};

// GridSpec is Grid or Steps.
template <class GridSpec, class Sums>
using ErrorKernel = void (*)(const Rows& rows, const GridSpec* grids, size_t stride, Sums* sums);

// Kernels for rows of floats of one type. They add the sums of each row to `sums`. A row is a
// segment in "Order of sums" in docs/semantics.md. The limits or the grid of a row are `stride`
// elements after those of the previous row. `stride` is 1, or 0 if all rows share the same ones.
struct SumKernels {
  // b has the same rows as a.
  void (*pair_sums)(const Rows& a, const void* b, PairSums* sums);
  // Counts the elements whose key is larger than the limit for their sign. NaN is not counted.
  void (*count_out_of_range)(const Rows& a, const Limits* limits, size_t stride, PairSums* sums);
  // By GridRounding. Errors, their squares and the sums of a row are computed in the type of the
  // elements. Rows of floats have 16 partial sums. Elements that are not finite make the sums
  // infinite or NaN. The steps of rounding_sums are powers of two. Rounding to nearest, step_errors
  // multiplies by 1 / step, rounded to the type of the elements.
  ErrorKernel<Grid, RoundingSums> rounding_sums[kGridRoundings];
  ErrorKernel<Steps, StepErrors> step_errors[kGridRoundings];
};

// Tuning: the most columns that min_max_of_columns takes. Their results should fit the L1 cache.
inline constexpr size_t kColumnStrip = 1024;

struct StatsKernels {
  // Updates the MinMax<E> of each row.
  ByWidth<void (*)(const Rows& rows, void* min_max)> min_max;
  // Writes the MinMax<E> of each of at most kColumnStrip adjacent columns, whose rows are `stride`
  // elements apart.
  ByWidth<void (*)(const void* first, size_t rows, size_t stride, size_t columns, void* min_max)>
      min_max_of_columns;
  SumKernels of_float32, of_float64;

  [[nodiscard]] const SumKernels& sums(Float type) const {
    return type == Float::float32 ? of_float32 : of_float64;
  }
};

}  // namespace secateur
