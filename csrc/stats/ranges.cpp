#include "stats/ranges.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/nan.hpp"
#include "core/threads.hpp"
#include "select/select.hpp"
#include "select/slices.hpp"

namespace secateur {
namespace {

// Converts keys to magnitudes. The low type.bytes bytes of a key are the bits of the magnitude.
void widen_keys(const Key* keys, std::size_t count, FloatType type, double* out) {
  const Buffer<unsigned char> bits(count * type.bytes);
  for_indices(count, [&](std::size_t i) {
    const auto store_key = [&](auto key) {
      std::memcpy(bits.data() + i * sizeof key, &key, sizeof key);
    };
    type.bytes == 2   ? store_key(static_cast<std::int16_t>(keys[i]))
    : type.bytes == 4 ? store_key(static_cast<std::int32_t>(keys[i]))
                      : store_key(keys[i]);
  });
  kernels().core.convert[type.kind].to_float64({bits.data(), 0, count, count}, out);
}

// The blocks along an axis that have the same length.
struct EqualBlocks {
  std::size_t first, count, length;
};

// The full blocks along an axis, and the last one if it is shorter.
std::vector<EqualBlocks> equal_blocks(std::size_t length, std::size_t block) {
  const std::size_t full = length / block;
  std::vector<EqualBlocks> found;
  if (full != 0) {
    found.push_back({0, full, block});
  }
  if (length % block != 0) {
    found.push_back({full, 1, length % block});
  }
  return found;
}

// The groups of a layout whose blocks have the same shape.
struct EqualGroups {
  const Layout& layout;
  EqualBlocks along, across;

  [[nodiscard]] std::size_t count() const {
    return (layout.shared ? 1 : layout.outer) * along.count * across.count;
  }
  [[nodiscard]] std::size_t elements() const {  // of each group
    return (layout.shared ? layout.outer : 1) * along.length * across.length;
  }
  [[nodiscard]] std::size_t matrix(std::size_t i) const { return i / (along.count * across.count); }
  [[nodiscard]] std::size_t row(std::size_t i) const {  // of blocks, in a matrix
    return along.first + i / across.count % along.count;
  }
  [[nodiscard]] std::size_t column(std::size_t i) const { return across.first + i % across.count; }
  // The index of the i-th of these groups among all groups of the layout.
  [[nodiscard]] std::size_t group(std::size_t i) const {
    return (matrix(i) * layout.blocks_down() + row(i)) * layout.blocks_across() + column(i);
  }
};

// Copies the elements of each group, one group after the other.
void copy_groups(const EqualGroups& groups, const void* w, std::size_t bytes, unsigned char* out) {
  const Layout& layout = groups.layout;
  const std::size_t run = groups.across.length * bytes;
  const std::size_t row = layout.inner * bytes;
  const std::size_t matrix = layout.length * row;
  const std::size_t group_bytes = groups.elements() * bytes;
  const std::size_t groups_per_task = std::max(kBlock / groups.elements(), std::size_t{1});
  Tasks tasks(ceil_div(groups.count(), groups_per_task));
  on_threads(std::min(threads_for(groups.count() * group_bytes), tasks.count()), [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task * groups_per_task;
      const std::size_t end = std::min(begin + groups_per_task, groups.count());
      unsigned char* to = out + begin * group_bytes;
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t first = layout.shared ? 0 : groups.matrix(i);
        const std::size_t last = layout.shared ? layout.outer : first + 1;
        const unsigned char* const block = static_cast<const unsigned char*>(w) +
                                           groups.row(i) * layout.block * row +
                                           groups.column(i) * layout.inner_block * bytes;
        for (std::size_t m = first; m < last; ++m) {
          for (std::size_t r = 0; r < groups.along.length; ++r, to += run) {
            std::memcpy(to, block + m * matrix + r * row, run);
          }
        }
      }
    }
  });
}

// Writes the key of the k-th largest magnitude of each slice.
void find_kth_keys(const void* w, const Layout& slices, FloatType type, std::size_t k, Key* keys) {
  const Operand array{w, slices.elements(), type};
  const SliceResult result{keys, 1, sizeof *keys};
  for_slices(array, slices, SC_NAN_KEEP, k, true, {&result, 1},
             [&](Operand slice, void* const* outputs, const Selection* known) {
    const Key kth = known != nullptr ? known->threshold
                                     : kth_key(SelectionProblem({&slice, 1}, SC_NAN_KEEP), k);
    std::memcpy(outputs[0], &kth, sizeof kth);
  });
}

