// The largest elements themselves, and where they are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/select.hpp"

namespace secateur {

// The k largest of one source, 0 <= k <= n, ranked by their magnitude: in the order of their indices, or
// the largest first and those that tie in the order of their indices. Throws Error when NaN is refused.
void topk(const Source& source, sc_nan nan, std::size_t k, bool by_magnitude, void* values,
          std::int64_t* indices, const Selection* known = nullptr);

}  // namespace secateur
