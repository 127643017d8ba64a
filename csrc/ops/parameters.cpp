#include "ops/parameters.hpp"

#include <algorithm>

namespace secateur {
namespace {

std::size_t blocks_of(const sc_granularity& g) { return (g.length - 1) / g.block + 1; }

}  // namespace

std::size_t count_of(const sc_granularity& granularity, std::size_t n) {
  if (granularity.length == 0) {
    return 1;
  }
  const std::size_t slices = granularity.shared != 0 ? 1 : n / granularity.length;
  return slices * blocks_of(granularity);
}

template <class C>
Parameters<C>::Parameters(const C* values, const sc_granularity& granularity, std::size_t n)
    : values_(values), size_(count_of(granularity, n)), granularity_(granularity) {
  const auto& [length, inner, block, shared] = granularity_;
  if (size_ == 1) {
    runs_ = {n, n, 1, true};
  } else if (shared != 0 && inner == 1) {
    lie_ = Lie::periodically;
    period_ = length;
    repeated_.resize(length + kStageRoom);
    for (std::size_t i = 0; i < repeated_.size(); i += length) {
      std::copy_n(values, std::min(length, repeated_.size() - i), repeated_.data() + i);
    }
    values_ = repeated_.data();
    size_ = repeated_.size();
  } else if (shared != 0 || (inner == 1 && block > 1)) {
    runs_ = {block * inner, length * inner, blocks_of(granularity_), shared != 0};
  } else if (block == 1) {
    lie_ = Lie::periodically;
    period_ = n;
  } else {
    lie_ = Lie::in_groups;
  }
}

template <class C>
const C* Parameters<C>::gathered(std::size_t begin, std::size_t count, C* room) const {
  const auto& [length, inner, block, shared] = granularity_;
  for (std::size_t i = 0; i < count;) {
    const std::size_t row = (begin + i) / inner;
    const std::size_t in_row = (begin + i) % inner;
    const std::size_t here = std::min(inner - in_row, count - i);
    const std::size_t group = row / length * blocks_of(granularity_) + row % length / block;
    const C* const from = values_ + group * inner + in_row;
    if (here == count && from + whole_words(count) <= values_ + size_) {
      return from;
    }
    std::copy_n(from, here, room + i);
    i += here;
  }
  return room;
}

template <class C>
Spread<C> Beside<C>::operator()(std::size_t begin, std::size_t count) {
  switch (of_.lie_) {
    case Parameters<C>::Lie::in_runs:
      return in_run(begin, count);
    case Parameters<C>::Lie::periodically: {
      const C* const from = of_.values_ + begin % of_.period_;
      if (from + whole_words(count) <= of_.values_ + of_.size_) {
        return {from, 1};
      }
      std::copy_n(from, count, room_);  // the last ones of all
      return {room_, 1};
    }
    case Parameters<C>::Lie::in_groups:
      break;
  }
  return {of_.gathered(begin, count, room_), 1};
}

template <class C>
Spread<C> Beside<C>::in_run(std::size_t begin, std::size_t count) {
  if (begin >= run_begin_ && begin + count <= run_end_) {
    return {room_, 0};
  }
  const SharedRuns& runs = of_.runs_;
  if (begin != next_) {
    const std::size_t row = begin / runs.row;
    place_.in_row = begin - row * runs.row;
    const std::size_t run = place_.in_row / runs.run;
    place_.in_run = place_.in_row - run * runs.run;
    place_.value = (runs.shared ? 0 : row * runs.per_row) + run;
  }
  next_ = begin + count;
  run_begin_ = begin - place_.in_run;
  run_end_ = begin + std::min(runs.run - place_.in_run, runs.row - place_.in_row);
  if (begin + count <= run_end_) {
    std::fill_n(room_, kWord, of_.values_[place_.value]);
    next_ = kNowhere;
    return {room_, 0};
  }
  run_end_ = 0;
  stage_kernels<C>().fill_runs(of_.values_, runs, place_, count, room_);
  return {room_, 1};
}

template class Parameters<float>;
template class Parameters<double>;
template class Beside<float>;
template class Beside<double>;

}  // namespace secateur
