// Sums of squared rounding errors over rows of floats.
#pragma once

#include "core/float_state.hpp"
#include "stats/kernels/sums.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Rounds to an integer. Requires that the thread rounds to nearest even.
template <GridRounding kRounding, class T>
SECATEUR_INLINE Vec<T> round_on_grid(Vec<T> y) {
  if constexpr (kRounding == GridRounding::toward_zero) {
    return sign_from(y, round_on_grid<GridRounding::down>(magnitude(y)));
  } else if constexpr (kRounding == GridRounding::away) {
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
  Vec<T> multiplier, lowest, highest;

  SECATEUR_INLINE explicit GridVectors(const Grid& grid)
      : multiplier(Set(static_cast<T>(1 / grid.step))),
        lowest(Set(static_cast<T>(grid.lowest))),
        highest(Set(static_cast<T>(grid.highest))) {}
  SECATEUR_INLINE Vec<T> clamped(Vec<T> y) const { return Min(Max(y, lowest), highest); }
};

// Adds numbers[i + kCount / 2] to numbers[i] for the first half of the numbers, until one is left.
template <size_t kCount, class T>
SECATEUR_INLINE T sum_by_halves(T* numbers) {
  if constexpr (kCount == 1) {
    return numbers[0];
  } else {
    for (size_t i = 0; i < kCount / 2; ++i) {
      numbers[i] += numbers[i + kCount / 2];
    }
    return sum_by_halves<kCount / 2>(numbers);
  }
}

// A sum of squares over a row: element i of the row is added to partial sum i % kLineElements<T>.
template <class T>
struct SquareSum {
  static constexpr size_t kVectors = kLineElements<T> / kLanes<T>;
  Vec<T> partial[kVectors];

  SECATEUR_INLINE SquareSum() {
    for (size_t v = 0; v < kVectors; ++v) {
      partial[v] = Set(T{0});
    }
  }
  // Adds the squares of vector v of a line.
  SECATEUR_INLINE void add(Vec<T> x, size_t v) { partial[v] = Add(partial[v], Mul(x, x)); }
  [[nodiscard]] SECATEUR_INLINE double total() const {
    T numbers[kLineElements<T>];
    for (size_t v = 0; v < kVectors; ++v) {
      StoreU(partial[v], numbers + v * kLanes<T>);
    }
    return static_cast<double>(sum_by_halves<kLineElements<T>>(numbers));
  }
};

template <class T, GridRounding kRounding>
struct RoundingTotals {
  GridVectors<T> grid;
  Vec<T> coarser_multiplier, finer_multiplier;
  SquareSum<T> coarser, error, finer;

  SECATEUR_INLINE explicit RoundingTotals(const Grid& of_row)
      : grid(of_row),
        coarser_multiplier(Set(static_cast<T>(1 / of_row.step / 2))),
        finer_multiplier(Set(static_cast<T>(1 / of_row.step * 2))) {}
  SECATEUR_INLINE void add(const T* from) {
    for (size_t v = 0; v < kLineElements<T> / kLanes<T>; ++v) {
      const Vec<T> x = LoadU(from + v * kLanes<T>);
      const Vec<T> coarse_y = Mul(x, coarser_multiplier), y = Mul(x, grid.multiplier);
      const Vec<T> fine_y = Mul(x, finer_multiplier);
      coarser.add(Sub(coarse_y, round_on_grid<kRounding>(coarse_y)), v);
      error.add(Sub(y, round_on_grid<kRounding>(grid.clamped(y))), v);
      finer.add(Sub(fine_y, grid.clamped(fine_y)), v);
    }
  }
  SECATEUR_INLINE void add_to(RoundingSums& sums) const {
    sums.coarser += coarser.total();
    sums.error += error.total();
    sums.finer += finer.total();
  }
};

template <class T, GridRounding kRounding>
void rounding_sums(const Rows& rows, const Grid* grids, size_t stride, RoundingSums* sums) {
  const FloatState float_state;
  for (size_t row = 0; row < rows.count; ++row, grids += stride) {
    if (grids->step == 0) {
      continue;
    }
    RoundingTotals<T, kRounding> totals(*grids);
    for_each_line<T>(rows, {rows.array}, row,
                     [&](const T* const* from)
                         __attribute__((always_inline)) { totals.add(from[0]); });
    totals.add_to(sums[row]);
  }
}

// The sums of the squared errors of one row with the first kCount of its steps.
template <class T, GridRounding kRounding, size_t kCount>
class StepTotals {
 public:
  SECATEUR_INLINE explicit StepTotals(const Steps& steps)
      : lowest_(Set(static_cast<T>(steps.lowest))), highest_(Set(static_cast<T>(steps.highest))) {
    for (size_t k = 0; k < kCount; ++k) {
      step_[k] = Set(static_cast<T>(kIsNearest ? 1 / steps.step[k] : steps.step[k]));
    }
  }
  SECATEUR_INLINE void add(const T* from) {
    for (size_t v = 0; v < kLineElements<T> / kLanes<T>; ++v) {
      const Vec<T> x = LoadU(from + v * kLanes<T>);
      for (size_t k = 0; k < kCount; ++k) {
        // Directed modes divide: the product with 1 / step may fall on the other side of an
        // integer.
        const Vec<T> y = kIsNearest ? Mul(x, step_[k]) : Div(x, step_[k]);
        errors_[k].add(Sub(y, round_on_grid<kRounding>(Min(Max(y, lowest_), highest_))), v);
      }
    }
  }
  SECATEUR_INLINE void add_to(StepErrors& errors) const {
    for (size_t k = 0; k < kCount; ++k) {
      errors.error[k] += errors_[k].total();
    }
  }

 private:
  static constexpr bool kIsNearest = kRounding == GridRounding::nearest;

  Vec<T> lowest_, highest_;
  Vec<T> step_[kCount];  // or its reciprocal
  SquareSum<T> errors_[kCount];
};

template <class T, GridRounding kRounding, size_t kCount>
SECATEUR_INLINE void add_step_errors(const Rows& rows, size_t row, const Steps& steps,
                                     StepErrors& errors) {
  StepTotals<T, kRounding, kCount> totals(steps);
  for_each_line<T>(rows, {rows.array}, row,
                   [&](const T* const* from)
                       __attribute__((always_inline)) { totals.add(from[0]); });
  totals.add_to(errors);
}

template <class T, GridRounding kRounding>
void step_errors(const Rows& rows, const Steps* steps, size_t stride, StepErrors* errors) {
  const FloatState float_state;
  for (size_t row = 0; row < rows.count; ++row, steps += stride) {
    if (steps->step[0] == 0) {
      continue;
    }
    if (steps->step[2] == 0) {
      add_step_errors<T, kRounding, 2>(rows, row, *steps, errors[row]);
    } else {
      add_step_errors<T, kRounding, kSteps>(rows, row, *steps, errors[row]);
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
