// What a format is chosen for.
#pragma once

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

}  // namespace secateur
