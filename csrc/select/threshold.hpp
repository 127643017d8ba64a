// Conversion of a magnitude threshold to a key.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/dtypes.hpp"
#include "core/kernel_types.hpp"

namespace secateur {

// The largest key of a type whose magnitude does not exceed the threshold, which is at least 0.
// |w| > threshold if and only if the key of w is above this key.
inline Key key_of_threshold(double threshold, FloatType type) {
  if (std::isinf(threshold)) {
    return type.infinity;
  }
  // Numbers with this exponent are multiples of 2^(exponent - mantissa_bits), and subnormal numbers
  // are multiples of the same power as the smallest normal ones. The significand of a normal number
  // has a bit above the mantissa, which adds 1 to the stored exponent.
  const int min_exponent = 1 - type.bias();
  const int exponent = std::max(std::ilogb(threshold), min_exponent);
  const auto significand =
      static_cast<Key>(std::ldexp(threshold, type.mantissa_bits - exponent));  // rounded down
  const Key stored_exponent = exponent - min_exponent;
  return std::min((stored_exponent << type.mantissa_bits) + significand, type.largest_number());
}

}  // namespace secateur
