// Quantization parameters that elements of an array share: their layout, and a cursor that gives
// kernels the parameters of consecutive elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "core/ceil_div.hpp"
#include "core/dispatch.hpp"
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

// One parameter for the whole array.
inline constexpr sc_granularity kPerTensor{0, 1, 1, 1};

// The number of parameters of an array of n elements.
std::size_t parameter_count(const sc_granularity& granularity, std::size_t n);

// The parameters of an array of n elements. The granularity determines one of three layouts:
//   in_runs    runs of neighbours share a parameter.
//   periodic   each element of a period has its own parameter, and the parameters repeat with the
//              period: the length of the axis, or the whole array.
//   in_groups  neighbours along an axis share a parameter, and inner > 1. The parameters of a row
//              of `inner` elements are consecutive, and the rows of a group share them.
template <class C>
class Parameters {
 public:
  Parameters(const C* values, const sc_granularity& granularity, std::size_t n);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const C* values() const { return values_; }
  // Whether runs of neighbours share a parameter, and the array has more than one parameter.
  [[nodiscard]] bool are_in_runs() const {
    return size_ != 1 && layout_ == ParameterLayout::in_runs;
  }

 private:
  template <class>
  friend class ParameterCursor;

  enum class ParameterLayout { in_runs, periodic, in_groups };

  const C* values_;
  std::size_t size_;
  sc_granularity granularity_;
  ParameterLayout layout_ = ParameterLayout::in_runs;
  SharedRuns runs_{};
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
      std::fill(std::begin(buffer_), std::end(buffer_),
                C{1});  // kernels read past the end: any values but NaN
    }
  }

  // The parameters of `count` elements from `begin` on: at most kChunk elements, or elements of a
  // single run. The result is valid until the next call.
  ParameterView<C> operator()(std::size_t begin, std::size_t count);
  // The number of elements from `begin` on that are known to share a parameter, at least 1.
  std::size_t run_left(std::size_t begin);

 private:
  // The position of an element in layout in_groups: the index of its group, its index along the
  // axis, and its index in its row of `inner` elements.
  struct GroupPosition {
    std::size_t group, index, in_row;
  };

  void seek(std::size_t begin);  // in layout in_runs
  ParameterView<C> in_runs(std::size_t begin, std::size_t count);
  ParameterView<C> periodic(std::size_t begin, std::size_t count);
  ParameterView<C> in_groups(std::size_t begin, std::size_t count);

  const Parameters<C>& parameters_;
  // The element whose position is stored below.
  std::size_t next_element_ = std::numeric_limits<std::size_t>::max();
  RunPosition run_position_{};
  GroupPosition group_position_{};
  alignas(kLine) C buffer_[kChunkCapacity];
};

}  // namespace secateur
