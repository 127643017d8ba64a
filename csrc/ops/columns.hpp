// Selection along an axis where slices lie side by side, without bringing the results back from
// transposed tiles.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/slices.hpp"
#include "ops/source.hpp"

namespace secateur {

// Whether slices are so short, and so many of them side by side, that this is the way to go: not where
// something else than their magnitude ranks elements.
bool are_columns(const Source& array, const Slices& slices);

// Writes the k largest of each slice, 0 <= k <= length, to where the array's output says. Throws Error when
// NaN is refused.
void write_topk_of_columns(const Scope& scope, const Slices& slices, std::size_t k);

}  // namespace secateur
