// The range of the elements of a group.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// The magnitudes of the largest positive element of a group and of its negative element of largest
// magnitude. 0 if there is no such element.
struct Extremes {
  double positive, negative;
};

// Computes the extremes of each group. Returns false if an element is NaN or infinite.
bool find_ranges(const Layout& groups, const void* w, FloatType type, Extremes* extremes);

// Throws an Error with the number of elements that are NaN or infinite. Requires at least one.
[[noreturn]] void refuse_not_finite(const void* w, std::size_t n, FloatType type);

// Computes a percentile of the magnitudes of each group: of n elements, the magnitude of rank
// max(1, ceil(n * percentile / 100)), counted from the smallest. Requires 0 <= percentile <= 100,
// and an array of at least one element and without NaN.
void find_percentiles(const Layout& groups, const void* w, FloatType type, double percentile,
                      double* magnitudes);

}  // namespace secateur
