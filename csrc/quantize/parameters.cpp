#include "quantize/parameters.hpp"

#include <algorithm>
#include <bit>

namespace secateur {
namespace {

// The number of parameters that kernels may read for `count` elements: up to the end of the last
// word.
constexpr std::size_t read_count(std::size_t count) { return count + kWord - 1; }

}  // namespace

template <class C>
Parameters<C>::Parameters(const C* values, const Layout& layout)
    : values_(values), size_(layout.groups()), layout_(layout.flattened()) {
  const auto& [outer, length, inner, block, inner_block, shared] = layout_;
  const bool is_each_element = block == 1 && inner_block == 1;
  if (size_ == 1) {
    const std::size_t n = layout.elements();
    runs_ = {n, n, 1, true};
  } else if (is_each_element && shared) {
    access_ = Access::periodic;
    repeat(length * inner);
  } else if (is_each_element) {
    access_ = Access::periodic;
    period_ = size_;
  } else if (inner == 1) {
    runs_ = {block, length, layout_.blocks_down(), shared};
  } else {
    access_ = Access::in_rows;
    runs_ = {inner_block, inner, layout_.blocks_across(), shared};
  }
  constexpr std::size_t kMaxRun = std::size_t{1} << 31;
  if (std::has_single_bit(runs_.run) && runs_.run >= kWidestVector && runs_.run <= kMaxRun &&
      runs_.row % runs_.run == 0) {
    shift_ = static_cast<std::uint32_t>(std::countr_zero(runs_.run));
  }
}

// Repeats a period, so that kernels can read on past its end.
template <class C>
void Parameters<C>::repeat(std::size_t period) {
  period_ = period;
  repeated_.resize(period + kChunkCapacity);
  for (std::size_t i = 0; i < repeated_.size(); i += period) {
    std::copy_n(values_, std::min(period, repeated_.size() - i), repeated_.data() + i);
  }
  values_ = repeated_.data();
  size_ = repeated_.size();
}

template <class C>
ParameterView<C> ParameterCursor<C>::operator()(std::size_t begin, std::size_t count) {
  switch (parameters_.access_) {
    case Parameters<C>::Access::in_runs:
      return parameters_.size_ == 1 ? same_for_all(parameters_.values_) : in_runs(begin, count);
    case Parameters<C>::Access::periodic:
      return periodic(begin, count);
    case Parameters<C>::Access::in_rows:
      break;
  }
  return in_rows(begin, count);
}

template <class C>
std::size_t ParameterCursor<C>::run_left(std::size_t begin) {
  if (parameters_.access_ != Parameters<C>::Access::in_runs) {
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
void ParameterCursor<C>::seek_in_rows(std::size_t begin) {
  const auto& [outer, length, inner, block, inner_block, shared] = parameters_.layout_;
  if (begin != next_element_) {
    const std::size_t row = begin / inner;
    const std::size_t matrix = shared ? 0 : row / length;
    const std::size_t index = row % length;
    row_position_ = {matrix * parameters_.layout_.blocks_down() + index / block, index,
                     begin % inner};
    next_element_ = begin;
  }
}

// A view of the parameters of the next `count` elements, if they lie in one row and need no buffer.
template <class C>
std::optional<ParameterView<C>> ParameterCursor<C>::in_one_row(std::size_t count) const {
  const std::size_t run = parameters_.runs_.run;
  const std::size_t in_row = row_position_.in_row;
  const std::size_t value = row_position_.row_of_groups * parameters_.runs_.per_row + in_row / run;
  const std::size_t in_run = in_row % run;
  const C* const values = parameters_.values_ + value;
  const std::size_t values_left = parameters_.size_ - value;
  if (run == 1) {
    return read_count(count) <= values_left ? std::optional(one_each(values)) : std::nullopt;
  }
  if (in_run + count <= run) {
    return same_for_run(values);
  }
  const std::uint32_t shift = parameters_.shift_;
  if (shift != 0 && in_run % kWidestVector == 0 &&
      (in_run + read_count(count) - 1) >> shift < values_left) {
    return ParameterView<C>{values, shift, static_cast<std::uint32_t>(in_run)};
  }
  return std::nullopt;
}

template <class C>
ParameterView<C> ParameterCursor<C>::in_rows(std::size_t begin, std::size_t count) {
  const auto& [outer, length, inner, block, inner_block, shared] = parameters_.layout_;
  const auto& [run, row, per_row, share_rows] = parameters_.runs_;
  auto& [row_of_groups, index, in_row] = row_position_;
  seek_in_rows(begin);
  next_element_ = begin + count;
  std::optional<ParameterView<C>> view;
  if (count <= inner - in_row) {
    view = in_one_row(count);
  }
  for (std::size_t i = 0; i < count;) {
    const std::size_t here = std::min(inner - in_row, count - i);
    if (!view) {
      const C* const of_row = parameters_.values_ + row_of_groups * per_row;
      RunPosition position{in_row / run, in_row, in_row % run};
      fill_row(of_row, position, here, buffer_ + i);
    }
    i += here;
    in_row += here;
    if (in_row == inner) {
      in_row = 0;
      ++index;
      row_of_groups += index % block == 0 || index == length ? 1 : 0;
      if (index == length) {
        index = 0;
        row_of_groups = shared ? 0 : row_of_groups;
      }
    }
  }
  return view ? *view : one_each(buffer_);
}

// Writes the parameters of `count` elements of a row.
template <class C>
void ParameterCursor<C>::fill_row(const C* of_row, RunPosition position, std::size_t count, C* to) {
  if (parameters_.runs_.run != 1) {
    stage_kernels<C>().fill_runs(of_row, parameters_.runs_, position, count, to);
    return;
  }
  // In pieces: for 2 KiB or more, memcpy of the C library uses a method that takes four times as
  // long.
  constexpr std::size_t kPiece = 128;
  for (std::size_t i = 0; i < count; i += kPiece) {
    std::copy_n(of_row + position.in_row + i, std::min(kPiece, count - i), to + i);
  }
}

template class Parameters<float>;
template class Parameters<double>;
template class ParameterCursor<float>;
template class ParameterCursor<double>;

}  // namespace secateur
