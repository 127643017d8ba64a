// Bit-packed integers of 1 to 16 bits. The unpacked integers, the codes, take one or two bytes
// each.
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

// Some rows, or a part of one row: codes [begin, end) of rows [first, last).
struct RowsPart {
  std::size_t first, last;
  std::size_t begin, end;
};

// The parts of rows whose codes have code_bytes bytes each. A part has about as many bytes as
// kBlock floats. Its codes begin at a multiple of 64 in their row, so that no two parts share a
// packed byte.
class RowParts {
 public:
  RowParts(const PackedRows& rows, std::size_t code_bytes);

  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] RowsPart operator[](std::size_t i) const;
  // The largest number of codes of a part.
  [[nodiscard]] std::size_t max_codes() const;

 private:
  PackedRows rows_;
  std::size_t most_;  // codes of a part of one row
  std::size_t parts_of_row_;
  std::size_t rows_of_part_;
};

// Packs the low packing.bits bits of each code. The padding becomes 0. If `checks_range` and a code
// is out of range, throws Error after packing.
void pack_ints(const void* codes, const PackedRows& rows, const Packing& packing, bool checks_range,
               void* packed);
// Unpacks all rows.
void unpack_ints(const void* packed, const PackedRows& rows, const Packing& packing, void* codes);

}  // namespace secateur
