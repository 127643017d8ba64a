#include "stats/frac_bits_of_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace secateur {
double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               const Margins& margins, std::int32_t* frac_bits) {
  const FracBitsOfRange frac_bits_of(bits, is_signed, margins);
  double most_negative = 0;
  for_indices(ranges.count(), [&](std::size_t i) {
    const double lowest = ranges.lowest(i);
    frac_bits[i] = frac_bits_of(lowest, ranges.highest(i));
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
