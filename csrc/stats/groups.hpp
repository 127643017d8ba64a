// Reductions over groups of elements of an array.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/blocks.hpp"
#include "core/dtypes.hpp"
#include "core/layout.hpp"
#include "core/scratch.hpp"
#include "stats/kernels/table.hpp"

namespace secateur {

// The elements of a group form runs. A run is a row of a block or, if blocks are one element wide,
// a column of it. Layout::coalesced merges runs that continue each other. A run is summed in
// segments of kRowSegment elements if it is a row, and of kColumnSegment elements if it is a
// column. docs/semantics.md has the order of the sums.
inline constexpr std::size_t kRowSegment = 4096;
// Shorter, so that a tile of columns has long pieces of rows.
inline constexpr std::size_t kColumnSegment = 256;

// An input array. Its elements are converted to kernel_type, which represents all values of `type`.
struct GroupInput {
  const void* data;
  FloatType type;
  FloatType kernel_type;
};
inline constexpr std::size_t kMaxGroupInputs = 2;

// Rows of both inputs, which have the same length and stride. Row i belongs to the group
// first_group + i.
struct GroupRows {
  Rows rows;
  const void* second;  // the rows of the second input; null if there is none
  std::size_t first_group;
};

// A non-owning reference to a function of GroupRows.
class GroupFunction {
 public:
  template <class F>
  GroupFunction(const F& body)  // NOLINT(google-explicit-constructor): implicit, from a lambda
      : body_(&body),
        call_([](const void* f, const GroupRows& rows) { (*static_cast<const F*>(f))(rows); }) {}
  void operator()(const GroupRows& rows) const { call_(body_, rows); }

 private:
  const void* body_;
  void (*call_)(const void* body, const GroupRows& rows);
};

// Calls `function` for all elements of all groups, on several threads. The elements of one group
// are passed in order, on one thread. Requires a coalesced() layout.
void for_groups(const Layout& groups, std::span<const GroupInput> inputs,
                const GroupFunction& function);

// Whether rows are so long and so few that several threads should share each row. Requires a
// coalesced() layout.
bool should_split_rows(const Layout& groups, std::size_t bytes_each);

// The parts of an array that hold whole groups, are contiguous, and have at most `elements`
// elements where possible. An operation that goes over its groups several times works on parts that
// fit in the L2 cache. A part is some columns of blocks if a row of blocks is large and blocks are
// one row high, else some rows of blocks or some matrices.
class GroupParts {
 public:
  // Requires an array with elements.
  GroupParts(const Layout& groups, std::size_t elements);

  // A single part if groups are shared.
  [[nodiscard]] std::size_t count() const {
    return ceil_div(layout_.outer, matrices_) * ceil_div(layout_.blocks_down(), rows_) *
           ceil_div(layout_.blocks_across(), columns_);
  }
  struct Part {
    Layout groups;
    std::size_t first_element, first_group;
  };
  [[nodiscard]] Part operator[](std::size_t i) const;

 private:
  Layout layout_;
  std::size_t matrices_, rows_, columns_;  // of blocks, in a part
};

// Computes one result per group. Each result begins as Result{}. add(rows, results, group,
// same_group) adds row i to results[i]. If same_group is true, all rows belong to `group`.
// Otherwise row i belongs to `group + i`. merge(result, other) adds a result of the same group.
template <class Result, class Add, class Merge>
void reduce_groups(const Layout& groups, std::span<const GroupInput> inputs, Result* results,
                   const Add& add, const Merge& merge) {
  std::fill_n(results, groups.groups(), Result{});
  if (groups.elements() == 0) {  // some lengths of an empty array may be large
    return;
  }
  const Layout layout = groups.coalesced();
  if (!should_split_rows(layout, inputs[0].type.bytes)) {
    for_groups(layout, inputs, [&](const GroupRows& rows) {
      add(rows, results + rows.first_group, rows.first_group, false);
    });
    return;
  }
  // The segments of a run are shared among threads. Their results are merged in order afterwards.
  const Buffer<Result> partial_results(ceil_div(layout.inner_block, kRowSegment));
  const auto add_run = [&](std::size_t begin, std::size_t length, std::size_t group) {
    const Layout segments{1, 1, length, 1, std::min(length, kRowSegment), false};
    GroupInput run[kMaxGroupInputs] = {};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      run[i] = inputs[i];
      run[i].data =
          static_cast<const unsigned char*>(inputs[i].data) + begin * inputs[i].type.bytes;
    }
    std::fill_n(partial_results.data(), segments.groups(), Result{});
    for_groups(segments, {run, inputs.size()}, [&](const GroupRows& rows) {
      add(rows, partial_results.data() + rows.first_group, group, true);
    });
    for (std::size_t i = 0; i < segments.groups(); ++i) {
      merge(results[group], partial_results[i]);
    }
  };
  const std::size_t across = layout.blocks_across();
  for (std::size_t row = 0; row < layout.outer * layout.length; ++row) {
    const std::size_t matrix = layout.shared ? 0 : row / layout.length;
    const std::size_t block_row = row % layout.length / layout.block;
    const std::size_t first_group = (matrix * layout.blocks_down() + block_row) * across;
    for (std::size_t i = 0; i < across; ++i) {
      const std::size_t column = i * layout.inner_block;
      add_run(row * layout.inner + column, std::min(layout.inner_block, layout.inner - column),
              first_group + i);
    }
  }
}

}  // namespace secateur
