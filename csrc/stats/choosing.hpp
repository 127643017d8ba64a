// The choice of a format that suits the data.
#pragma once

#include <cstdint>

#include "quantize/quantize.hpp"
#include "secateur/secateur.h"
#include "stats/groups.hpp"

namespace secateur {

// An array, how the parameters of its groups are chosen, and where its codes are written.
struct Calibration {
  Layout groups;
  const void* w;
  FloatType type;
  sc_choice_method method;
  double percentile;
  sc_rounding rounding;
  // The array is also quantized with the chosen parameters, unless `data` is null. Not packed.
  Codes q{nullptr, SC_DTYPE_INT8};
  bool streams = false;  // whether the codes bypass the caches

  // The calibration of a part of the array.
  [[nodiscard]] Calibration part(const GroupParts::Part& part) const;
};

// Chooses the number of fraction bits of each group. Throws Error if an element is NaN or infinite.
// Returns 0 on success. If integers are unsigned and a negative element is not rounded to 0,
// returns the least such element.
double choose_frac_bits(const Calibration& calibration, int bits, bool is_signed,
                        std::int32_t* frac_bits);

// Chooses the scale and the zero point of each group, for all integers of a width. T is double if w is
// float64, else float. Throws Error if an element is NaN or infinite.
template <class T>
void choose_affine(const Calibration& calibration, int bits, bool is_signed, bool is_symmetric,
                   T* scale, std::int32_t* zero_point);
extern template void choose_affine(const Calibration&, int, bool, bool, float*, std::int32_t*);
extern template void choose_affine(const Calibration&, int, bool, bool, double*, std::int32_t*);

}  // namespace secateur
