// What the scales of affine formats may be.
#pragma once

#include <cmath>
#include <limits>

namespace secateur {

// Dequantization takes any finite scales. Quantization divides by them.
enum class Scales { finite, positive_and_normal };

template <class T>
bool is_allowed(T scale, Scales allowed) {
  return allowed == Scales::finite
             ? std::isfinite(scale)
             : scale >= std::numeric_limits<T>::min() && scale <= std::numeric_limits<T>::max();
}

}  // namespace secateur
