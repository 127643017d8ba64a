// Selection in slices that lie in line. Short ones are transposed and become columns. In longer ones, it
// is a bracket around the k-th largest key of each as well, within which there soon are few keys.
#pragma once

#include "kernels/columns.hpp"
#include "kernels/guess.hpp"
#include "kernels/select.hpp"
#include "kernels/transpose.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Elements up to which rows are transposed.
inline constexpr size_t kTransposed = 128;

// Keys from which it is worth bringing together those within a bracket, if these are few.
inline constexpr size_t kWorthNarrowing = 512;
inline constexpr size_t kFewOf = 4;

// A slice, or some of its keys.
template <class E>
class Row {
 public:
  // `readable`: how many elements there are from its first one on.
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

  // body(word, which of its elements are real, the index of the first) until it says so.
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

// How many keys lie above each of two.
struct Counts {
  size_t above_a, above_b;
};
template <class E>
SECATEUR_INLINE Counts count(const Row<E>& row, Order order, Key a, Key b, Vec<E>& largest) {
  const KeyOf<E> key_of(order);
  const AsTheyAre as_they_are(Made{}, 0);
  const Vec<E> pivot_a = key_of.pivot(a), pivot_b = key_of.pivot(b);
  Vec<E> most = largest;
  Counts counts{};
  row.for_words_until([&](const E* word, uint64_t valid, size_t) __attribute__((always_inline)) {
    uint64_t over_a = 0, over_b = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      load_group(word, lane, as_they_are, key_of, x, key, most);
      over_a |= bits_above(key, pivot_a) << lane;
      over_b |= bits_above(key, pivot_b) << lane;
    }
    counts.above_a += PopCount(over_a & valid);
    counts.above_b += PopCount(over_b & valid);
    return false;
  });
  largest = most;
  return counts;
}

// The end of the first r keys that equal the one.
template <class E>
__attribute__((noinline)) size_t end_of_ties(const Row<E>& row, Order order, Key key, size_t r) {
  const KeyOf<E> key_of(order);
  const Vec<E> above = key_of.pivot(key), from = key_of.pivot(below(key));
  size_t end = 0;
  row.for_words_until([&](const E* word, uint64_t valid, size_t i) {
    uint64_t ties = 0;
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      ties |= BitsFromMask(AndNot(Gt(x, above), Gt(x, from))) << lane;
    }
    ties &= valid;
    const size_t here = PopCount(ties);
    if (here < r) {
      r -= here;
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

// The least key above one, below which there are others.
template <class E>
__attribute__((noinline)) Key least_above(const Row<E>& row, Order order, Key key) {
  const KeyOf<E> key_of(order);
  const Vec<E> pivot = key_of.pivot(key);
  Vec<E> largest = Set(kNoKey<E>);  // of the keys above, with the sign changed
  row.for_words_until([&](const E* word, uint64_t valid, size_t) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      const Mask<E> is_above = And(Gt(x, pivot), MaskFromBits<E>(valid >> lane));
      largest = Max(largest, IfThenElse(is_above, Sub(Set(E{0}), x), Set(kNoKey<E>)));
    }
    return false;
  });
  const E least = ReduceMax(largest);
  // There are none any more where somebody writes to them meanwhile.
  return least == kNoKey<E> ? Key{kMagnitude<E>} : -Key{least};
}

// The same bracket, with its ends at keys that there are.
template <class E>
__attribute__((noinline)) Bracket tightened(const Row<E>& row, Order order, Bracket bracket) {
  const KeyOf<E> key_of(order);
  const Vec<E> lo = key_of.pivot(bracket.lo), hi = key_of.pivot(bracket.hi);
  Vec<E> largest = lo;
  row.for_words_until([&](const E* word, uint64_t valid, size_t) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = key_of(LoadU(word + lane));
      const Mask<E> is_up_to_hi = AndNot(Gt(x, hi), MaskFromBits<E>(valid >> lane));
      largest = Max(largest, IfThenElse(is_up_to_hi, x, lo));
    }
    return false;
  });
  const Key most = ReduceMax(largest), least = least_above(row, order, bracket.lo);
  return least <= most ? Bracket{below(least), most} : bracket;
}

// lo < threshold <= hi, of which k keys or fewer lie above hi.
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
  // To one between whose ends and its own there are no keys.
  SECATEUR_INLINE void tighten(Bracket bracket) {
    lo_ = bracket.lo;
    hi_ = bracket.hi;
  }

  // How many lie above the keys a <= b within the bracket.
  // Without a branch, which would be mispredicted every other time.
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

