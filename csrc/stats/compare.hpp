// Sums over pairs of elements of two arrays, for quantization-error metrics.
#pragma once

#include "stats/groups.hpp"

namespace secateur {

// Computes the sums of each group. Both inputs have the same kernel_type. `limits` may be null.
// Otherwise it has, for each group, the largest keys of that type that are in range. Elements of w
// with larger keys are counted.
void compare(const Layout& groups, const GroupInput& w, const GroupInput& w_hat,
             const Limits* limits, PairSums* sums);

}  // namespace secateur
