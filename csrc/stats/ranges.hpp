// The range of the elements of a group.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the MinMax of each group, of magnitudes in place of keys. Returns false if an element is
// NaN or infinite.
bool find_ranges(const Layout& groups, const void* w, FloatType type, MinMax<double>* min_max);

// Throws an Error with the number of elements that are NaN or infinite. Requires at least one.
[[noreturn]] void refuse_not_finite(const void* w, std::size_t n, FloatType type);

// Computes a percentile of the magnitudes of each group: of n elements, the magnitude of rank
// max(1, ceil(n * percentile / 100)), counted from the smallest. Requires 0 <= percentile <= 100,
// and an array of at least one element and without NaN.
void find_percentiles(const Layout& groups, const void* w, FloatType type, double percentile,
                      double* magnitudes);

}  // namespace secateur
