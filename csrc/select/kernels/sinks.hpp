// Sinks write the result of a selection; there is one for each OutputKind. Kernels pass every word
// of 64 elements to a sink in two ways. write() takes a group of vectors with the masks of the kept
// lanes. write_bits() takes 64 bits that say which elements are kept, 64 bits that say which
// elements are valid, and the index of the first element. A sink implements one of the two; the
// other does nothing.
#pragma once

#include "core/float_state.hpp"
#include "core/kernels/block_loop.hpp"
#include "select/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Writes the kept elements, and +0.0 for the others.
template <class E, bool kStream>
struct FloatSink : Elements<E, kStream> {
  using Elements<E, kStream>::Elements;
  SECATEUR_INLINE void write(const Vec<E>* x, const Mask<E>* keep, unsigned char* to,
                             size_t lane) const {
    for (size_t v = 0; v < kGroup<E>; ++v) {
      store<kStream>(IfThenElseZero(keep[v], x[v]),
                     reinterpret_cast<E*>(to) + lane + v * kLanes<E>);
    }
  }
  void write_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// Writes the kept floats, quantized to integers, and 0 for the others and for NaN.
struct IntegerSink : Integers {
  FloatState float_state;
  Vec<float> factor, lowest, highest;

  explicit IntegerSink(const Output& out)
      : Integers(*out.target, out),
        float_state(static_cast<Direction>(out.target->direction)),
        factor(Set(out.target->factor)),
        lowest(Set(out.target->lowest)),
        highest(Set(out.target->highest)) {}
  SECATEUR_INLINE void write(const Vec<int32_t>* x, const Mask<int32_t>* keep, unsigned char* to,
                             size_t lane) const {
    Vec<int32_t> q[kGroup<int32_t>];
    for (size_t v = 0; v < kGroup<int32_t>; ++v) {
      const Vec<float> w = BitCast<float>(x[v]);
      const Vec<float> r = Min(Max(Product(w, factor), lowest), highest);
      q[v] = IfThenElseZero(And(keep[v], IsNumber(w)), RintToInt(r));
    }
    store(q, to, lane);
  }
  void write_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// Writes the kept elements of another array than the one that is ranked. It does not stream: a
// streaming variant would double the code of every kind of rank key.
template <class E>
struct UnrankedSink : Elements<E, false> {
  const E* unranked;

  explicit UnrankedSink(const Output& out)
      : Elements<E, false>(out), unranked(static_cast<const E*>(out.unranked)) {}
  template <class Ranked>
  void write(const Vec<Ranked>*, const Mask<Ranked>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void write_bits(uint64_t keep, uint64_t valid, unsigned char* to,
                                  size_t i) const {
    if (valid == kAllValid) [[likely]] {
      for (size_t line = 0; line < kWord * sizeof(E); line += kLine) {
        __builtin_prefetch(reinterpret_cast<const unsigned char*>(unranked + i) + kPrefetchBytes +
                           line);
      }
      store_kept(unranked + i, keep, to);
    } else {
      E padded[kWord] = {};
      copy_bytes(padded, unranked + i, PopCount(valid) * sizeof(E));
      store_kept(padded, keep, to);
    }
  }

 private:
  static SECATEUR_INLINE void store_kept(const E* from, uint64_t keep, unsigned char* to) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      StoreU(IfThenElseZero(MaskFromBits<E>(keep >> lane), LoadU(from + lane)),
             reinterpret_cast<E*>(to) + lane);
    }
  }
};

// Writes one byte for each element, 0 or 1.
template <bool kStream>
struct BoolSink : Elements<uint8_t, kStream> {
  using Elements<uint8_t, kStream>::Elements;
  template <class E>
  void write(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void write_bits(uint64_t keep, uint64_t, unsigned char* to, size_t) const {
    if constexpr (kStream) {
      StreamBools(keep, to);
    } else {
      StoreBools(keep, to);
    }
  }
};

// Writes one bit for each element, lowest bit first. It does not stream: the output is at most a
// sixteenth of the input.
struct BitSink {
  static constexpr bool kStreams = false;
  unsigned char* data;

  explicit BitSink(const Output& out) : data(static_cast<unsigned char*>(out.data)) {}
  static constexpr bool streams() { return false; }
  unsigned char* at(size_t i) const { return data + i / 8; }
  static constexpr size_t bytes(size_t count) { return (count + 7) / 8; }
  template <class E>
  void write(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  SECATEUR_INLINE void write_bits(uint64_t keep, uint64_t, unsigned char* to, size_t) const {
    copy_bytes(to, &keep, sizeof keep);
  }
};

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
