// The fixed-point formats that hold given ranges.
#pragma once

#include "stats/group_ranges.hpp"
#include "stats/rounding.hpp"

namespace secateur {

inline constexpr int kMaxFracBits = 256;  // frac_bits are from -kMaxFracBits to kMaxFracBits

// The largest frac_bits with which no number of a range that includes 0 is rounded out of range. If the
// range is only 0, or for unsigned integers does not exceed 0: the frac_bits with which the integers
// represent -1 (unsigned: 0) to nearly 1.
int largest_frac_bits(double lowest, double highest, int bits, bool is_signed,
                      const Margins& margins);

// Writes largest_frac_bits of each group. Returns what choose_frac_bits returns.
double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               const Margins& margins, std::int32_t* frac_bits);

}  // namespace secateur
