// Histograms of keys.
#pragma once

#include <cstdint>

#include "select/operand.hpp"

namespace secateur {

// The maximum number of bins in a range of keys. With 2^16 bins, the exact k-th key is known after
// one pass for 16-bit floats, two passes for 32-bit floats, and four passes for 64-bit floats.
inline constexpr std::size_t kMaxBins = std::size_t{1} << 16;

// Divides the keys first <= key <= last into bins, as narrow as kMaxBins bins allow.
Bins bins_of(Key first, Key last);

// Adds the keys of a problem with one operand to the counts, which are one per bin. If NaN is
// refused, or if memory cannot be allocated, throws and leaves the counts unmodified.
HistogramTotals count_keys(const SelectionProblem& problem, const Bins& bins,
                           std::uint64_t* counts);

}  // namespace secateur
