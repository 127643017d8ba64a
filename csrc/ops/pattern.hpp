// N:M patterns.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"
#include "ops/select.hpp"

namespace secateur {

// Writes of each pattern.of elements that lie `inner` apart the pattern.keep largest. `out` may be w
// itself. Throws Error when NaN is refused, and then an output in place is as it was.
void prune_pattern(const Magnitudes& magnitudes, Pattern pattern, std::size_t inner, void* out);

}  // namespace secateur
