// The fixed-point formats of the least sum of squared errors.
#pragma once

#include <optional>

#include "stats/group_ranges.hpp"

namespace secateur {

// Replaces the largest frac_bits with which no element saturates by those of the least error. On
// equal errors it takes the larger frac_bits, unless floating-point rounding made the errors equal:
// that is so if the distance of the farthest element to the range is positive, and its
// floating-point value is that of one bit less. frac_bits remain where all elements are 0, or where
// the first error overflows.
void write_least_error_frac_bits(const Calibration& calibration, const Ranges& ranges, int bits,
                                 bool is_signed, std::int32_t* frac_bits);

// Tuning: arrays of at least kMinSampled elements are searched from a sample.
inline constexpr std::size_t kMinSampled = std::size_t{1} << 17;

// The frac_bits of least error for signed integers and the whole array, or nothing if the search
// from a sample does not find them. Requires at least kMinSampled elements.
std::optional<int> least_error_frac_bits_from_sample(const Calibration& calibration, int bits);

}  // namespace secateur
