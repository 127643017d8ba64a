// Integer division that rounds up.
#pragma once

#include <cstddef>

namespace secateur {

// The smallest number of groups of `size` that hold `count` elements. The common formula
// (count + size - 1) / size could overflow.
constexpr std::size_t ceil_div(std::size_t count, std::size_t size) {
  return count / size + (count % size != 0 ? 1 : 0);
}

}  // namespace secateur
