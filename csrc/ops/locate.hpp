// Where the k-th largest key lies, by the census of a bracket.
#pragma once

#include "kernels/table.hpp"

namespace secateur {

enum class Place { above, at_hi, within, at_lo, below };

inline Place locate(const Census& census, std::size_t k) {
  return k <= census.above_hi   ? Place::above
         : k <= census.from_hi  ? Place::at_hi
         : k <= census.above_lo ? Place::within
         : k <= census.from_lo  ? Place::at_lo
                                : Place::below;
}

}  // namespace secateur
