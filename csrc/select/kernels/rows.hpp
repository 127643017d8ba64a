// Selection in contiguous slices (rows). Short rows are transposed and selected as columns. In
// longer rows, a bracket around the k-th largest key is cut in thirds until it determines the
// selection. In still longer rows, the keys in a probable bracket are copied first, and the cuts
// continue among the copies.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "core/kernels/transpose.hpp"
#include "select/kernels/columns.hpp"
#include "select/kernels/select.hpp"
#include "select/kernels/threshold_predictor.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Tuning: maximum number of elements of a row that is transposed.
inline constexpr size_t kTransposed = 128;

// Tuning: minimum number of elements of a row in which the keys of a bracket are copied. The search
// continues among the copies if they are at most one in kNarrowDivisor.
inline constexpr size_t kWorthNarrowing = 512;
inline constexpr size_t kNarrowDivisor = 4;

// The elements of a slice, or some of its keys, in words.
template <class E>
class Row {
 public:
  // `readable`: the number of elements that may be read from the first one on. The last word is
  // copied and padded if it would exceed them.
  SECATEUR_INLINE Row(const E* from, size_t length, size_t readable)
      : from_(from), whole_(length / kWord * kWord), rest_(length - whole_), last_(from + whole_) {
    if (rest_ != 0 && whole_ + kWord > readable) {
      for (size_t i = 0; i < kWord; ++i) {
        padded_[i] = i < rest_ ? last_[i] : E{0};
      }
      last_ = padded_;
    }
  }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;

  // Calls body(word, valid, index of its first element) for each word until it returns true. The
  // low bits of `valid` say which elements of the word belong to the row.
  template <class Body>
  SECATEUR_INLINE void for_words_until(const Body& body) const {
    for (size_t i = 0; i < whole_; i += kWord) {
      if (body(from_ + i, kAllValid, i)) {
        return;
      }
    }
    if (rest_ != 0) {
      body(last_, first_bits(rest_), whole_);
    }
  }

 private:
  const E* from_;
  size_t whole_, rest_;
  const E* last_;
  alignas(kLine) E padded_[kWord];
};

// The numbers of keys above two keys a and b.
struct Counts {
  size_t above_a, above_b;
};
template <class E>
SECATEUR_INLINE Counts count(const Row<E>& row, Order order, Key a, Key b, Vec<E>& largest) {
  const KeyOf<E> key_of(order);
  const MagnitudeKey magnitude_key(RankKey{}, 0);
  const Vec<E> pivot_a = key_of.broadcast(a), pivot_b = key_of.broadcast(b);
  Vec<E> local_largest = largest;
  Counts counts{};
  row.for_words_until([&](const E* word, uint64_t valid, size_t) __attribute__((always_inline)) {
    uint64_t bits_a = 0, bits_b = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      load_group(word, lane, magnitude_key, key_of, x, key, local_largest);
      bits_a |= bits_above(key, pivot_a) << lane;
      bits_b |= bits_above(key, pivot_b) << lane;
    }
    counts.above_a += PopCount(bits_a & valid);
    counts.above_b += PopCount(bits_b & valid);
    return false;
  });
  largest = local_largest;
  return counts;
}

// The index after the first r keys that equal `key`.
template <class E>
__attribute__((noinline)) size_t end_of_ties(const Row<E>& row, Order order, Key key, size_t r) {
  const KeyOf<E> key_of(order);
  const Vec<E> above = key_of.broadcast(key), from = key_of.broadcast(below(key));
  size_t end = 0;
  row.for_words_until([&](const E* word, uint64_t valid, size_t i) {
    uint64_t ties = 0;
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      ties |= BitsFromMask(AndNot(Gt(x, above), Gt(x, from))) << lane;
    }
    ties &= valid;
    const size_t word_ties = PopCount(ties);
    if (word_ties < r) {
      r -= word_ties;
      return false;
    }
    for (; r > 1; --r) {
      ties &= ties - 1;
    }
    end = i + LowestBit(ties) + 1;
    return true;
  });
  return end;
}

