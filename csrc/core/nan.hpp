// Errors about NaN in input arrays.
#pragma once

#include <cstddef>

#include "core/dtypes.hpp"

namespace secateur {

// The number of NaN in an array and the flat index of the first one; first = n if there is none.
struct NaNs {
  std::size_t count, first;
};
NaNs find_nan(const void* w, std::size_t n, FloatType type);

// Throws Error with the number of NaN and the index of the first one. If `found` is empty, another
// thread has changed the array during the call: throws the Error of throw_input_changed().
[[noreturn]] void refuse_nan(NaNs found, const char* name, const char* what = "NaN");

// The same for the array w, in which a kernel has found NaN.
[[noreturn]] void refuse_nan(const void* w, std::size_t n, FloatType type);

// Throws Error if w contains NaN.
void check_nan(const void* w, std::size_t n, FloatType type);

}  // namespace secateur
