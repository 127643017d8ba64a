// Selection kernels: scan, the pass that counts, collects candidates and writes; emit, the pass
// that writes a known selection; and the loops that select among keys in cache.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "core/kernels/convert.hpp"
#include "select/kernels/sinks.hpp"
#include "select/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Converts the bits of ranking values to keys.
template <class E>
struct KeyOf {
  Vec<E> rotation, mask;

  explicit KeyOf(Order order) : rotation(broadcast(order.rotation)), mask(broadcast(order.mask)) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> bits) const { return And(Add(bits, rotation), mask); }
  // A key in every lane.
  static SECATEUR_INLINE Vec<E> broadcast(Key key) { return Set(static_cast<E>(key)); }
};

// The previous key. If it wraps around, the result is not used.
SECATEUR_INLINE Key below(Key key) { return static_cast<Key>(static_cast<uint64_t>(key) - 1); }

// ---- Ranking values --------------------------------------------------------------------------
//
// A ComputeKey computes the bits of ranking values. enter(valid, i) is called once for each word of
// elements from index i; the call operator then takes each vector of the word and the index of its
// first lane.

struct MagnitudeKey {
  MagnitudeKey(const RankKey&, size_t) {}
  void enter(uint64_t, size_t) const {}
  template <class E>
  SECATEUR_INLINE Vec<E> operator()(Vec<E> x, size_t) const {
    return x;
  }
};

template <class E>
struct ValueKey {
  Vec<E> infinity, nan_down;

  // NaN that rank low get keys below that of -infinity, in the order of their payloads.
  ValueKey(const RankKey& rank_key, size_t)
      : infinity(Set(static_cast<E>(rank_key.infinity))),
        nan_down(Set(rank_key.nan_low ? static_cast<E>(rank_key.infinity - kMagnitudeMask<E> - 1)
                                      : E{0})) {}
  void enter(uint64_t, size_t) const {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> bits, size_t) const {
    const Vec<E> magnitude = And(bits, Set(kMagnitudeMask<E>));
    const Mask<E> is_negative = Gt(Set(E{0}), bits), is_nan = Gt(magnitude, infinity);
    const Vec<E> down = IfThenElseZero(is_negative, Add(magnitude, magnitude));
    return Sub(magnitude, IfThenElse(is_nan, nan_down, down));
  }
};

template <class F>
struct ProductKey {
  using E = Integer<F>;
  FloatState float_state;
  const F* factors;
  size_t period, phase;
  const F* word_factors = nullptr;
  F gathered[kWord];

  ProductKey(const RankKey& rank_key, size_t)
      : factors(static_cast<const F*>(rank_key.factors)),
        period(rank_key.period),
        phase(rank_key.phase) {}
  SECATEUR_INLINE void enter(uint64_t valid, size_t) {
    if (valid == kAllValid && phase + kWord <= period) [[likely]] {
      word_factors = factors + phase;
      phase = phase + kWord == period ? 0 : phase + kWord;
      return;
    }
    gather(PopCount(valid));
  }
  SECATEUR_INLINE Vec<E> operator()(Vec<E> x, size_t lane) const {
    return BitCast<E>(Mul(BitCast<F>(x), LoadU(word_factors + lane)));
  }

 private:
  // Copies the factors of a word that holds the end of a period or is not full. Factors of elements
  // that are not valid are 0.
  __attribute__((noinline)) void gather(size_t count) {
    word_factors = gathered;
    for (size_t i = 0; i < kWord; ++i) {
      gathered[i] = i < count ? factors[phase] : F{0};
      if (i < count && ++phase == period) {
        phase = 0;
      }
    }
  }
};

// Loads a group of vectors and computes their keys. Updates `largest`.
template <class E, class ComputeKey>
SECATEUR_INLINE void load_group(const E* from, size_t lane, const ComputeKey& compute_key,
                                const KeyOf<E>& key_of, Vec<E>* x, Vec<E>* key, Vec<E>& largest) {
  for (size_t v = 0; v < kGroup<E>; ++v) {
    x[v] = LoadU(from + lane + v * kLanes<E>);
    key[v] = key_of(compute_key(x[v], lane + v * kLanes<E>));
    largest = Max(largest, key[v]);
  }
}

// The masks, or bits, of the keys of a group that are above a pivot.
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

