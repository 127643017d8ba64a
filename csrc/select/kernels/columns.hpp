// Selection in the columns of a matrix, one column per lane. A bracket around the k-th largest key
// of each column is cut in thirds until exactly k keys are above its upper end, or until it holds
// one key.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "core/kernels/sort.hpp"
#include "select/kernels/select.hpp"
#include "select/kernels/threshold_predictor.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Tuning: minimum number of rows for dropping rows that have no key in an active bracket.
inline constexpr size_t kWorthDropping = 256;

// Tuning: number of rows to prefetch ahead.
inline constexpr size_t kRowsAhead = 16;

// Loads or stores a vector of a row, or only its first `count` elements if it has fewer than a
// vector.
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

// The search in a vector of columns. There is one column per lane, and the keys are stored row by
// row.
template <class E>
class ColumnSearch {
 public:
  SECATEUR_INLINE ColumnSearch(const E* keys, size_t rows, const Goal& goal, E* scratch)
      : keys_(keys),
        rows_(rows),
        scratch_(scratch),
        k_(Set(static_cast<E>(goal.k))),
        lo_(Set(static_cast<E>(goal.range.lo))),
        hi_(Set(static_cast<E>(goal.range.hi))) {}

  SECATEUR_INLINE void run(Bracket first) {
    constexpr size_t kPasses = 2;  // Tuning: every kPasses-th pass drops rows
    Vec<E> a = Set(static_cast<E>(first.lo)), b = Set(static_cast<E>(first.hi));
    for (size_t pass = 1;; ++pass) {
      learn(a, b);
      Vec<E> half = ShiftRightLogical<1>(Sub(hi_, lo_));
      const Mask<E> active = Gt(half, Set(E{0}));
      if (BitsFromMask(active) == 0) {
        return;
      }
      if (pass % kPasses == 0 && rows_ >= kWorthDropping) {
        drop_rows(active);
      }
      if (pass % kTightenInterval == 0) {
        tighten();
        half = ShiftRightLogical<1>(Sub(hi_, lo_));
      }
      const Vec<E> third = Add(ShiftRightLogical<1>(half),
                               Add(ShiftRightLogical<3>(half), ShiftRightLogical<5>(half)));
      const Vec<E> step = Max(third, Set(E{1}));
      a = Add(lo_, step);
      b = Sub(hi_, step);
    }
  }

  [[nodiscard]] SECATEUR_INLINE Vec<E> threshold() const { return hi_; }
  [[nodiscard]] SECATEUR_INLINE Vec<E> ties_kept() const { return Sub(k_, above_hi_); }

 private:
  // As Search::learn(), with the counts of a pass over the keys. If exactly k keys are above hi,
  // the search of the lane is finished, and lo becomes hi - 1.
  SECATEUR_INLINE void learn(Vec<E> a, Vec<E> b) {
    Vec<E> above_a = dropped_above_, above_b = dropped_above_;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      above_a = IncrementIf(above_a, Gt(key, a));
      above_b = IncrementIf(above_b, Gt(key, b));
    }
    const Mask<E> up_a = Gt(above_a, k_), up_b = Gt(above_b, k_);
    lo_ = IfThenElse(up_b, b, IfThenElse(up_a, a, lo_));
    hi_ = IfThenElse(up_b, hi_, IfThenElse(up_a, b, a));
    above_hi_ = IfThenElse(up_b, above_hi_, IfThenElse(up_a, above_b, above_a));
    lo_ = IfThenElse(Gt(k_, above_hi_), lo_, Add(hi_, Set(E{-1})));
  }

  // Moves the ends of each bracket to the least and the largest key that it holds.
  SECATEUR_INLINE void tighten() {
    Vec<E> largest = lo_, least = hi_;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      const Mask<E> is_within = AndNot(Gt(key, hi_), Gt(key, lo_));
      largest = Max(largest, IfThenElse(is_within, key, lo_));
      least = Min(least, IfThenElse(is_within, key, hi_));
    }
    const Mask<E> any = Gt(largest, lo_);
    hi_ = IfThenElse(any, largest, hi_);
    lo_ = IfThenElse(any, Add(least, Set(E{-1})), lo_);
  }

  // Drops the rows that have no key in an active bracket. Copies the other rows to scratch, and
  // counts the dropped keys above each bracket.
  SECATEUR_INLINE void drop_rows(Mask<E> active) {
    size_t rows = 0;
    for (size_t row = 0; row < rows_; ++row) {
      const Vec<E> key = LoadU(keys_ + row * kLanes<E>);
      StoreU(key, scratch_ + rows * kLanes<E>);
      rows += BitsFromMask(And(active, AndNot(Gt(key, hi_), Gt(key, lo_)))) != 0;
    }
    keys_ = scratch_;
    rows_ = rows;
    dropped_above_ = above_hi_;
    for (size_t row = 0; row < rows; ++row) {
      dropped_above_ = DecrementIf(dropped_above_, Gt(LoadU(scratch_ + row * kLanes<E>), hi_));
    }
  }

  const E* keys_;
  size_t rows_;
  E* scratch_;
  Vec<E> k_, lo_, hi_;
  Vec<E> above_hi_ = Set(E{0});
  Vec<E> dropped_above_ = Set(E{0});  // dropped keys above the bracket
};

