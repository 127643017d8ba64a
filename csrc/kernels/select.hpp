// Selection: the pass over the data that counts, collects and writes at once; the pass that writes
// a selection already known; and the loops that select among keys in cache.
#pragma once

#include "kernels/convert.hpp"
#include "kernels/sinks.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
struct KeyOf {
  Vec<E> rotation, mask;

  explicit KeyOf(Order order) : rotation(pivot(order.rotation)), mask(pivot(order.mask)) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> bits) const { return And(Add(bits, rotation), mask); }
  // A key to compare with, in every lane.
  static SECATEUR_INLINE Vec<E> pivot(Key key) { return Set(static_cast<E>(key)); }
};

// The key before, which may be the one that wraps: then nobody asks.
SECATEUR_INLINE Key below(Key key) { return static_cast<Key>(static_cast<uint64_t>(key) - 1); }

// ---- What is ranked: enter() is told of each word of elements, and make(x, lane) makes it of a vector of them

struct AsTheyAre {
  AsTheyAre(const Made&, size_t) {}
  void enter(uint64_t, size_t) const {}
  template <class E>
  SECATEUR_INLINE Vec<E> operator()(Vec<E> x, size_t) const {
    return x;
  }
};

template <class E>
struct AsValues {
  Vec<E> infinity;
  Mask<E> nan_low;

  AsValues(const Made& made, size_t)
      : infinity(Set(static_cast<E>(made.infinity))),
        nan_low(MaskFromBits<E>(made.nan_low ? kAllValid : 0)) {}
  void enter(uint64_t, size_t) const {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> bits, size_t) const {
    const Vec<E> magnitude = And(bits, Set(kMagnitude<E>));
    const Mask<E> is_negative = Gt(Set(E{0}), bits), is_nan = Gt(magnitude, infinity);
    const Mask<E> down = Or(AndNot(is_nan, is_negative), And(is_nan, nan_low));
    return Sub(magnitude, IfThenElseZero(down, Add(magnitude, magnitude)));
  }
};

template <class F>
struct AsProducts {
  using E = Integer<F>;
  FloatState float_state;
  const F* factors;
  size_t period, phase;
  const F* of_word = nullptr;
  F gathered[kWord];

  AsProducts(const Made& made, size_t)
      : factors(static_cast<const F*>(made.factors)), period(made.period), phase(made.phase) {}
  SECATEUR_INLINE void enter(uint64_t valid, size_t) {
    if (valid == kAllValid && phase + kWord <= period) [[likely]] {
      of_word = factors + phase;
      phase = phase + kWord == period ? 0 : phase + kWord;
      return;
    }
    gather(PopCount(valid));
  }
  SECATEUR_INLINE Vec<E> operator()(Vec<E> x, size_t lane) const {
    return BitCast<E>(Mul(BitCast<F>(x), LoadU(of_word + lane)));
  }

 private:
  // Where they begin again within the word, or it ends: what is beyond is multiplied by 0.
  __attribute__((noinline)) void gather(size_t count) {
    of_word = gathered;
    for (size_t i = 0; i < kWord; ++i) {
      gathered[i] = i < count ? factors[phase] : F{0};
      if (i < count && ++phase == period) {
        phase = 0;
      }
    }
  }
};

// The group of keys at `from`; their largest joins `largest`.
template <class E, class Make>
SECATEUR_INLINE void load_group(const E* from, size_t lane, const Make& make,
                                const KeyOf<E>& key_of, Vec<E>* x, Vec<E>* key, Vec<E>& largest) {
  for (size_t v = 0; v < kGroup<E>; ++v) {
    x[v] = LoadU(from + lane + v * kLanes<E>);
    key[v] = key_of(make(x[v], lane + v * kLanes<E>));
    largest = Max(largest, key[v]);
  }
}

// Which of a group of keys lie above a pivot.
template <class E>
SECATEUR_INLINE void above(const Vec<E>* key, Vec<E> pivot, Mask<E>* masks) {
  for (size_t v = 0; v < kGroup<E>; ++v) {
    masks[v] = Gt(key[v], pivot);
  }
}
template <class E>
SECATEUR_INLINE uint64_t bits_above(const Vec<E>* key, Vec<E> pivot) {
  Mask<E> masks[kGroup<E>];
  above(key, pivot, masks);
  return BitsFromMasks(masks);
}

