// Transposition of matrices.
#pragma once

#include "core/kernels/block_loop.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

constexpr size_t round_down(size_t n, size_t step) { return n / step * step; }
constexpr size_t round_up(size_t n, size_t step) { return round_down(n + step - 1, step); }
constexpr size_t least(size_t a, size_t b) { return a < b ? a : b; }

constexpr size_t log2_of(size_t power_of_two) {
  return power_of_two == 1 ? 0 : 1 + log2_of(power_of_two / 2);
}

// Applies kShuffles perfect shuffles to kCount vectors, within each block of lanes. Number each
// element by the bits of its vector index followed by the bits of its lane index within the block.
// One perfect shuffle rotates this number left by one bit.
template <size_t kCount, size_t kShuffles, class E>
SECATEUR_INLINE void shuffle(Vec<E>* x) {
  if constexpr (kShuffles > 0) {
    constexpr size_t kHalf = kCount / 2;
    Vec<E> shuffled[kCount];
#pragma GCC unroll 8
    for (size_t i = 0; i < kHalf; ++i) {
      shuffled[2 * i] = InterleaveLower(x[i], x[i + kHalf]);
      shuffled[2 * i + 1] = InterleaveUpper(x[i], x[i + kHalf]);
    }
    copy_bytes(x, shuffled, sizeof shuffled);
    shuffle<kCount, kShuffles - 1>(x);
  }
}

// Divides the kSide vectors into sets of kBlockLanes consecutive vectors, and swaps block i of each
// vector of set j with block j of the corresponding vector of set i.
template <size_t kSide, size_t kBlocks, class E>
SECATEUR_INLINE void transpose_blocks(Vec<E>* x) {
  constexpr size_t kDistance = kBlocks * kBlockLanes<E>;
  if constexpr (kDistance < kSide) {
#pragma GCC unroll 32
    for (size_t i = 0; i < kSide; ++i) {
      if ((i & kDistance) == 0) {
        const Vec<E> even = InterleaveEvenBlocks<kBlocks>(x[i], x[i + kDistance]);
        x[i + kDistance] = InterleaveOddBlocks<kBlocks>(x[i], x[i + kDistance]);
        x[i] = even;
      }
    }
    transpose_blocks<kSide, 2 * kBlocks>(x);
  }
}

// Views kSide vectors as consecutive groups of kSide elements and moves element j of every group to
// vector j. kInverse applies the inverse permutation. The index j consists of the lowest bits of
// the element's number. After as many perfect shuffles as a lane index has bits, these bits are the
// vector index.
template <size_t kSide, bool kInverse, class E>
SECATEUR_INLINE void transpose_square(Vec<E>* x) {
  constexpr size_t kCount = least(kSide, kBlockLanes<E>);
  for (size_t i = 0; i < kSide; i += kCount) {
    shuffle<kCount, log2_of(kInverse ? kCount : kBlockLanes<E>)>(x + i);
  }
  transpose_blocks<kSide, 1>(x);
}

// Tuning: the prefetch distance in rows. The hardware prefetcher cannot predict where the next row
// begins.
inline constexpr size_t kPrefetchRows = 32;

// The side of the square tiles that are transposed in registers. Elements of one byte are moved one
// by one.
template <class E>
inline constexpr size_t kTileSide = sizeof(E) == 1 ? 1 : kLanes<E>;

template <class E>
void transpose(const void* from, size_t from_stride, size_t rows, size_t columns, void* to,
               size_t to_stride) {
  constexpr size_t kSide = kTileSide<E>;
  const E* const source = static_cast<const E*>(from);
  E* const target = static_cast<E*>(to);
  const auto move_one_by_one = [&](size_t row, size_t row_end, size_t column, size_t column_end) {
    for (size_t i = row; i < row_end; ++i) {
      for (size_t j = column; j < column_end; ++j) {
        target[j * to_stride + i] = source[i * from_stride + j];
      }
    }
  };
  const size_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  if constexpr (kSide > 1) {
    const auto transpose_tile = [&](size_t i, size_t j) {
      Vec<E> x[kSide];
      for (size_t v = 0; v < kSide; ++v) {
        x[v] = LoadU(source + (i + v) * from_stride + j);
      }
      transpose_square<kSide, false>(x);
      for (size_t v = 0; v < kSide; ++v) {
        StoreU(x[v], target + (j + v) * to_stride + i);
      }
    };
    // Traverse the matrix with the larger stride row by row, and prefetch its rows.
    if (from_stride >= to_stride) {
      for (size_t i = 0; i < whole_rows; i += kSide) {
        const size_t ahead = i + kPrefetchRows < whole_rows ? i + kPrefetchRows : i;
        for (size_t j = 0; j < whole_columns; j += kSide) {
          for (size_t v = 0; v < kSide; ++v) {
            __builtin_prefetch(source + (ahead + v) * from_stride + j, 0, 2);
          }
          transpose_tile(i, j);
        }
      }
    } else {
      for (size_t j = 0; j < whole_columns; j += kSide) {
        const size_t ahead = j + kPrefetchRows < whole_columns ? j + kPrefetchRows : j;
        for (size_t i = 0; i < whole_rows; i += kSide) {
          for (size_t v = 0; v < kSide; ++v) {
            __builtin_prefetch(target + (ahead + v) * to_stride + i, 1, 2);
          }
          transpose_tile(i, j);
        }
      }
    }
    move_one_by_one(0, whole_rows, whole_columns, columns);
    move_one_by_one(whole_rows, rows, 0, columns);
  } else {
    constexpr size_t kStripe = 64;  // columns per pass: one cache line of each row, or more
    for (size_t j = 0; j < columns; j += kStripe) {
      move_one_by_one(0, rows, j, j + kStripe < columns ? j + kStripe : columns);
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
