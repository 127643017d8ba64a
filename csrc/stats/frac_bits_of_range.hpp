// The fixed-point formats that hold given ranges.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "stats/group_ranges.hpp"
#include "stats/rounding.hpp"

namespace secateur {

inline constexpr int kMaxFracBits = 256;  // frac_bits are from -kMaxFracBits to kMaxFracBits

// x = significand * 2^(exponent - 1075), with the leading bit of the significand at kMantissaBits.
struct FloatBits {
  static constexpr int kMantissaBits = 52;
  std::uint64_t significand;
  int exponent;

  // Requires x > 0.
  explicit FloatBits(double x) {
    constexpr std::uint64_t kLeading = std::uint64_t{1} << kMantissaBits;
    const auto bits = std::bit_cast<std::uint64_t>(x);
    significand = (bits % kLeading) | kLeading;
    exponent = static_cast<int>(bits >> kMantissaBits);
    if (exponent == 0) {  // subnormal
      significand = bits << std::countl_zero(bits) >> (63 - kMantissaBits);
      exponent = 12 - std::countl_zero(bits);
    }
  }
};

// Computes the largest frac_bits with which no number of a range that includes 0 is rounded out of
// range. If the range is only 0, or for unsigned integers does not exceed 0: the frac_bits with
// which the integers represent -1 (unsigned: 0) to nearly 1.
class FracBitsOfRange {
 public:
  FracBitsOfRange(int bits, bool is_signed, const Margins& margins)
      : of_zero_(bits - (is_signed ? 1 : 0)),
        is_signed_(is_signed),
        above_(std::ldexp(1.0, of_zero_) - 1, margins.above),
        below_(std::ldexp(1.0, of_zero_), margins.below) {}

  int operator()(double lowest, double highest) const {
    constexpr int kNone = std::numeric_limits<int>::max();
    const int of_highest = highest > 0 ? above_.largest_exponent(highest) : kNone;
    const int of_lowest = is_signed_ && lowest < 0 ? below_.largest_exponent(-lowest) : kNone;
    const int frac_bits = std::min(of_highest, of_lowest);
    return frac_bits == kNone ? of_zero_ : std::clamp(frac_bits, -kMaxFracBits, kMaxFracBits);
  }

 private:
  // The numbers x > 0 that are rounded to at most `magnitude`.
  class Limit {
   public:
    Limit(double magnitude, const Margin& margin)
        : limit_(magnitude + margin.distance),
          largest_significand_(limit_.significand - (margin.is_included ? 0 : 1)) {}

    // The largest e with which x * 2^e is one of them.
    [[nodiscard]] int largest_exponent(double x) const {
      const FloatBits of_x(x);
      return limit_.exponent - of_x.exponent - (of_x.significand <= largest_significand_ ? 0 : 1);
    }

   private:
    FloatBits limit_;
    std::uint64_t largest_significand_;
  };

  int of_zero_;
  bool is_signed_;
  Limit above_, below_;
};

// Writes the frac_bits of each group. Returns what choose_frac_bits returns.
double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               const Margins& margins, std::int32_t* frac_bits);

}  // namespace secateur
