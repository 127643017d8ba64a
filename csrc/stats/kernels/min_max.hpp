// The extremes of rows, and the number of elements outside a range.
#pragma once

#include "core/kernels/convert.hpp"
#include "core/kernels/row_loop.hpp"
#include "stats/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Flips the sign bit. As an integer, a negative element becomes its positive key, and a positive
// element becomes negative.
template <class E>
SECATEUR_INLINE Vec<E> negated(Vec<E> x) {
  return Xor(x, Set(static_cast<E>(~kMagnitudeMask<E>)));
}

template <class E>
void min_max(const Rows& rows, MinMax* min_max) {
  for (size_t row = 0; row < rows.count; ++row) {
    Vec<E> positive = Set(E{0}), negative = Set(E{0});
    for_each_line<E>(rows, {rows.array}, row,
                     [&](const E* const* from) __attribute__((always_inline)) {
      for (size_t lane = 0; lane < kLineElements<E>; lane += kLanes<E>) {
        const Vec<E> x = LoadU(from[0] + lane);
        positive = Max(positive, x);
        negative = Max(negative, negated(x));
      }
    });
    const Key above = ReduceMax(positive), below = ReduceMax(negative);
    MinMax& result = min_max[row];
    result.positive = above > result.positive ? above : result.positive;
    result.negative = below > result.negative ? below : result.negative;
  }
}

template <class F>
void count_out_of_range(const Rows& rows, const MinMax* limits, size_t stride, PairSums* sums) {
  using E = Integer<F>;
  const Vec<E> infinity = Set(kInfinity<F>);
  for (size_t row = 0; row < rows.count; ++row, limits += stride) {
    const Vec<E> positive = Set(static_cast<E>(limits->positive));
    const Vec<E> negative = Set(static_cast<E>(limits->negative));
    size_t count = 0;
    for_each_line<E>(rows, {rows.array}, row,
                     [&](const E* const* from) __attribute__((always_inline)) {
      for (size_t lane = 0; lane < kLineElements<E>; lane += kLanes<E>) {
        const Vec<E> x = LoadU(from[0] + lane), y = negated(x);
        const Mask<E> above = AndNot(Gt(x, infinity), Gt(x, positive));
        const Mask<E> below = AndNot(Gt(y, infinity), Gt(y, negative));
        count += PopCount(BitsFromMask(Or(above, below)));
      }
    });
    sums[row].out_of_range += count;
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
