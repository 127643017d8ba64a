// Statistics for choosing a format: the range of the elements, and their rounding errors on a grid.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the least and the greatest of 0 and the elements of each group. Throws Error if an
// element is NaN or infinite.
void find_ranges(const Layout& groups, const void* w, FloatType type, double* lowest,
                 double* highest);

// Computes the sums of each group, with one grid per group. If w has at most 32 bits and float has
// enough range and precision for the grids, kernels compute in float, else in double.
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, const Grid* grids,
                         double ratio, RoundingSums* sums);

}  // namespace secateur
