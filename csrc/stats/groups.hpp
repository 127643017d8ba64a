// Reductions over groups of elements of an array. A group is a slice across an axis, or a number of
// consecutive elements along an axis.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/blocks.hpp"
#include "core/ceil_div.hpp"
#include "core/dtypes.hpp"
#include "core/scratch.hpp"
#include "stats/kernels/table.hpp"

namespace secateur {

// The groups of an array of shape [outer][length][inner]. If group_size is 0, there is one group
// for each index along the middle axis. Otherwise there are [outer][ceil(length /
// group_size)][inner] groups of group_size consecutive elements along the middle axis. The last of
// these may have fewer.
struct Groups {
  std::size_t outer, length, inner, group_size;

  // The number of groups along the middle axis. Requires group_size != 0.
  [[nodiscard]] std::size_t count_along() const { return ceil_div(length, group_size); }
  [[nodiscard]] std::size_t count() const {
    return group_size == 0 ? length : outer * count_along() * inner;
  }
  [[nodiscard]] std::size_t elements() const { return outer * length * inner; }
};

// The elements of a group form runs. A run is contiguous or, if no two elements of the group are
// adjacent in memory, evenly spaced. A run is summed in blocks of kSumBlock elements if it is
// contiguous, and of kStridedSumBlock elements if it is evenly spaced. The sums of the blocks are
// added in order.
inline constexpr std::size_t kSumBlock = 4096;
// Shorter, so that a tile of columns has long pieces of rows.
inline constexpr std::size_t kStridedSumBlock = 256;

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
// are passed in order, on one thread.
void for_groups(const Groups& groups, std::span<const GroupInput> inputs,
                const GroupFunction& function);

// Whether groups are so long and so few that several threads should share each group.
bool are_long(const Groups& groups, std::size_t bytes_each);

// Computes one result per group. Each result begins as Result{}. add(rows, results, group,
// same_group) adds row i to results[i]. If same_group is true, all rows belong to `group`.
// Otherwise row i belongs to `group + i`. merge(result, other) adds a result of the same group.
template <class Result, class Add, class Merge>
void reduce_groups(const Groups& groups, std::span<const GroupInput> inputs, Result* results,
                   const Add& add, const Merge& merge) {
  std::fill_n(results, groups.count(), Result{});
  if (groups.elements() == 0) {  // some lengths of an empty array may be large
    return;
  }
  if (!are_long(groups, inputs[0].type.bytes)) {
    for_groups(groups, inputs, [&](const GroupRows& rows) {
      add(rows, results + rows.first_group, rows.first_group, false);
    });
    return;
  }
  // The blocks of a run are shared among threads. Their results are merged in order afterwards.
  const Groups blocks{1, groups.inner, 1, kSumBlock};
  const Buffer<Result> parts(blocks.count());
  GroupInput run[kMaxGroupInputs] = {};
  std::copy(inputs.begin(), inputs.end(), run);
  for (std::size_t i = 0; i < groups.outer * groups.length; ++i) {
    const std::size_t group = i % groups.length;
    std::fill_n(parts.data(), blocks.count(), Result{});
    for_groups(blocks, {run, inputs.size()}, [&](const GroupRows& rows) {
      add(rows, parts.data() + rows.first_group, group, true);
    });
    for (std::size_t block = 0; block < blocks.count(); ++block) {
      merge(results[group], parts[block]);
    }
    for (GroupInput& input : std::span(run, inputs.size())) {
      input.data = static_cast<const unsigned char*>(input.data) + groups.inner * input.type.bytes;
    }
  }
}

}  // namespace secateur
