// Selection along an axis other than the last: neighbouring slices are columns of a matrix, and
// results are written row by row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "select/operand.hpp"
#include "select/slices.hpp"

namespace secateur {

// Whether write_topk_of_columns applies: the elements rank by their magnitude, slices are short,
// and a row is at least a cache line long.
bool are_columns(const Operand& array, const Layout& slices);

// Writes the k largest of each slice, 0 <= k <= length, to the output of the array. Throws Error if
// NaN is refused and present.
void write_topk_of_columns(const SelectionProblem& problem, const Layout& slices, std::size_t k);

}  // namespace secateur
