// The floating-point types, and the properties of their bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernel_types.hpp"
#include "secateur/secateur.h"

namespace secateur {

struct FloatType {
  Float kind;
  std::size_t bytes;
  Key most;      // the largest key: every bit except the sign is set
  Key infinity;  // the key of infinity; larger keys belong to NaN
};

inline constexpr FloatType kFloat16{Float::float16, 2, kMagnitudeMask<std::int16_t>, 0x7c00};
inline constexpr FloatType kBFloat16{Float::bfloat16, 2, kMagnitudeMask<std::int16_t>, 0x7f80};
inline constexpr FloatType kFloat32{Float::float32, 4, kMagnitudeMask<std::int32_t>, 0x7f800000};
inline constexpr FloatType kFloat64{Float::float64, 8, kMagnitudeMask<std::int64_t>,
                                    0x7ff0000000000000};

constexpr FloatType float_type(sc_dtype dtype) {
  switch (dtype) {
    case SC_DTYPE_FLOAT16:
      return kFloat16;
    case SC_DTYPE_BFLOAT16:
      return kBFloat16;
    case SC_DTYPE_FLOAT64:
      return kFloat64;
    default:
      return kFloat32;
  }
}

}  // namespace secateur
