// Quantization parameters that elements of an array share: their layout, and a cursor that gives
// kernels the parameters of consecutive elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "core/ceil_div.hpp"
#include "core/dispatch.hpp"
#include "core/layout.hpp"
#include "quantize/kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

template <class C>
const StageKernels<C>& stage_kernels() {
  if constexpr (sizeof(C) == sizeof(float)) {
    return kernels().quantize.stages_in_float;
  } else {
    return kernels().quantize.stages_in_double;
  }
}

inline bool all_within(const void* x, std::size_t count, std::int32_t least, std::int32_t most) {
  return kernels().quantize.all_within(x, count, least, most);
}

// The count rounded up to whole words.
constexpr std::size_t round_up_to_words(std::size_t count) {
  return ceil_div(count, kWord) * kWord;
}

// The parameters of the groups of an array, one each. The layout of the groups determines how they
// are found:
//   in_runs   runs of neighbours share a parameter.
//   periodic  each element of a period has its own parameter, and the parameters repeat with the
//             period: the length of the axis, a matrix, or the whole array.
//   in_rows   groups are narrower than the rows of a matrix. The parameters of a row of `inner`
//             elements are consecutive, and `block` rows share them.
template <class C>
class Parameters {
 public:
  Parameters(const C* values, const Layout& layout);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const C* values() const { return values_; }
  // Whether the array has several parameters, and runs of neighbours share them: runs of any
  // length, or of 2^shift_ elements within rows.
  [[nodiscard]] bool are_in_runs() const {
    return size_ != 1 && (access_ == Access::in_runs || shift_ != 0);
  }

 private:
  template <class>
  friend class ParameterCursor;

  enum class Access { in_runs, periodic, in_rows };

  void repeat(std::size_t period);

  const C* values_;
  std::size_t size_;
  Layout layout_;  // flattened
  Access access_ = Access::in_runs;
  SharedRuns runs_{};  // of the array; for in_rows, of one row
  // If not 0: every run has exactly 2^shift_ elements.
  std::uint32_t shift_ = 0;
  std::size_t period_ = 0;
  std::vector<C> repeated_;  // a period of values, repeated for kChunkCapacity more elements
};

// Gives a thread the parameters of consecutive elements. It is fastest if each call continues where
// the last one ended.
template <class C>
class ParameterCursor {
 public:
  explicit ParameterCursor(const Parameters<C>& parameters) : parameters_(parameters) {
    if (parameters_.size_ != 1) {
      // Kernels read past the end, where any valid parameter will do.
      std::fill(std::begin(buffer_), std::end(buffer_), *parameters_.values_);
    }
  }

  // The parameters of `count` elements from `begin` on: at most kChunk elements, or elements of a
  // single run. The result is valid until the next call.
  ParameterView<C> operator()(std::size_t begin, std::size_t count);
  // The number of elements from `begin` on that are known to share a parameter, at least 1.
  std::size_t run_left(std::size_t begin);

 private:
  // The position of an element for Access::in_rows: the index of its row among the rows of groups,
  // its index along the axis, and its index in its row of `inner` elements.
  struct RowPosition {
    std::size_t row_of_groups, index, in_row;
  };

  void seek(std::size_t begin);          // for in_runs
  void seek_in_rows(std::size_t begin);  // for in_rows
  ParameterView<C> in_runs(std::size_t begin, std::size_t count);
  ParameterView<C> periodic(std::size_t begin, std::size_t count);
  ParameterView<C> in_rows(std::size_t begin, std::size_t count);
  std::optional<ParameterView<C>> in_one_row(std::size_t count) const;
  void fill_row(const C* of_row, RunPosition position, std::size_t count, C* to);

  const Parameters<C>& parameters_;
  // The element whose position is stored below.
  std::size_t next_element_ = std::numeric_limits<std::size_t>::max();
  RunPosition run_position_{};
  RowPosition row_position_{};
  alignas(kLine) C buffer_[kChunkCapacity];
};

}  // namespace secateur
