// Norms of the blocks of matrices. The order of summation is the same for every ISA and thread
// count: first the elements of each column of a block, from top to bottom; then the sums of its
// columns, where column j goes to partial sum j % 8; then the eight partial sums, from the first to
// the last.
#pragma once

#include "core/kernels/convert.hpp"
#include "prune/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr size_t kPartials = 8;

// Tuning: the number of columns whose sums are kept at once. They take 16 KiB, which leaves space
// in the L1 cache for the rows.
inline constexpr size_t kStrip = 2048;

SECATEUR_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

struct L1Norm {
  static SECATEUR_INLINE Vec<double> of(Vec<double> x) {
    return BitCast<double>(And(BitCast<int64_t>(x), Set(kMagnitudeMask<int64_t>)));
  }
  static SECATEUR_INLINE Vec<double> plus(Vec<double> a, Vec<double> b) { return Add(a, b); }
  static SECATEUR_INLINE double plus(double a, double b) { return a + b; }
  static SECATEUR_INLINE Vec<double> finish(Vec<double> sum) { return sum; }
};

struct L2Norm : L1Norm {
  static SECATEUR_INLINE Vec<double> of(Vec<double> x) { return Mul(x, x); }
  static SECATEUR_INLINE Vec<double> finish(Vec<double> sum) { return Sqrt(sum); }
};

// Compares values as integers. NaN has the largest bits.
struct MaxNorm : L1Norm {
  static SECATEUR_INLINE Vec<double> plus(Vec<double> a, Vec<double> b) {
    return BitCast<double>(Max(BitCast<int64_t>(a), BitCast<int64_t>(b)));
  }
  static SECATEUR_INLINE double plus(double a, double b) {
    const auto x = __builtin_bit_cast(int64_t, a), y = __builtin_bit_cast(int64_t, b);
    return __builtin_bit_cast(double, x > y ? x : y);
  }
};

// Adds the sums in order.
template <class Norm>
SECATEUR_INLINE double total(const double* sums, size_t count) {
  double sum = sums[0];
  for (size_t i = 1; i < count; ++i) {
    sum = Norm::plus(sum, sums[i]);
  }
  return sum;
}

template <class Norm>
struct Partials {
  static constexpr size_t kVectors = kPartials / kLanes<double>;
  Vec<double> sums[kVectors];

  Partials() {
    for (size_t v = 0; v < kVectors; ++v) {
      sums[v] = Set(0.0);
    }
  }
  // Adds the next `count` column sums of the block. Reads up to the next multiple of kPartials, and
  // ignores the values past `count`.
  SECATEUR_INLINE void add(const double* columns, size_t count) {
    const size_t whole = count / kPartials * kPartials;
    for (size_t j = 0; j < whole; j += kPartials) {
      for (size_t v = 0; v < kVectors; ++v) {
        sums[v] = Norm::plus(sums[v], LoadU(columns + j + v * kLanes<double>));
      }
    }
    if (whole < count) {
      const uint64_t valid = first_bits(count - whole);
      for (size_t v = 0; v < kVectors; ++v) {
        const size_t lane = v * kLanes<double>;
        const Vec<int64_t> rest = BitCast<int64_t>(LoadU(columns + whole + lane));
        const Mask<int64_t> in_block = MaskFromBits<int64_t>(valid >> lane);
        sums[v] = Norm::plus(sums[v], BitCast<double>(IfThenElseZero(in_block, rest)));
      }
    }
  }
  [[nodiscard]] SECATEUR_INLINE double result() const {
    double partial[kPartials];
    for (size_t v = 0; v < kVectors; ++v) {
      StoreU(sums[v], partial + v * kLanes<double>);
    }
    return total<Norm>(partial, kPartials);
  }
};

template <class Norm>
SECATEUR_INLINE double sum_block(const double* columns, size_t count) {
  if (count <= kPartials) {  // each column is a partial sum
    return total<Norm>(columns, count);
  }
  Partials<Norm> partials;
  partials.add(columns, count);
  return partials.result();
}

// Adds a row to the sums of its columns. Prefetches the elements `ahead` of it.
template <class F, class Norm>
SECATEUR_INLINE void add_row(const F* row, size_t count, size_t ahead, bool is_first,
                             double* columns) {
  for (size_t j = 0; j < count; j += kLanes<double>) {
    __builtin_prefetch(row + j + ahead);
    const Vec<double> x = Norm::of(WidenLoad<double>(row + j));
    StoreU(is_first ? x : Norm::plus(LoadU(columns + j), x), columns + j);
  }
}

// Rows of a matrix, or a range of their columns. The array of matrices ends at `end`.
template <class F>
struct MatrixRows {
  const F* first;
  size_t stride;
  size_t count;
  const F* end;
};

