// Rows become columns.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
void transpose(const void* from, size_t from_stride, size_t rows, size_t columns, void* to,
               size_t to_stride) {
  const E* const source = static_cast<const E*>(from);
  E* const target = static_cast<E*>(to);
  constexpr size_t kSide = 16;
  for (size_t i = 0; i < rows; i += kSide) {
    for (size_t j = 0; j < columns; j += kSide) {
      const size_t last = j + kSide < columns ? j + kSide : columns;
      for (size_t row = i; row < rows && row < i + kSide; ++row) {
        for (size_t column = j; column < last; ++column) {
          target[column * to_stride + row] = source[row * from_stride + column];
        }
      }
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