// The candidates of a word go to `collected` without asking how many there are, up to two: a
// branch on that would often be mispredicted. Returns how many there were.
template <class E>
SECATEUR_INLINE size_t collect(uint64_t candidates, const E* from, uint32_t offset, E* bits,
                               uint32_t* offsets) {
  constexpr size_t kBlindly = 2;
  const auto put = [&](size_t i, uint64_t rest) __attribute__((always_inline)) {
    const size_t lane = LowestBit(rest);
    copy_bytes(bits + i, from + lane, sizeof *bits);
    offsets[i] = offset + static_cast<uint32_t>(lane);
  };
  uint64_t rest = candidates;
  for (size_t i = 0; i < kBlindly; ++i, rest &= rest - 1) {
    put(i, rest);
  }
  for (size_t i = kBlindly; rest != 0; ++i, rest &= rest - 1) {
    put(i, rest);
  }
  return PopCount(candidates);
}

template <class E, class Sink, class Make>
Census scan_words(Part w, const Made& made, Order order, Bracket bracket, Key threshold,
                  const Output& out, Collected collected) {
  const Sink sink(out);
  Make make(made, w.begin);
  const KeyOf<E> key_of(order);
  const Vec<E> lo = key_of.pivot(bracket.lo), hi = key_of.pivot(bracket.hi);
  const Vec<E> written_above = key_of.pivot(threshold);
  E* const candidates = static_cast<E*>(collected.bits);
  Vec<E> largest = Set(E{0});
  size_t above_lo = 0, count = 0;
  for_words<E>(w, sink,
               [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    make.enter(valid, i);
    uint64_t from_lo = 0, over = 0, kept = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      Mask<E> keep[kGroup<E>];
      load_group(from, lane, make, key_of, x, key, largest);
      above(key, written_above, keep);
      sink.put(x, keep, to, lane);
      from_lo |= bits_above(key, lo) << lane;
      over |= bits_above(key, hi) << lane;
      kept |= BitsFromMasks(keep) << lane;
    }
    from_lo &= valid;
    sink.put_bits(kept & valid, valid, to, i);
    above_lo += PopCount(from_lo);
    count += collect(from_lo & ~over, from, static_cast<uint32_t>(i - w.begin), candidates + count,
                     collected.offsets + count);
  });
  return {above_lo, count, ReduceMax(largest)};
}

template <class E, class Sink, class Make>
Key emit_words(Part w, const Made& made, Order order, Selection selection, const Output& out) {
  const Sink sink(out);
  Make make(made, w.begin);
  const KeyOf<E> key_of(order);
  const Vec<E> above_threshold = key_of.pivot(selection.threshold);
  const Vec<E> from_threshold = key_of.pivot(below(selection.threshold));
  Vec<E> largest = Set(E{0});
  for_words<E>(w, sink,
               [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    make.enter(valid, i);
    // Ties are kept before tie_end and lost after it; one word may hold both.
    const bool all_ties = i + kWord <= selection.tie_end;
    const bool some_ties = !all_ties && i < selection.tie_end;
    const Vec<E> pivot = all_ties ? from_threshold : above_threshold;
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      Mask<E> keep[kGroup<E>];
      load_group(from, lane, make, key_of, x, key, largest);
      above(key, pivot, keep);
      if (some_ties) [[unlikely]] {
        const uint64_t early = first_bits(selection.tie_end - i) >> lane;
        for (size_t v = 0; v < kGroup<E>; ++v) {
          const uint64_t ties =
              BitsFromMask(Gt(key[v], from_threshold)) & (early >> (v * kLanes<E>));
          keep[v] = MaskFromBits<E>(BitsFromMask(keep[v]) | ties);
        }
      }
      sink.put(x, keep, to, lane);
      bits |= BitsFromMasks(keep) << lane;
    }
    sink.put_bits(bits & valid, valid, to, i);
  });
  return ReduceMax(largest);
}

// Streaming or not.
template <class E, template <bool> class Sink, class Make>
Census scan_made(Part w, const Made& made, Order order, Bracket bracket, Key threshold,
                 const Output& out, Collected collected) {
  return kCanStream && out.stream
             ? scan_words<E, Sink<true>, Make>(w, made, order, bracket, threshold, out, collected)
             : scan_words<E, Sink<false>, Make>(w, made, order, bracket, threshold, out, collected);
}
template <class E, template <bool> class Sink, class Make>
Key emit_made(Part w, const Made& made, Order order, Selection selection, const Output& out) {
  return kCanStream && out.stream
             ? emit_words<E, Sink<true>, Make>(w, made, order, selection, out)
             : emit_words<E, Sink<false>, Make>(w, made, order, selection, out);
}