// Writes the key of a percentile of each group.
void find_percentile_keys(const EqualGroups& groups, const void* w, FloatType type,
                          double percentile, Key* keys) {
  const Layout& layout = groups.layout;
  const std::size_t size = groups.elements();
  const std::size_t count = groups.count();
  const double rank = std::ceil(static_cast<double>(size) * percentile / 100);
  const std::size_t k = size + 1 - std::clamp(static_cast<std::size_t>(rank), std::size_t{1}, size);
  const bool are_all = count == layout.groups();
  if (are_all && !layout.shared && layout.inner_block == 1) {  // columns of the array
    const std::size_t block_rows = layout.outer * groups.along.count;
    const Layout slices{block_rows, layout.block, layout.inner, layout.block, 1, false};
    find_kth_keys(w, slices, type, k, keys);
    return;
  }
  const Layout slices{count, size, 1, size, 1, false};
  if (are_all && !layout.shared && layout.block == 1) {  // rows of the array
    find_kth_keys(w, slices, type, k, keys);
    return;
  }
  const Buffer<unsigned char> copy(count * size * type.bytes);
  copy_groups(groups, w, type.bytes, copy.data());
  const Buffer<Key> found(count);
  find_kth_keys(copy.data(), slices, type, k, found.data());
  for_indices(count, [&](std::size_t i) { keys[groups.group(i)] = found[i]; });
}

// Tuning: groups that are columns of at most kMaxColumn elements, of matrices of at least
// kMinColumns columns, are read row by row. Others are transposed, and are shared evenly among
// threads.
constexpr std::size_t kMaxColumn = 1024;
constexpr std::size_t kMinColumns = 64;

bool should_read_rows(const Layout& layout) {
  return !layout.shared && layout.inner_block == 1 && layout.block <= kMaxColumn &&
         layout.inner >= kMinColumns;
}

// Writes the MinMax of groups that are columns of rows of blocks.
template <class E>
void find_ranges_of_columns(const Layout& layout, const void* w, MinMax<E>* found) {
  const auto kernel = kernels().stats.min_max_of_columns[sizeof(E)];
  const std::size_t down = layout.blocks_down();
  const std::size_t strips = ceil_div(layout.inner, kColumnStrip);
  Tasks tasks(layout.outer * down * strips);
  share(tasks, layout.elements() * sizeof(E), [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t block_row = task / strips;
      const std::size_t column = task % strips * kColumnStrip;
      const std::size_t row = block_row % down * layout.block;
      const std::size_t first = (block_row / down * layout.length + row) * layout.inner + column;
      kernel(static_cast<const E*>(w) + first, std::min(layout.block, layout.length - row),
             layout.inner, std::min(kColumnStrip, layout.inner - column),
             found + block_row * layout.inner + column);
    }
  });
}

// Writes the MinMax of any groups.
template <class E>
void find_ranges_by_rows(const Layout& groups, const void* w, FloatType type, MinMax<E>* found) {
  const auto kernel = kernels().stats.min_max[sizeof(E)];
  const GroupInput input{w, type, type};
  const auto add = [&](const GroupRows& input_rows, MinMax<E>* results, std::size_t, bool) {
    kernel(input_rows.rows, results);
  };
  reduce_groups(groups, {&input, 1}, found, add, [](MinMax<E>& min_max, MinMax<E> other) {
    min_max.positive = std::max(min_max.positive, other.positive);
    min_max.negative = std::max(min_max.negative, other.negative);
  });
}

// find_ranges for elements of the width of E.
template <class E>
bool find_ranges_of(const Layout& groups, const void* w, FloatType type, MinMax<double>* min_max) {
  const std::size_t count = groups.groups();
  const Buffer<MinMax<E>> found(count);
  if (groups.elements() != 0 && should_read_rows(groups.coalesced())) {
    find_ranges_of_columns(groups.coalesced(), w, found.data());
  } else {
    find_ranges_by_rows(groups, w, type, found.data());
  }
  // The keys are the bits of the magnitudes.
  const Part magnitudes{found.data(), 0, 2 * count, 2 * count};
  if (kernels().core.max_magnitude[sizeof(E)](magnitudes) > type.largest_number()) {
    return false;
  }
  kernels().core.convert[type.kind].to_float64(magnitudes, reinterpret_cast<double*>(min_max));
  return true;
}

}  // namespace

void refuse_not_finite(const void* w, std::size_t n, FloatType type) {
  type.infinity = type.largest_number();  // find_nan() then counts infinities as NaN
  const NaNs found = find_nan(w, n, type);
  refuse_nan(
      found, "w",
      found.count == 1 ? "element that is NaN or infinite" : "elements that are NaN or infinite");
}

bool find_ranges(const Layout& groups, const void* w, FloatType type, MinMax<double>* min_max) {
  return type.bytes == 2   ? find_ranges_of<std::int16_t>(groups, w, type, min_max)
         : type.bytes == 4 ? find_ranges_of<std::int32_t>(groups, w, type, min_max)
                           : find_ranges_of<std::int64_t>(groups, w, type, min_max);
}

void find_percentiles(const Layout& groups, const void* w, FloatType type, double percentile,
                      double* magnitudes) {
  const Layout layout = groups.coalesced();
  const Buffer<Key> keys(layout.groups());
  for (const EqualBlocks& along : equal_blocks(layout.length, layout.block)) {
    for (const EqualBlocks& across : equal_blocks(layout.inner, layout.inner_block)) {
      find_percentile_keys({layout, along, across}, w, type, percentile, keys.data());
    }
  }
  widen_keys(keys.data(), layout.groups(), type, magnitudes);
}

}  // namespace secateur
