// Selection in slices that lie side by side: as many columns at once as there are lanes. Around the k-th
// largest key of each is a bracket, cut in thirds until it parts k keys from the others.
#pragma once

#include "kernels/guess.hpp"
#include "kernels/select.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Rows from which those that have no key in a bracket any more are left out.
inline constexpr size_t kWorthLeavingOut = 256;

// Rows ahead of their use that are asked for.
inline constexpr size_t kRowsAhead = 16;

// Of the group of columns from `column` on: a vector of a row, or what there is of it.
template <class E>
SECATEUR_INLINE Vec<E> load_some(const E* from, size_t count) {
  if (count >= kLanes<E>) [[likely]] {
    return LoadU(from);
  }
  E padded[kLanes<E>] = {};
  copy_bytes(padded, from, count * sizeof(E));
  return LoadU(padded);
}
template <bool kStream, class E>
SECATEUR_INLINE void store_some(Vec<E> x, E* to, size_t count) {
  if (count >= kLanes<E>) [[likely]] {
    store<kStream>(x, to);
    return;
  }
  E padded[kLanes<E>];
  StoreU(x, padded);
  copy_bytes(to, padded, count * sizeof(E));
}

template <class E>
Key gather_columns(const Columns& w, Order order, void* tile) {
  const KeyOf<E> key_of(order);
  const E* const from = static_cast<const E*>(w.from);
  Vec<E> largest = Set(E{0});
  for (size_t row = 0; row < w.rows; ++row) {
    const E* const ahead = from + (row + kRowsAhead < w.rows ? row + kRowsAhead : row) * w.stride;
    E* to = static_cast<E*>(tile) + row * kLanes<E>;
    for (size_t c = 0; c < w.columns; c += kLanes<E>, to += w.pitch) {
      __builtin_prefetch(ahead + c);
      const Vec<E> key = key_of(load_some(from + row * w.stride + c, w.columns - c));
      largest = Max(largest, key);
      StoreU(key, to);
    }
  }
  return ReduceMax(largest);
}

// The search of a vector of columns, whose keys follow each other row by row.
template <class E>
class ColumnSearch {
 public:
  SECATEUR_INLINE ColumnSearch(const E* keys, size_t rows, const Goal& goal, E* room)
      : keys_(keys),
        rows_(rows),
        room_(room),
        k_(Set(static_cast<E>(goal.k))),
        lo_(Set(static_cast<E>(goal.range.lo))),
        hi_(Set(static_cast<E>(goal.range.hi))) {}

  SECATEUR_INLINE void run(Bracket guess) {
    constexpr size_t kPasses = 2;  // until it is worth leaving out rows
    Vec<E> a = Set(static_cast<E>(guess.lo)), b = Set(static_cast<E>(guess.hi));
    for (size_t pass = 1;; ++pass) {
      learn(a, b);
      Vec<E> half = ShiftRight<1>(Sub(hi_, lo_));
      const Mask<E> active = Gt(half, Set(E{0}));
      if (BitsFromMask(active) == 0) {
        return;
      }
      if (pass % kPasses == 0 && rows_ >= kWorthLeavingOut) {
        leave_out(active);
      }
      if (pass % kTightened == 0) {
        tighten();
        half = ShiftRight<1>(Sub(hi_, lo_));
      }
      const Vec<E> third = Add(ShiftRight<1>(half), Add(ShiftRight<3>(half), ShiftRight<5>(half)));
      const Vec<E> step = Max(third, Set(E{1}));
      a = Add(lo_, step);
      b = Sub(hi_, step);
    }
  }

  [[nodiscard]] SECATEUR_INLINE Vec<E> threshold() const { return hi_; }
  [[nodiscard]] SECATEUR_INLINE Vec<E> ties_kept() const { return Sub(k_, above_hi_); }

 private:
  // As Search::learn(); where the threshold is known, the bracket is left with one key.
  SECATEUR_INLINE void learn(Vec<E> a, Vec<E> b) {
    Vec<E> above_a = elsewhere_, above_b = elsewhere_;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      above_a = CountIf(above_a, Gt(key, a));
      above_b = CountIf(above_b, Gt(key, b));
    }
    const Mask<E> up_a = Gt(above_a, k_), up_b = Gt(above_b, k_);
    lo_ = IfThenElse(up_b, b, IfThenElse(up_a, a, lo_));
    hi_ = IfThenElse(up_b, hi_, IfThenElse(up_a, b, a));
    above_hi_ = IfThenElse(up_b, above_hi_, IfThenElse(up_a, above_b, above_a));
    lo_ = IfThenElse(Gt(k_, above_hi_), lo_, Add(hi_, Set(E{-1})));
  }

  // To the keys that there are within.
  SECATEUR_INLINE void tighten() {
    Vec<E> most = lo_, least = hi_;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      const Mask<E> is_within = AndNot(Gt(key, hi_), Gt(key, lo_));
      most = Max(most, IfThenElse(is_within, key, lo_));
      least = Min(least, IfThenElse(is_within, key, hi_));
    }
    const Mask<E> any = Gt(most, lo_);
    hi_ = IfThenElse(any, most, hi_);
    lo_ = IfThenElse(any, Add(least, Set(E{-1})), lo_);
  }

  // Leaves out the rows that have no key within an active bracket.
  SECATEUR_INLINE void leave_out(Mask<E> active) {
    size_t rows = 0;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      StoreU(key, room_ + rows * kLanes<E>);
      rows += BitsFromMask(And(active, AndNot(Gt(key, hi_), Gt(key, lo_)))) != 0;
    }
    keys_ = room_;
    rows_ = rows;
    elsewhere_ = above_hi_;
    for (size_t row = 0; row < rows; ++row) {
      elsewhere_ = DiscountIf(elsewhere_, Gt(LoadU(room_ + row * kLanes<E>), hi_));
    }
  }

  const E* keys_;
  size_t rows_;
  E* room_;
  Vec<E> k_, lo_, hi_;
  Vec<E> above_hi_ = Set(E{0}), elsewhere_ = Set(E{0});
};

