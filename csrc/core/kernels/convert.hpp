// Conversion of floats to a wider type, and elementwise products and sums.
#pragma once

#include "core/float_state.hpp"
#include "core/kernels/block_loop.hpp"
#include "core/kernels/float_types.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class From, class To>
void widen(const Part& x, To* out) {
  const FloatState float_state;
  Output output{};
  output.data = out;
  map_words<From>(x, FromBegin<To>(output, x.begin),
                  [&](const From* elements, unsigned char* results, size_t)
                      __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<To>) {
      StoreU(WidenLoad<To>(elements + lane), reinterpret_cast<To*>(results) + lane);
    }
  });
}

// Computes operation(pointer to elements, pointer to elements of b) for each vector. b[0] and
// out[0] correspond to the first element of the part; out may be b. With `kPrefetchB`, b has as
// many more elements as the array of the part.
template <bool kPrefetchB, class F, class Operation>
SECATEUR_INLINE void combine(const Part& a, const F* b, void* out, const Operation& operation) {
  const FloatState float_state;
  Output output{};
  output.data = out;
  F padded[kWord] = {};
  for_words<F>(a, FromBegin<F>(output, a.begin),
               [&](const F* elements, uint64_t valid, unsigned char* results, size_t i)
                   __attribute__((always_inline)) {
    const F* others = b + (i - a.begin);
    if constexpr (kPrefetchB) {
      prefetch_ahead<F>(reinterpret_cast<const unsigned char*>(b), i - a.begin, a.n - a.begin);
    }
    if (valid != kAllValid) [[unlikely]] {
      copy_bytes(padded, others, PopCount(valid) * sizeof(F));
      others = padded;
    }
    for (size_t lane = 0; lane < kWord; lane += kLanes<Integer<F>>) {
      StoreU(operation(elements + lane, others + lane),
             reinterpret_cast<Integer<F>*>(results) + lane);
    }
  });
}

template <class F>
void multiply(Part a, const F* b, F* out) {
  combine<false>(a, b, out, [](const F* x, const F* y) __attribute__((always_inline)) {
    return BitCast<Integer<F>>(Mul(LoadU(x), LoadU(y)));
  });
}

// The sums of a vector of floats, in bits.
template <class F>
SECATEUR_INLINE Vec<Integer<F>> sum_of(const F* x, const F* y) {
  using E = Integer<F>;
  constexpr E kQuietNaN = kInfinity<F> | E{1} << (FloatFormat<F>::kMantissaBits - 1);
  if constexpr (sizeof(F) >= sizeof(float)) {
    const Vec<F> sum = Add(LoadU(x), LoadU(y));
    return IfThenElse(IsNumber(sum), BitCast<E>(sum), Set(kQuietNaN));
  } else {
    // The second rounding gives the same result as a single one: see ArithmeticType in
    // prune/kernels/soft_threshold.hpp.
    Vec<float> sums[kDemoteInputs<F>];
    for (size_t v = 0; v < kDemoteInputs<F>; ++v) {
      sums[v] =
          Add(WidenLoad<float>(x + v * kLanes<float>), WidenLoad<float>(y + v * kLanes<float>));
    }
    // DemoteTo is not defined for NaN: those of x and y, and of infinities of opposite signs.
    const Vec<E> a = LoadU(reinterpret_cast<const E*>(x)), b = LoadU(reinterpret_cast<const E*>(y));
    const Vec<E> clear_sign = Set(kMagnitudeMask<E>), infinity = Set(kInfinity<F>);
    const Vec<E> magnitudes_a = And(a, clear_sign), magnitudes_b = And(b, clear_sign);
    const Vec<E> finite = Set(static_cast<E>(kInfinity<F> - 1));
    const Mask<E> is_difference =
        And(And(Gt(magnitudes_a, finite), Gt(magnitudes_b, finite)), Gt(Set(E{0}), Xor(a, b)));
    const Mask<E> is_nan =
        Or(Or(Gt(magnitudes_a, infinity), Gt(magnitudes_b, infinity)), is_difference);
    return IfThenElse(is_nan, Set(kQuietNaN), DemoteTo<F>(sums));
  }
}

template <class F>
void add(Part a, const void* b, void* out) {
  combine<true>(a, static_cast<const F*>(b), out,
                [](const F* x, const F* y) __attribute__((always_inline)) { return sum_of(x, y); });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
