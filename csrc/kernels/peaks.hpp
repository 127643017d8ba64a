// The largest elements of either sign.
#pragma once

#include "kernels/convert.hpp"
#include "kernels/lines.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The bits of a negative element, without the sign, are a positive integer then, and those of a positive
// one a negative integer.
template <class E>
SECATEUR_INLINE Vec<E> negated(Vec<E> x) {
  return Xor(x, Set(static_cast<E>(~kMagnitude<E>)));
}

template <class E>
void peaks(const Rows& rows, Peaks* peaks) {
  for (size_t row = 0; row < rows.count; ++row) {
    Vec<E> positive = Set(E{0}), negative = Set(E{0});
    for_lines<E>(rows, {rows.bits}, row, [&](const E* const* from) __attribute__((always_inline)) {
      for (size_t lane = 0; lane < kOfLine<E>; lane += kLanes<E>) {
        const Vec<E> x = LoadU(from[0] + lane);
        positive = Max(positive, x);
        negative = Max(negative, negated(x));
      }
    });
    const Key above = ReduceMax(positive), below = ReduceMax(negative);
    Peaks& so_far = peaks[row];
    so_far.positive = above > so_far.positive ? above : so_far.positive;
    so_far.negative = below > so_far.negative ? below : so_far.negative;
  }
}

template <class F>
void count_outside(const Rows& rows, const Peaks* peaks, size_t step, PairSums* sums) {
  using E = Integer<F>;
  const Vec<E> most = Set(Bits<F>::kInfinity);
  for (size_t row = 0; row < rows.count; ++row, peaks += step) {
    const Vec<E> positive = Set(static_cast<E>(peaks->positive));
    const Vec<E> negative = Set(static_cast<E>(peaks->negative));
    size_t count = 0;
    for_lines<E>(rows, {rows.bits}, row, [&](const E* const* from) __attribute__((always_inline)) {
      for (size_t lane = 0; lane < kOfLine<E>; lane += kLanes<E>) {
        const Vec<E> x = LoadU(from[0] + lane), y = negated(x);
        const Mask<E> above = AndNot(Gt(x, most), Gt(x, positive));
        const Mask<E> below = AndNot(Gt(y, most), Gt(y, negative));
        count += PopCount(BitsFromMask(Or(above, below)));
      }
    });
    sums[row].outside += count;
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
