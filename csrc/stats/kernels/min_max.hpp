// The least and greatest elements of rows, and the number of elements outside a range.
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

// For vectors whose lanes belong together: the largest lane of each of kBlockLanes vectors that are
// kDistance apart, for each block.
template <size_t kDistance, class E>
SECATEUR_INLINE Vec<E> max_in_blocks(const Vec<E>* x) {
  if constexpr (kDistance < kBlockLanes<E>) {
    const Vec<E> even = max_in_blocks<2 * kDistance>(x);
    const Vec<E> odd = max_in_blocks<2 * kDistance>(x + kDistance);
    return Max(InterleaveLower(even, odd), InterleaveUpper(even, odd));
  } else {
    return x[0];
  }
}

// Lane i of the result is the largest lane of x[i]. For blocks kBlocks apart, x[i] has results of
// max_in_blocks.
template <size_t kBlocks, class E>
SECATEUR_INLINE Vec<E> max_across_blocks(const Vec<E>* x) {
  if constexpr (kBlocks > 0) {
    const Vec<E> first = max_across_blocks<kBlocks / 2>(x);
    const Vec<E> second = max_across_blocks<kBlocks / 2>(x + kBlocks * kBlockLanes<E>);
    return Max(InterleaveEvenBlocks<kBlocks>(first, second),
               InterleaveOddBlocks<kBlocks>(first, second));
  } else {
    return max_in_blocks<1>(x);
  }
}

template <class E>
SECATEUR_INLINE Vec<E> max_of_each(const Vec<E>* x) {
  if constexpr (kLanes<E> == 1) {
    return x[0];
  } else {
    return max_across_blocks<kLanes<E> / kBlockLanes<E> / 2>(x);
  }
}

// The results of several rows are one vector: two keys of each row.
template <class E>
void min_max(const Rows& rows, void* min_max) {
  constexpr size_t kRows = kLanes<E> == 1 ? 1 : kLanes<E> / 2;
  constexpr size_t kVectors = 2 * kRows / kLanes<E>;
  E* results = static_cast<E*>(min_max);
  for (size_t first = 0; first < rows.count; first += kRows, results += 2 * kRows) {
    const size_t count = rows.count - first < kRows ? rows.count - first : kRows;
    Vec<E> x[2 * kRows];
    for (size_t i = 0; i < kRows; ++i) {
      Vec<E> positive = Set(E{0}), negative = Set(E{0});
      if (i < count) {
        for_each_line<E>(rows, {rows.array}, first + i,
                         [&](const E* const* from) __attribute__((always_inline)) {
          for (size_t lane = 0; lane < kLineElements<E>; lane += kLanes<E>) {
            const Vec<E> elements = LoadU(from[0] + lane);
            positive = Max(positive, elements);
            negative = Max(negative, negated(elements));
          }
        });
      }
      x[2 * i] = positive;
      x[2 * i + 1] = negative;
    }
    E padded[2 * kRows] = {};
    E* const to = count < kRows ? padded : results;
    copy_bytes(padded, results, 2 * count * sizeof(E));
    for (size_t v = 0; v < kVectors; ++v) {
      StoreU(Max(max_of_each(x + v * kLanes<E>), LoadU(to + v * kLanes<E>)), to + v * kLanes<E>);
    }
    if (count < kRows) {
      copy_bytes(results, padded, 2 * count * sizeof(E));
    }
  }
}

// The MinMax of vectors of columns, in memory, because columns are more than registers hold.
template <class E>
void min_max_of_columns(const void* first, size_t rows, size_t stride, size_t columns,
                        void* min_max) {
  const E* const elements = static_cast<const E*>(first);
  const size_t whole = columns - columns % kLanes<E>;
  E positive[kColumnStrip] = {}, negative[kColumnStrip] = {};
  for (size_t row = 0; row < rows; ++row) {
    const E* const from = elements + row * stride;
    for (size_t i = 0; i < whole; i += kLanes<E>) {
      const Vec<E> x = LoadU(from + i);
      StoreU(Max(LoadU(positive + i), x), positive + i);
      StoreU(Max(LoadU(negative + i), negated(x)), negative + i);
    }
    for (size_t i = whole; i < columns; ++i) {
      const E x = from[i], y = static_cast<E>(x ^ static_cast<E>(~kMagnitudeMask<E>));
      positive[i] = x > positive[i] ? x : positive[i];
      negative[i] = y > negative[i] ? y : negative[i];
    }
  }
  MinMax<E>* const results = static_cast<MinMax<E>*>(min_max);
  for (size_t i = 0; i < columns; ++i) {
    results[i] = {positive[i], negative[i]};
  }
}

template <class F>
void count_out_of_range(const Rows& rows, const Limits* limits, size_t stride, PairSums* sums) {
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
