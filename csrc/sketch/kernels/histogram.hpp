// Counts the keys in the bins of a range and above the range, and computes a checksum of all keys.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "select/kernels/select.hpp"
#include "sketch/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The checksum is the sum of the hashes of all keys, modulo 2^64, and so does not depend on their
// order. Sums of keys, or of their squares, do not distinguish {0, 4, 5} from {1, 2, 6}. The hash
// therefore shifts the key, and then multiplies one half of the result by the other. Sums of three
// to six keys on a grid collide no more often than random numbers do. All shorter hashes that were
// tried collide much more often.
//
// hash_sum takes keys plus kSalt. The hash of 0 is 0, so a lane of 0 adds nothing to the checksum.
template <class K>
inline constexpr K kSalt = static_cast<K>(0x9e3779b97f4a7c15);  // 2^64 / the golden ratio
template <>
inline constexpr int32_t kSalt<int32_t> = static_cast<int32_t>(0x9e3779b9);

SECATEUR_INLINE Vec<int64_t> hash_sum(Vec<int64_t> h) {
  for (int round = 0; round < 2; ++round) {
    h = Xor(h, ShiftRightLogical<29>(h));
    const Vec<int64_t> swapped = SwapHalves(h);
    // If one half is 0, the product does not depend on the other half, but the sum does.
    h = Add(MulLowHalves(h, swapped), swapped);
  }
  return h;
}

// The hash of 32-bit keys takes fewer operations, most of them on twice as many lanes. The factor
// is a constant of MurmurHash3.
SECATEUR_INLINE Vec<int64_t> hash_sum(Vec<int32_t> h) {
  h = Mul(Xor(h, ShiftRightLogical<15>(h)), Set(static_cast<int32_t>(0x85ebca6b)));
  const Vec<int32_t> other = Xor(h, ShiftRightLogical<13>(h));
  return Add(MulEvenUnsigned(h, other), MulOddUnsigned(h, other));
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

// Counts the keys of a word whose bit is set in `within`. Each bin has kCountersEach adjacent
// counters, and adjacent keys use different ones. Otherwise, if adjacent keys are in the same bin,
// an increment would wait until the previous one is stored.
template <size_t kCountersEach, class K, class Counter>
SECATEUR_INLINE void count_word(const K* bin, uint64_t within, Counter* counters) {
  const auto count = [&](size_t i) __attribute__((always_inline)) {
    ++counters[static_cast<size_t>(bin[i]) * kCountersEach + i % kCountersEach];
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

template <class E, class Counter, size_t kCountersEach>
HistogramTotals count_into_bins(Part w, Order order, Bins bins, Counter* counters) {
  using K = StoredKey<E>;
  const auto set = [](Key key) { return Set(static_cast<K>(key)); };
  const KeyOf<K> key_of(order);
  const Vec<K> below_first = set(bins.first - 1), last = set(bins.last),
               negative_first = set(-bins.first);
  const Vec<K> salt = Set(kSalt<K>);
  Vec<K> largest = Set(K{0});
  Vec<int64_t> checksum = Set(int64_t{0});
  HistogramTotals totals{};
  for_words<E>(w, NoDestination(Output{}),
               [&](const E* from, uint64_t valid, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    alignas(kLine) K bin[kWord];
    uint64_t within = 0, above = 0;
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<K>) {
      Mask<K> not_below[kGroup<K>], above_last[kGroup<K>];
      for (size_t v = 0; v < kGroup<K>; ++v) {
        const size_t offset = lane + v * kLanes<K>;
        const Vec<K> key = key_of(load_widened(from + offset));
        largest = Max(largest, key);
        not_below[v] = Gt(key, below_first);
        above_last[v] = Gt(key, last);
        StoreU(ShiftRightLogicalSame(Add(key, negative_first), bins.shift), bin + offset);
        Vec<K> salted = Add(key, salt);
        if (valid != kAllValid) {
          salted = IfThenElseZero(MaskFromBits<K>(valid >> offset), salted);
        }
        checksum = Add(checksum, hash_sum(salted));
      }
      within |= BitsFromMasks(not_below) << lane;
      above |= BitsFromMasks(above_last) << lane;
    }
    above &= valid;
    within &= valid & ~above;
    totals.above += PopCount(above);
    totals.within += PopCount(within);
    count_word<kCountersEach>(bin, within, counters);
  });
  totals.max_key = ReduceMax(largest);
  totals.checksum = sum_of_lanes(checksum);
  return totals;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
