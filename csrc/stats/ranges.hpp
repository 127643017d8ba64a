// The range of the elements of a group.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the least and the greatest of 0 and the elements of each group. Throws Error if an
// element is NaN or infinite.
void find_ranges(const Layout& groups, const void* w, FloatType type, double* lowest,
                 double* highest);

// Computes a percentile of the magnitudes of each group: of n elements, the magnitude of rank
// max(1, ceil(n * percentile / 100)), counted from the smallest. Requires 0 <= percentile <= 100,
// and an array of at least one element and without NaN.
void find_percentiles(const Layout& groups, const void* w, FloatType type, double percentile,
                      double* magnitudes);

}  // namespace secateur
