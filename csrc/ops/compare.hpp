// How much two arrays differ.
#pragma once

#include "ops/cells.hpp"

namespace secateur {

// The sums of each cell, of operands that kernels are given as floats of one type. `inside`, where it is not
// null, has for each cell the peaks, of that type, above which elements of w are counted.
void compare(const Cells& cells, const Operand& w, const Operand& w_hat, const Peaks* inside,
             PairSums* sums);

}  // namespace secateur
