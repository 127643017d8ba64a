// The floating-point types of kernels: their properties, from the table of dtypes, and loops over
// them.
#pragma once

#include "core/kernel_types.hpp"
#include "targets/target.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

using Float32 = float;
using Float64 = double;

// kMantissaBits are stored; a normal number has one bit more.
template <class F>
struct FloatFormat;
#define SECATEUR_FLOAT(type, name, constant, exponent_bits, mantissa_bits, has_infinity) \
  template <>                                                                            \
  struct FloatFormat<type> {                                                             \
    static constexpr int kExponentBits = (exponent_bits);                                \
    static constexpr int kMantissaBits = (mantissa_bits);                                \
    static constexpr bool kHasInfinity = (has_infinity);                                 \
    static_assert(8 * sizeof(type) == 1 + kExponentBits + kMantissaBits);                \
  };
SECATEUR_FLOATS(SECATEUR_FLOAT)
#undef SECATEUR_FLOAT

// The integer type of a float's width.
template <class F>
using Integer =
    std::conditional_t<sizeof(F) == sizeof(int16_t), int16_t,
                       std::conditional_t<sizeof(F) == sizeof(int32_t), int32_t, int64_t>>;

// The bits of infinity, or of the largest number if the type has no infinity. Larger magnitudes are
// NaN.
template <class F>
inline constexpr auto kInfinity =
    static_cast<Integer<F>>(FloatFormat<F>::kHasInfinity
                                ? kMagnitudeMask<Integer<F>> >> FloatFormat<F>::kMantissaBits
                                                                    << FloatFormat<F>::kMantissaBits
                                : kMagnitudeMask<Integer<F>> - 1);

// Calls body(zero of the type, its Float) for each type.
template <class Body>
constexpr void for_each_float(const Body& body) {
#define SECATEUR_FLOAT(type, name, ...) body(type{}, Float::name);
  SECATEUR_FLOATS(SECATEUR_FLOAT)
#undef SECATEUR_FLOAT
}

// The kernels of each type, make(zero of the type).
template <class Kernels, class Make>
constexpr ByFloat<Kernels> by_float(const Make& make) {
  ByFloat<Kernels> kernels{};
  for_each_float(
      [&](auto zero, Float type) { kernels.of[static_cast<size_t>(type)] = make(zero); });
  return kernels;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