// The least key above `key`. The caller guarantees that there is one.
template <class E>
__attribute__((noinline)) Key least_above(const Row<E>& row, Order order, Key key) {
  const KeyOf<E> key_of(order);
  const Vec<E> pivot = key_of.broadcast(key);
  Vec<E> largest = Set(kNoKey<E>);  // of the negated keys above `key`
  row.for_words_until([&](const E* word, uint64_t valid, size_t) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      const Mask<E> is_above = And(Gt(x, pivot), MaskFromBits<E>(valid >> lane));
      largest = Max(largest, IfThenElse(is_above, Sub(Set(E{0}), x), Set(kNoKey<E>)));
    }
    return false;
  });
  const E least = ReduceMax(largest);
  // There is none if another thread has changed the row meanwhile.
  return least == kNoKey<E> ? Key{kMagnitudeMask<E>} : -Key{least};
}

// The bracket with its ends moved to the least and the largest key that it holds.
template <class E>
__attribute__((noinline)) Bracket tightened(const Row<E>& row, Order order, Bracket bracket) {
  const KeyOf<E> key_of(order);
  const Vec<E> lo = key_of.broadcast(bracket.lo), hi = key_of.broadcast(bracket.hi);
  Vec<E> largest = lo;
  row.for_words_until([&](const E* word, uint64_t valid, size_t) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      const Mask<E> is_up_to_hi = AndNot(Gt(x, hi), MaskFromBits<E>(valid >> lane));
      largest = Max(largest, IfThenElse(is_up_to_hi, x, lo));
    }
    return false;
  });
  const Key max_key = ReduceMax(largest), min_key = least_above(row, order, bracket.lo);
  return min_key <= max_key ? Bracket{below(min_key), max_key} : bracket;
}

// The state of the search for a threshold: a bracket with lo < threshold <= hi. At most k keys are
// above hi.
class Search {
 public:
  SECATEUR_INLINE Search(const Goal& goal, size_t length)
      : k_(goal.k), lo_(goal.range.lo), hi_(goal.range.hi), above_lo_(length) {}

  [[nodiscard]] SECATEUR_INLINE bool done() const {
    return above_hi_ == k_ || distance(lo_, hi_) == 1;
  }
  [[nodiscard]] SECATEUR_INLINE Bracket bracket() const { return {lo_, hi_}; }
  [[nodiscard]] SECATEUR_INLINE size_t above() const { return above_hi_; }
  [[nodiscard]] SECATEUR_INLINE size_t within() const { return above_lo_ - above_hi_; }
  [[nodiscard]] SECATEUR_INLINE size_t ties_kept() const { return k_ - above_hi_; }
  // Replaces the bracket by one that holds the same keys.
  SECATEUR_INLINE void tighten(Bracket bracket) {
    lo_ = bracket.lo;
    hi_ = bracket.hi;
  }

  // Cuts the bracket at the keys a <= b in it, given the numbers of keys above them. It has no
  // branch, since one would be mispredicted half of the time.
  SECATEUR_INLINE void learn(Key a, Key b, Counts counts) {
    const bool up_a = counts.above_a > k_, up_b = counts.above_b > k_;
    lo_ = up_b ? b : up_a ? a : lo_;
    above_lo_ = up_b ? counts.above_b : up_a ? counts.above_a : above_lo_;
    hi_ = up_b ? hi_ : up_a ? b : a;
    above_hi_ = up_b ? above_hi_ : up_a ? counts.above_b : counts.above_a;
  }

 private:
  size_t k_;
  Key lo_, hi_;
  size_t above_lo_, above_hi_ = 0;
};

// Cuts the bracket in thirds until the threshold is known. The row may lack keys of the slice:
// `absent_above` keys above the bracket, and any keys below it. The function is not inline because
// it is long and has many callers.
template <class E>
__attribute__((noinline)) void cut_in_thirds(Search& search, const Row<E>& row, Order order,
                                             size_t absent_above, Vec<E>& largest) {
  for (size_t pass = 1; !search.done(); ++pass) {
    const Bracket middle = middle_third(search.bracket());
    const Counts counts = count(row, order, middle.lo, middle.hi, largest);
    search.learn(middle.lo, middle.hi,
                 {absent_above + counts.above_a, absent_above + counts.above_b});
    if (pass % kTightenInterval == 0 && !search.done()) {
      search.tighten(tightened(row, order, search.bracket()));
    }
  }
}

