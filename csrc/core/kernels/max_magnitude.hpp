// The largest magnitude of a part, as a key.
#pragma once

#include "core/kernels/block_loop.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
Key max_magnitude(Part w) {
  Vec<E> largest = Set(E{0});
  for_words<E>(w, NoDestination(Output{}),
               [&](const E* elements, uint64_t, unsigned char*, size_t)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      largest = Max(largest, And(LoadU(elements + lane), Set(kMagnitudeMask<E>)));
    }
  });
  return ReduceMax(largest);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
