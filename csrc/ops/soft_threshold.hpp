// Soft thresholding: every magnitude less by a threshold, or zero.
#pragma once

#include <cstddef>

#include "secateur/secateur.h"

namespace secateur {

// threshold >= 0
void soft_threshold(const void* w, sc_dtype dtype, std::size_t n, double threshold, void* out);

}  // namespace secateur