// Until the threshold is known. Of the keys that are not in the row, `elsewhere` lie above the bracket. Not
// inline, for it is long, and asked for at many places.
template <class E>
__attribute__((noinline)) void cut(Search& search, const Row<E>& row, Order order, size_t elsewhere,
                                   Vec<E>& largest) {
  for (size_t pass = 1; !search.done(); ++pass) {
    const Bracket at = middle_third(search.bracket());
    const Counts counts = count(row, order, at.lo, at.hi, largest);
    search.learn(at.lo, at.hi, {elsewhere + counts.above_a, elsewhere + counts.above_b});
    if (pass % kTightened == 0 && !search.done()) {
      search.tighten(tightened(row, order, search.bracket()));
    }
  }
}

// Between which keys the threshold lies almost surely, by a sample of a row.
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
    cut(search, row, order, 0, unused);
    return search.bracket().hi;
  };
  return within(goal.range,
                {center + half > kSample ? goal.range.lo : below(threshold(center + half)),
                 center < half ? goal.range.hi : threshold(center - half)});
}

// Brings together the keys within a bracket, and looks for the threshold among them: is it known then?
template <class E>
SECATEUR_INLINE bool try_bracket(Search& search, const E* from, size_t length, Order order,
                                 Bracket at, E* room, Vec<E>& largest) {
  const Census census = narrow<E>(from, length, order, at, room);
  largest = Max(largest, Set(static_cast<E>(census.max_key)));
  search.learn(at.lo, at.hi, {census.above_lo, census.above()});
  const bool hit = search.bracket().lo == at.lo && search.bracket().hi == at.hi;
  if (!hit || census.collected > length / kFewOf) {
    return search.done();
  }
  Vec<E> unused = largest;
  cut(search, Row<E>(room, census.collected, census.collected), kAsTheyAre, search.above(), unused);
  return true;
}

// Until the threshold is known.
template <class E>
SECATEUR_INLINE void find(Search& search, const E* from, const Row<E>& row, size_t length,
                          Order order, const Goal& goal, const Guess& guess, E* room,
                          Vec<E>& largest) {
  if constexpr (sizeof(E) > sizeof(int16_t)) {
    if (length >= kWorthNarrowing) {
      const bool known = is_known(guess) && try_bracket(search, from, length, order,
                                                        guessed(guess, goal.range), room, largest);
      if (known || try_bracket(search, from, length, order,
                               within(search.bracket(), sampled(from, length, order, goal)), room,
                               largest)) {
        return;
      }
      cut(search, row, order, 0, largest);
      return;
    }
  }
  const Bracket near = guessed(guess, goal.range);
  search.learn(near.lo, near.hi, count(row, order, near.lo, near.hi, largest));
  cut(search, row, order, 0, largest);
}

template <class E>
SECATEUR_INLINE Selection selection_of(const Search& search, const Row<E>& row, size_t length,
                                       Order order, const Goal& goal) {
  const Key threshold = search.bracket().hi;
  const size_t ties = search.ties_kept();
  if (goal.exact) {
    return {ties == 0 ? least_above(row, order, threshold) : threshold, length};
  }
  return {threshold, ties == 0                 ? 0
                     : ties == search.within() ? length
                                               : end_of_ties(row, order, threshold, ties)};
}

// What is read next arrives while the rest is done.
template <class E>
SECATEUR_INLINE void prefetch_next(const Rows& rows, size_t begin, size_t count) {
  constexpr size_t kAhead = kPrefetchBytes / sizeof(E);
  const E* const array = static_cast<const E*>(rows.bits);
  for (size_t i = 0; i < least(count, kAhead); i += kLine / sizeof(E)) {
    const size_t later = begin + (count < kAhead ? kAhead : count) + i;
    __builtin_prefetch(array + (later < rows.n ? later : begin));
  }
}

template <class E>
Key select_long_rows(const Rows& rows, size_t first, Order order, const Goal& goal, Guess& guess,
                     void* room, Selection* selections) {
  Vec<E> largest = Set(E{0});
  for (size_t r = first; r < rows.count; ++r) {
    const size_t begin = r * rows.stride;
    const E* const from = static_cast<const E*>(rows.bits) + begin;
    const bool in_line = rows.stride == rows.length;
    const Row<E> row(from, rows.length, in_line ? rows.n - begin : rows.length);
    Search search(goal, rows.length);
    find(search, from, row, rows.length, order, goal, guess, static_cast<E*>(room), largest);
    prefetch_next<E>(rows, begin, rows.stride);
    selections[r] = selection_of(search, row, rows.length, order, goal);
    note(guess, selections[r].threshold);
  }
  return ReduceMax(largest);
}

