// Fixed point: w stands as the integer round(w * 2^frac_bits).
#pragma once

#include "kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The scale and range of a format.
FixedPointScale scale_of(const sc_fixed_point& format);

// The form of a format's integers.
Form form_of(const sc_fixed_point& format);

// Throw Error when NaN is refused; fake_quantize leaves an output in place as it was then.
void quantize(const void* w, std::size_t n, const sc_fixed_point& format, sc_nan nan, void* q);
void fake_quantize(const void* w, std::size_t n, const sc_fixed_point& format, sc_nan nan,
                   void* out);
void dequantize(const void* q, std::size_t n, const sc_fixed_point& format, void* out);

}  // namespace secateur
