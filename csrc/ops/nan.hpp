// Refusing NaN.
#pragma once

#include <cstddef>

#include "ops/float_type.hpp"

namespace secateur {

struct NaNs {
  std::size_t count, first;
};
NaNs find_nan(const void* w, std::size_t n, FloatType type);

// Throws Error with the count of NaN and the index of the first.
[[noreturn]] void refuse_nan(NaNs found, const char* name, const char* what = "NaN");

// Throws Error with the count of NaN in w and the index of the first, of which there is one.
[[noreturn]] void refuse_nan(const void* w, std::size_t n, FloatType type);

// The same if there is one.
void check_nan(const void* w, std::size_t n, FloatType type);

}  // namespace secateur
