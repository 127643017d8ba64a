// N:M patterns.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"
#include "ops/source.hpp"

namespace secateur {

// Writes of each pattern.of elements that lie `inner` apart the pattern.keep largest, to where the source
// given says, which may be w itself. Throws Error when NaN is refused, and then an output in place is as it was.
void prune_pattern(const Source& given, Pattern pattern, std::size_t inner, sc_nan nan);

}  // namespace secateur
