// Selection: the pass over the data that counts, collects and writes at once; the pass that writes
// a selection already known; and the loops that select among keys in cache.
#pragma once

#include "kernels/sinks.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

struct MagnitudeKey {
  Vec<int32_t> rotation, clear_sign;

  explicit MagnitudeKey(int32_t by) : rotation(Set(by)), clear_sign(Set(kMagnitude)) {}
  SECATEUR_INLINE Vec<int32_t> operator()(Vec<int32_t> bits) const {
    return And(Add(bits, rotation), clear_sign);
  }
};

// The four keys at `from`; their largest joins `largest`.
SECATEUR_INLINE void load_quad(const int32_t* from, const MagnitudeKey& key_of, Vec<int32_t>* x,
                               Vec<int32_t>* key, Vec<int32_t>& largest) {
  for (size_t v = 0; v < kQuad; ++v) {
    x[v] = LoadU(from + v * kLanes<int32_t>);
    key[v] = key_of(x[v]);
    largest = Max(largest, key[v]);
  }
}

// Which of four vectors of keys lie above a pivot.
SECATEUR_INLINE void above(const Vec<int32_t>* key, Vec<int32_t> pivot, Mask<int32_t>* masks) {
  for (size_t v = 0; v < kQuad; ++v) {
    masks[v] = Gt(key[v], pivot);
  }
}
SECATEUR_INLINE uint64_t bits_above(const Vec<int32_t>* key, Vec<int32_t> pivot) {
  Mask<int32_t> masks[kQuad];
  above(key, pivot, masks);
  return BitsFromMasks(masks);
}

// The candidates of a word go to `collected` without asking how many there are, up to three: a
// branch on that would often be mispredicted. Returns how many there were.
SECATEUR_INLINE size_t collect(uint64_t candidates, const int32_t* from, uint32_t offset,
                               int32_t* bits, uint32_t* offsets) {
  constexpr size_t kBlindly = 3;
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

template <class Sink, bool kEdges>
Census scan_words(Part w, int32_t rotation, Bracket bracket, const Output& out,
                  Collected collected) {
  const Sink sink(out);
  const MagnitudeKey key_of(rotation);
  const Vec<int32_t> above_hi = Set(bracket.hi), from_hi = Set(bracket.hi - 1);
  const Vec<int32_t> above_lo = Set(bracket.lo), from_lo = Set(bracket.lo - 1);
  Vec<int32_t> largest = Set(int32_t{0});
  Census census{};
  for_words<int32_t>(w, sink,
                     [&](const int32_t* from, uint64_t valid, unsigned char* to, size_t i)
                         __attribute__((always_inline)) {
    uint64_t kept = 0, over = 0, above_over = 0, from_kept = 0;
    for (size_t lane = 0; lane < kWord; lane += kQuadLanes<int32_t>) {
      Vec<int32_t> x[kQuad], key[kQuad];
      Mask<int32_t> keep[kQuad];
      load_quad(from + lane, key_of, x, key, largest);
      above(key, above_lo, keep);
      sink.put(x, keep, to, lane);
      kept |= BitsFromMasks(keep) << lane;
      over |= bits_above(key, from_hi) << lane;
      if constexpr (kEdges) {
        above_over |= bits_above(key, above_hi) << lane;
        from_kept |= bits_above(key, from_lo) << lane;
      }
    }
    kept &= valid;
    sink.put_bits(kept, to);
    census.above_lo += PopCount(kept);
    census.collected +=
        collect(kept & ~over, from, static_cast<uint32_t>(i - w.begin),
                collected.bits + census.collected, collected.offsets + census.collected);
    if constexpr (kEdges) {
      census.from_hi += PopCount(over & valid);
      census.above_hi += PopCount(above_over & valid);
      census.from_lo += PopCount(from_kept & valid);
    }
  });
  if constexpr (!kEdges) {
    census.from_hi = census.above_hi = census.above_lo - census.collected;
    census.from_lo = census.above_lo;
  }
  census.max_key = ReduceMax(largest);
  return census;
}

template <class Sink>
int32_t emit_words(Part w, int32_t rotation, Selection selection, const Output& out) {
  const Sink sink(out);
  const MagnitudeKey key_of(rotation);
  const Vec<int32_t> above_threshold = Set(selection.threshold);
  const Vec<int32_t> from_threshold = Set(selection.threshold - 1);
  Vec<int32_t> largest = Set(int32_t{0});
  for_words<int32_t>(w, sink,
                     [&](const int32_t* from, uint64_t valid, unsigned char* to, size_t i)
                         __attribute__((always_inline)) {
    // Ties are kept before tie_end and lost after it; one word may hold both.
    const bool all_ties = i + kWord <= selection.tie_end;
    const bool some_ties = !all_ties && i < selection.tie_end;
    const Vec<int32_t> pivot = all_ties ? from_threshold : above_threshold;
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kQuadLanes<int32_t>) {
      Vec<int32_t> x[kQuad], key[kQuad];
      Mask<int32_t> keep[kQuad];
      load_quad(from + lane, key_of, x, key, largest);
      above(key, pivot, keep);
      if (some_ties) [[unlikely]] {
        const uint64_t early = first_bits(selection.tie_end - i) >> lane;
        for (size_t v = 0; v < kQuad; ++v) {
          const uint64_t ties =
              BitsFromMask(Gt(key[v], from_threshold)) & (early >> (v * kLanes<int32_t>));
          keep[v] = MaskFromBits<int32_t>(BitsFromMask(keep[v]) | ties);
        }
      }
      sink.put(x, keep, to, lane);
      bits |= BitsFromMasks(keep) << lane;
    }
    sink.put_bits(bits & valid, to);
  });
  return ReduceMax(largest);
}

