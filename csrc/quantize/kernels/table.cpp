// The kernels of quantization. Compiled once for each ISA.
#include "quantize/kernels/table.hpp"

#include "quantize/kernels/quantize.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class C, template <class> class Rounding>
constexpr void set_quantize_block(typename StageKernels<C>::QuantizeBlock* by_overflow) {
  by_overflow[static_cast<size_t>(Overflow::saturate)] = quantize_block<C, Rounding, Saturated>;
  by_overflow[static_cast<size_t>(Overflow::zero)] = quantize_block<C, Rounding, Zeroed>;
  by_overflow[static_cast<size_t>(Overflow::wrap)] = quantize_block<C, Rounding, Wrapped>;
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
    if constexpr (sizeof zero <= sizeof(C)) {
      k.dequantize_block[static_cast<size_t>(type)] = dequantize_block<decltype(zero), C>;
    }
  });
  set_quantize_block<C, Directed>(k.quantize_block[static_cast<size_t>(Rounding::directed)]);
  set_quantize_block<C, Tied>(k.quantize_block[static_cast<size_t>(Rounding::tied)]);
  set_quantize_block<C, Stochastic>(k.quantize_block[static_cast<size_t>(Rounding::stochastic)]);
  const auto affine_of = [&](Scaling scaling) -> auto& {
    return k.quantize_block_affine[static_cast<size_t>(scaling)];
  };
  affine_of(Scaling::multiply) = quantize_block_affine<C, Multiplied>;
  affine_of(Scaling::divide) = quantize_block_affine<C, Divided>;
  if constexpr (sizeof(C) == sizeof(double)) {
    affine_of(Scaling::divide_as_float) = quantize_block_affine<C, DividedAsFloat>;
  }
  k.powers_of_two = powers_of_two<C>;
  k.integers = integers<C>;
  k.fill_runs = fill_runs<C>;
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
                    store_codes<uint16_t>, store_codes<int32_t>},
    .load_codes = {load_codes<int8_t>, load_codes<uint8_t>, load_codes<int16_t>,
                   load_codes<uint16_t>, load_codes<int32_t>},
};

}  // namespace secateur::SECATEUR_TARGET
