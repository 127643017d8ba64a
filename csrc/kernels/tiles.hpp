// Norms of the tiles of matrices, summed in an order that no ISA and no number of threads changes:
// first down each column of a tile; then along it, every eighth column's sum to one of eight
// partial sums; then these, one after another.
#pragma once

#include "kernels/convert.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr size_t kPartials = 8;

// Columns whose sums are kept at a time: 16 KiB of them, which leaves L1 room for the rows.
inline constexpr size_t kStrip = 2048;

SECATEUR_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

struct L1Norm {
  static SECATEUR_INLINE Vec<double> of(Vec<double> x) {
    return BitCast<double>(And(BitCast<int64_t>(x), Set(kMagnitude<int64_t>)));
  }
  static SECATEUR_INLINE Vec<double> plus(Vec<double> a, Vec<double> b) { return Add(a, b); }
  static SECATEUR_INLINE double plus(double a, double b) { return a + b; }
  static SECATEUR_INLINE Vec<double> finish(Vec<double> sum) { return sum; }
};

struct L2Norm : L1Norm {
  static SECATEUR_INLINE Vec<double> of(Vec<double> x) { return Mul(x, x); }
  static SECATEUR_INLINE Vec<double> finish(Vec<double> sum) { return Sqrt(sum); }
};

// By bits, among which NaN is largest.
struct MaxNorm : L1Norm {
  static SECATEUR_INLINE Vec<double> plus(Vec<double> a, Vec<double> b) {
    return BitCast<double>(Max(BitCast<int64_t>(a), BitCast<int64_t>(b)));
  }
  static SECATEUR_INLINE double plus(double a, double b) {
    const auto x = __builtin_bit_cast(int64_t, a), y = __builtin_bit_cast(int64_t, b);
    return __builtin_bit_cast(double, x > y ? x : y);
  }
};

// One after another, from the first.
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
  // The next columns of the tile; there may be other values after them, up to a multiple of
  // kPartials.
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
        const Mask<int64_t> real = MaskFromBits<int64_t>(valid >> lane);
        sums[v] = Norm::plus(sums[v], BitCast<double>(IfThenElseZero(real, rest)));
      }
    }
  }
  [[nodiscard]] SECATEUR_INLINE double total_of_all() const {
    double partial[kPartials];
    for (size_t v = 0; v < kVectors; ++v) {
      StoreU(sums[v], partial + v * kLanes<double>);
    }
    return total<Norm>(partial, kPartials);
  }
};

template <class Norm>
SECATEUR_INLINE double sum_tile(const double* columns, size_t count) {
  if (count <= kPartials) {  // each a partial sum
    return total<Norm>(columns, count);
  }
  Partials<Norm> partials;
  partials.add(columns, count);
  return partials.total_of_all();
}

// Asks for what lies `ahead` elements further.
template <class F, class Norm>
SECATEUR_INLINE void add_row(const F* row, size_t count, size_t ahead, bool is_first,
                             double* columns) {
  for (size_t j = 0; j < count; j += kLanes<double>) {
    __builtin_prefetch(row + j + ahead);
    const Vec<double> x = Norm::of(WidenLoad<double>(row + j));
    StoreU(is_first ? x : Norm::plus(LoadU(columns + j), x), columns + j);
  }
}

// Rows of a matrix, or a part of its columns, from an array that ends at `end`.
template <class F>
struct Rows {
  const F* first;
  size_t stride;
  size_t count;
  const F* end;
};

// The sums of `count` columns, and of a few more: whole vectors are read as long as the array
// lasts.
template <class F, class Norm>
SECATEUR_INLINE void sum_columns(const Rows<F>& rows, size_t count, double* columns) {
  const size_t rounded = (count + kPartials - 1) / kPartials * kPartials;
  for (size_t i = 0; i < rows.count; ++i) {
    const F* row = rows.first + i * rows.stride;
    const auto left = static_cast<size_t>(rows.end - row);
    const size_t whole = rounded <= left ? rounded : count / kPartials * kPartials;
    // What is read next: the row below, or the columns to the right.
    const size_t next = i + 1 < rows.count ? rows.stride : count;
    add_row<F, Norm>(row, whole, next < left - whole ? next : 0, i == 0, columns);
    if (whole < count) [[unlikely]] {
      F padded[kPartials] = {};
      copy_bytes(padded, row + whole, (count - whole) * sizeof(F));
      add_row<F, Norm>(padded, kPartials, 0, i == 0, columns + whole);
    }
  }
}

// The norms, but for what finish() does, of tiles side by side that are `width` columns in all.
template <class F, class Norm>
SECATEUR_INLINE void sum_tiles(Rows<F> rows, size_t width, size_t tile_columns, double* columns,
                               double* norms) {
  if (width <= kStrip) {
    sum_columns<F, Norm>(rows, width, columns);
    for (size_t j = 0; j < width; j += tile_columns) {
      const size_t count = smaller(tile_columns, width - j);
      *norms++ = sum_tile<Norm>(columns + j, count);
    }
    return;
  }
  Partials<Norm> partials;  // of a single tile
  for (size_t j = 0; j < width; j += kStrip, rows.first += kStrip) {
    const size_t count = smaller(kStrip, width - j);
    sum_columns<F, Norm>(rows, count, columns);
    partials.add(columns, count);
  }
  *norms = partials.total_of_all();
}

// Returns the largest. NaN all become the same one, so that they tie.
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
Key tile_norms(const void* w, const Tiling& t, size_t begin, size_t end, double* norms) {
  const FloatState float_state;
  const F* const array = static_cast<const F*>(w);
  const F* const array_end = array + t.matrices * t.rows * t.columns;
  const size_t most = t.tile_columns < kStrip ? kStrip / t.tile_columns : 1;  // at a time
  double columns[kStrip + kPartials];
  size_t across = begin % t.across;
  size_t band = begin / t.across % t.bands;
  size_t row = begin / t.across / t.bands * t.rows + band * t.tile_rows;  // of all matrices
  for (size_t tile = begin; tile < end;) {
    const size_t first = across * t.tile_columns;
    const size_t tiles = smaller(most, smaller(t.across - across, end - tile));
    const size_t width = smaller(tiles * t.tile_columns, t.columns - first);
    const size_t height = smaller(t.tile_rows, t.rows - band * t.tile_rows);
    const Rows<F> rows{array + row * t.columns + first, t.columns, height, array_end};
    sum_tiles<F, Norm>(rows, width, t.tile_columns, columns, norms + tile);
    tile += tiles;
    across += tiles;
    if (across == t.across) {
      across = 0;
      row += height;
      band = band + 1 == t.bands ? 0 : band + 1;
    }
  }
  return finish_norms<Norm>(norms + begin, end - begin);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