// The two passes for each form, streaming or not.
template <template <bool> class Sink>
Census scan(Part w, int32_t rotation, Bracket bracket, const Output& out, Collected collected) {
  return out.stream ? scan_words<Sink<true>, false>(w, rotation, bracket, out, collected)
                    : scan_words<Sink<false>, false>(w, rotation, bracket, out, collected);
}

template <template <bool> class Sink>
int32_t emit(Part w, int32_t rotation, Selection selection, const Output& out) {
  return out.stream ? emit_words<Sink<true>>(w, rotation, selection, out)
                    : emit_words<Sink<false>>(w, rotation, selection, out);
}

template <bool kStream>
using Int8Sink = FixedPointSink<int8_t, kStream>;
template <bool kStream>
using UInt8Sink = FixedPointSink<uint8_t, kStream>;
template <bool kStream>
using Int16Sink = FixedPointSink<int16_t, kStream>;
template <bool kStream>
using UInt16Sink = FixedPointSink<uint16_t, kStream>;

int32_t max_magnitude(Part w) {
  Vec<int32_t> largest = Set(int32_t{0});
  for_words<int32_t>(w, NoSink(Output{}),
                     [&](const int32_t* from, uint64_t, unsigned char*, size_t)
                         __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      largest = Max(largest, magnitude(LoadU(from + lane)));
    }
  });
  return ReduceMax(largest);
}

