// The types of float, as far as selection needs to know them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

struct FloatType {
  Float kind;
  std::size_t bytes;
  Key most;      // of all keys: every bit but the sign
  Key infinity;  // the keys above are those of NaN
};

inline constexpr FloatType kFloat16{Float::float16, 2, kMagnitude<std::int16_t>, 0x7c00};
inline constexpr FloatType kBFloat16{Float::bfloat16, 2, kMagnitude<std::int16_t>, 0x7f80};
inline constexpr FloatType kFloat32{Float::float32, 4, kMagnitude<std::int32_t>, 0x7f800000};
inline constexpr FloatType kFloat64{Float::float64, 8, kMagnitude<std::int64_t>,
                                    0x7ff0000000000000};

constexpr FloatType float_type(sc_dtype dtype) {
  switch (dtype) {
    case SC_FLOAT16:
      return kFloat16;
    case SC_BFLOAT16:
      return kBFloat16;
    case SC_FLOAT64:
      return kFloat64;
    default:
      return kFloat32;
  }
}

}  // namespace secateur
