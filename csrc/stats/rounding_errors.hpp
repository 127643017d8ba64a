// The rounding errors of the elements of a group on a grid.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the sums of each group, with one grid per group. Those of a group are computed in float
// if w has at most 32 bits and float has enough range and precision for its grid, else in double.
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, const Grid* grids,
                         double ratio, RoundingSums* sums);

}  // namespace secateur
