// An array viewed along an axis.
#pragma once

#include <cstddef>

namespace secateur {

// An array viewed as [outer][length][inner]. A slice runs along the middle dimension.
struct Slices {
  std::size_t outer, length, inner;
};

}  // namespace secateur
