// Compares the groups of Layout with their definition, for all small layouts.
#include "core/layout.hpp"

#include <cstddef>
#include <map>
#include <vector>

#include "require.hpp"

namespace {

using secateur::Layout;

using Groups = std::vector<std::size_t>;  // the group of each element

// The groups as secateur.h defines them.
Groups groups_of(const Layout& layout) {
  Groups groups;
  for (std::size_t matrix = 0; matrix < layout.outer; ++matrix) {
    for (std::size_t row = 0; row < layout.length; ++row) {
      for (std::size_t column = 0; column < layout.inner; ++column) {
        const std::size_t first = layout.shared ? 0 : matrix * layout.blocks_down();
        groups.push_back((first + row / layout.block) * layout.blocks_across() +
                         column / layout.inner_block);
      }
    }
  }
  return groups;
}

std::vector<Layout> small_layouts() {
  std::vector<Layout> layouts;
  for (std::size_t outer = 1; outer <= 4; ++outer) {
    for (std::size_t length = 1; length <= 6; ++length) {
      for (std::size_t inner = 1; inner <= 6; ++inner) {
        for (std::size_t block = 1; block <= length; ++block) {
          for (std::size_t inner_block = 1; inner_block <= inner; ++inner_block) {
            for (const bool shared : {false, true}) {
              layouts.push_back({outer, length, inner, block, inner_block, shared});
            }
          }
        }
      }
    }
  }
  return layouts;
}

}  // namespace

int main() {
  const std::vector<Layout> layouts = small_layouts();
  std::map<Groups, std::vector<Layout>> by_groups;
  for (const Layout& layout : layouts) {
    const Groups groups = groups_of(layout);
    std::size_t last = 0;
    for (const std::size_t group : groups) {
      last = group > last ? group : last;
    }
    require(groups.size() == layout.elements() && last + 1 == layout.groups(), "the numbers");
    require(groups_of(layout.flattened()) == groups, "flattened");
    require(groups_of(layout.coalesced()) == groups, "coalesced");
    by_groups[groups].push_back(layout);
  }
  // Layouts are recognized as equal if they have the same groups, and only then.
  const Layout* previous = nullptr;
  for (const auto& [groups, equal] : by_groups) {
    if (previous != nullptr) {
      require(!previous->has_groups_of(equal[0]), "layouts of other groups");
    }
    for (const Layout& layout : equal) {
      for (const Layout& other : layouts) {
        if (layout.elements() == other.elements()) {
          require(layout.has_groups_of(other) == (groups_of(other) == groups),
                  "layouts of the same groups");
        }
      }
    }
    previous = &equal[0];
  }
  require(Layout{1, 2, 3, 2, 1, false}.has_groups_of({2, 3, 1, 1, 1, true}), "columns");
  require(Layout{6, 10, 1, 3, 1, false}.has_groups_of({1, 6, 10, 1, 3, false}), "parts of rows");
  require(Layout{2, 3, 4, 1, 4, true}.has_groups_of({2, 12, 1, 4, 1, true}), "channels");
  require(Layout{2, 8, 1, 4, 1, false}.has_groups_of({1, 2, 8, 1, 4, false}), "whole groups");
  return 0;
}