// Tuning: a bracket that almost surely holds the threshold, from a sample of the row.
template <class E>
__attribute__((noinline)) Bracket sampled(const E* from, size_t length, Order order,
                                          const Goal& goal) {
  constexpr size_t kSample = 256;
  constexpr double kDeviations = 3.3;
  E sample[kSample];
  for (size_t i = 0; i < kSample; ++i) {
    sample[i] = from[i * length / kSample];
  }
  const double p = static_cast<double>(goal.k) / static_cast<double>(length);
  const double center = p * kSample;
  const double half = kDeviations * __builtin_sqrt(center * (1 - p)) + 1;
  const Row<E> row(sample, kSample, kSample);
  const auto threshold = [&](double rank) {
    Search search({static_cast<size_t>(rank), false, goal.range}, kSample);
    Vec<E> unused = Set(E{0});
    cut_in_thirds(search, row, order, 0, unused);
    return search.bracket().hi;
  };
  return clamped(goal.range,
                 {center + half > kSample ? goal.range.lo : below(threshold(center + half)),
                  center < half ? goal.range.hi : threshold(center - half)});
}

// Copies the keys in `bracket` to scratch, and cuts the bracket of the search at its ends. If the
// threshold is among few copied keys, finds it there. Returns whether the threshold is known.
template <class E>
SECATEUR_INLINE bool try_bracket(Search& search, const E* from, size_t length, Order order,
                                 Bracket bracket, E* scratch, Vec<E>& largest) {
  const BracketCounts bracket_counts = narrow<E>(from, length, order, bracket, scratch);
  largest = Max(largest, Set(static_cast<E>(bracket_counts.max_key)));
  search.learn(bracket.lo, bracket.hi, {bracket_counts.above_lo, bracket_counts.above()});
  const bool hit = search.bracket().lo == bracket.lo && search.bracket().hi == bracket.hi;
  if (!hit || bracket_counts.collected > length / kNarrowDivisor) {
    return search.done();
  }
  Vec<E> unused = largest;
  cut_in_thirds(search, Row<E>(scratch, bracket_counts.collected, bracket_counts.collected),
                kIdentityOrder, search.above(), unused);
  return true;
}

// Finds the threshold of a row.
template <class E>
SECATEUR_INLINE void find_threshold(Search& search, const E* from, const Row<E>& row, size_t length,
                                    Order order, const Goal& goal,
                                    const ThresholdPredictor& predictor, E* scratch,
                                    Vec<E>& largest) {
  if constexpr (sizeof(E) > sizeof(int16_t)) {
    if (length >= kWorthNarrowing) {
      const bool known = has_estimate(predictor) &&
                         try_bracket(search, from, length, order, predicted(predictor, goal.range),
                                     scratch, largest);
      if (known || try_bracket(search, from, length, order,
                               clamped(search.bracket(), sampled(from, length, order, goal)),
                               scratch, largest)) {
        return;
      }
      cut_in_thirds(search, row, order, 0, largest);
      return;
    }
  }
  const Bracket first = predicted(predictor, goal.range);
  search.learn(first.lo, first.hi, count(row, order, first.lo, first.hi, largest));
  cut_in_thirds(search, row, order, 0, largest);
}

// The selection at the end of a search.
template <class E>
SECATEUR_INLINE Selection selection_of(const Search& search, const Row<E>& row, size_t length,
                                       Order order, const Goal& goal) {
  const Key threshold = search.bracket().hi;
  const size_t ties = search.ties_kept();
  if (goal.needs_kth_key) {
    return {ties == 0 ? least_above(row, order, threshold) : threshold, length};
  }
  return {threshold, ties == 0                 ? 0
                     : ties == search.within() ? length
                                               : end_of_ties(row, order, threshold, ties)};
}

// Tuning: prefetches later elements while the `count` elements from `begin` on are processed.
template <class E>
SECATEUR_INLINE void prefetch_next(const Rows& rows, size_t begin, size_t count) {
  constexpr size_t kAhead = kPrefetchBytes / sizeof(E);
  const E* const array = static_cast<const E*>(rows.array);
  for (size_t i = 0; i < least(count, kAhead); i += kLine / sizeof(E)) {
    const size_t later = begin + (count < kAhead ? kAhead : count) + i;
    __builtin_prefetch(array + (later < rows.n ? later : begin));
  }
}