// As end_of_ties() and least_above() in rows.hpp, for a vector of columns.
template <class E>
SECATEUR_INLINE Vec<E> ends_of_ties(const E* keys, size_t rows, Vec<E> key, Vec<E> r) {
  const Vec<E> from = Add(key, Set(E{-1}));
  Vec<E> ties = Set(E{0}), end = Set(E{0});
  for (size_t row = 0; row < rows; ++row) {
    const Vec<E> x = LoadU(keys + row * kLanes<E>);
    end = IncrementIf(end, Gt(r, ties));
    ties = IncrementIf(ties, AndNot(Gt(x, key), Gt(x, from)));
  }
  return end;
}
template <class E>
SECATEUR_INLINE Vec<E> least_above(const E* keys, size_t rows, Vec<E> key) {
  const Vec<E> none = Set(kMagnitudeMask<E>);
  Vec<E> least = none;
  for (size_t row = 0; row < rows; ++row) {
    const Vec<E> x = LoadU(keys + row * kLanes<E>);
    least = Min(least, IfThenElse(Gt(x, key), x, none));
  }
  return least;
}

// Tuning: the largest k for which the k-th largest keys are found by insertion.
inline constexpr size_t kMaxInserted = 8;

// The k-th largest key of each column: inserts the keys of one row after another into the kSlots
// largest keys so far. k <= kSlots, and k <= rows.
template <size_t kSlots, class E>
__attribute__((noinline)) Vec<E> kth_by_insertion(const E* keys, size_t rows, size_t k) {
  Vec<E> largest[kSlots];
  for (size_t i = 0; i < kSlots; ++i) {
    largest[i] = Set(kNoKey<E>);
  }
  for (size_t row = 0; row < rows; ++row) {
    Vec<E> key = LoadU(keys + row * kLanes<E>);
#pragma GCC unroll 8
    for (size_t i = 0; i < kSlots; ++i) {
      compare_exchange(largest[i], key);
    }
  }
  return largest[k - 1];
}

template <class E>
struct VectorSelection {
  Vec<E> thresholds, tie_ends;
};

// The selection of the k largest keys of each column, given the k-th largest.
template <class E>
SECATEUR_INLINE VectorSelection<E> selection_from(const E* keys, size_t rows, const Goal& goal,
                                                  Vec<E> kth) {
  const Vec<E> below_kth = Add(kth, Set(E{-1})), k = Set(static_cast<E>(goal.k));
  Vec<E> above = Set(E{0}), from = Set(E{0});
  for (size_t row = 0; row < rows; ++row) {
    const Vec<E> key = LoadU(keys + row * kLanes<E>);
    above = IncrementIf(above, Gt(key, kth));
    from = IncrementIf(from, Gt(key, below_kth));
  }
  const bool drops_ties = BitsFromMask(Gt(from, k)) != 0;
  return {kth,
          drops_ties ? ends_of_ties(keys, rows, kth, Sub(k, above)) : Set(static_cast<E>(rows))};
}

