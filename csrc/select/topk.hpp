// topk: the values and the indices of the k largest elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "select/select.hpp"

namespace secateur {

// Writes the k elements of one operand that rank highest, 0 <= k <= n, and their indices. They are
// in the order of their indices, or (by_rank) the highest first and ties in the order of their
// indices. `known` is the selection of these elements, if it is known. Throws Error if NaN is
// refused and present.
void topk(const Operand& operand, sc_nan nan, std::size_t k, bool by_rank, void* values,
          std::int64_t* indices, const Selection* known = nullptr);

}  // namespace secateur