// Selects in the rows from `first` on, one after another.
template <class E>
Key select_long_rows(const Rows& rows, size_t first, Order order, const Goal& goal,
                     ThresholdPredictor& predictor, void* scratch, Selection* selections) {
  Vec<E> largest = Set(E{0});
  for (size_t r = first; r < rows.count; ++r) {
    const size_t begin = r * rows.stride;
    const E* const from = static_cast<const E*>(rows.array) + begin;
    const bool is_contiguous = rows.stride == rows.length;
    const Row<E> row(from, rows.length, is_contiguous ? rows.n - begin : rows.length);
    Search search(goal, rows.length);
    find_threshold(search, from, row, rows.length, order, goal, predictor, static_cast<E*>(scratch),
                   largest);
    prefetch_next<E>(rows, begin, rows.stride);
    selections[r] = selection_of(search, row, rows.length, order, goal);
    note(predictor, selections[r].threshold);
  }
  return ReduceMax(largest);
}

// Computes the keys of one row per lane and transposes them to columns. Reads whole vectors, past
// the end of a row. Returns the largest key of each lane.
template <class E>
SECATEUR_INLINE Vec<E> transpose_keys(const E* from, size_t stride, size_t length, Order order,
                                      E* tile) {
  constexpr size_t kSide = kLanes<E>;
  const KeyOf<E> key_of(order);
  Vec<E> largest = Set(E{0});
  for (size_t i = 0; i < length; i += kSide) {
    Vec<E> x[kSide];
    for (size_t v = 0; v < kSide; ++v) {
      x[v] = LoadU(from + v * stride + i);
    }
    transpose_square<kSide, false>(x);
    for (size_t v = 0; v < least(kSide, length - i); ++v) {
      const Vec<E> key = key_of(x[v]);
      largest = Max(largest, key);
      StoreU(key, tile + (i + v) * kSide);
    }
  }
  return largest;
}

template <class E>
Key select_rows(const Rows& rows, Order order, const Goal& goal, ThresholdPredictor& predictor,
                void* scratch, Selection* selections) {
  constexpr size_t kRows = kLanes<E>;
  static_assert(kTransposed < kWorthDropping);
  size_t r = 0;
  Vec<E> largest = Set(E{0});
  if constexpr (kRows > 1) {
    alignas(kLine) E tile[kTransposed * kRows];
    E thresholds[kRows], tie_ends[kRows];
    const size_t readable = (kRows - 1) * rows.stride + round_up(rows.length, kRows);
    for (; rows.length <= kTransposed && r + kRows <= rows.count; r += kRows) {
      const size_t begin = r * rows.stride;
      if (begin + readable > rows.n) {
        break;
      }
      prefetch_next<E>(rows, begin, kRows * rows.stride);
      largest = Max(largest, transpose_keys(static_cast<const E*>(rows.array) + begin, rows.stride,
                                            rows.length, order, tile));
      const Bracket first = predicted(predictor, goal.range);
      const auto found = select_vector<E>(tile, rows.length, goal, first, nullptr);
      StoreU(found.thresholds, thresholds);
      StoreU(found.tie_ends, tie_ends);
      for (size_t i = 0; i < kRows; ++i) {
        selections[r + i] = {thresholds[i], static_cast<size_t>(tie_ends[i])};
      }
      for (size_t i = 0; i < kRows; i += kNoteInterval) {
        note(predictor, thresholds[i]);
      }
    }
  }
  const Key rest = select_long_rows<E>(rows, r, order, goal, predictor, scratch, selections);
  return rest > ReduceMax(largest) ? rest : Key{ReduceMax(largest)};
}

// Writes the selected elements of a row, and returns their number. Reads and writes whole vectors,
// past the end of the row.
template <class E>
SECATEUR_INLINE size_t emit_row(const E* from, size_t length, Order order, Selection selection,
                                E* out) {
  const KeyOf<E> key_of(order);
  const Vec<E> above = key_of.broadcast(selection.threshold);
  const Vec<E> from_threshold = key_of.broadcast(below(selection.threshold));
  const auto emit_vector = [&](size_t i) __attribute__((always_inline)) {
    const Vec<E> x = LoadU(from + i), key = key_of(x);
    Mask<E> keep = Gt(key, above);
    if (i < selection.tie_end) [[unlikely]] {
      const Mask<E> early = MaskFromBits<E>(first_bits(selection.tie_end - i));
      keep = Or(keep, And(early, Gt(key, from_threshold)));
    }
    StoreU(IfThenElseZero(keep, x), out + i);
    return keep;
  };
  size_t i = 0, kept = 0;
  if constexpr (sizeof(E) == sizeof(int16_t)) {
    for (; i + kLanes<E> <= length; i += kLanes<E>) {
      kept += PopCount(BitsFromMask(emit_vector(i)));
    }
  } else {
    Vec<E> kept_by_lane = Set(E{0});
    for (; i + kLanes<E> <= length; i += kLanes<E>) {
      kept_by_lane = IncrementIf(kept_by_lane, emit_vector(i));
    }
    kept = static_cast<size_t>(ReduceSum(kept_by_lane));
  }
  if (i < length) {
    kept += PopCount(BitsFromMask(emit_vector(i)) & first_bits(length - i));
  }
  return kept;
}