// Stores the candidates of a word and their offsets; returns their number. It stores kUnconditional
// entries even if there are fewer candidates, because a branch on their number would often be
// mispredicted. The next word overwrites the surplus.
template <class E>
SECATEUR_INLINE size_t collect(uint64_t candidates, const E* from, uint32_t offset, E* bits,
                               uint32_t* offsets) {
  constexpr size_t kUnconditional = 2;  // Tuning: few words have more candidates
  const auto store_lowest = [&](size_t i, uint64_t rest) __attribute__((always_inline)) {
    const size_t lane = LowestBit(rest);
    copy_bytes(bits + i, from + lane, sizeof *bits);
    offsets[i] = offset + static_cast<uint32_t>(lane);
  };
  uint64_t rest = candidates;
  for (size_t i = 0; i < kUnconditional; ++i, rest &= rest - 1) {
    store_lowest(i, rest);
  }
  for (size_t i = kUnconditional; rest != 0; ++i, rest &= rest - 1) {
    store_lowest(i, rest);
  }
  return PopCount(candidates);
}

// scan for one sink and one kind of ranking value.
template <class E, class Sink, class ComputeKey>
BracketCounts scan_words(Part w, const RankKey& rank_key, Order order, Bracket bracket,
                         Key threshold, const Output& out, Collected collected) {
  const Sink sink(out);
  ComputeKey compute_key(rank_key, w.begin);
  const KeyOf<E> key_of(order);
  const Vec<E> lo = key_of.broadcast(bracket.lo), hi = key_of.broadcast(bracket.hi);
  const Vec<E> written_above = key_of.broadcast(threshold);
  E* const candidates = static_cast<E*>(collected.bits);
  Vec<E> largest = Set(E{0});
  size_t above_lo = 0, count = 0;
  for_words<E>(w, sink,
               [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    compute_key.enter(valid, i);
    uint64_t above_lo_bits = 0, above_hi_bits = 0, kept = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      Mask<E> keep[kGroup<E>];
      load_group(from, lane, compute_key, key_of, x, key, largest);
      above(key, written_above, keep);
      sink.write(x, keep, to, lane);
      above_lo_bits |= bits_above(key, lo) << lane;
      above_hi_bits |= bits_above(key, hi) << lane;
      kept |= BitsFromMasks(keep) << lane;
    }
    above_lo_bits &= valid;
    sink.write_bits(kept & valid, valid, to, i);
    above_lo += PopCount(above_lo_bits);
    count += collect(above_lo_bits & ~above_hi_bits, from, static_cast<uint32_t>(i - w.begin),
                     candidates + count, collected.offsets + count);
  });
  return {above_lo, count, ReduceMax(largest)};
}

// emit for one sink and one kind of ranking value.
template <class E, class Sink, class ComputeKey>
Emitted emit_words(Part w, const RankKey& rank_key, Order order, Selection selection,
                   const Output& out) {
  const Sink sink(out);
  ComputeKey compute_key(rank_key, w.begin);
  const KeyOf<E> key_of(order);
  const Vec<E> above_threshold = key_of.broadcast(selection.threshold);
  const Vec<E> from_threshold = key_of.broadcast(below(selection.threshold));
  Vec<E> largest = Set(E{0});
  size_t kept = 0;
  for_words<E>(w, sink,
               [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    compute_key.enter(valid, i);
    // Ties are kept before tie_end and removed from there on; one word may hold both.
    const bool all_ties = i + kWord <= selection.tie_end;
    const bool some_ties = !all_ties && i < selection.tie_end;
    const Vec<E> pivot = all_ties ? from_threshold : above_threshold;
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], key[kGroup<E>];
      Mask<E> keep[kGroup<E>];
      load_group(from, lane, compute_key, key_of, x, key, largest);
      above(key, pivot, keep);
      if (some_ties) [[unlikely]] {
        const uint64_t early = first_bits(selection.tie_end - i) >> lane;
        for (size_t v = 0; v < kGroup<E>; ++v) {
          const uint64_t ties =
              BitsFromMask(Gt(key[v], from_threshold)) & (early >> (v * kLanes<E>));
          keep[v] = MaskFromBits<E>(BitsFromMask(keep[v]) | ties);
        }
      }
      sink.write(x, keep, to, lane);
      bits |= BitsFromMasks(keep) << lane;
    }
    bits &= valid;
    sink.write_bits(bits, valid, to, i);
    kept += PopCount(bits);
  });
  return {ReduceMax(largest), kept};
}

// Chooses between a sink that streams and one that does not.
template <class E, template <bool> class Sink, class ComputeKey>
BracketCounts scan_by(Part w, const RankKey& rank_key, Order order, Bracket bracket, Key threshold,
                      const Output& out, Collected collected) {
  return kCanStream && out.stream ? scan_words<E, Sink<true>, ComputeKey>(
                                        w, rank_key, order, bracket, threshold, out, collected)
                                  : scan_words<E, Sink<false>, ComputeKey>(
                                        w, rank_key, order, bracket, threshold, out, collected);
}
template <class E, template <bool> class Sink, class ComputeKey>
Emitted emit_by(Part w, const RankKey& rank_key, Order order, Selection selection,
                const Output& out) {
  return kCanStream && out.stream
             ? emit_words<E, Sink<true>, ComputeKey>(w, rank_key, order, selection, out)
             : emit_words<E, Sink<false>, ComputeKey>(w, rank_key, order, selection, out);
}

