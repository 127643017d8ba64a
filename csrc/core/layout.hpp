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
// In an array without elements, axes may have the length 0, as secateur.h says.
struct Layout {
  std::size_t outer, length, inner;
  std::size_t block, inner_block;
  bool shared;

  friend constexpr bool operator==(const Layout&, const Layout&) = default;

  // All n elements as one group.
  static constexpr Layout whole(std::size_t n) { return {1, n, 1, n, 1, false}; }

  // The number of blocks along the middle dimension, and along the inner one.
  [[nodiscard]] constexpr std::size_t blocks_down() const {
    return block == 0 ? 1 : ceil_div(length, block);
  }
  [[nodiscard]] constexpr std::size_t blocks_across() const {
    return inner_block == 0 ? 1 : ceil_div(inner, inner_block);
  }
  [[nodiscard]] constexpr std::size_t groups() const {
    return (shared ? 1 : outer) * blocks_down() * blocks_across();
  }
  [[nodiscard]] constexpr std::size_t elements() const { return outer * length * inner; }
  [[nodiscard]] constexpr std::size_t elements_of(std::size_t group) const {
    const std::size_t rows = length - group / blocks_across() % blocks_down() * block;
    const std::size_t columns = inner - group % blocks_across() * inner_block;
    return (shared ? outer : 1) * (rows < block ? rows : block) *
           (columns < inner_block ? columns : inner_block);
  }

  // The same groups with inner = 1 if blocks are as wide as the matrices: their rows are then
  // consecutive in memory. If there is only one matrix, `shared` becomes false.
  [[nodiscard]] constexpr Layout flattened() const {
    const bool is_shared = shared && outer != 1;
    return inner_block == inner ? Layout{outer, length * inner, 1, block * inner, 1, is_shared}
                                : Layout{outer, length, inner, block, inner_block, is_shared};
  }

  // The same groups in the same order, with dimensions merged. If blocks are as wide as the
  // matrices, the rows of a block become one row. The blocks of a shared group become one block if
  // they are as high as the matrices, or if they are one row high and their width divides that of
  // the matrices. Requires an array with elements.
  [[nodiscard]] constexpr Layout coalesced() const {
    Layout layout = with_full_rows();
    if (layout.shared) {
      if (layout.block == layout.length) {  // blocks of consecutive matrices continue each other
        const std::size_t rows = layout.outer * layout.length;
        layout = {1, rows, layout.inner, rows, layout.inner_block, false};
      } else if (layout.block == 1 && layout.inner % layout.inner_block == 0) {
        // The matrices are rows.
        layout = {
            1, layout.outer, layout.length * layout.inner, layout.outer, layout.inner_block, false};
      } else {
        layout.shared = layout.outer != 1;
      }
      layout = layout.with_full_rows();
    }
    if (!layout.shared && layout.block == 1) {
      layout = {1, layout.outer * layout.length, layout.inner, 1, layout.inner_block, false};
      if (layout.inner % layout.inner_block == 0) {
        layout = {1, 1, layout.elements(), 1, layout.inner_block, false};
      }
    }
    return layout;
  }

  // Whether the array is divided into the same groups in the same order. Requires an array with
  // elements.
  [[nodiscard]] constexpr bool has_groups_of(const Layout& other) const {
    return coalesced().with_short_matrices() == other.coalesced().with_short_matrices();
  }

 private:
  // If the groups are not shared and `block` divides `length`: the layout that views each row of
  // blocks as a matrix. Otherwise the same layout.
  [[nodiscard]] constexpr Layout with_short_matrices() const {
    return !shared && length % block == 0
               ? Layout{outer * (length / block), block, inner, block, inner_block, false}
               : *this;
  }

  // If blocks are as wide as the matrices: the layout that views each matrix as one row, because
  // the rows of a block are contiguous.
  [[nodiscard]] constexpr Layout with_full_rows() const {
    return inner_block == inner ? Layout{outer, 1, length * inner, 1, block * inner, shared}
                                : *this;
  }
};

}  // namespace secateur