// Collects the results of rows in a buffer in L1, so that whole cache lines are written out.
template <class E, bool kStream>
SECATEUR_INLINE bool emit_short_rows(const Rows& rows, Order order, const Selection* selections,
                                     size_t k, unsigned char* out) {
  alignas(kLine) unsigned char buffer[2 * kMaxShortRowBytes + kLine + sizeof(Vec<E>)];
  E padded[kMaxShortRowBytes / sizeof(E) + kLanes<E>];
  const E* const array = static_cast<const E*>(rows.array);
  size_t filled = 0;
  bool is_exact = true;
  for (size_t r = 0; r < rows.count; ++r) {
    const E* from = array + r * rows.length;
    if ((r + 1) * rows.length + kLanes<E> > rows.n) [[unlikely]] {
      copy_bytes(padded, from, rows.length * sizeof(E));
      StoreU(Set(E{0}), padded + rows.length);
      from = padded;
    }
    const size_t kept =
        emit_row(from, rows.length, order, selections[r], reinterpret_cast<E*>(buffer + filled));
    is_exact = is_exact && kept == k;
    filled += rows.length * sizeof(E);
    if (filled > kMaxShortRowBytes || r + 1 == rows.count) {
      const size_t partial = reinterpret_cast<uintptr_t>(out + filled) % kLine;
      const size_t whole = r + 1 == rows.count ? filled : filled - partial;
      write_out<kStream>(buffer, out, whole);
      out += whole;
      filled -= whole;
      copy_bytes(buffer, buffer + whole, filled);
    }
  }
  return is_exact;
}
template <class E>
bool emit_rows(const Rows& rows, Order order, const Selection* selections, size_t k, bool stream,
               void* out) {
  auto* const bytes = static_cast<unsigned char*>(out);
  return kCanStream && stream ? emit_short_rows<E, true>(rows, order, selections, k, bytes)
                              : emit_short_rows<E, false>(rows, order, selections, k, bytes);
}

// The elements of a row from index i on that are selected, as bits, for up to a word. Reads whole
// vectors from `word`, past the end of the row.
template <class E>
SECATEUR_INLINE uint64_t selected_bits(const E* word, size_t i, size_t length, Order order,
                                       Selection selection) {
  const KeyOf<E> key_of(order);
  const Vec<E> above = key_of.broadcast(selection.threshold);
  const Vec<E> from_threshold = key_of.broadcast(below(selection.threshold));
  uint64_t bits = 0, with_ties = 0;
  for (size_t lane = 0; lane < kWord && i + lane < length; lane += kLanes<E>) {
    const Vec<E> key = key_of(LoadU(word + lane));
    bits |= BitsFromMask(Gt(key, above)) << lane;
    with_ties |= BitsFromMask(Gt(key, from_threshold)) << lane;
  }
  const uint64_t early = selection.tie_end > i ? first_bits(selection.tie_end - i) : 0;
  return (bits | (with_ties & early)) & first_bits(length - i);
}

template <class E>
bool index_rows(const Rows& rows, Order order, const Selection* selections, size_t k,
                int64_t* indices, size_t stride) {
  const E* const array = static_cast<const E*>(rows.array);
  for (size_t r = 0; r < rows.count; ++r, indices += stride) {
    size_t found = 0;
    for (size_t i = 0; i < rows.length && found < k; i += kWord) {
      const size_t begin = r * rows.stride + i;
      const size_t count = least(kWord, rows.length - i);
      const E* word = array + begin;
      E padded[kWord];
      if (begin + round_up(count, kLanes<E>) > rows.n) [[unlikely]] {
        for (size_t j = 0; j < kWord; ++j) {
          padded[j] = j < count ? word[j] : E{0};
        }
        word = padded;
      }
      uint64_t bits = selected_bits(word, i, rows.length, order, selections[r]);
      for (; bits != 0 && found < k; bits &= bits - 1) {
        indices[found++] = static_cast<int64_t>(i + LowestBit(bits));
      }
    }
    if (found != k) [[unlikely]] {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
