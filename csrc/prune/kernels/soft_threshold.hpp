// Soft thresholding: sign(w) * max(|w| - threshold, 0).
#pragma once

#include "core/kernels/convert.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The type of the arithmetic. 16-bit floats are computed in float, which has 24 bits of precision.
// That is at least 2p + 2 for float16 (p = 11) and bfloat16 (p = 8), so the second rounding, to p
// bits, gives the same result as a single one.
template <class F>
struct ArithmeticType {
  using Type = float;
};
template <>
struct ArithmeticType<double> {
  using Type = double;
};

// w - clamp(w, -threshold, threshold). If |w| <= threshold, this is w - w, which is +0.0. Min and
// Max return their second argument if neither is less. Their arguments are ordered so that clamp
// leaves a w of -0.0 unmodified when the threshold is 0.
template <class C>
struct SoftThreshold {
  Vec<C> least, most;

  explicit SoftThreshold(double threshold)
      : least(Set(-static_cast<C>(threshold))), most(Set(static_cast<C>(threshold))) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> w) const { return Sub(w, Min(most, Max(least, w))); }
};

template <class F>
SECATEUR_INLINE Vec<Integer<F>> soft_threshold_vector(
    const F* w, const SoftThreshold<typename ArithmeticType<F>::Type>& operation) {
  using C = typename ArithmeticType<F>::Type;
  if constexpr (sizeof(F) == sizeof(C)) {
    return BitCast<Integer<F>>(operation(LoadU(w)));
  } else {
    Vec<C> parts[kDemoteInputs<F>];
    for (size_t v = 0; v < kDemoteInputs<F>; ++v) {
      parts[v] = operation(WidenLoad<C>(w + v * kLanes<C>));
    }
    return DemoteTo<F>(parts);
  }
}

template <class F, bool kStream>
void soft_threshold_words(Part w, double threshold, const Output& out) {
  using E = Integer<F>;
  const FloatState float_state;
  const SoftThreshold<typename ArithmeticType<F>::Type> operation(threshold);
  const Vec<E> clear_sign = Set(kMagnitudeMask<E>), infinity = Set(kInfinity<F>);
  for_words<E>(w, Elements<E, kStream>(out),
               [&](const E* from, uint64_t, unsigned char* to, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = LoadU(from + lane);
      // Arithmetic would make a signaling NaN quiet.
      const Mask<E> is_nan = Gt(And(x, clear_sign), infinity);
      const Vec<E> result =
          soft_threshold_vector(reinterpret_cast<const F*>(from + lane), operation);
      store<kStream>(IfThenElse(is_nan, x, result), reinterpret_cast<E*>(to) + lane);
    }
  });
}

template <class F>
void soft_threshold(Part w, double threshold, const Output& out) {
  return kCanStream && out.stream ? soft_threshold_words<F, true>(w, threshold, out)
                                  : soft_threshold_words<F, false>(w, threshold, out);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
