// Conversion of floats to a wider type, and elementwise products.
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

template <class F>
void multiply(Part a, const F* b, F* out) {
  const FloatState float_state;
  Output output{};
  output.data = out;
  F padded[kWord] = {};
  for_words<F>(a, FromBegin<F>(output, a.begin),
               [&](const F* elements, uint64_t valid, unsigned char* results, size_t i)
                   __attribute__((always_inline)) {
    const F* factors = b + (i - a.begin);
    if (valid != kAllValid) [[unlikely]] {
      copy_bytes(padded, factors, PopCount(valid) * sizeof(F));
      factors = padded;
    }
    for (size_t lane = 0; lane < kWord; lane += kLanes<F>) {
      const Vec<F> product = Mul(LoadU(elements + lane), LoadU(factors + lane));
      StoreU(product, reinterpret_cast<F*>(results) + lane);
    }
  });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
