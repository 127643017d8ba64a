// The kernels of quantization. Compiled once for each ISA.
#include "quantize/kernels/table.hpp"

#include "quantize/kernels/quantize.hpp"
#include "quantize/kernels/requantize.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class C, bool kHasZeroPoints, template <class> class Rounder>
constexpr void set_rounding(typename StageKernels<C>::QuantizeChunk* by_overflow) {
  by_overflow[static_cast<size_t>(Overflow::saturate)] =
      quantize_chunk<C, Rounder, Saturated, kHasZeroPoints>;
  by_overflow[static_cast<size_t>(Overflow::zero)] =
      quantize_chunk<C, Rounder, Zeroed, kHasZeroPoints>;
  by_overflow[static_cast<size_t>(Overflow::wrap)] =
      quantize_chunk<C, Rounder, Wrapped, kHasZeroPoints>;
}

template <class C, bool kHasZeroPoints>
constexpr void set_quantize_chunk(typename StageKernels<C>::ByMode& by_mode) {
#define SECATEUR_SET(name, type) \
  set_rounding<C, kHasZeroPoints, type>(by_mode[static_cast<size_t>(RoundingKernel::name)]);
  SECATEUR_ROUNDING_KERNELS(SECATEUR_SET)
#undef SECATEUR_SET
}

// The fused kernel; null for float64.
template <class F>
constexpr QuantizeKernels::Quantize quantize_kernel() {
  if constexpr (sizeof(F) <= sizeof(float)) {
    return quantize<F>;
  } else {
    return nullptr;
  }
}

template <class C>
constexpr StageKernels<C> stage_kernels() {
  StageKernels<C> k{};
  for_each_float([&](auto zero, Float type) {
    using F = decltype(zero);
    const auto index = static_cast<size_t>(type);
    if constexpr (sizeof(F) <= sizeof(C)) {
      k.dequantize_chunk[index] = dequantize_chunk<F, C>;
    }
    if constexpr (sizeof(F) < sizeof(C) && sizeof(C) == sizeof(double)) {
      k.dequantize_chunk_as_float[index] = dequantize_chunk<F, C, true>;
    }
  });
  set_quantize_chunk<C, false>(k.quantize_chunk);
  set_quantize_chunk<C, true>(k.quantize_chunk_with_zero_points);
  constexpr auto kMultiply = static_cast<size_t>(Scaling::multiply);
  constexpr auto kDivide = static_cast<size_t>(Scaling::divide);
  constexpr auto kDivideAsFloat = static_cast<size_t>(Scaling::divide_as_float);
  k.quantize_chunk_affine[kMultiply] = quantize_chunk_affine<C, Multiplied>;
  k.quantize_chunk_affine[kDivide] = quantize_chunk_affine<C, Divided>;
  k.divide[kDivide] = divide<C, Divided>;
  if constexpr (sizeof(C) == sizeof(double)) {
    k.quantize_chunk_affine[kDivideAsFloat] = quantize_chunk_affine<C, DividedAsFloat>;
    k.divide[kDivideAsFloat] = divide<C, DividedAsFloat>;
  }
  k.powers_of_two = powers_of_two<C>;
  k.integers = integers<C>;
  k.fill_runs = fill_runs<C>;
  return k;
}

template <class E, bool kSigned, bool kStochastic>
constexpr void set_rescale(RescaleByOverflow<E>& by_overflow) {
  by_overflow[static_cast<size_t>(Overflow::saturate)] =
      rescale<E, kSigned, kStochastic, SaturatedIntegers>;
  by_overflow[static_cast<size_t>(Overflow::zero)] =
      rescale<E, kSigned, kStochastic, ZeroedIntegers>;
  by_overflow[static_cast<size_t>(Overflow::wrap)] =
      rescale<E, kSigned, kStochastic, WrappedIntegers>;
}

template <class E>
constexpr RescaleKernels<E> rescale_kernels() {
  RescaleKernels<E> k{};
  set_rescale<E, true, false>(k.with_bias);
  if constexpr (sizeof(E) == sizeof(int64_t)) {
    set_rescale<E, false, false>(k.of_unsigned);
    set_rescale<E, true, true>(k.stochastic);
    set_rescale<E, false, true>(k.stochastic_of_unsigned);
  }
  k.set_shifts = set_shifts<E>;
  k.extend = extend<E>;
  return k;
}

}  // namespace

extern const QuantizeKernels quantize_kernels;
constinit const QuantizeKernels quantize_kernels = {
    .quantize = by_float<QuantizeKernels::Quantize>(
        [](auto zero) { return quantize_kernel<decltype(zero)>(); }),
    .stages_in_float = stage_kernels<float>(),
    .stages_in_double = stage_kernels<double>(),
    .all_within = all_within,
    .store_codes = {store_codes<int8_t>, store_codes<uint8_t>, store_codes<int16_t>,
                    store_codes<uint16_t>, store_codes<int32_t>, store_codes<int32_t>},
    .load_codes = {load_codes<int8_t>, load_codes<uint8_t>, load_codes<int16_t>,
                   load_codes<uint16_t>, load_codes<int32_t>, load_codes<int32_t>},
    .code_bits = {code_bits<false>, code_bits<true>},
    .load_checked_codes = {load_checked_codes<int8_t, true>, load_checked_codes<uint8_t, false>,
                           load_checked_codes<int16_t, true>, load_checked_codes<uint16_t, false>,
                           load_checked_codes<int32_t, true>, load_checked_codes<int32_t, false>},
    .apply_overflow = {{apply_overflow<false, Overflow::saturate>,
                        apply_overflow<false, Overflow::zero>,
                        apply_overflow<false, Overflow::wrap>},
                       {apply_overflow<true, Overflow::saturate>,
                        apply_overflow<true, Overflow::zero>,
                        apply_overflow<true, Overflow::wrap>}},
    .rescale_int32 = rescale_kernels<int32_t>(),
    .rescale_int64 = rescale_kernels<int64_t>(),
    .draw = draw,
};

}  // namespace secateur::SECATEUR_TARGET
