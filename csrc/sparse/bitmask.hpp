// Bitmasks of arrays: a bit for each element, and the elements whose bit is set, in C order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pack/packing.hpp"

namespace secateur {

// The rows of the bitmask of n elements, which are byte-aligned.
inline PackedRows bitmask_rows(std::size_t n, std::size_t row_length) {
  return packed_rows(n, 1, row_length, 8);
}

// An array of elements of 1, 2, 4 or 8 bytes, and its bitmask.
struct BitmaskLayout {
  std::size_t element_bytes;
  PackedRows rows;

  BitmaskLayout(std::size_t element_bytes_, std::size_t n, std::size_t row_length)
      : element_bytes(element_bytes_), rows(bitmask_rows(n, row_length)) {}
};

// Writes the bitmask of w, and the elements whose bit is set to `values`, but at most `capacity` of
// them. Returns the number of bits that are set. Those are the bits of the elements whose bool in `keep`
// is not 0 or, without `keep`, that have a bit that is set.
std::size_t encode_bitmask(const void* w, const BitmaskLayout& layout, const std::uint8_t* keep,
                           unsigned char* bitmask, void* values, std::size_t capacity);

// Writes the array that encode_bitmask encoded. Throws Error, before the first write, unless `count`
// bits are set and spare bits are 0.
void decode_bitmask(const void* values, std::size_t count, const unsigned char* bitmask,
                    const BitmaskLayout& layout, void* out);

// Writes for each row of row_length elements the number of bits that are set in the rows before it,
// unless offsets is null. Returns the number of bits that are set. Throws Error unless spare bits are 0.
std::size_t count_bitmask(const unsigned char* bitmask, std::size_t n, std::size_t row_length,
                          std::int64_t* offsets);

}  // namespace secateur
