#include "stats/limits.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "select/threshold.hpp"
#include "stats/rounding.hpp"

namespace secateur {
namespace {

// The largest number x >= 0 with rounds_into_range(x), which holds for 0 and all smaller ones. The
// search gallops from `near`, over the bits of positive numbers, which order as the numbers.
template <class T, class Predicate>
T largest_in_range(T near, const Predicate& rounds_into_range) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  constexpr T kMost = std::numeric_limits<T>::max();
  Bits low = 0;  // of a number in range
  Bits high = std::bit_cast<Bits>(kMost) + 1;
  Bits probe = std::bit_cast<Bits>(std::min(near, kMost));
  for (Bits distance = 1; high - low > 1;) {
    const bool is_in_range = rounds_into_range(std::bit_cast<T>(probe));
    (is_in_range ? low : high) = probe;
    if (distance < high - low) {
      probe = is_in_range ? low + distance : high - distance;
      distance *= 2;
    } else {
      probe = low + (high - low) / 2;
    }
  }
  return std::bit_cast<T>(low);
}

// For each sign, the largest key whose value is quantized to an integer in range. T is the compute
// type.
template <class T>
Limits affine_limits(const Scheme& scheme, std::size_t group, sc_rounding rounding,
                     FloatType type) {
  const T scale = static_cast<const T*>(scheme.scales)[group];
  const std::int64_t zero_point = scheme.zero_points == nullptr ? 0 : scheme.zero_points[group];
  const auto& [below, above] = margins_of(rounding);
  // The key of the largest magnitude that rounds to at most `integer`, among numbers of this sign.
  const auto key_of_limit = [&](std::int64_t integer, Margin margin, T sign) {
    const auto limit = static_cast<double>(integer);
    const T near = static_cast<T>(limit + margin.distance) * scale;
    const T x = largest_in_range<T>(near, [&](T magnitude) {
      return std::abs(round_by(rounding, static_cast<double>(sign * magnitude / scale))) <= limit;
    });
    return key_of_threshold(static_cast<double>(x), type);
  };
  return {key_of_limit(scheme.highest - zero_point, above, 1),
          key_of_limit(zero_point - scheme.lowest, below, -1)};
}

// The same for fixed point.
Limits fixed_point_limits(const Scheme& scheme, std::size_t group, sc_rounding rounding,
                          FloatType type) {
  const auto key_of_limit = [&](std::int64_t integer, Margin margin) {
    const double end =
        std::ldexp(static_cast<double>(integer) + margin.distance, -scheme.frac_bits[group]);
    return key_of_threshold(margin.is_included ? end : std::nextafter(end, 0), type);
  };
  const auto& [below, above] = margins_of(rounding);
  const IntegerRange range = scheme.range_of(group);
  return {key_of_limit(range.highest, above), key_of_limit(-range.lowest, below)};
}

}  // namespace

void write_limits(const Scheme& scheme, std::size_t count, sc_rounding rounding, sc_dtype w_dtype,
                  FloatType type, Limits* limits) {
  const bool is_shared = scheme.layout.groups() == 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t group = is_shared ? 0 : i;
    if (i != 0 && is_shared) {
      limits[i] = limits[0];
    } else if (!scheme.has_scales()) {
      limits[i] = fixed_point_limits(scheme, group, rounding, type);
    } else if (w_dtype == SC_DTYPE_FLOAT64) {
      limits[i] = affine_limits<double>(scheme, group, rounding, type);
    } else {
      limits[i] = affine_limits<float>(scheme, group, rounding, type);
    }
  }
}

}  // namespace secateur
