// Counting keys in bins.
#pragma once

#include <cstdint>

#include "ops/source.hpp"

namespace secateur {

// The most bins that a range of keys is cut in. With as many, floats of 16, 32 and 64 bits are told
// apart in one pass, in two and in four.
inline constexpr std::size_t kMostBins = std::size_t{1} << 16;

// The keys first <= key <= last, in bins as narrow as their number allows.
Bins bins_of(Key first, Key last);

// Adds the keys of a scope of one source to counts, one for each bin. Throws Error when NaN is refused or
// memory cannot be had, and then adds nothing.
Tally count_keys(const Scope& scope, const Bins& bins, std::uint64_t* counts);

}  // namespace secateur
