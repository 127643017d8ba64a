// Soft thresholding: every magnitude less by the threshold, or zero.
#pragma once

#include "kernels/convert.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Floats of 16 bits are computed with in float, which has more than twice their precision and two
// bits: rounding once more changes nothing.
template <class F>
struct Computed {
  using Type = float;
};
template <>
struct Computed<double> {
  using Type = double;
};

// w less what lies of it within [-threshold, threshold]: for what lies there altogether, w - w,
// which is +0.0. The order of the arguments matters for a w of -0.0 and a threshold of 0: it must
// come through as it is.
template <class C>
struct SoftThreshold {
  Vec<C> least, most;

  explicit SoftThreshold(double threshold)
      : least(Set(-static_cast<C>(threshold))), most(Set(static_cast<C>(threshold))) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> w) const { return Sub(w, Min(most, Max(least, w))); }
};

template <class F>
SECATEUR_INLINE Vec<Integer<F>> shrink(const F* w,
                                       const SoftThreshold<typename Computed<F>::Type>& shrunk) {
  using C = typename Computed<F>::Type;
  if constexpr (sizeof(F) == sizeof(C)) {
    return BitCast<Integer<F>>(shrunk(LoadU(w)));
  } else {
    Vec<C> parts[kDemoteInputs<F>];
    for (size_t v = 0; v < kDemoteInputs<F>; ++v) {
      parts[v] = shrunk(WidenLoad<C>(w + v * kLanes<C>));
    }
    return DemoteTo<F>(parts);
  }
}

template <class F, bool kStream>
void soft_threshold_words(Part w, double threshold, const Output& out) {
  using E = Integer<F>;
  const FloatState float_state;
  const SoftThreshold<typename Computed<F>::Type> shrunk(threshold);
  const Vec<E> clear_sign = Set(kMagnitude<E>), infinity = Set(Bits<F>::kInfinity);
  for_words<E>(w, Elements<E, kStream>(out),
               [&](const E* from, uint64_t, unsigned char* to, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      const Vec<E> x = LoadU(from + lane);
      // Arithmetic would make a signaling NaN quiet.
      const Mask<E> is_nan = Gt(And(x, clear_sign), infinity);
      const Vec<E> result = shrink(reinterpret_cast<const F*>(from + lane), shrunk);
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
