// Sorting of vectors, lane by lane.
#pragma once

#include "core/kernels/block_loop.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// In each lane, moves the larger value to a and the smaller one to b.
template <class E>
SECATEUR_INLINE void compare_exchange(Vec<E>& a, Vec<E>& b) {
  const Vec<E> larger = Max(a, b);
  b = Min(a, b);
  a = larger;
}

// Batcher's odd-even merge sort, largest first. The sequence of comparisons depends only on the
// number of vectors, so all lanes are sorted at once. merge() merges the sorted halves of the
// sequence v[0], v[kStep], v[2 * kStep], ... of the kCount vectors.
template <size_t kCount, size_t kStep, class E>
SECATEUR_INLINE void merge(Vec<E>* v) {
  if constexpr (2 * kStep == kCount) {
    compare_exchange(v[0], v[kStep]);
  } else {
    merge<kCount, 2 * kStep>(v);
    merge<kCount, 2 * kStep>(v + kStep);
#pragma GCC unroll 16
    for (size_t i = kStep; i + kStep < kCount; i += 2 * kStep) {
      compare_exchange(v[i], v[i + kStep]);
    }
  }
}
template <size_t kCount, class E>
SECATEUR_INLINE void sort_inline(Vec<E>* v) {
  if constexpr (kCount > 1) {
    sort_inline<kCount / 2>(v);
    sort_inline<kCount / 2>(v + kCount / 2);
    merge<kCount, 1>(v);
  }
}
// Not inlined, because the code is long.
template <size_t kCount, class E>
__attribute__((noinline)) void sort(Vec<E>* v) {
  sort_inline<kCount>(v);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
