// Pruning by N:M patterns.
#pragma once

#include <cstddef>

#include "prune/kernels/table.hpp"
#include "select/operand.hpp"

namespace secateur {

// Whether prune_pattern can write bits, because all its blocks begin at whole bytes.
bool can_write_bits(Pattern pattern, std::size_t inner);

// Prunes groups of pattern.of elements that are `inner` apart. Writes to given.out, which may be
// given.w. Floats: the pattern.keep largest elements of each group, and +0.0 for the others. Bools,
// or bits if can_write_bits(): whether each element is kept. Throws Error if NaN is refused and
// present, and then leaves an in-place output unmodified.
void prune_pattern(const Operand& given, Pattern pattern, std::size_t inner, sc_nan nan);

}  // namespace secateur
