// Pruning by N:M patterns.
#pragma once

#include <cstddef>

#include "prune/kernels/table.hpp"
#include "select/operand.hpp"

namespace secateur {

// The groups of a pattern along slices. If they do not divide a slice, the last `remainder.of`
// elements of each slice are a group of the pattern `remainder`.
struct PatternGroups {
  Pattern pattern;
  std::size_t length, inner;  // of the slices, as in Layout
  Pattern remainder{0, 0};
};

// Whether prune_pattern can write bits, because all its blocks begin at whole bytes.
bool can_write_bits(const PatternGroups& groups);

// Prunes the groups. Writes to given.out, which may be given.w. Floats: the pattern.keep largest
// elements of each group, and +0.0 for the others. Bools, or bits if can_write_bits(): whether each
// element is kept. Throws Error if NaN is refused and present, and then leaves an in-place output
// unmodified.
void prune_pattern(const Operand& given, const PatternGroups& groups, sc_nan nan);

}  // namespace secateur
