// Fixed point: q = round(w * 2^frac_bits), and back.
#pragma once

#include "kernels/float_state.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Scaling by a power of two is exact unless it overflows, which saturates, or falls among the
// subnormals, which round to zero; and clamping to integer bounds commutes with rounding. So the
// result is that of exact arithmetic rounded once.
struct Quantizer {
  Vec<float> to_a, to_b, lowest, highest;
  bool far;  // 2^frac_bits is more than a float holds

  explicit Quantizer(const FixedPointScale& s)
      : to_a(Set(s.to_a)),
        to_b(Set(s.to_b)),
        lowest(Set(s.lowest)),
        highest(Set(s.highest)),
        far(s.to_b != 1.0f) {}

  // Of NaN, any integer.
  SECATEUR_INLINE Vec<int32_t> operator()(Vec<int32_t> bits) const {
    Vec<float> scaled = Mul(BitCast<float>(bits), to_a);
    if (far) [[unlikely]] {
      scaled = Mul(scaled, to_b);
    }
    return NearestInt(Min(Max(scaled, lowest), highest));
  }
  SECATEUR_INLINE Vec<int32_t> nan_to_zero(Vec<int32_t> bits) const {
    return IfThenElseZero(IsNumber(BitCast<float>(bits)), (*this)(bits));
  }
};

struct Dequantizer {
  Vec<float> back_a, back_b;

  explicit Dequantizer(const FixedPointScale& s) : back_a(Set(s.back_a)), back_b(Set(s.back_b)) {}

  SECATEUR_INLINE Vec<float> operator()(Vec<int32_t> q) const {
    return Mul(Mul(ConvertTo(q), back_a), back_b);
  }
};

SECATEUR_INLINE Vec<int32_t> magnitude(Vec<int32_t> bits) {
  return And(bits, Set(kMagnitude<int32_t>));
}

template <class Q, bool kStream>
Key quantize_words(Part w, const Output& out) {
  const DefaultFloatState float_state;
  const Quantizer quantizer(out.fixed);
  Vec<int32_t> largest = Set(int32_t{0});
  for_words<int32_t>(w, Elements<Q, kStream>(out),
                     [&](const int32_t* from, uint64_t, unsigned char* to, size_t)
                         __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<int32_t>) {
      Vec<int32_t> q[kGroup<int32_t>];
      for (size_t v = 0; v < kGroup<int32_t>; ++v) {
        const Vec<int32_t> x = LoadU(from + lane + v * kLanes<int32_t>);
        largest = Max(largest, magnitude(x));
        q[v] = quantizer.nan_to_zero(x);
      }
      store_demoted<kStream>(q, reinterpret_cast<Q*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

template <class Q>
Key quantize(Part w, const Output& out) {
  return out.stream ? quantize_words<Q, true>(w, out) : quantize_words<Q, false>(w, out);
}

template <bool kStream>
Key fake_quantize_words(Part w, const Output& out) {
  const DefaultFloatState float_state;
  const Quantizer quantizer(out.fixed);
  const Dequantizer dequantizer(out.fixed);
  Vec<int32_t> largest = Set(int32_t{0});
  for_words<int32_t>(w, Elements<float, kStream>(out),
                     [&](const int32_t* from, uint64_t, unsigned char* to, size_t)
                         __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<float>) {
      const Vec<int32_t> x = LoadU(from + lane);
      largest = Max(largest, magnitude(x));
      store<kStream>(dequantizer(quantizer.nan_to_zero(x)), reinterpret_cast<float*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

Key fake_quantize(Part w, const Output& out) {
  return out.stream ? fake_quantize_words<true>(w, out) : fake_quantize_words<false>(w, out);
}

template <class Q, bool kStream>
void dequantize_words(Part q, const Output& out) {
  const DefaultFloatState float_state;
  const Dequantizer dequantizer(out.fixed);
  for_words<Q>(q, Elements<float, kStream>(out),
               [&](const Q* from, uint64_t, unsigned char* to, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<float>) {
      store<kStream>(dequantizer(PromoteLoad(from + lane)), reinterpret_cast<float*>(to) + lane);
    }
  });
}

template <class Q>
void dequantize(Part q, const Output& out) {
  return out.stream ? dequantize_words<Q, true>(q, out) : dequantize_words<Q, false>(q, out);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
