// Sums over rows of floats, in double. The order is the same on every ISA: element i is added to
// partial sum i % 8, and the eight partial sums are added in pairs.
#pragma once

#include "core/float_state.hpp"
#include "core/kernels/row_loop.hpp"
#include "stats/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

struct EightSums {
  static constexpr size_t kCount = 8;
  static constexpr size_t kVectors = kCount / kLanes<double>;
  Vec<double> partial[kVectors];

  SECATEUR_INLINE EightSums() {
    for (size_t v = 0; v < kVectors; ++v) {
      partial[v] = Set(0.0);
    }
  }
  // Adds x, whose first element has an index of `lane` modulo 8.
  SECATEUR_INLINE void add(Vec<double> x, size_t lane) {
    Vec<double>& sum = partial[lane % kCount / kLanes<double>];
    sum = Add(sum, x);
  }
  [[nodiscard]] SECATEUR_INLINE double total() const {
    double s[kCount];
    for (size_t v = 0; v < kVectors; ++v) {
      StoreU(partial[v], s + v * kLanes<double>);
    }
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
  }
};

SECATEUR_INLINE Vec<double> magnitude(Vec<double> x) {
  return BitCast<double>(And(BitCast<int64_t>(x), Set(kMagnitudeMask<int64_t>)));
}

struct PairTotals {
  EightSums squared_error, squared_a, squared_b, products;
  Vec<double> max_error = Set(0.0);

  template <class T>
  SECATEUR_INLINE void add(const T* from_a, const T* from_b) {
    for (size_t lane = 0; lane < kLineElements<T>; lane += kLanes<double>) {
      const Vec<double> x = WidenLoad<double>(from_a + lane), y = WidenLoad<double>(from_b + lane);
      const Vec<double> e = Sub(x, y);
      squared_error.add(Mul(e, e), lane);
      squared_a.add(Mul(x, x), lane);
      squared_b.add(Mul(y, y), lane);
      products.add(Mul(x, y), lane);
      max_error = Max(magnitude(e), max_error);  // stays if e is NaN
    }
  }
  SECATEUR_INLINE void add_to(PairSums& sums) const {
    sums.squared_error += squared_error.total();
    sums.squared_a += squared_a.total();
    sums.squared_b += squared_b.total();
    sums.products += products.total();
    double lanes[kLanes<double>];
    StoreU(max_error, lanes);
    for (const double lane : lanes) {
      sums.max_error = lane > sums.max_error ? lane : sums.max_error;
    }
  }
};

template <class T>
void pair_sums(const Rows& rows, const void* second, PairSums* sums) {
  const FloatState float_state;
  for (size_t row = 0; row < rows.count; ++row) {
    PairTotals totals;
    for_each_line<T>(rows, {rows.array, second}, row,
                     [&](const T* const* from)
                         __attribute__((always_inline)) { totals.add(from[0], from[1]); });
    totals.add_to(sums[row]);
  }
}

template <class T>
struct RoundingTotals {
  Vec<T> coarser_multiplier, multiplier, finer_multiplier, lowest, highest;
  EightSums coarser, error, finer;

  SECATEUR_INLINE RoundingTotals(const Grid& grid, double ratio)
      : coarser_multiplier(Set(static_cast<T>(grid.multiplier / ratio))),
        multiplier(Set(static_cast<T>(grid.multiplier))),
        finer_multiplier(Set(static_cast<T>(grid.multiplier * ratio))),
        lowest(Set(static_cast<T>(grid.lowest))),
        highest(Set(static_cast<T>(grid.highest))) {}

  SECATEUR_INLINE Vec<T> clamped(Vec<T> y) const { return Min(Max(y, lowest), highest); }

  static SECATEUR_INLINE void add_square(Vec<T> x, size_t lane, EightSums& sums) {
    Vec<double> wide[kWidened<T>];
    Widen(x, wide);
    for (size_t v = 0; v < kWidened<T>; ++v) {
      sums.add(Mul(wide[v], wide[v]), lane + v * kLanes<double>);
    }
  }
  SECATEUR_INLINE void add(const T* from) {
    for (size_t lane = 0; lane < kLineElements<T>; lane += kLanes<T>) {
      const Vec<T> x = LoadU(from + lane);
      const Vec<T> coarse_y = Mul(x, coarser_multiplier), y = Mul(x, multiplier);
      const Vec<T> fine_y = Mul(x, finer_multiplier);
      add_square(Sub(coarse_y, Rint(coarse_y)), lane, coarser);
      add_square(Sub(y, Rint(clamped(y))), lane, error);
      add_square(Sub(fine_y, clamped(fine_y)), lane, finer);
    }
  }
};

template <class T>
void rounding_sums(const Rows& rows, double ratio, const Grid* grids, size_t stride,
                   RoundingSums* sums) {
  const FloatState float_state;
  for (size_t row = 0; row < rows.count; ++row, grids += stride) {
    if (grids->multiplier == 0) {
      continue;
    }
    RoundingTotals<T> totals(*grids, ratio);
    for_each_line<T>(rows, {rows.array}, row,
                     [&](const T* const* from)
                         __attribute__((always_inline)) { totals.add(from[0]); });
    sums[row].coarser += totals.coarser.total();
    sums[row].error += totals.error.total();
    sums[row].finer += totals.finer.total();
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
