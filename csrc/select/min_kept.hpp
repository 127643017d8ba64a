// Selection among operands of which each keeps a minimum number of its own largest elements.
#pragma once

#include <cstddef>
#include <span>

#include "secateur/secateur.h"
#include "select/operand.hpp"

namespace secateur {

// Writes k elements to the outputs of the operands, which may be the arrays themselves. Of operand
// i, the min_kept[i] largest elements are kept. Of all others, the largest are kept, ranked
// together. Ties go to the first operand, and within it to the lowest index. Requires at least one
// operand, each minimum to be at most the number of elements, and k to lie between the sum of the
// minimums and the total number of elements. Throws Error if NaN is refused and present; outputs in
// place are then left unmodified.
void write_topk(std::span<Operand> operands, sc_nan nan, std::span<const std::size_t> min_kept,
                std::size_t k);

}  // namespace secateur
