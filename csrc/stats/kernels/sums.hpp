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

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
