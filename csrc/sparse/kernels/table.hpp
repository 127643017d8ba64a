// The interface of the kernels of sparse encodings.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// Kernels for elements of one size. They only move elements, so that any dtype of the size fits.
struct BitmaskKernels {
  // Writes the bits of the elements [w.begin, w.end), from the first bit of `bits` on, and to `values`
  // the elements whose bit is set. Returns their number. The bit of an element is set if its bool in
  // `keep` is not 0 or, without `keep`, if any of its own bits is set. Spare bits of the last byte become
  // 0. `values` has room for as many elements as w, and kLine bytes more.
  size_t (*encode)(const Part& w, const uint8_t* keep, unsigned char* bits, void* values);
  // Writes n elements: the next of `values` where a bit is set, else 0. `readable` elements can be read
  // from `values` on.
  void (*decode)(const unsigned char* bits, size_t n, const void* values, size_t readable,
                 bool stream, void* out);
};

struct SparseKernels {
  BitmaskKernels bitmask[sizeof(int64_t) + 1];  // by the bytes of an element: 1, 2, 4 or 8
};

}  // namespace secateur
