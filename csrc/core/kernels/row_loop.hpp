// Loops over rows of elements, one cache line of elements at a time.
#pragma once

#include "core/kernels/block_loop.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class T>
inline constexpr size_t kLineElements = kLine / sizeof(T);

// Calls body(elements) for each line of kLineElements<T> elements of a row. elements[a] points to
// the elements of arrays[a]. All arrays have the same layout. The last line is padded with zeros.
template <class T, size_t kArrays, class Body>
SECATEUR_INLINE void for_each_line(const Rows& rows, const void* const (&arrays)[kArrays],
                                   size_t row, const Body& body) {
  const size_t begin = row * rows.stride, end = begin + rows.length;
  const size_t last = rows.n < kLineElements<T> ? 0 : rows.n - kLineElements<T>;
  for (size_t i = begin; i < end; i += kLineElements<T>) {
    const size_t ahead = i + kPrefetchBytes / sizeof(T);
    const T* elements[kArrays];
    T padded[kArrays][kLineElements<T>];
    for (size_t a = 0; a < kArrays; ++a) {
      const T* const array = static_cast<const T*>(arrays[a]);
      elements[a] = array + i;
      __builtin_prefetch(array + (ahead < last ? ahead : last));
      if (end - i < kLineElements<T>) [[unlikely]] {
        for (size_t lane = 0; lane < kLineElements<T>; ++lane) {
          padded[a][lane] = lane < end - i ? array[i + lane] : T{0};
        }
        elements[a] = padded[a];
      }
    }
    body(elements);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
