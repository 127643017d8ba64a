// The table of the core kernels. Compiled once for each ISA.
#include "core/kernels/table.hpp"

#include "core/kernels/convert.hpp"
#include "core/kernels/max_magnitude.hpp"
#include "core/kernels/transpose.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

void fence() { FlushStream(); }

template <class F>
constexpr ConvertKernels convert_kernels() {
  ConvertKernels k{};
  if constexpr (sizeof(F) <= sizeof(float)) {
    k.to_float32 = widen<F, float>;
  }
  k.to_float64 = widen<F, double>;
  return k;
}

}  // namespace

extern const CoreKernels core_kernels;
constinit const CoreKernels core_kernels = {
    .fence = fence,
    .convert =
        by_float<ConvertKernels>([](auto zero) { return convert_kernels<decltype(zero)>(); }),
    .multiply_float32 = multiply<float>,
    .multiply_float64 = multiply<double>,
    .add =
        by_float<void (*)(Part, const void*, void*)>([](auto zero) { return add<decltype(zero)>; }),
    .max_magnitude = {max_magnitude<int16_t>, max_magnitude<int32_t>, max_magnitude<int64_t>},
    .transpose = {transpose<int8_t>, transpose<int16_t>, transpose<int32_t>, transpose<int64_t>},
};

}  // namespace secateur::SECATEUR_TARGET
