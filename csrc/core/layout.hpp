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

  // Whether the array is divided into the same groups in the same order. Layouts that are equal in
  // a less simple way are not recognized.
  [[nodiscard]] constexpr bool has_groups_of(const Layout& other) const {
    return merged() == other.merged();
  }

 private:
  // The same groups with as many dimensions merged as these rules allow.
  [[nodiscard]] constexpr Layout merged() const {
    Layout layout = flattened();
    if (layout.block == layout.length && (layout.shared || layout.outer == 1)) {
      // All rows of all matrices share their groups.
      layout = {layout.outer * layout.length, layout.inner, 1, layout.inner_block, 1, true};
      layout.shared = layout.outer != 1;
    }
    if (layout.block == 1 && layout.inner_block != 0 && layout.inner % layout.inner_block == 0) {
      // Each row of a matrix is divided into whole groups, so that the rows can be one.
      layout.length *= layout.inner;
      layout.block = layout.inner_block;
      layout.inner = layout.inner_block = 1;
    } else if (layout.block == 1 && !layout.shared) {  // each row can be a matrix
      layout = {layout.outer * layout.length, layout.inner, 1, layout.inner_block, 1, false};
    } else if (layout.length == 1) {
      layout = {layout.outer, layout.inner, 1, layout.inner_block, 1, layout.shared};
    }
    if (!layout.shared && layout.inner == 1 && layout.block != 0 &&
        layout.length % layout.block == 0) {
      layout.length *= layout.outer;
      layout.outer = 1;
    }
    return layout;
  }
};

}  // namespace secateur