// The kinds of ranking values that a kernel is compiled for, besides magnitudes: products if it
// writes the elements of w, values if it writes elements of another array.
enum class RankKeys { all, products, values, magnitudes };

// A value that carries a type.
template <class ComputeKey>
struct Tag {
  using type = ComputeKey;
};
// Calls body with the Tag of the ComputeKey of rank_key.
template <class E, RankKeys kRankKeys, class Body>
SECATEUR_INLINE auto with_rank_key(const RankKey& rank_key, const Body& body) {
  constexpr bool kHasProducts = kRankKeys == RankKeys::all || kRankKeys == RankKeys::products;
  if constexpr (kRankKeys == RankKeys::all || kRankKeys == RankKeys::values) {
    if (rank_key.kind == RankKey::Kind::value) {
      return body(Tag<ValueKey<E>>());
    }
  }
  if constexpr (kHasProducts && sizeof(E) == sizeof(float)) {
    if (rank_key.kind == RankKey::Kind::product) {
      return body(Tag<ProductKey<float>>());
    }
  }
  if constexpr (kHasProducts && sizeof(E) == sizeof(double)) {
    if (rank_key.kind == RankKey::Kind::product) {
      return body(Tag<ProductKey<double>>());
    }
  }
  return body(Tag<MagnitudeKey>());
}
template <class E, template <bool> class Sink, RankKeys kRankKeys>
BracketCounts scan(Part w, const RankKey& rank_key, Order order, Bracket bracket, Key threshold,
                   const Output& out, Collected collected) {
  return with_rank_key<E, kRankKeys>(rank_key, [&](auto tag) {
    return scan_by<E, Sink, typename decltype(tag)::type>(w, rank_key, order, bracket, threshold,
                                                          out, collected);
  });
}
template <class E, template <bool> class Sink, RankKeys kRankKeys>
Emitted emit(Part w, const RankKey& rank_key, Order order, Selection selection, const Output& out) {
  return with_rank_key<E, kRankKeys>(rank_key, [&](auto tag) {
    return emit_by<E, Sink, typename decltype(tag)::type>(w, rank_key, order, selection, out);
  });
}

// The keys of values, written to an array.
template <class E>
void value_keys(Part floats, Key infinity, bool nan_low, void* out) {
  const RankKey rank_key{RankKey::Kind::value, nan_low, infinity, nullptr, 0, 0};
  Output output{};
  output.data = out;
  with_rank_key<E, RankKeys::all>(rank_key, [&](auto tag) {
    typename decltype(tag)::type compute_key(rank_key, floats.begin);
    for_words<E>(floats, FromBegin<E>(output, floats.begin),
                 [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                     __attribute__((always_inline)) {
      compute_key.enter(valid, i);
      for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
        StoreU(compute_key(LoadU(from + lane), lane), reinterpret_cast<E*>(to) + lane);
      }
    });
  });
}

// Loads a vector of elements. Elements of 16 bits are widened to the width of stored keys.
template <class E>
SECATEUR_INLINE Vec<StoredKey<E>> load_widened(const E* from) {
  if constexpr (sizeof(E) == sizeof(int16_t)) {
    return PromoteLoad(from);
  } else {
    return LoadU(from);
  }
}

template <class E>
Key keys(const void* w, size_t n, Order order, void* out) {
  using K = StoredKey<E>;
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
BracketCounts narrow(const void* w, size_t n, Order order, Bracket bracket, K* out) {
  const KeyOf<K> key_of(order);
  const Vec<K> lo = key_of.broadcast(bracket.lo), hi = key_of.broadcast(bracket.hi);
  Vec<K> largest = Set(K{0}), above_lo = Set(K{0});
  BracketCounts bracket_counts{};
  for_words<K>(whole(w, n), NoDestination(Output{}),
               [&](const K* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<K>) {
      const Vec<K> key = key_of(LoadU(from + lane));
      largest = Max(largest, key);
      Mask<K> is_above_lo = Gt(key, lo);
      if (valid != kAllValid) {
        is_above_lo = And(is_above_lo, MaskFromBits<K>(valid >> lane));
      }
      above_lo = IncrementIf(above_lo, is_above_lo);
      bracket_counts.collected +=
          CompressStore(key, AndNot(Gt(key, hi), is_above_lo), out + bracket_counts.collected);
    }
  });
  bracket_counts.above_lo = static_cast<size_t>(ReduceSum(above_lo));
  bracket_counts.max_key = ReduceMax(largest);
  return bracket_counts;
}

