// The choice of a format that suits the data.
#pragma once

#include <cstdint>

#include "stats/calibration.hpp"

namespace secateur {

// Chooses the number of fraction bits of each group. Throws Error if an element is NaN or infinite.
// Returns 0 on success. If integers are unsigned and a negative element is not rounded to 0,
// returns the least such element.
double choose_frac_bits(const Calibration& calibration, int bits, bool is_signed,
                        std::int32_t* frac_bits);

// Chooses the scale and the zero point of each group, for all integers of a width. T is double if w
// is float64, else float. Throws Error if an element is NaN or infinite.
template <class T>
void choose_affine(const Calibration& calibration, int bits, bool is_signed, bool is_symmetric,
                   T* scale, std::int32_t* zero_point);
extern template void choose_affine(const Calibration&, int, bool, bool, float*, std::int32_t*);
extern template void choose_affine(const Calibration&, int, bool, bool, double*, std::int32_t*);

}  // namespace secateur