// The keys of as many rows as there are lanes, as columns. Vectors are read to their end. Returns the
// largest of each lane.
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
Key select_rows(const Rows& rows, Order order, const Goal& goal, Guess& guess, void* room,
                Selection* selections) {
  constexpr size_t kAtOnce = kLanes<E>;
  static_assert(kTransposed < kWorthLeavingOut);
  size_t r = 0;
  Vec<E> largest = Set(E{0});
  if constexpr (kAtOnce > 1) {
    alignas(kLine) E tile[kTransposed * kAtOnce];
    E thresholds[kAtOnce], tie_ends[kAtOnce];
    const size_t reach = (kAtOnce - 1) * rows.stride + round_up(rows.length, kAtOnce);
    for (; rows.length <= kTransposed && r + kAtOnce <= rows.count; r += kAtOnce) {
      const size_t begin = r * rows.stride;
      if (begin + reach > rows.n) {
        break;
      }
      prefetch_next<E>(rows, begin, kAtOnce * rows.stride);
      largest = Max(largest, transpose_keys(static_cast<const E*>(rows.bits) + begin, rows.stride,
                                            rows.length, order, tile));
      const Bracket near = guessed(guess, goal.range);
      const auto found = select_vector<E>(tile, rows.length, goal, near, nullptr);
      StoreU(found.thresholds, thresholds);
      StoreU(found.tie_ends, tie_ends);
      for (size_t i = 0; i < kAtOnce; ++i) {
        selections[r + i] = {thresholds[i], static_cast<size_t>(tie_ends[i])};
      }
      for (size_t i = 0; i < kAtOnce; i += kNoted) {
        note(guess, thresholds[i]);
      }
    }
  }
  const Key rest = select_long_rows<E>(rows, r, order, goal, guess, room, selections);
  return rest > ReduceMax(largest) ? rest : Key{ReduceMax(largest)};
}

// One row, to where there is room for a vector more; from where as much may be read.
template <class E>
SECATEUR_INLINE void emit_row(const E* from, size_t length, Order order, Selection selection,
                              E* to) {
  const KeyOf<E> key_of(order);
  const Vec<E> above = key_of.pivot(selection.threshold);
  const Vec<E> from_threshold = key_of.pivot(below(selection.threshold));
  for (size_t i = 0; i < length; i += kLanes<E>) {
    const Vec<E> x = LoadU(from + i), key = key_of(x);
    Mask<E> keep = Gt(key, above);
    if (i < selection.tie_end) [[unlikely]] {
      const Mask<E> early = MaskFromBits<E>(first_bits(selection.tie_end - i));
      keep = Or(keep, And(early, Gt(key, from_threshold)));
    }
    StoreU(IfThenElseZero(keep, x), to + i);
  }
}

// Results are put together in L1, so that what goes past the caches are whole lines.
template <class E, bool kStream>
SECATEUR_INLINE void emit_short_rows(const Rows& rows, Order order, const Selection* selections,
                                     unsigned char* out) {
  alignas(kLine) unsigned char room[2 * kMostShortRow + kLine + sizeof(Vec<E>)];
  E last[kMostShortRow / sizeof(E) + kLanes<E>];
  const E* const array = static_cast<const E*>(rows.bits);
  size_t filled = 0;
  for (size_t r = 0; r < rows.count; ++r) {
    const E* from = array + r * rows.length;
    if ((r + 1) * rows.length + kLanes<E> > rows.n) [[unlikely]] {
      copy_bytes(last, from, rows.length * sizeof(E));
      StoreU(Set(E{0}), last + rows.length);
      from = last;
    }
    emit_row(from, rows.length, order, selections[r], reinterpret_cast<E*>(room + filled));
    filled += rows.length * sizeof(E);
    if (filled > kMostShortRow || r + 1 == rows.count) {
      const size_t past = reinterpret_cast<uintptr_t>(out + filled) % kLine;
      const size_t whole = r + 1 == rows.count ? filled : filled - past;
      write_out<kStream>(room, out, whole);
      out += whole;
      filled -= whole;
      copy_bytes(room, room + whole, filled);
    }
  }
}
template <class E>
void emit_rows(const Rows& rows, Order order, const Selection* selections, bool stream, void* out) {
  auto* const to = static_cast<unsigned char*>(out);
  kCanStream&& stream ? emit_short_rows<E, true>(rows, order, selections, to)
                      : emit_short_rows<E, false>(rows, order, selections, to);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
