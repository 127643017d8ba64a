// Conversion of a magnitude threshold to a key.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/dtypes.hpp"
#include "core/kernel_types.hpp"

namespace secateur {

// The largest key whose magnitude does not exceed the threshold, for elements E that hold floats of
// type Float. |w| > threshold if and only if the key of w is above this key.
template <class E, class Float>
Key key_below(double threshold) {
  auto rounded = static_cast<Float>(threshold);
  if (static_cast<double>(rounded) > threshold) {
    rounded = std::nextafter(rounded, Float{0});
  }
  E bits = 0;
  std::memcpy(&bits, &rounded, sizeof bits);
  return bits & kMagnitudeMask<E>;
}

// The largest key of a type whose magnitude does not exceed the threshold. A bfloat16 is the upper
// half of a float32. A float16 has the bits of a float32 except for the exponent bias and the width
// of the significand. Dropping the low bits rounds toward zero.
inline Key key_of_threshold(double threshold, FloatType type) {
  if (type.kind == Float::float64) {
    return key_below<std::int64_t, double>(threshold);
  }
  const Key key = key_below<std::int32_t, float>(threshold);
  if (type.kind == Float::float32) {
    return key;
  }
  if (type.kind == Float::bfloat16) {
    return key >> 16;
  }
  // float16: subnormal numbers are multiples of 2^-24; numbers from 2^-14 on are normal.
  constexpr Key kRebias = Key{127 - 15} << 23;
  if (threshold < 0x1p-14) {
    return static_cast<Key>(threshold * 0x1p24);
  }
  return std::min((key - kRebias) >> 13, kFloat16.infinity - (std::isinf(threshold) ? 0 : 1));
}

}  // namespace secateur
