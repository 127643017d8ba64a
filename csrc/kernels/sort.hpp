// Sorting vectors, lane by lane.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The larger of each two lanes goes to a.
template <class E>
SECATEUR_INLINE void exchange(Vec<E>& a, Vec<E>& b) {
  const Vec<E> larger = Max(a, b);
  b = Min(a, b);
  a = larger;
}

// Batcher's odd-even merge sort, the largest first: which vectors are compared depends on how many
// there are and on nothing else, so all lanes are sorted at once. merge() takes every kStep-th of
// kCount vectors, whose halves are sorted.
template <size_t kCount, size_t kStep, class E>
SECATEUR_INLINE void merge(Vec<E>* v) {
  if constexpr (2 * kStep == kCount) {
    exchange(v[0], v[kStep]);
  } else {
    merge<kCount, 2 * kStep>(v);
    merge<kCount, 2 * kStep>(v + kStep);
#pragma GCC unroll 16
    for (size_t i = kStep; i + kStep < kCount; i += 2 * kStep) {
      exchange(v[i], v[i + kStep]);
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
// So many instructions that callers share them.
template <size_t kCount, class E>
__attribute__((noinline)) void sort(Vec<E>* v) {
  sort_inline<kCount>(v);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
