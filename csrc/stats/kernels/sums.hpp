// Sums over rows of floats, in double. The order is the same on every ISA: element i is added to
// partial sum i % 8, and the eight partial sums are added in pairs.
#pragma once

#include "core/float_state.hpp"
#include "core/kernels/float_bits.hpp"
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

// Rounds to an integer. Requires that the thread rounds to nearest even.
template <GridRounding kRounding, class T>
SECATEUR_INLINE Vec<T> round_on_grid(Vec<T> y) {
  if constexpr (kRounding == GridRounding::toward_zero) {
    return sign_from(y, round_on_grid<GridRounding::down>(magnitude(y)));
  } else if constexpr (kRounding == GridRounding::from_zero) {
    return sign_from(y, round_on_grid<GridRounding::up>(magnitude(y)));
  } else {
    const Vec<T> nearest = Rint(y);
    if constexpr (kRounding == GridRounding::nearest) {
      return nearest;
    } else if constexpr (kRounding == GridRounding::down) {
      return Sub(nearest, only_where(AndNot(Le(nearest, y), IsNumber(y)), Set(T{1})));
    } else {
      return Add(nearest, only_where(AndNot(Le(y, nearest), IsNumber(y)), Set(T{1})));
    }
  }
}

// A grid, in vectors.
template <class T>
struct GridVectors {
  Vec<T> step, multiplier, lowest, highest;

  SECATEUR_INLINE explicit GridVectors(const Grid& grid)
      : step(Set(static_cast<T>(grid.step))),
        multiplier(Set(static_cast<T>(1 / grid.step))),
        lowest(Set(static_cast<T>(grid.lowest))),
        highest(Set(static_cast<T>(grid.highest))) {}
  SECATEUR_INLINE Vec<T> clamped(Vec<T> y) const { return Min(Max(y, lowest), highest); }
};

template <class T>
SECATEUR_INLINE void add_square(Vec<T> x, size_t lane, EightSums& sums) {
  Vec<double> wide[kWidened<T>];
  Widen(x, wide);
  for (size_t v = 0; v < kWidened<T>; ++v) {
    sums.add(Mul(wide[v], wide[v]), lane + v * kLanes<double>);
  }
}

template <class T, GridRounding kRounding>
struct RoundingTotals {
  GridVectors<T> grid;
  Vec<T> coarser_multiplier, finer_multiplier;
  EightSums coarser, error, finer;

  SECATEUR_INLINE explicit RoundingTotals(const Grid& of_row)
      : grid(of_row),
        coarser_multiplier(Set(static_cast<T>(1 / of_row.step / 2))),
        finer_multiplier(Set(static_cast<T>(1 / of_row.step * 2))) {}
  SECATEUR_INLINE void add(const T* from) {
    for (size_t lane = 0; lane < kLineElements<T>; lane += kLanes<T>) {
      const Vec<T> x = LoadU(from + lane);
      const Vec<T> coarse_y = Mul(x, coarser_multiplier), y = Mul(x, grid.multiplier);
      const Vec<T> fine_y = Mul(x, finer_multiplier);
      add_square(Sub(coarse_y, round_on_grid<kRounding>(coarse_y)), lane, coarser);
      add_square(Sub(y, round_on_grid<kRounding>(grid.clamped(y))), lane, error);
      add_square(Sub(fine_y, grid.clamped(fine_y)), lane, finer);
    }
  }
  SECATEUR_INLINE void add_to(RoundingSums& sums) const {
    sums.coarser += coarser.total();
    sums.error += error.total();
    sums.finer += finer.total();
  }
};

template <class T, GridRounding kRounding>
struct ErrorTotals {
  GridVectors<T> grid;
  EightSums error, clipped;

  SECATEUR_INLINE explicit ErrorTotals(const Grid& of_row) : grid(of_row) {}
  SECATEUR_INLINE void add(const T* from) {
    for (size_t lane = 0; lane < kLineElements<T>; lane += kLanes<T>) {
      // Directed modes divide: the product with 1 / step may fall on the other side of an integer.
      const Vec<T> x = LoadU(from + lane);
      const Vec<T> y =
          kRounding == GridRounding::nearest ? Mul(x, grid.multiplier) : Div(x, grid.step);
      const Vec<T> in_range = grid.clamped(y);
      add_square(Sub(y, round_on_grid<kRounding>(in_range)), lane, error);
      add_square(Sub(y, in_range), lane, clipped);
    }
  }
  SECATEUR_INLINE void add_to(GridErrors& sums) const {
    sums.error += error.total();
    sums.clipped += clipped.total();
  }
};

template <class Totals, class T, class Sums>
void grid_sums(const Rows& rows, const Grid* grids, size_t stride, Sums* sums) {
  const FloatState float_state;
  for (size_t row = 0; row < rows.count; ++row, grids += stride) {
    if (grids->step == 0) {
      continue;
    }
    Totals totals(*grids);
    for_each_line<T>(rows, {rows.array}, row,
                     [&](const T* const* from)
                         __attribute__((always_inline)) { totals.add(from[0]); });
    totals.add_to(sums[row]);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
