// Gaps: the positions of the bits that are set in a bitmask, as the numbers of bits of 0 between them.
#pragma once

#include <cstddef>

#include "pack/packing.hpp"

namespace secateur {

// Writes the gaps of a bitmask with these rows, but at most `capacity` bytes of them. Returns the number
// of their bytes. Spare bits are not read.
std::size_t encode_gaps(const unsigned char* bitmask, const PackedRows& rows, unsigned char* gaps,
                        std::size_t capacity);

// Writes the bitmask whose gaps are these `count` bytes. Throws Error if they are not gaps of such a
// bitmask, after it has written a part.
void decode_gaps(const unsigned char* gaps, std::size_t count, const PackedRows& rows,
                 unsigned char* bitmask);

}  // namespace secateur
