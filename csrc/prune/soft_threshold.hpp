// Soft thresholding: sign(w) * max(|w| - threshold, 0).
#pragma once

#include <cstddef>

#include "secateur/secateur.h"

namespace secateur {

// Requires threshold >= 0. NaN is left unmodified. `out` may be w.
void soft_threshold(const void* w, sc_dtype dtype, std::size_t n, double threshold, void* out);

}  // namespace secateur
