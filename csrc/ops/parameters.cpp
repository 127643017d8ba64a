#include "ops/parameters.hpp"

#include <algorithm>
#include <bit>

namespace secateur {
namespace {

// How many of `count` elements' parameters kernels may read: to the end of a word, wherever it begins.
constexpr std::size_t read_of(std::size_t count) { return count + kWord - 1; }

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
  constexpr std::size_t kMost = std::size_t{1} << 31;
  if (std::has_single_bit(runs_.run) && runs_.run >= kWidestVector && runs_.run <= kMost &&
      runs_.row % runs_.run == 0) {
    shift_ = static_cast<std::uint32_t>(std::countr_zero(runs_.run));
  }
}

template <class C>
Spread<C> Beside<C>::operator()(std::size_t begin, std::size_t count) {
  switch (of_.lie_) {
    case Parameters<C>::Lie::in_runs:
      return of_.size_ == 1 ? same_for_all(of_.values_) : in_runs(begin, count);
    case Parameters<C>::Lie::periodically:
      return periodically(begin, count);
    case Parameters<C>::Lie::in_groups:
      break;
  }
  return in_groups(begin, count);
}

template <class C>
std::size_t Beside<C>::alike(std::size_t begin) {
  if (of_.lie_ != Parameters<C>::Lie::in_runs) {
    return 1;
  }
  go_to(begin);
  return std::min(of_.runs_.run - run_.in_run, of_.runs_.row - run_.in_row);
}

template <class C>
void Beside<C>::go_to(std::size_t begin) {
  const auto& [run, row, per_row, shared] = of_.runs_;
  if (begin != next_) {
    run_.in_row = begin % row;
    run_.in_run = run_.in_row % run;
    run_.value = (shared ? 0 : begin / row * per_row) + run_.in_row / run;
    next_ = begin;
  }
}

template <class C>
Spread<C> Beside<C>::in_runs(std::size_t begin, std::size_t count) {
  go_to(begin);
  next_ = begin + count;
  const auto& [run, row, per_row, shared] = of_.runs_;
  auto& [value, in_row, in_run] = run_;
  const C* const values = of_.values_ + value;
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
  // Rows follow one another as runs do, unless the values are shared; and nothing is read past the last one.
  const std::size_t past = in_run;
  const bool follow = !shared || in_row + count < row;
  if (of_.shift_ != 0 && past % kWidestVector == 0 && follow &&
      value + ((past + read_of(count) - 1) >> of_.shift_) < of_.size_) {
    in_row = (in_row + count) % row;
    in_run = (past + count) % run;
    value += (past + count) >> of_.shift_;
    return {values, of_.shift_, static_cast<std::uint32_t>(past)};
  }
  stage_kernels<C>().fill_runs(of_.values_, of_.runs_, run_, count, room_);
  return one_each(room_);
}

template <class C>
Spread<C> Beside<C>::periodically(std::size_t begin, std::size_t count) {
  const C* const from = of_.values_ + begin % of_.period_;
  if (from + read_of(count) <= of_.values_ + of_.size_) {
    return one_each(from);
  }
  std::copy_n(from, count, room_);  // the last ones of all
  return one_each(room_);
}

template <class C>
Spread<C> Beside<C>::in_groups(std::size_t begin, std::size_t count) {
  const auto& [length, inner, block, shared] = of_.granularity_;
  auto& [group, index, in_row] = group_;
  if (begin != next_) {
    const std::size_t row = begin / inner;
    in_row = begin % inner;
    index = row % length;
    group = row / length * blocks_of(of_.granularity_) + index / block;
  }
  next_ = begin + count;
  for (std::size_t i = 0; i < count;) {
    const std::size_t here = std::min(inner - in_row, count - i);
    const C* from = of_.values_ + group * inner + in_row;
    in_row += here;
    if (in_row == inner) {
      in_row = 0;
      index = index + 1 == length ? 0 : index + 1;
      group += index % block == 0 ? 1 : 0;
    }
    if (here == count && from + read_of(count) <= of_.values_ + of_.size_) {
      return one_each(from);
    }
    // Piece by piece: from 2 KiB on, the C library copies in a way that takes four times as long.
    for (const C* const end = from + here; from != end;) {
      const auto piece = std::min<std::ptrdiff_t>(end - from, 128);
      std::copy_n(from, piece, room_ + i);
      from += piece;
      i += static_cast<std::size_t>(piece);
    }
  }
  return one_each(room_);
}

template class Parameters<float>;
template class Parameters<double>;
template class Beside<float>;
template class Beside<double>;

}  // namespace secateur
