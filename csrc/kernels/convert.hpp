// Floats of one type as another, and products of those that have become the same.
#pragma once

#include "kernels/float_state.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The integer of a float's width, and the bits of infinity in it.
template <class F>
struct Bits;
template <>
struct Bits<Float16> {
  using Integer = int16_t;
  static constexpr Integer kInfinity = 0x7c00;
};
template <>
struct Bits<BFloat16> {
  using Integer = int16_t;
  static constexpr Integer kInfinity = 0x7f80;
};
template <>
struct Bits<float> {
  using Integer = int32_t;
  static constexpr Integer kInfinity = 0x7f800000;
};
template <>
struct Bits<double> {
  using Integer = int64_t;
  static constexpr Integer kInfinity = 0x7ff0000000000000;
};
template <class F>
using Integer = typename Bits<F>::Integer;

template <class From, class To>
void widen(const Part& x, To* out) {
  const FloatState float_state;
  Output output{};
  output.data = out;
  map_words<From>(x, FromBegin<To>(output, x.begin),
                  [&](const From* from, unsigned char* to, size_t) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<To>) {
      StoreU(WidenLoad<To>(from + lane), reinterpret_cast<To*>(to) + lane);
    }
  });
}

template <class F>
void multiply(Part a, const F* b, F* out) {
  const FloatState float_state;
  Output output{};
  output.data = out;
  F padded[kWord] = {};
  for_words<F>(a, FromBegin<F>(output, a.begin),
               [&](const F* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    const F* other = b + (i - a.begin);
    if (valid != kAllValid) [[unlikely]] {
      copy_bytes(padded, other, PopCount(valid) * sizeof(F));
      other = padded;
    }
    for (size_t lane = 0; lane < kWord; lane += kLanes<F>) {
      StoreU(Mul(LoadU(from + lane), LoadU(other + lane)), reinterpret_cast<F*>(to) + lane);
    }
  });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
