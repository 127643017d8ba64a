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

// A number in LEB128 has 7 bits in each byte, from the lowest on. The highest bit of a byte says that
// another byte follows.
inline constexpr int kLeb128Bits = 7;
inline constexpr unsigned kLeb128More = 1u << kLeb128Bits;
inline constexpr size_t kLeb128Bytes = 10;  // the most of a number of 64 bits

struct SparseKernels {
  BitmaskKernels bitmask[sizeof(int64_t) + 1];  // by the bytes of an element: 1, 2, 4 or 8
  // Writes the gaps of n bits, and returns the number of their bytes. *zeros is the number of bits of 0
  // before the first bit, and becomes that before the bit after the last. `gaps` has room for n +
  // kLeb128Bytes bytes, and kLine bytes more.
  size_t (*encode_gaps)(const unsigned char* bits, size_t n, uint64_t* zeros, unsigned char* gaps);
};

}  // namespace secateur
