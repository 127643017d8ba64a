#include "stats/frac_bits_of_range.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace secateur {
namespace {

// x = significand * 2^(exponent - 1075), with the leading bit of the significand at kMantissaBits.
struct Bits {
  static constexpr int kMantissaBits = 52;
  std::uint64_t significand;
  int exponent;

  // Requires x > 0.
  explicit Bits(double x) {
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

// The largest e with x * 2^e < limit, or x * 2^e <= limit if `includes_limit`. Requires x > 0.
int largest_exponent(double x, double limit, bool includes_limit) {
  const Bits of_x(x);
  const Bits of_limit(limit);
  const bool fits = includes_limit ? of_x.significand <= of_limit.significand
                                   : of_x.significand < of_limit.significand;
  return of_limit.exponent - of_x.exponent - (fits ? 0 : 1);
}

}  // namespace

int largest_frac_bits(double lowest, double highest, int bits, bool is_signed,
                      const Margins& margins) {
  const int magnitude_bits = bits - (is_signed ? 1 : 0);
  const double count = std::ldexp(1.0, magnitude_bits);
  const auto& [below, above] = margins;
  int frac_bits = std::numeric_limits<int>::max();
  if (highest > 0) {
    frac_bits = largest_exponent(highest, count - 1 + above.distance, above.is_included);
  }
  if (is_signed && lowest < 0) {
    frac_bits =
        std::min(frac_bits, largest_exponent(-lowest, count + below.distance, below.is_included));
  }
  return frac_bits == std::numeric_limits<int>::max()
             ? magnitude_bits
             : std::clamp(frac_bits, -kMaxFracBits, kMaxFracBits);
}

double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               const Margins& margins, std::int32_t* frac_bits) {
  double most_negative = 0;
  for_indices(ranges.count(), [&](std::size_t i) {
    const double lowest = ranges.lowest(i);
    frac_bits[i] = largest_frac_bits(lowest, ranges.highest(i), bits, is_signed, margins);
    if (!is_signed && lowest < 0) {
      const double magnitude =
          std::max(std::ldexp(-lowest, frac_bits[i]), std::numeric_limits<double>::denorm_min());
      const auto& [distance, is_included] = margins.below;
      const bool becomes_0 = magnitude < distance || (magnitude == distance && is_included);
      most_negative = becomes_0 ? most_negative : std::min(most_negative, lowest);
    }
  });
  return most_negative;
}

}  // namespace secateur
