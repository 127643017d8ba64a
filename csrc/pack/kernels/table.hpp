// The interface of the kernels of bit-packed integers.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// How integers are bit-packed. Element i takes `bits` bits of a bit stream, from bit i * bits
// on. The stream has the bits of each byte, and of each element, from the lowest to the highest;
// with msb_first, from the highest to the lowest. Negative integers are in two's complement.
struct Packing {
  int bits;  // 1 to 8 * code_bytes
  bool is_signed;
  bool msb_first;
  size_t code_bytes = 1;  // of an unpacked integer: 1 or 2
};

// Codes are integers of packing.code_bytes bytes each. The first result of a part is written to the
// start of out.
struct PackKernels {
  // Packs the low bits of the codes. Unused bits of the last byte are 0. Returns whether all codes
  // are in range.
  bool (*pack)(const Part& codes, Packing packing, bool stream, void* out);
  // Unpacks the elements [packed.begin, packed.end). packed.begin is a multiple of 8.
  void (*unpack)(const Part& packed, Packing packing, bool stream, void* out);
};

}  // namespace secateur
