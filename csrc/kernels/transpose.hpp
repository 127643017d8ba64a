// Rows become columns.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

constexpr size_t round_down(size_t n, size_t step) { return n / step * step; }
constexpr size_t round_up(size_t n, size_t step) { return round_down(n + step - 1, step); }
constexpr size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Perfect shuffles of kCount vectors, block by block; log2(kTimes) of them. Each rotates the number
// of every element, which is the bits of its vector and then those of its lane, left by one.
template <size_t kCount, size_t kTimes, class E>
SECATEUR_INLINE void shuffle(Vec<E>* x) {
  if constexpr (kTimes > 1) {
    constexpr size_t kHalf = kCount / 2;
    Vec<E> shuffled[kCount];
#pragma GCC unroll 8
    for (size_t i = 0; i < kHalf; ++i) {
      shuffled[2 * i] = InterleaveLower(x[i], x[i + kHalf]);
      shuffled[2 * i + 1] = InterleaveUpper(x[i], x[i + kHalf]);
    }
    copy_bytes(x, shuffled, sizeof shuffled);
    shuffle<kCount, kTimes / 2>(x);
  }
}

// Blocks i of vector j and j of vector i change places.
template <size_t kSide, size_t kBlocks, class E>
SECATEUR_INLINE void transpose_blocks(Vec<E>* x) {
  constexpr size_t kApart = kBlocks * kBlockLanes<E>;
  if constexpr (kApart < kSide) {
#pragma GCC unroll 32
    for (size_t i = 0; i < kSide; ++i) {
      if ((i & kApart) == 0) {
        const Vec<E> even = InterleaveEvenBlocks<kBlocks>(x[i], x[i + kApart]);
        x[i + kApart] = InterleaveOddBlocks<kBlocks>(x[i], x[i + kApart]);
        x[i] = even;
      }
    }
    transpose_blocks<kSide, 2 * kBlocks>(x);
  }
}

// Brings member j of groups of kSide to vector j, or back. A member's number is the lowest bits of an
// element's: shuffled as often as there are bits of a lane, they are those of the vector.
template <size_t kSide, bool kBack, class E>
SECATEUR_INLINE void transpose_square(Vec<E>* x) {
  constexpr size_t kCount = least(kSide, kBlockLanes<E>);
  for (size_t i = 0; i < kSide; i += kCount) {
    shuffle<kCount, kBack ? kCount : kBlockLanes<E>>(x + i);
  }
  transpose_blocks<kSide, 1>(x);
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
    const auto square = [&](size_t i, size_t j) {
      Vec<E> x[kSide];
      for (size_t v = 0; v < kSide; ++v) {
        x[v] = LoadU(source + (i + v) * from_stride + j);
      }
      transpose_square<kSide, false>(x);
      for (size_t v = 0; v < kSide; ++v) {
        StoreU(x[v], target + (j + v) * to_stride + i);
      }
    };
    // The side on which rows lie further apart is gone through row by row, and asked for ahead.
    if (from_stride >= to_stride) {
      for (size_t i = 0; i < whole_rows; i += kSide) {
        const size_t later = i + kAheadRows < whole_rows ? i + kAheadRows : i;
        for (size_t j = 0; j < whole_columns; j += kSide) {
          for (size_t v = 0; v < kSide; ++v) {
            __builtin_prefetch(source + (later + v) * from_stride + j, 0, 2);
          }
          square(i, j);
        }
      }
    } else {
      for (size_t j = 0; j < whole_columns; j += kSide) {
        const size_t later = j + kAheadRows < whole_columns ? j + kAheadRows : j;
        for (size_t i = 0; i < whole_rows; i += kSide) {
          for (size_t v = 0; v < kSide; ++v) {
            __builtin_prefetch(target + (later + v) * to_stride + i, 1, 2);
          }
          square(i, j);
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
