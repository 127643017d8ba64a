// Parameters that many elements of an array share, brought beside each of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

template <class C>
const StageKernels<C>& stage_kernels() {
  if constexpr (sizeof(C) == sizeof(float)) {
    return kernels().stages_in_float;
  } else {
    return kernels().stages_in_double;
  }
}

inline bool all_within(const void* x, std::size_t count, std::int32_t least, std::int32_t most) {
  return kernels().all_within(x, count, least, most);
}

constexpr std::size_t whole_words(std::size_t count) { return (count + kWord - 1) / kWord * kWord; }

// One for the whole array.
inline constexpr sc_granularity kPerTensor{0, 1, 1, 1};

// How many there are.
std::size_t count_of(const sc_granularity& granularity, std::size_t n);

// Of an array of n. Those of neighbours are the same over a run, or lie side by side as their elements do:
// again and again over a period, or for rows of a grid of groups.
template <class C>
class Parameters {
 public:
  Parameters(const C* values, const sc_granularity& granularity, std::size_t n);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const C* values() const { return values_; }
  // Whether neighbours share one, in runs counted from the first element.
  [[nodiscard]] bool are_of_runs() const { return size_ != 1 && lie_ == Lie::in_runs; }

 private:
  template <class>
  friend class Beside;

  enum class Lie { in_runs, periodically, in_groups };

  const C* values_;
  std::size_t size_;
  sc_granularity granularity_;
  Lie lie_ = Lie::in_runs;
  SharedRuns runs_{};
  std::uint32_t shift_ =
      0;  // runs are of 2^shift_ elements, and none is cut off by the end of a row
  std::size_t period_ = 0;
  std::vector<C> repeated_;  // the values of a period, and their beginning again
};

// The parameters of elements as a thread comes to need them.
template <class C>
class Beside {
 public:
  explicit Beside(const Parameters<C>& parameters) : of_(parameters) {
    if (of_.size_ != 1) {
      std::fill(std::begin(room_), std::end(room_),
                C{1});  // what is beyond may be anything but NaN
    }
  }

  // Of `count` elements from `begin` on, at most a stage or alike; valid until the next call.
  Spread<C> operator()(std::size_t begin, std::size_t count);
  // How many from `begin` on have the same, as far as is known.
  std::size_t alike(std::size_t begin);

 private:
  // Where an element lies in a grid of groups: which one it is of, its index along the axis, and the one in
  // the row of those that have this.
  struct GroupPlace {
    std::size_t group, index, in_row;
  };

  void go_to(std::size_t begin);  // in runs
  Spread<C> in_runs(std::size_t begin, std::size_t count);
  Spread<C> periodically(std::size_t begin, std::size_t count);
  Spread<C> in_groups(std::size_t begin, std::size_t count);

  const Parameters<C>& of_;
  std::size_t next_ = std::numeric_limits<std::size_t>::max();  // the element that a place is of
  RunPlace run_{};
  GroupPlace group_{};
  alignas(kLine) C room_[kStageRoom];
};

}  // namespace secateur
