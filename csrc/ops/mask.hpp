// Masks that the caller brings.
#pragma once

#include <cstddef>

#include "ops/float_type.hpp"
#include "secateur/secateur.h"

namespace secateur {

std::size_t mask_bytes(std::size_t n, sc_mask_format format);

void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out);

}  // namespace secateur
