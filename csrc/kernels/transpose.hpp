// Rows become columns.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Lane i of vector j and lane j of vector i change places: first in squares of two, then of four, and
// so on (Eklundh 1972, "A fast computer method for matrix transposing").
template <size_t kSide, size_t kRun = 1, class E>
SECATEUR_INLINE void transpose_square(Vec<E>* x) {
  if constexpr (kRun < kSide) {
#pragma GCC unroll 32
    for (size_t i = 0; i < kSide; ++i) {
      if ((i & kRun) == 0) {
        const Vec<E> even = InterleaveEven<kRun>(x[i], x[i + kRun]);
        x[i + kRun] = InterleaveOdd<kRun>(x[i], x[i + kRun]);
        x[i] = even;
      }
    }
    transpose_square<kSide, 2 * kRun>(x);
  }
}

// How many rows ahead elements are asked for: the processor does not see where the next one begins.
inline constexpr size_t kAheadRows = 32;

// Elements of one byte go one by one.
template <class E>
inline constexpr size_t kSquare = sizeof(E) == 1 ? 1 : kLanes<E>;

template <class E>
void transpose(const void* from, size_t from_stride, size_t rows, size_t columns, void* to,
               size_t to_stride) {
  constexpr size_t kSide = kSquare<E>;
  const E* const source = static_cast<const E*>(from);
  E* const target = static_cast<E*>(to);
  const auto one_by_one = [&](size_t row, size_t row_end, size_t column, size_t column_end) {
    for (size_t i = row; i < row_end; ++i) {
      for (size_t j = column; j < column_end; ++j) {
        target[j * to_stride + i] = source[i * from_stride + j];
      }
    }
  };
  const size_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  if constexpr (kSide > 1) {
    for (size_t i = 0; i < whole_rows; i += kSide) {
      for (size_t j = 0; j < whole_columns; j += kSide) {
        Vec<E> x[kSide];
        const size_t later = i + kAheadRows < whole_rows ? i + kAheadRows : i;
        for (size_t v = 0; v < kSide; ++v) {
          __builtin_prefetch(source + (later + v) * from_stride + j, 0, 2);
          x[v] = LoadU(source + (i + v) * from_stride + j);
        }
        transpose_square<kSide>(x);
        for (size_t v = 0; v < kSide; ++v) {
          StoreU(x[v], target + (j + v) * to_stride + i);
        }
      }
    }
    one_by_one(0, whole_rows, whole_columns, columns);
    one_by_one(whole_rows, rows, 0, columns);
  } else {
    constexpr size_t kStripe = 64;  // what is read of a row at once: a cache line or more
    for (size_t j = 0; j < columns; j += kStripe) {
      one_by_one(0, rows, j, j + kStripe < columns ? j + kStripe : columns);
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
