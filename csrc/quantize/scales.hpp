// Constraints on the scales of affine formats.
#pragma once

#include <cmath>
#include <limits>

namespace secateur {

// Dequantization takes any finite scales. Quantization divides by them.
enum class ScaleConstraint { finite, positive_and_normal };

template <class T>
bool is_allowed(T scale, ScaleConstraint allowed) {
  return allowed == ScaleConstraint::finite
             ? std::isfinite(scale)
             : scale >= std::numeric_limits<T>::min() && scale <= std::numeric_limits<T>::max();
}

}  // namespace secateur