// Selects in a vector of columns, starting with the bracket `first`. `scratch` holds as many keys
// as these columns; it may be null if there are fewer than kWorthDropping rows.
template <class E>
SECATEUR_INLINE VectorSelection<E> select_vector(const E* keys, size_t rows, const Goal& goal,
                                                 Bracket first, E* scratch) {
  if (goal.k - 1 < kMaxInserted && rows < kWorthDropping) {
    const auto kth = goal.k == 1   ? kth_by_insertion<1, E>
                     : goal.k == 2 ? kth_by_insertion<2, E>
                     : goal.k <= 4 ? kth_by_insertion<4, E>
                                   : kth_by_insertion<kMaxInserted, E>;
    return selection_from(keys, rows, goal, kth(keys, rows, goal.k));
  }
  ColumnSearch<E> search(keys, rows, goal, scratch);
  search.run(first);
  const Vec<E> threshold = search.threshold(), ties = search.ties_kept();
  const Mask<E> has_ties = Gt(ties, Set(E{0}));
  if (goal.needs_kth_key) {
    return {IfThenElse(has_ties, threshold, least_above(keys, rows, threshold)), ties};
  }
  return {threshold,
          BitsFromMask(has_ties) != 0 ? ends_of_ties(keys, rows, threshold, ties) : ties};
}

template <class E>
void select_columns(const Columns& w, const void* tile, const Goal& goal,
                    ThresholdPredictor& predictor, void* scratch,
                    const ColumnSelection& selection) {
  for (size_t c = 0; c < w.columns; c += kLanes<E>) {
    const E* const keys = static_cast<const E*>(tile) + c / kLanes<E> * w.pitch;
    E* const thresholds = static_cast<E*>(selection.thresholds) + c;
    const auto found = select_vector(keys, w.rows, goal, predicted(predictor, goal.range),
                                     static_cast<E*>(scratch));
    StoreU(found.thresholds, thresholds);
    StoreU(found.tie_ends, static_cast<E*>(selection.tie_ends) + c);
    for (size_t i = 0; i < kLanes<E> && c + i < w.columns; i += kNoteInterval) {
      note(predictor, thresholds[i]);
    }
  }
}

// Computes the mask of the columns in a vector that are kept in a row.
template <class E>
class ColumnsKept {
 public:
  SECATEUR_INLINE ColumnsKept(const ColumnSelection& selection, size_t row)
      : thresholds_(static_cast<const E*>(selection.thresholds)),
        tie_ends_(static_cast<const E*>(selection.tie_ends)),
        row_(Set(static_cast<E>(row))) {}
  SECATEUR_INLINE Mask<E> operator()(Vec<E> key, size_t column) const {
    const Mask<E> ties = Gt(LoadU(tie_ends_ + column), row_);
    return Gt(key, DecrementIf(LoadU(thresholds_ + column), ties));
  }

 private:
  const E* thresholds_;
  const E* tie_ends_;
  Vec<E> row_;
};

template <class E, bool kStream>
SECATEUR_INLINE void emit_column_rows(const Columns& w, Order order,
                                      const ColumnSelection& selection, E* out) {
  const KeyOf<E> key_of(order);
  const E* const from = static_cast<const E*>(w.from);
  E* const counts = static_cast<E*>(selection.kept);
  for (size_t c = 0; c < w.columns; c += kLanes<E>) {
    StoreU(Set(E{0}), counts + c);
  }
  for (size_t row = 0; row < w.rows; ++row) {
    const ColumnsKept<E> kept(selection, row);
    const E* const ahead = from + (row + kRowsAhead < w.rows ? row + kRowsAhead : row) * w.stride;
    for (size_t c = 0; c < w.columns; c += kLanes<E>) {
      __builtin_prefetch(ahead + c);
      const Vec<E> x = load_some(from + row * w.stride + c, w.columns - c);
      const Mask<E> keep = kept(key_of(x), c);
      store_some<kStream>(IfThenElseZero(keep, x), out + row * w.stride + c, w.columns - c);
      StoreU(IncrementIf(LoadU(counts + c), keep), counts + c);
    }
  }
}
template <class E>
bool emit_columns(const Columns& w, Order order, const ColumnSelection& selection, size_t k,
                  bool stream, void* out) {
  kCanStream&& stream ? emit_column_rows<E, true>(w, order, selection, static_cast<E*>(out))
                      : emit_column_rows<E, false>(w, order, selection, static_cast<E*>(out));
  const E* const counts = static_cast<const E*>(selection.kept);
  bool is_exact = true;
  for (size_t c = 0; c < w.columns; ++c) {
    is_exact = is_exact && counts[c] == static_cast<E>(k);
  }
  return is_exact;
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
