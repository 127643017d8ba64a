// The position of the k-th largest key relative to a bracket, from the counts of a pass.
#pragma once

#include "select/kernels/table.hpp"

namespace secateur {

enum class Position { above, within, below };

inline Position locate(const BracketCounts& bracket_counts, std::size_t k) {
  return k <= bracket_counts.above()    ? Position::above
         : k <= bracket_counts.above_lo ? Position::within
                                        : Position::below;
}

}  // namespace secateur
