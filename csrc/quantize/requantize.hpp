// Conversion of the integers of one format to the integers of another.
#pragma once

#include <cstddef>

#include "quantize/quantize.hpp"

namespace secateur {

// Computes round((q - zero point) * step / step of `to`) + zero point of `to`, exactly. Scales are
// of double. Throws Error if the width of `from` lacks an integer of q, or if the options refuse
// one out of range of `to`.
void requantize(const Codes& q, std::size_t n, const Scheme& from, const Scheme& to,
                const sc_quantize_options& options, const Codes& out);

}  // namespace secateur
