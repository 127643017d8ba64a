// How many keys there are: in the bins of a range, above it, and a checksum of them all.
#pragma once

#include "kernels/select.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The checksum is the sum of a hash of each key, modulo 2^64, so that their order does not matter.
// A sum of the keys, or of their squares, would not tell {0, 4, 5} from {1, 2, 6}: hence shifts,
// before products of one half of a number with the other. Of the sums of three to six keys on a
// grid no more are the same than of random numbers; with anything shorter that was tried, many more.
//
// hash_sum takes keys to which kSalt has been added, and a lane of 0 adds nothing.
template <class K>
inline constexpr K kSalt = static_cast<K>(0x9e3779b97f4a7c15);  // 2^64 / the golden ratio
template <>
inline constexpr int32_t kSalt<int32_t> = static_cast<int32_t>(0x9e3779b9);

SECATEUR_INLINE Vec<int64_t> hash_sum(Vec<int64_t> h) {
  for (int round = 0; round < 2; ++round) {
    h = Xor(h, ShiftRight<29>(h));
    const Vec<int64_t> swapped = SwapHalves(h);
    // Not the product alone, in which a half of 0 would hide the other.
    h = Add(MulHalves(h, swapped), swapped);
  }
  return h;
}

// Keys of 32 bits have a hash of fewer operations, most of them on twice as many lanes. The factor
// is one of MurmurHash3's.
SECATEUR_INLINE Vec<int64_t> hash_sum(Vec<int32_t> h) {
  h = Mul(Xor(h, ShiftRight<15>(h)), Set(static_cast<int32_t>(0x85ebca6b)));
  const Vec<int32_t> other = Xor(h, ShiftRight<13>(h));
  return Add(MulEven(h, other), MulOdd(h, other));
}

SECATEUR_INLINE uint64_t sum_of_lanes(Vec<int64_t> v) {
  int64_t lanes[kLanes<int64_t>];
  StoreU(v, lanes);
  uint64_t sum = 0;
  for (const int64_t lane : lanes) {
    sum += static_cast<uint64_t>(lane);
  }
  return sum;
}

// Counts the keys within of a word. Each bin has kEach counters side by side, and neighbours count in
// different ones: where keys are alike, an increment would otherwise wait for the one before to be
// stored.
template <size_t kEach, class K, class Counter>
SECATEUR_INLINE void count_word(const K* bin, uint64_t within, Counter* counters) {
  const auto count = [&](size_t i) __attribute__((always_inline)) {
    ++counters[static_cast<size_t>(bin[i]) * kEach + i % kEach];
  };
  if (within == kAllValid) {
    for (size_t i = 0; i < kWord; ++i) {
      count(i);
    }
  } else {
    for (uint64_t rest = within; rest != 0; rest &= rest - 1) {
      count(LowestBit(rest));
    }
  }
}

template <class E, class Counter, size_t kEach>
Tally count_bins(Part w, Order order, Bins bins, Counter* counters) {
  using K = typename Kept<E>::Key;
  const auto set = [](Key key) { return Set(static_cast<K>(key)); };
  const KeyOf<K> key_of(order);
  const Vec<K> before = set(bins.first - 1), last = set(bins.last), from_first = set(-bins.first);
  const Vec<K> salt = Set(kSalt<K>);
  Vec<K> largest = Set(K{0});
  Vec<int64_t> checksum = Set(int64_t{0});
  Tally tally{};
  for_words<E>(w, NoSink(Output{}),
               [&](const E* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    alignas(kLine) K bin[kWord];
    uint64_t within = 0, above = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<K>) {
      Mask<K> not_below[kGroup<K>], over[kGroup<K>];
      for (size_t v = 0; v < kGroup<K>; ++v) {
        const size_t at = lane + v * kLanes<K>;
        const Vec<K> key = key_of(load_widened(from + at));
        largest = Max(largest, key);
        not_below[v] = Gt(key, before);
        over[v] = Gt(key, last);
        StoreU(ShiftRightSame(Add(key, from_first), bins.shift), bin + at);
        Vec<K> salted = Add(key, salt);
        if (valid != kAllValid) {
          salted = IfThenElseZero(MaskFromBits<K>(valid >> at), salted);
        }
        checksum = Add(checksum, hash_sum(salted));
      }
      within |= BitsFromMasks(not_below) << lane;
      above |= BitsFromMasks(over) << lane;
    }
    above &= valid;
    within &= valid & ~above;
    tally.above += PopCount(above);
    tally.within += PopCount(within);
    count_word<kEach>(bin, within, counters);
  });
  tally.max_key = ReduceMax(largest);
  tally.checksum = sum_of_lanes(checksum);
  return tally;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
