// The rounding errors of the elements of a group on a grid, or with several steps.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the sums of each group: RoundingSums with one Grid per group, or StepErrors with one
// Steps per group. Those of a group with a Grid are computed in float if w has at most 32 bits and
// float has enough range and precision for its grid, and those of a group with Steps if in_float,
// which requires that w has at most 32 bits; else in double.
template <class GridSpec, class Sums>
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, GridRounding rounding,
                         const GridSpec* grids, Sums* sums);
extern template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding,
                                         const Grid*, RoundingSums*);
extern template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding,
                                         const Steps*, StepErrors*);

}  // namespace secateur