// What may be made of the elements for a form: products where they themselves are written, values where
// others are.
enum class Makes { anything, products, values, nothing };

// body(a tag of what makes it)
template <class Make>
struct Tag {
  using type = Make;
};
template <class E, Makes kMakes, class Body>
SECATEUR_INLINE auto with_make(const Made& made, const Body& body) {
  constexpr bool kMakesProducts = kMakes == Makes::anything || kMakes == Makes::products;
  if constexpr (kMakes == Makes::anything || kMakes == Makes::values) {
    if (made.as == Made::As::values) {
      return body(Tag<AsValues<E>>());
    }
  }
  if constexpr (kMakesProducts && sizeof(E) == sizeof(float)) {
    if (made.as == Made::As::products) {
      return body(Tag<AsProducts<float>>());
    }
  }
  if constexpr (kMakesProducts && sizeof(E) == sizeof(double)) {
    if (made.as == Made::As::products) {
      return body(Tag<AsProducts<double>>());
    }
  }
  return body(Tag<AsTheyAre>());
}
template <class E, template <bool> class Sink, Makes kMakes>
Census scan(Part w, const Made& made, Order order, Bracket bracket, Key threshold,
            const Output& out, Collected collected) {
  return with_make<E, kMakes>(made, [&](auto make) {
    return scan_made<E, Sink, typename decltype(make)::type>(w, made, order, bracket, threshold,
                                                             out, collected);
  });
}
template <class E, template <bool> class Sink, Makes kMakes>
Key emit(Part w, const Made& made, Order order, Selection selection, const Output& out) {
  return with_make<E, kMakes>(made, [&](auto make) {
    return emit_made<E, Sink, typename decltype(make)::type>(w, made, order, selection, out);
  });
}

// Values as keys, in an array of their own.
template <class E>
void value_keys(Part floats, Key infinity, bool nan_low, void* out) {
  const Made made{Made::As::values, nan_low, infinity, nullptr, 0, 0};
  Output output{};
  output.data = out;
  with_make<E, Makes::anything>(made, [&](auto tag) {
    typename decltype(tag)::type make(made, floats.begin);
    for_words<E>(floats, FromBegin<E>(output, floats.begin),
                 [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                     __attribute__((always_inline)) {
      make.enter(valid, i);
      for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
        StoreU(make(LoadU(from + lane), lane), reinterpret_cast<E*>(to) + lane);
      }
    });
  });
}

template <class E>
Key max_magnitude(Part w) {
  Vec<E> largest = Set(E{0});
  for_words<E>(w, NoSink(Output{}),
               [&](const E* from, uint64_t, unsigned char*, size_t) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      largest = Max(largest, And(LoadU(from + lane), Set(kMagnitude<E>)));
    }
  });
  return ReduceMax(largest);
}

// Elements of 16 bits are widened as they are loaded.
template <class E>
SECATEUR_INLINE Vec<typename Kept<E>::Key> load_widened(const E* from) {
  if constexpr (sizeof(E) == sizeof(int16_t)) {
    return PromoteLoad(from);
  } else {
    return LoadU(from);
  }
}

