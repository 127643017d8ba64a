#include "quantize/parameters.hpp"

#include <algorithm>
#include <bit>

namespace secateur {
namespace {

// The number of parameters that kernels may read for `count` elements: up to the end of the last
// word.
constexpr std::size_t read_count(std::size_t count) { return count + kWord - 1; }

std::size_t blocks_per_slice(const sc_granularity& g) { return ceil_div(g.length, g.block); }

}  // namespace

std::size_t parameter_count(const sc_granularity& granularity, std::size_t n) {
  if (granularity.length == 0) {
    return 1;
  }
  const std::size_t slices = granularity.shared != 0 ? 1 : n / granularity.length;
  return slices * blocks_per_slice(granularity);
}

template <class C>
Parameters<C>::Parameters(const C* values, const sc_granularity& granularity, std::size_t n)
    : values_(values), size_(parameter_count(granularity, n)), granularity_(granularity) {
  const auto& [length, inner, block, shared] = granularity_;
  if (size_ == 1) {
    runs_ = {n, n, 1, true};
  } else if (shared != 0 && inner == 1) {
    layout_ = ParameterLayout::periodic;
    period_ = length;
    repeated_.resize(length + kChunkCapacity);
    for (std::size_t i = 0; i < repeated_.size(); i += length) {
      std::copy_n(values, std::min(length, repeated_.size() - i), repeated_.data() + i);
    }
    values_ = repeated_.data();
    size_ = repeated_.size();
  } else if (shared != 0 || (inner == 1 && block > 1)) {
    runs_ = {block * inner, length * inner, blocks_per_slice(granularity_), shared != 0};
  } else if (block == 1) {
    layout_ = ParameterLayout::periodic;
    period_ = n;
  } else {
    layout_ = ParameterLayout::in_groups;
  }
  constexpr std::size_t kMaxRun = std::size_t{1} << 31;
  if (std::has_single_bit(runs_.run) && runs_.run >= kWidestVector && runs_.run <= kMaxRun &&
      runs_.row % runs_.run == 0) {
    shift_ = static_cast<std::uint32_t>(std::countr_zero(runs_.run));
  }
}

template <class C>
ParameterView<C> ParameterCursor<C>::operator()(std::size_t begin, std::size_t count) {
  switch (parameters_.layout_) {
    case Parameters<C>::ParameterLayout::in_runs:
      return parameters_.size_ == 1 ? same_for_all(parameters_.values_) : in_runs(begin, count);
    case Parameters<C>::ParameterLayout::periodic:
      return periodic(begin, count);
    case Parameters<C>::ParameterLayout::in_groups:
      break;
  }
  return in_groups(begin, count);
}

template <class C>
std::size_t ParameterCursor<C>::run_left(std::size_t begin) {
  if (parameters_.layout_ != Parameters<C>::ParameterLayout::in_runs) {
    return 1;
  }
  seek(begin);
  return std::min(parameters_.runs_.run - run_position_.in_run,
                  parameters_.runs_.row - run_position_.in_row);
}

template <class C>
void ParameterCursor<C>::seek(std::size_t begin) {
  const auto& [run, row, per_row, shared] = parameters_.runs_;
  if (begin != next_element_) {
    run_position_.in_row = begin % row;
    run_position_.in_run = run_position_.in_row % run;
    run_position_.value = (shared ? 0 : begin / row * per_row) + run_position_.in_row / run;
    next_element_ = begin;
  }
}

template <class C>
ParameterView<C> ParameterCursor<C>::in_runs(std::size_t begin, std::size_t count) {
  seek(begin);
  next_element_ = begin + count;
  const auto& [run, row, per_row, shared] = parameters_.runs_;
  auto& [value, in_row, in_run] = run_position_;
  const C* const values = parameters_.values_ + value;
  const std::size_t left = std::min(run - in_run, row - in_row);
  if (count <= left) {
    in_row += count;
    in_run += count;
    if (count == left) {
      in_run = 0;
      in_row = in_row == row ? 0 : in_row;
      value = shared && in_row == 0 ? 0 : value + 1;
    }
    return same_for_run(values);
  }
  // Several runs can be one view if their values are consecutive. Where rows share their values,
  // the elements must then not extend into the next row. Kernels must not read past the last
  // value.
  const std::size_t first = in_run;
  const bool are_consecutive = !shared || in_row + count < row;
  if (parameters_.shift_ != 0 && first % kWidestVector == 0 && are_consecutive &&
      value + ((first + read_count(count) - 1) >> parameters_.shift_) < parameters_.size_) {
    in_row = (in_row + count) % row;
    in_run = (first + count) % run;
    value += (first + count) >> parameters_.shift_;
    return {values, parameters_.shift_, static_cast<std::uint32_t>(first)};
  }
  stage_kernels<C>().fill_runs(parameters_.values_, parameters_.runs_, run_position_, count,
                               buffer_);
  return one_each(buffer_);
}

template <class C>
ParameterView<C> ParameterCursor<C>::periodic(std::size_t begin, std::size_t count) {
  const C* const from = parameters_.values_ + begin % parameters_.period_;
  if (from + read_count(count) <= parameters_.values_ + parameters_.size_) {
    return one_each(from);
  }
  std::copy_n(from, count, buffer_);  // kernels would read past the last value
  return one_each(buffer_);
}

template <class C>
ParameterView<C> ParameterCursor<C>::in_groups(std::size_t begin, std::size_t count) {
  const auto& [length, inner, block, shared] = parameters_.granularity_;
  auto& [group, index, in_row] = group_position_;
  if (begin != next_element_) {
    const std::size_t row = begin / inner;
    in_row = begin % inner;
    index = row % length;
    group = row / length * blocks_per_slice(parameters_.granularity_) + index / block;
  }
  next_element_ = begin + count;
  for (std::size_t i = 0; i < count;) {
    const std::size_t here = std::min(inner - in_row, count - i);
    const C* from = parameters_.values_ + group * inner + in_row;
    in_row += here;
    if (in_row == inner) {
      in_row = 0;
      index = index + 1 == length ? 0 : index + 1;
      group += index % block == 0 ? 1 : 0;
    }
    if (here == count && from + read_count(count) <= parameters_.values_ + parameters_.size_) {
      return one_each(from);
    }
    // In pieces: for 2 KiB or more, memcpy of the C library uses a method that takes four times as
    // long.
    for (const C* const end = from + here; from != end;) {
      const auto piece = std::min<std::ptrdiff_t>(end - from, 128);
      std::copy_n(from, piece, buffer_ + i);
      from += piece;
      i += static_cast<std::size_t>(piece);
    }
  }
  return one_each(buffer_);
}

template class Parameters<float>;
template class Parameters<double>;
template class ParameterCursor<float>;
template class ParameterCursor<double>;

}  // namespace secateur
