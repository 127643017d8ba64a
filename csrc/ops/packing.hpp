// Integers of fewer bits than a byte, side by side.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"

namespace secateur {

// Without n times bits, which may be more than there are.
constexpr std::size_t packed_bytes(std::size_t n, std::size_t bits) {
  return n / 8 * bits + (n % 8 * bits + 7) / 8;
}

// Throws Error, when `checked`, if a code is not an integer of so many bits; the other bits are lost.
void pack_ints(const void* codes, std::size_t n, const Packing& packing, bool checked,
               void* packed);
void unpack_ints(const void* packed, std::size_t n, const Packing& packing, void* codes);

}  // namespace secateur