// As end_of_ties() and least_above(), of columns.
template <class E>
SECATEUR_INLINE Vec<E> ends_of_ties(const E* keys, size_t rows, Vec<E> key, Vec<E> r) {
  const Vec<E> from = Add(key, Set(E{-1}));
  Vec<E> ties = Set(E{0}), end = Set(E{0});
  for (size_t row = 0; row < rows; ++row) {
    const Vec<E> x = LoadU(keys + row * kLanes<E>);
    end = CountIf(end, Gt(r, ties));
    ties = CountIf(ties, AndNot(Gt(x, key), Gt(x, from)));
  }
  return end;
}
template <class E>
SECATEUR_INLINE Vec<E> least_above(const E* keys, size_t rows, Vec<E> key) {
  const Vec<E> none = Set(kMagnitude<E>);
  Vec<E> least = none;
  for (size_t row = 0; row < rows; ++row) {
    const Vec<E> x = LoadU(keys + row * kLanes<E>);
    least = Min(least, IfThenElse(Gt(x, key), x, none));
  }
  return least;
}

template <class E>
struct ColumnsFound {
  Vec<E> thresholds, tie_ends;
};

// Of as many columns as there are lanes. Their keys follow each other row by row, and there is room for as
// many if it is kWorthLeavingOut rows or more.
template <class E>
SECATEUR_INLINE ColumnsFound<E> select_vector(const E* keys, size_t rows, const Goal& goal,
                                              Bracket near, E* room) {
  ColumnSearch<E> search(keys, rows, goal, room);
  search.run(near);
  const Vec<E> found = search.threshold(), ties = search.ties_kept();
  const Mask<E> some = Gt(ties, Set(E{0}));
  if (goal.exact) {
    return {IfThenElse(some, found, least_above(keys, rows, found)), ties};
  }
  return {found, BitsFromMask(some) != 0 ? ends_of_ties(keys, rows, found, ties) : ties};
}

template <class E>
void select_columns(const Columns& w, const void* tile, const Goal& goal, Guess& guess, void* room,
                    const ColumnSelection& selection) {
  for (size_t c = 0; c < w.columns; c += kLanes<E>) {
    const E* const keys = static_cast<const E*>(tile) + c / kLanes<E> * w.pitch;
    E* const thresholds = static_cast<E*>(selection.thresholds) + c;
    const auto found =
        select_vector(keys, w.rows, goal, guessed(guess, goal.range), static_cast<E*>(room));
    StoreU(found.thresholds, thresholds);
    StoreU(found.tie_ends, static_cast<E*>(selection.tie_ends) + c);
    for (size_t i = 0; i < kLanes<E> && c + i < w.columns; i += kNoted) {
      note(guess, thresholds[i]);
    }
  }
}

// Which of a vector of columns are kept in a row.
template <class E>
class ColumnsKept {
 public:
  SECATEUR_INLINE ColumnsKept(const ColumnSelection& selection, size_t row)
      : thresholds_(static_cast<const E*>(selection.thresholds)),
        tie_ends_(static_cast<const E*>(selection.tie_ends)),
        row_(Set(static_cast<E>(row))) {}
  SECATEUR_INLINE Mask<E> operator()(Vec<E> key, size_t column) const {
    const Mask<E> ties = Gt(LoadU(tie_ends_ + column), row_);
    return Gt(key, DiscountIf(LoadU(thresholds_ + column), ties));
  }

 private:
  const E* thresholds_;
  const E* tie_ends_;
  Vec<E> row_;
};

template <class E, bool kStream>
SECATEUR_INLINE void emit_column_words(const Columns& w, Order order,
                                       const ColumnSelection& selection, E* out) {
  const KeyOf<E> key_of(order);
  const E* const from = static_cast<const E*>(w.from);
  for (size_t row = 0; row < w.rows; ++row) {
    const ColumnsKept<E> kept(selection, row);
    const E* const ahead = from + (row + kRowsAhead < w.rows ? row + kRowsAhead : row) * w.stride;
    for (size_t c = 0; c < w.columns; c += kLanes<E>) {
      __builtin_prefetch(ahead + c);
      const Vec<E> x = load_some(from + row * w.stride + c, w.columns - c);
      store_some<kStream>(IfThenElseZero(kept(key_of(x), c), x), out + row * w.stride + c,
                          w.columns - c);
    }
  }
}
template <class E>
void emit_columns(const Columns& w, Order order, const ColumnSelection& selection, bool stream,
                  void* out) {
  kCanStream&& stream ? emit_column_words<E, true>(w, order, selection, static_cast<E*>(out))
                      : emit_column_words<E, false>(w, order, selection, static_cast<E*>(out));
}

template <class E>
void mark_columns(const Columns& w, const void* tile, size_t row, const ColumnSelection& selection,
                  void* marks) {
  const ColumnsKept<E> kept(selection, row);
  const E* key = static_cast<const E*>(tile) + row * kLanes<E>;
  for (size_t c = 0; c < w.columns; c += kLanes<E>, key += w.pitch) {
    StoreU(IfThenElseZero(kept(LoadU(key), c), Set(E{-1})), static_cast<E*>(marks) + c);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
