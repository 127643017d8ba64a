// Where the k-th largest key lies, by the census of a bracket.
#pragma once

#include "kernels/table.hpp"

namespace secateur {

enum class Place { above, within, below };

inline Place locate(const Census& census, std::size_t k) {
  return k <= census.above() ? Place::above : k <= census.above_lo ? Place::within : Place::below;
}

}  // namespace secateur
