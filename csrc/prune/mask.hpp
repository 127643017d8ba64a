// Applies a mask that the caller provides.
#pragma once

#include <cstddef>

#include "core/dtypes.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The size in bytes of a mask of n elements.
std::size_t mask_bytes(std::size_t n, sc_mask_format format);

// Writes each element of w whose mask is set, and +0.0 for each other element. `out` may be w.
void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out);

}  // namespace secateur