template <class E>
Key keys(const void* w, size_t n, Order order, void* out) {
  using K = typename Kept<E>::Key;
  const KeyOf<K> key_of(order);
  Vec<K> largest = Set(K{0});
  Output output{};
  output.data = out;
  for_words<E>(whole(w, n), Elements<K, false>(output),
               [&](const E* from, uint64_t, unsigned char* to, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<K>) {
      const Vec<K> key = key_of(load_widened(from + lane));
      largest = Max(largest, key);
      StoreU(key, reinterpret_cast<K*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

template <class K>
Census narrow(const void* w, size_t n, Order order, Bracket bracket, K* out) {
  const KeyOf<K> key_of(order);
  const Vec<K> lo = key_of.pivot(bracket.lo), hi = key_of.pivot(bracket.hi);
  Vec<K> largest = Set(K{0}), kept_count = Set(K{0});
  Census census{};
  for_words<K>(whole(w, n), NoSink(Output{}),
               [&](const K* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<K>) {
      const Vec<K> key = key_of(LoadU(from + lane));
      largest = Max(largest, key);
      Mask<K> kept = Gt(key, lo);
      if (valid != kAllValid) {
        kept = And(kept, MaskFromBits<K>(valid >> lane));
      }
      kept_count = CountIf(kept_count, kept);
      census.collected += CompressStore(key, AndNot(Gt(key, hi), kept), out + census.collected);
    }
  });
  census.above_lo = static_cast<size_t>(ReduceSum(kept_count));
  census.max_key = ReduceMax(largest);
  return census;
}

// body(bits) for each word: which of its keys lie above `key`.
template <class E, class Body>
SECATEUR_INLINE void for_bits_above(const void* w, size_t n, Order order, Key key,
                                    const Body& body) {
  const KeyOf<E> key_of(order);
  const AsTheyAre as_they_are(Made{}, 0);
  const Vec<E> pivot = key_of.pivot(key);
  Vec<E> largest = Set(E{0});
  for_words<E>(whole(w, n), NoSink(Output{}),
               [&](const E* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], keys_[kGroup<E>];
      load_group(from, lane, as_they_are, key_of, x, keys_, largest);
      bits |= bits_above(keys_, pivot) << lane;
    }
    body(bits & valid);
  });
}

template <class E>
size_t count_above(const void* w, size_t n, Order order, Key key) {
  size_t count = 0;
  for_bits_above<E>(w, n, order, key, [&](uint64_t bits) { count += PopCount(bits); });
  return count;
}

template <class K>
uint64_t run_spread(const K* keys, size_t n, K key) {
  const uint64_t run = first_bits(kRun);
  uint64_t sum = 0;
  for_bits_above<K>(keys, n, kAsTheyAre, key, [&](uint64_t bits) {
    for (size_t i = 0; i < kWord; i += 2 * kRun) {
      const auto a = static_cast<int64_t>(PopCount((bits >> i) & run));
      const auto b = static_cast<int64_t>(PopCount((bits >> (i + kRun)) & run));
      sum += static_cast<uint64_t>((a - b) * (a - b));
    }
  });
  return sum;
}

template <class K>
inline constexpr K kNoKey = -kMagnitude<K> - 1;  // below all keys

// How many of the keys lie above the pivot. The groups are whole, filled up with keys that do not.
template <class K>
SECATEUR_INLINE size_t count_groups(const K* keys, size_t n, K key) {
  const Vec<K> pivot = Set(key);
  Vec<K> count[kGroup<K>];
  for (size_t v = 0; v < kGroup<K>; ++v) {
    count[v] = Set(K{0});
  }
  for (size_t i = 0; i < n; i += kGroupLanes<K>) {
    for (size_t v = 0; v < kGroup<K>; ++v) {
      count[v] = CountIf(count[v], Gt(LoadU(keys + i + v * kLanes<K>), pivot));
    }
  }
  return static_cast<size_t>(ReduceSum(Add(Add(count[0], count[1]), Add(count[2], count[3]))));
}

// The k-th largest key, bit by bit from the top: the largest value that k keys reach. Some 30 counts
// of what is in L1 beat a sort of as many. Bits in which no two keys differ need no count.
template <class K>
K bisect(const K* keys, size_t n, size_t k, K step) {
  constexpr size_t kGroupKeys = kGroupLanes<K>;
  const size_t whole = n / kGroupKeys * kGroupKeys;
  K last[kGroupKeys];  // the ragged end, filled up
  for (size_t i = 0; i < kGroupKeys; ++i) {
    last[i] = whole + i < n ? keys[whole + i] : kNoKey<K>;
  }
  K any = 0, all = -1;
  for (size_t i = 0; i < n; ++i) {
    any |= keys[i];
    all &= keys[i];
  }
  const auto reached = [&](K least) {  // by k keys?
    size_t count = count_groups(keys, whole, least - 1);
    if (whole != n) {
      count += count_groups(last, kGroupKeys, least - 1);
    }
    return count >= k;
  };
  // The sign comes first: the other bits of a negative key count upwards from the least one.
  const bool negative = all < 0 || (any < 0 && !reached(0));
  K key = (all & kMagnitude<K>) | (negative ? kNoKey<K> : 0);
  for (K bit = kMagnitude<K> / 2 + 1; bit >= step; bit >>= 1) {
    if (((any ^ all) & bit) == 0) {
      continue;
    }
    // The least key with this bit and the higher ones decided so far; without a branch, which would
    // be mispredicted every other time
    const K least = (key | bit) & ~(bit - 1);
    key |= bit & -static_cast<K>(reached(least));
  }
  return key & ~(step - 1);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
