// What a format is chosen by: the range of elements, and the errors that they would have.
#pragma once

#include "ops/cells.hpp"

namespace secateur {

// The lowest and the highest of the elements of each cell and 0. Throws Error unless all are finite.
void find_ranges(const Cells& cells, const void* w, FloatType type, double* lowest,
                 double* highest);

// With a grid for each cell. Floats of 32 bits or fewer are given to kernels as float, where that holds what
// is made of them.
void sum_rounding_errors(const Cells& cells, const void* w, FloatType type, const Grid* grids,
                         double ratio, RoundingSums* sums);

}  // namespace secateur
