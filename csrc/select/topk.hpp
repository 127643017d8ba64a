// topk: the values and the indices of the k largest elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "select/select.hpp"

namespace secateur {

// Writes the k largest elements of one operand by magnitude, 0 <= k <= n, and their indices. They
// are in the order of their indices, or (by_magnitude) the largest first and equal magnitudes in
// the order of their indices. `known` is the selection of these elements, if it is known. Throws
// Error if NaN is refused and present.
void topk(const Operand& operand, sc_nan nan, std::size_t k, bool by_magnitude, void* values,
          std::int64_t* indices, const Selection* known = nullptr);

}  // namespace secateur
