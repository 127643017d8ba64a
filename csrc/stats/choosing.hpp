// The choice of a format that suits the data.
#pragma once

#include <cstdint>

#include "secateur/secateur.h"
#include "stats/groups.hpp"

namespace secateur {

// An array, and how the parameters of its groups are chosen.
struct Calibration {
  Layout groups;
  const void* w;
  FloatType type;
  sc_choice_method method;
  double percentile;
  sc_rounding rounding;
};

// Chooses the number of fraction bits of each group. Throws Error if an element is NaN or infinite.
// Returns 0 on success. If integers are unsigned and a negative element is not rounded to 0,
// returns the least such element.
double choose_frac_bits(const Calibration& calibration, int bits, bool is_signed,
                        std::int32_t* frac_bits);

// Chooses the scale and the zero point of each group, for integers from qmin to qmax. T is
// double if w is float64, else float. Throws Error if an element is NaN or infinite.
template <class T>
void choose_affine(const Calibration& calibration, std::int64_t qmin, std::int64_t qmax,
                   bool is_symmetric, T* scale, std::int32_t* zero_point);
extern template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, float*,
                                   std::int32_t*);
extern template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, double*,
                                   std::int32_t*);

}  // namespace secateur
