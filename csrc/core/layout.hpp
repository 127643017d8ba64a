// The division of an array into groups of elements that belong together.
#pragma once

#include <cstddef>

#include "core/ceil_div.hpp"

namespace secateur {

// A validated sc_layout: an array viewed as [outer][length][inner], in blocks of
// block x inner_block elements, where 1 <= block <= length and 1 <= inner_block <= inner. If
// `shared`, the blocks at the same place of all matrices [length][inner] are one group; otherwise
// each block is a group.
//
// In an array without elements, an axis may have no elements. It is one block if the length of its
// blocks is 0, else none.
struct Layout {
  std::size_t outer, length, inner;
  std::size_t block, inner_block;
  bool shared;

  friend constexpr bool operator==(const Layout&, const Layout&) = default;

  // All n elements as one group.
  static constexpr Layout whole(std::size_t n) { return {1, n, 1, n, 1, false}; }

  // The number of blocks along the middle dimension, and along the inner one.
  [[nodiscard]] constexpr std::size_t blocks_along() const {
    return block == 0 ? 1 : ceil_div(length, block);
  }
  [[nodiscard]] constexpr std::size_t blocks_across() const {
    return inner_block == 0 ? 1 : ceil_div(inner, inner_block);
  }
  [[nodiscard]] constexpr std::size_t groups() const {
    return (shared ? 1 : outer) * blocks_along() * blocks_across();
  }
  [[nodiscard]] constexpr std::size_t elements() const { return outer * length * inner; }

  // The same groups with inner = 1 if blocks are as wide as the matrices: their rows are then
  // consecutive in memory. Groups of a single matrix are not shared.
  [[nodiscard]] constexpr Layout flattened() const {
    const bool is_shared = shared && outer != 1;
    return inner_block == inner ? Layout{outer, length * inner, 1, block * inner, 1, is_shared}
                                : Layout{outer, length, inner, block, inner_block, is_shared};
  }
};

}  // namespace secateur