int32_t keys(const void* w, size_t n, int32_t rotation, int32_t* out) {
  const MagnitudeKey key_of(rotation);
  Vec<int32_t> largest = Set(int32_t{0});
  Output output{};
  output.data = out;
  for_words<int32_t>(whole(w, n), Elements<int32_t, false>(output),
                     [&](const int32_t* from, uint64_t, unsigned char* to, size_t)
                         __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      const Vec<int32_t> key = key_of(LoadU(from + lane));
      largest = Max(largest, key);
      StoreU(key, reinterpret_cast<int32_t*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

Census narrow(const void* w, size_t n, int32_t rotation, Bracket bracket, int32_t* out) {
  const MagnitudeKey key_of(rotation);
  const Vec<int32_t> above_lo = Set(bracket.lo), from_hi = Set(bracket.hi - 1);
  Vec<int32_t> largest = Set(int32_t{0}), kept_count = Set(int32_t{0});
  Census census{};
  for_words<int32_t>(whole(w, n), NoSink(Output{}),
                     [&](const int32_t* from, uint64_t valid, unsigned char*, size_t)
                         __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      const Vec<int32_t> key = key_of(LoadU(from + lane));
      largest = Max(largest, key);
      Mask<int32_t> kept = Gt(key, above_lo);
      if (valid != kAllValid) {
        kept = And(kept, MaskFromBits<int32_t>(valid >> lane));
      }
      kept_count = CountIf(kept_count, kept);
      census.collected +=
          CompressStore(key, AndNot(Gt(key, from_hi), kept), out + census.collected);
    }
  });
  census.above_lo = census.from_lo = static_cast<size_t>(ReduceSum(kept_count));
  census.from_hi = census.above_hi = census.above_lo - census.collected;
  census.max_key = ReduceMax(largest);
  return census;
}

// body(bits) for each word: which of its keys lie above `key`.
template <class Body>
SECATEUR_INLINE void for_bits_above(const void* w, size_t n, int32_t rotation, int32_t key,
                                    const Body& body) {
  const MagnitudeKey key_of(rotation);
  const Vec<int32_t> pivot = Set(key);
  Vec<int32_t> largest = Set(int32_t{0});
  for_words<int32_t>(whole(w, n), NoSink(Output{}),
                     [&](const int32_t* from, uint64_t valid, unsigned char*, size_t)
                         __attribute__((always_inline)) {
    uint64_t bits = 0;
    for (size_t lane = 0; lane < kWord; lane += kQuadLanes<int32_t>) {
      Vec<int32_t> x[kQuad], keys_[kQuad];
      load_quad(from + lane, key_of, x, keys_, largest);
      bits |= bits_above(keys_, pivot) << lane;
    }
    body(bits & valid);
  });
}

size_t count_above(const void* w, size_t n, int32_t rotation, int32_t key) {
  size_t count = 0;
  for_bits_above(w, n, rotation, key, [&](uint64_t bits) { count += PopCount(bits); });
  return count;
}

uint64_t run_spread(const int32_t* keys, size_t n, int32_t key) {
  const uint64_t run = first_bits(kRun);
  uint64_t sum = 0;
  for_bits_above(keys, n, 0, key, [&](uint64_t bits) {
    for (size_t i = 0; i < kWord; i += 2 * kRun) {
      const auto a = static_cast<int64_t>(PopCount((bits >> i) & run));
      const auto b = static_cast<int64_t>(PopCount((bits >> (i + kRun)) & run));
      sum += static_cast<uint64_t>((a - b) * (a - b));
    }
  });
  return sum;
}

// How many of the keys lie above the pivot. The quads are whole, filled up with keys that do not.
SECATEUR_INLINE size_t count_quads(const int32_t* keys, size_t n, int32_t key) {
  const Vec<int32_t> pivot = Set(key);
  Vec<int32_t> count[kQuad];
  for (size_t v = 0; v < kQuad; ++v) {
    count[v] = Set(int32_t{0});
  }
  for (size_t i = 0; i < n; i += kQuadLanes<int32_t>) {
    for (size_t v = 0; v < kQuad; ++v) {
      count[v] = CountIf(count[v], Gt(LoadU(keys + i + v * kLanes<int32_t>), pivot));
    }
  }
  return static_cast<size_t>(ReduceSum(Add(Add(count[0], count[1]), Add(count[2], count[3]))));
}

// The k-th largest key, bit by bit from the top: the largest value that k keys reach. Some 30 counts
// of what is in L1 beat a sort of as many. Bits in which no two keys differ need no count.
int32_t bisect(const int32_t* keys, size_t n, size_t k, int32_t step) {
  constexpr size_t kQuadKeys = kQuadLanes<int32_t>;
  const size_t whole = n / kQuadKeys * kQuadKeys;
  int32_t last[kQuadKeys];  // the ragged end, filled up
  for (size_t i = 0; i < kQuadKeys; ++i) {
    last[i] = whole + i < n ? keys[whole + i] : -1;
  }
  int32_t any = 0, all = kMagnitude;
  for (size_t i = 0; i < n; ++i) {
    any |= keys[i];
    all &= keys[i];
  }
  int32_t key = all;
  for (int32_t bit = int32_t{1} << 30; bit >= step; bit >>= 1) {
    if (((any ^ all) & bit) == 0) {
      continue;
    }
    // The least key with this bit and the higher ones decided so far
    const int32_t least = (key | bit) & ~(bit - 1);
    size_t count = count_quads(keys, whole, least - 1);
    if (whole != n) {
      count += count_quads(last, kQuadKeys, least - 1);
    }
    // Without a branch, which would be mispredicted every other time
    key |= bit & -static_cast<int32_t>(count >= k);
  }
  return key & ~(step - 1);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
