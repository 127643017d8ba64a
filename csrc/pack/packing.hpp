// Bit-packed integers of 1 to 16 bits. The unpacked integers, the codes, take one or two bytes each.
#pragma once

#include <cstddef>

#include "core/ceil_div.hpp"
#include "pack/kernels/table.hpp"

namespace secateur {

// The bytes of n packed integers, computed without n * bits, which may overflow.
constexpr std::size_t packed_bytes(std::size_t n, std::size_t bits) {
  return n / 8 * bits + ceil_div(n % 8 * bits, 8);
}

// Packed rows of codes. Rows are byte-aligned.
struct PackedRows {
  std::size_t count;   // of rows
  std::size_t length;  // of a row, in codes
  std::size_t bytes;   // of a packed row, with the padding at its end

  [[nodiscard]] std::size_t codes() const { return count * length; }
};

// The rows of n codes. Each row has row_length codes, and its bytes are padded to a multiple of
// row_align bits. With a row_align of 0, all codes are one row.
PackedRows packed_rows(std::size_t n, std::size_t bits, std::size_t row_length,
                       std::size_t row_align);

// Packs the low packing.bits bits of each code. The padding becomes 0. If `checks_range` and a code is
// out of range, throws Error after packing.
void pack_ints(const void* codes, const PackedRows& rows, const Packing& packing, bool checks_range,
               void* packed);
// Unpacks all rows.
void unpack_ints(const void* packed, const PackedRows& rows, const Packing& packing, void* codes);

}  // namespace secateur
