// Rows of elements, a cache line at a time.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class T>
inline constexpr size_t kOfLine = kLine / sizeof(T);

// body(from) for each kOfLine elements of a row; from[i] are those of arrays[i], which lie alike in all. After
// the last there are zeros.
template <class T, size_t kArrays, class Body>
SECATEUR_INLINE void for_lines(const Rows& rows, const void* const (&arrays)[kArrays], size_t row,
                               const Body& body) {
  const size_t begin = row * rows.stride, end = begin + rows.length;
  const size_t last = rows.n < kOfLine<T> ? 0 : rows.n - kOfLine<T>;
  for (size_t i = begin; i < end; i += kOfLine<T>) {
    const size_t ahead = i + kPrefetchBytes / sizeof(T);
    const T* from[kArrays];
    T padded[kArrays][kOfLine<T>];
    for (size_t a = 0; a < kArrays; ++a) {
      const T* const array = static_cast<const T*>(arrays[a]);
      from[a] = array + i;
      __builtin_prefetch(array + (ahead < last ? ahead : last));
      if (end - i < kOfLine<T>) [[unlikely]] {
        for (size_t lane = 0; lane < kOfLine<T>; ++lane) {
          padded[a][lane] = lane < end - i ? array[i + lane] : T{0};
        }
        from[a] = padded[a];
      }
    }
    body(from);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
