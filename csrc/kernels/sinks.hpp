// The forms in which a selection is written. A sink takes a word in two ways: put(), a group of vectors
// at a time with the masks of the kept lanes, and put_bits(), the 64 decisions as one integer, with which
// of them are real and the index of the first; each form uses the one that suits it.
#pragma once

#include "kernels/float_state.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

struct NoSink {
  static constexpr bool kStreams = false;
  explicit NoSink(const Output&) {}
  static constexpr bool streams() { return false; }
  unsigned char* at(size_t) const { return nullptr; }
  static constexpr size_t bytes(size_t) { return 0; }
  template <class E>
  void put(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  void put_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// The kept elements as they are, +0.0 for the others.
template <class E, bool kStream>
struct FloatSink : Elements<E, kStream> {
  using Elements<E, kStream>::Elements;
  SECATEUR_INLINE void put(const Vec<E>* x, const Mask<E>* keep, unsigned char* to,
                           size_t lane) const {
    for (size_t v = 0; v < kGroup<E>; ++v) {
      store<kStream>(IfThenElseZero(keep[v], x[v]),
                     reinterpret_cast<E*>(to) + lane + v * kLanes<E>);
    }
  }
  void put_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// The kept floats as integers, 0 for the others and for NaN.
struct IntegerSink : Integers {
  FloatState float_state;
  Vec<float> factor, lowest, highest;

  explicit IntegerSink(const Output& out)
      : Integers(*out.integral, out),
        float_state(static_cast<Direction>(out.integral->direction)),
        factor(Set(out.integral->factor)),
        lowest(Set(out.integral->lowest)),
        highest(Set(out.integral->highest)) {}
  SECATEUR_INLINE void put(const Vec<int32_t>* x, const Mask<int32_t>* keep, unsigned char* to,
                           size_t lane) const {
    Vec<int32_t> q[kGroup<int32_t>];
    for (size_t v = 0; v < kGroup<int32_t>; ++v) {
      const Vec<float> w = BitCast<float>(x[v]);
      const Vec<float> r = Min(Max(Product(w, factor), lowest), highest);
      q[v] = IfThenElseZero(And(keep[v], IsNumber(w)), NearestInt(r));
    }
    store(q, to, lane);
  }
  void put_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// The kept elements of another array than the one that is ranked. Never streamed: that would be as much
// code again for each way to rank.
template <class E>
struct OtherSink : Elements<E, false> {
  const E* others;

  explicit OtherSink(const Output& out)
      : Elements<E, false>(out), others(static_cast<const E*>(out.others)) {}
  template <class Ranked>
  void put(const Vec<Ranked>*, const Mask<Ranked>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void put_bits(uint64_t keep, uint64_t valid, unsigned char* to, size_t i) const {
    if (valid == kAllValid) [[likely]] {
      for (size_t line = 0; line < kWord * sizeof(E); line += kLine) {
        __builtin_prefetch(reinterpret_cast<const unsigned char*>(others + i) + kPrefetchBytes +
                           line);
      }
      masked(others + i, keep, to);
    } else {
      E padded[kWord] = {};
      copy_bytes(padded, others + i, PopCount(valid) * sizeof(E));
      masked(padded, keep, to);
    }
  }

 private:
  static SECATEUR_INLINE void masked(const E* from, uint64_t keep, unsigned char* to) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      StoreU(IfThenElseZero(MaskFromBits<E>(keep >> lane), LoadU(from + lane)),
             reinterpret_cast<E*>(to) + lane);
    }
  }
};

// One byte an element, 0 or 1.
template <bool kStream>
struct BoolSink : Elements<uint8_t, kStream> {
  using Elements<uint8_t, kStream>::Elements;
  template <class E>
  void put(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void put_bits(uint64_t keep, uint64_t, unsigned char* to, size_t) const {
    if constexpr (kStream) {
      StreamBools(keep, to);
    } else {
      StoreBools(keep, to);
    }
  }
};

// One bit an element, lowest bit first. A thirty-second of what is read: never worth streaming.
struct BitSink {
  static constexpr bool kStreams = false;
  unsigned char* data;

  explicit BitSink(const Output& out) : data(static_cast<unsigned char*>(out.data)) {}
  static constexpr bool streams() { return false; }
  unsigned char* at(size_t i) const { return data + i / 8; }
  static constexpr size_t bytes(size_t count) { return (count + 7) / 8; }
  template <class E>
  void put(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void put_bits(uint64_t keep, uint64_t, unsigned char* to, size_t) const {
    copy_bytes(to, &keep, sizeof keep);
  }
};

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
