// Parameters that many elements of an array share, brought beside each of them.
#pragma once

#include <algorithm>
#include <cstddef>
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

 private:
  template <class>
  friend class Beside;

  enum class Lie { in_runs, periodically, in_groups };

  const C* gathered(std::size_t begin, std::size_t count, C* room) const;

  const C* values_;
  std::size_t size_;
  sc_granularity granularity_;
  Lie lie_ = Lie::in_runs;
  SharedRuns runs_{};
  std::size_t period_ = 0;
  std::vector<C> repeated_;  // the values of a period, and their beginning again
};

// The parameters of elements as a thread comes to need them.
template <class C>
class Beside {
 public:
  explicit Beside(const Parameters<C>& parameters) : of_(parameters) {
    std::fill(std::begin(room_), std::end(room_), C{1});  // what is beyond may be anything but NaN
  }

  // Of `count` elements from `begin` on, at most kStage; valid until the next call.
  Spread<C> operator()(std::size_t begin, std::size_t count);

 private:
  // The run that begins before, and where it ends.
  Spread<C> in_run(std::size_t begin, std::size_t count);

  const Parameters<C>& of_;
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  std::size_t run_begin_ = 1, run_end_ = 0;  // what the first word of the room is of
  std::size_t next_ = kNowhere;              // the element that lies in `place_`
  RunPlace place_{};
  alignas(kLine) C room_[kStageRoom];
};

}  // namespace secateur
