// The numbers beyond which elements saturate.
#pragma once

#include "quantize/quantize.hpp"
#include "stats/kernels/table.hpp"

namespace secateur {

// Writes the limits of each of `count` groups, as keys of `type`. `w_dtype` is the dtype of the
// elements, which determines the type in which affine formats compute.
void write_limits(const Scheme& scheme, std::size_t count, sc_rounding rounding, sc_dtype w_dtype,
                  FloatType type, Limits* limits);

}  // namespace secateur