// Computes the sums of `count` columns. Reads whole vectors where the array does not end first, so
// that up to kPartials - 1 further sums are written.
template <class F, class Norm>
SECATEUR_INLINE void sum_columns(const MatrixRows<F>& rows, size_t count, double* columns) {
  const size_t rounded = (count + kPartials - 1) / kPartials * kPartials;
  for (size_t i = 0; i < rows.count; ++i) {
    const F* row = rows.first + i * rows.stride;
    const auto available = static_cast<size_t>(rows.end - row);
    const size_t whole = rounded <= available ? rounded : count / kPartials * kPartials;
    // The distance to the data that is read next: the row below, or the columns to the right.
    const size_t next = i + 1 < rows.count ? rows.stride : count;
    add_row<F, Norm>(row, whole, next < available - whole ? next : 0, i == 0, columns);
    if (whole < count) [[unlikely]] {
      F padded[kPartials] = {};
      copy_bytes(padded, row + whole, (count - whole) * sizeof(F));
      add_row<F, Norm>(padded, kPartials, 0, i == 0, columns + whole);
    }
  }
}

// Computes the norms of adjacent blocks that have `width` columns in total, without finish(). A
// block wider than kStrip is processed alone.
template <class F, class Norm>
SECATEUR_INLINE void sum_blocks(MatrixRows<F> rows, size_t width, size_t block_width,
                                double* columns, double* norms) {
  if (width <= kStrip) {
    sum_columns<F, Norm>(rows, width, columns);
    for (size_t j = 0; j < width; j += block_width) {
      const size_t count = smaller(block_width, width - j);
      *norms++ = sum_block<Norm>(columns + j, count);
    }
    return;
  }
  Partials<Norm> partials;
  for (size_t j = 0; j < width; j += kStrip, rows.first += kStrip) {
    const size_t count = smaller(kStrip, width - j);
    sum_columns<F, Norm>(rows, count, columns);
    partials.add(columns, count);
  }
  *norms = partials.result();
}

// Applies Norm::finish and returns the largest norm as a key. Every NaN becomes the same NaN, so
// that all NaN tie.
template <class Norm>
Key finish_norms(double* norms, size_t n) {
  const Vec<int64_t> nan = Set(int64_t{0x7ff8000000000000});
  Vec<int64_t> largest = Set(int64_t{0});
  Output in_place{};
  in_place.data = norms;
  for_words<double>(whole(norms, n), Elements<double, false>(in_place),
                    [&](const double* from, uint64_t, unsigned char* to, size_t)
                        __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<double>) {
      const Vec<double> norm = Norm::finish(LoadU(from + lane));
      const Vec<int64_t> bits = IfThenElse(IsNumber(norm), BitCast<int64_t>(norm), nan);
      largest = Max(largest, bits);
      StoreU(bits, reinterpret_cast<int64_t*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

template <class F, class Norm>
Key block_norms(const void* w, const Layout& layout, size_t begin, size_t end, double* norms) {
  const FloatState float_state;
  const F* const array = static_cast<const F*>(w);
  const F* const array_end = array + layout.outer * layout.length * layout.inner;
  // Not layout.blocks_down(): a call of a shared inline function that the compiler does not inline
  // would export a symbol from code that not every CPU can run.
  const size_t blocks_down = (layout.length - 1) / layout.block + 1;
  const size_t blocks_across = (layout.inner - 1) / layout.inner_block + 1;
  const size_t max_blocks =
      layout.inner_block < kStrip ? kStrip / layout.inner_block : 1;  // per pass
  double columns[kStrip + kPartials];
  size_t block = begin % blocks_across;
  size_t block_row = begin / blocks_across % blocks_down;
  size_t row = begin / blocks_across / blocks_down * layout.length +
               block_row * layout.block;  // counted over all matrices
  for (size_t next = begin; next < end;) {
    const size_t first = block * layout.inner_block;
    const size_t blocks = smaller(max_blocks, smaller(blocks_across - block, end - next));
    const size_t width = smaller(blocks * layout.inner_block, layout.inner - first);
    const size_t height = smaller(layout.block, layout.length - block_row * layout.block);
    const MatrixRows<F> rows{array + row * layout.inner + first, layout.inner, height, array_end};
    sum_blocks<F, Norm>(rows, width, layout.inner_block, columns, norms + next);
    next += blocks;
    block += blocks;
    if (block == blocks_across) {
      block = 0;
      row += height;
      block_row = block_row + 1 == blocks_down ? 0 : block_row + 1;
    }
  }
  return finish_norms<Norm>(norms + begin, end - begin);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
