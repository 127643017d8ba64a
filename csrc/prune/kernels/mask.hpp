// Applies a mask that the caller provides: elements whose mask is set are kept, others become +0.0.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "select/kernels/sinks.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Returns the mask bits of the elements from i on, one per bit of `valid`, from a mask of one byte
// per element.
struct BoolMask {
  const unsigned char* mask;

  SECATEUR_INLINE uint64_t operator()(size_t i, uint64_t valid) const {
    if (valid == kAllValid) [[likely]] {
      return LoadBools(mask + i);
    }
    unsigned char padded[kWord] = {};
    copy_bytes(padded, mask + i, PopCount(valid));
    return LoadBools(padded);
  }
};

// The same, from a mask of one bit per element. 64 bits that begin within a byte span nine bytes.
struct BitMask {
  const unsigned char* mask;

  SECATEUR_INLINE uint64_t operator()(size_t i, uint64_t valid) const {
    const size_t shift = i % 8;
    const size_t bytes = (shift + PopCount(valid) + 7) / 8;
    uint64_t low = 0;
    copy_bytes(&low, mask + i / 8, bytes < sizeof low ? bytes : sizeof low);
    if (bytes <= sizeof low) {
      return low >> shift;
    }
    return low >> shift | static_cast<uint64_t>(mask[i / 8 + sizeof low]) << (kWord - shift);
  }
};

template <class E, class MaskSource, bool kStream>
void apply_words(Part w, const void* mask, const Output& out) {
  const MaskSource mask_bits{static_cast<const unsigned char*>(mask)};
  const FloatSink<E, kStream> sink(out);
  for_words<E>(w, sink,
               [&](const E* from, uint64_t valid, unsigned char* to, size_t i)
                   __attribute__((always_inline)) {
    const uint64_t bits = mask_bits(i, valid);
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<E>) {
      Vec<E> x[kGroup<E>];
      Mask<E> keep[kGroup<E>];
      for (size_t v = 0; v < kGroup<E>; ++v) {
        const size_t first = lane + v * kLanes<E>;
        x[v] = LoadU(from + first);
        keep[v] = MaskFromBits<E>(bits >> first);
      }
      sink.write(x, keep, to, lane);
    }
  });
}

template <class E, class MaskSource>
void apply(Part w, const void* mask, const Output& out) {
  return kCanStream && out.stream ? apply_words<E, MaskSource, true>(w, mask, out)
                                  : apply_words<E, MaskSource, false>(w, mask, out);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
