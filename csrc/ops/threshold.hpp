// Thresholds of magnitudes as keys.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/table.hpp"
#include "ops/float_type.hpp"

namespace secateur {

// The largest of a type's keys whose magnitude does not exceed the threshold: |w| > threshold just
// where |w| is above that.
template <class E, class Float>
Key key_below(double threshold) {
  auto rounded = static_cast<Float>(threshold);
  if (static_cast<double>(rounded) > threshold) {
    rounded = std::nextafter(rounded, Float{0});
  }
  E bits = 0;
  std::memcpy(&bits, &rounded, sizeof bits);
  return bits & kMagnitude<E>;
}

// A bfloat16 is the upper half of a float, and a float16's bits are those of a float but for the
// width of the exponent: cutting off what is too much rounds toward zero.
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
  // float16: 2^-24 is the step of its subnormal numbers; from 2^-14 on exponents are normal.
  constexpr Key kRebias = Key{127 - 15} << 23;
  if (threshold < 0x1p-14) {
    return static_cast<Key>(threshold * 0x1p24);
  }
  return std::min((key - kRebias) >> 13, kFloat16.infinity - (std::isinf(threshold) ? 0 : 1));
}

}  // namespace secateur
