// Bit-packed integers of 1 to 8 bits. The unpacked integers, the codes, take one byte each.
#pragma once

#include <cstddef>

#include "core/ceil_div.hpp"
#include "pack/kernels/table.hpp"

namespace secateur {

// The bytes of n packed integers, computed without n * bits, which may overflow.
constexpr std::size_t packed_bytes(std::size_t n, std::size_t bits) {
  return n / 8 * bits + ceil_div(n % 8 * bits, 8);
}

// Packs the low packing.bits bits of each code. If `checked` and a code is out of range, throws
// Error after packing.
void pack_ints(const void* codes, std::size_t n, const Packing& packing, bool checked,
               void* packed);
// Unpacks n integers.
void unpack_ints(const void* packed, std::size_t n, const Packing& packing, void* codes);

}  // namespace secateur
