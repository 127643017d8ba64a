// The C API of bit packing.
#include "pack/packing.hpp"

#include <string>

#include "core/arguments.hpp"

using namespace secateur;
using namespace secateur::api;

namespace {

struct CheckedPacking {
  Packing packing;
  bool can_exceed_range;  // whether integers of the dtype may be out of the range of these bits
  PackedRows rows;
  MemoryRange q, packed;
};

// Checks the arguments that sc_pack_ints and sc_unpack_ints share.
CheckedPacking checked_packing(const void* q, sc_dtype dtype, std::size_t n, std::int32_t bits,
                               sc_bitorder bitorder, std::size_t row_length, std::int32_t row_align,
                               const void* packed) {
  const DtypeInfo info = dtype_info(dtype);
  if (!is_packable(info)) {
    refuse("q", dtype_names(is_packable), name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  const bool is_narrow = info.bits < 8;
  if (is_narrow ? bits != info.bits : bits < 1 || bits > info.bits) {
    refuse("bits",
           (is_narrow ? "" : "1 to ") + std::to_string(info.bits) + " for " + name_of(dtype),
           std::to_string(bits));
  }
  if (bitorder != SC_BITORDER_LITTLE && bitorder != SC_BITORDER_BIG) {
    refuse("bitorder", "little or big", std::to_string(static_cast<int>(bitorder)));
  }
  if (row_align != 0 && row_align != 8 && row_align != 32) {
    refuse("row_align", "0, 8 or 32", std::to_string(row_align));
  }
  const MemoryRange codes = checked_array("q", q, n, info.bytes());
  if (row_align != 0 && n != 0 && (row_length == 0 || n % row_length != 0)) {
    refuse("row_length", "a divisor of " + std::to_string(n), std::to_string(row_length));
  }
  const PackedRows rows = packed_rows(n, static_cast<std::size_t>(bits), row_length,
                                      static_cast<std::size_t>(row_align));
  return {
      {bits, info.is_signed, bitorder == SC_BITORDER_BIG, info.bytes()}, !is_narrow, rows, codes,
      checked_array("packed", packed, rows.count * rows.bytes, 1),
  };
}

}  // namespace

sc_status sc_pack_ints(const void* q, sc_dtype q_dtype, size_t n, int32_t bits,
                       sc_bitorder bitorder, size_t row_length, int32_t row_align, void* packed) {
  return guarded([&] {
    const CheckedPacking given =
        checked_packing(q, q_dtype, n, bits, bitorder, row_length, row_align, packed);
    require_no_overlap({given.packed}, {given.q});
    pack_ints(q, given.rows, given.packing, given.can_exceed_range, packed);
  });
}

sc_status sc_unpack_ints(const void* packed, size_t n, int32_t bits, sc_bitorder bitorder,
                         size_t row_length, int32_t row_align, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    CheckedPacking given =
        checked_packing(q, q_dtype, n, bits, bitorder, row_length, row_align, packed);
    require_no_overlap({given.q}, {given.packed});
    given.packing.is_signed = given.packing.is_signed && given.can_exceed_range;
    unpack_ints(packed, given.rows, given.packing, q);
  });
}
