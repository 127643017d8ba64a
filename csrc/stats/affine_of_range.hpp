// The affine formats that hold given ranges.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "stats/rounding.hpp"

namespace secateur {

// The scale and the zero point of a range that includes 0.
template <class T>
struct ScaleAndZeroPoint {
  T scale;
  std::int32_t zero_point;
};

// Computes the scale and the zero point of a range that includes 0.
template <class T>
class AffineOfRange {
 public:
  AffineOfRange(std::int64_t qmin, std::int64_t qmax, bool is_symmetric, sc_rounding rounding)
      : low_(static_cast<double>(qmin)),
        high_(static_cast<double>(qmax)),
        middle_(qmin < 0 ? 0 : (high_ + 1) / 2),
        is_symmetric_(is_symmetric),
        rounding_(rounding),
        is_nearest_(grid_rounding(rounding) == GridRounding::nearest) {}

  [[nodiscard]] ScaleAndZeroPoint<T> operator()(double lowest, double highest) const {
    if (lowest == 0 && highest == 0) {
      return {1, is_symmetric_ ? static_cast<std::int32_t>(middle_) : 0};
    }
    const T scale = scale_of(lowest, highest);
    // Rounding to nearest, this scale suffices unless the zero point was nearly a tie.
    if (is_nearest_ && is_symmetric_) {
      return {scale, static_cast<std::int32_t>(middle_)};
    }
    const double unrounded = low_ - lowest / static_cast<double>(scale);
    const double zero_point = nearest_integer(unrounded);
    constexpr double kAlmostHalf = 0.48;
    if (is_nearest_ && std::abs(zero_point - unrounded) < kAlmostHalf) {
      return {scale, static_cast<std::int32_t>(std::clamp(zero_point, low_, high_))};
    }
    return enlarged(scale, lowest, highest);
  }

 private:
  // Requires |x| < 2^51.
  static double nearest_integer(double x) {
    constexpr double kShift = 0x1.8p52;
    return (x + kShift) - kShift;
  }

  // The zero point with which the lowest number, in steps, is rounded to an integer in range.
  // Directed modes round the quotient before the sum, in which a tiny quotient would be lost.
  [[nodiscard]] double zero_point_of(double lowest_in_steps) const {
    return rounding_ == SC_ROUNDING_FLOOR || rounding_ == SC_ROUNDING_AWAY
               ? low_ + std::ceil(-lowest_in_steps)
           : rounding_ == SC_ROUNDING_CEIL ? low_ + std::floor(-lowest_in_steps)
                                           : nearest_integer(low_ - lowest_in_steps);
  }

  // The scale whose steps cover the range.
  [[nodiscard]] T scale_of(double lowest, double highest) const {
    // Away from zero, both ends may be rounded out by up to one step in all.
    const bool loses_step = rounding_ == SC_ROUNDING_AWAY && lowest < 0 && highest > 0;
    const double steps = high_ - low_ - (loses_step ? 1 : 0);
    const double exact = is_symmetric_ ? std::max(highest, -lowest) / (high_ - middle_)
                                       : highest / steps - lowest / steps;
    return std::max(static_cast<T>(exact), std::numeric_limits<T>::min());
  }

  // The smallest scale, from that of the range on, with which both ends are rounded to integers in
  // range.
  [[nodiscard]] ScaleAndZeroPoint<T> enlarged(T scale, double lowest, double highest) const {
    for (;;) {
      const double lowest_in_steps = lowest / static_cast<double>(scale);
      const double zero_point =
          is_symmetric_ ? middle_ : std::clamp(zero_point_of(lowest_in_steps), low_, high_);
      const auto integer_of = [&](double x) {
        return zero_point + round_by(rounding_, static_cast<double>(static_cast<T>(x) / scale));
      };
      if (integer_of(lowest) >= low_ && integer_of(highest) <= high_) {
        return {scale, static_cast<std::int32_t>(zero_point)};
      }
      scale = std::nextafter(scale, std::numeric_limits<T>::infinity());
    }
  }

  double low_, high_, middle_;
  bool is_symmetric_;
  sc_rounding rounding_;
  bool is_nearest_;
};

}  // namespace secateur