// Calls body(bits) for each word; the bits say which of its keys are above `key`.
template <class E, class Body>
SECATEUR_INLINE void for_bits_above(const void* w, size_t n, Order order, Key key,
                                    const Body& body) {
  const KeyOf<E> key_of(order);
  const MagnitudeKey magnitude_key(RankKey{}, 0);
  const Vec<E> pivot = key_of.broadcast(key);
  Vec<E> largest = Set(E{0});
  for_words<E>(whole(w, n), NoDestination(Output{}),
               [&](const E* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>], group_keys[kGroup<E>];
      load_group(from, lane, magnitude_key, key_of, x, group_keys, largest);
      bits |= bits_above(group_keys, pivot) << lane;
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
  for_bits_above<K>(keys, n, kIdentityOrder, key, [&](uint64_t bits) {
    for (size_t i = 0; i < kWord; i += 2 * kRun) {
      const auto a = static_cast<int64_t>(PopCount((bits >> i) & run));
      const auto b = static_cast<int64_t>(PopCount((bits >> (i + kRun)) & run));
      sum += static_cast<uint64_t>((a - b) * (a - b));
    }
  });
  return sum;
}

template <class K>
inline constexpr K kNoKey = -kMagnitudeMask<K> - 1;  // below all keys

// The number of keys above `key`. n is a multiple of a group; the caller pads with kNoKey.
template <class K>
SECATEUR_INLINE size_t count_keys_above(const K* keys, size_t n, K key) {
  const Vec<K> pivot = Set(key);
  Vec<K> count[kGroup<K>];
  for (size_t v = 0; v < kGroup<K>; ++v) {
    count[v] = Set(K{0});
  }
  for (size_t i = 0; i < n; i += kGroupLanes<K>) {
    for (size_t v = 0; v < kGroup<K>; ++v) {
      count[v] = IncrementIf(count[v], Gt(LoadU(keys + i + v * kLanes<K>), pivot));
    }
  }
  return static_cast<size_t>(ReduceSum(Add(Add(count[0], count[1]), Add(count[2], count[3]))));
}

// The least key that is at least `bound`. The caller guarantees that there is one.
template <class K>
SECATEUR_INLINE K least_key_from(const K* keys, size_t n, K bound) {
  K least = kMagnitudeMask<K>;
  for (size_t i = 0; i < n; ++i) {
    least = keys[i] >= bound && keys[i] < least ? keys[i] : least;
  }
  return least;
}

// Determines the k-th largest key bit by bit from the top. It is the largest value that at least k
// keys reach. About 30 counts over L1 are faster than a sort. Bits in which all keys agree need no
// count, and neither do those after the first in which the k-th and the next key differ: with this
// bit, exactly k keys reach the value, and the least of them is the k-th.
template <class K>
K bisect(const K* keys, size_t n, size_t k, K step) {
  constexpr size_t kGroupKeys = kGroupLanes<K>;
  const size_t whole = n / kGroupKeys * kGroupKeys;
  K last[kGroupKeys];  // the last group, padded
  for (size_t i = 0; i < kGroupKeys; ++i) {
    last[i] = whole + i < n ? keys[whole + i] : kNoKey<K>;
  }
  K any = 0, all = -1;
  for (size_t i = 0; i < n; ++i) {
    any |= keys[i];
    all &= keys[i];
  }
  const auto count_from = [&](K least) {  // the number of keys >= least
    size_t count = count_keys_above(keys, whole, least - 1);
    if (whole != n) {
      count += count_keys_above(last, kGroupKeys, least - 1);
    }
    return count;
  };
  // The sign is determined first. The other bits of a negative key are a distance from the least
  // key.
  const bool negative = all < 0 || (any < 0 && count_from(0) < k);
  K key = (all & kMagnitudeMask<K>) | (negative ? kNoKey<K> : 0);
  for (K bit = kMagnitudeMask<K> / 2 + 1; bit >= step; bit >>= 1) {
    if (((any ^ all) & bit) == 0) {
      continue;
    }
    // The least key that has this bit and the higher bits determined so far. A branch on the result
    // would be mispredicted half of the time.
    const K least = (key | bit) & ~(bit - 1);
    const size_t count = count_from(least);
    if (count == k) {
      key = least_key_from(keys, n, least);
      break;
    }
    key |= bit & -static_cast<K>(count >= k);
  }
  return key & ~(step - 1);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
