// The rounding errors of the elements of a group on a grid.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the sums of each group, with one grid per group: RoundingSums or GridErrors. Those of a
// group are computed in float if w has at most 32 bits and float has enough range and precision for
// its grid, else in double.
template <class Sums>
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, GridRounding rounding,
                         const Grid* grids, Sums* sums);
extern template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding,
                                         const Grid*, RoundingSums*);
extern template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding,
                                         const Grid*, GridErrors*);

}  // namespace secateur
