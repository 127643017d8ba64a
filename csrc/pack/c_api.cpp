// The C API of bit packing.
#include "pack/packing.hpp"

#include <string>

#include "core/arguments.hpp"

using namespace secateur;
using namespace secateur::api;

namespace {

// Checks an integer dtype whose elements take one byte each.
DtypeInfo checked_byte_integer(sc_dtype dtype) {
  const DtypeInfo info = dtype_info(dtype);
  if (!is_byte_integer(info)) {
    refuse("q", dtype_names(is_byte_integer), name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  return info;
}

struct CheckedPacking {
  DtypeInfo dtype;
  MemoryRange q, packed;
};

// Checks the arguments that sc_pack_ints and sc_unpack_ints share. Returns the dtype of q and the
// memory of both arrays.
CheckedPacking checked_packing(const void* q, sc_dtype dtype, std::size_t n, std::int32_t bits,
                               sc_bitorder bitorder, const void* packed) {
  const DtypeInfo info = checked_byte_integer(dtype);
  if (info.bits != 8 && bits != info.bits) {
    refuse("bits", std::to_string(info.bits) + " for " + name_of(dtype), std::to_string(bits));
  }
  if (bits < 1 || bits > SC_MAX_PACKED_BITS) {
    refuse("bits", "1 to 8", std::to_string(bits));
  }
  if (bitorder != SC_BITORDER_LITTLE && bitorder != SC_BITORDER_BIG) {
    refuse("bitorder", "little or big", std::to_string(static_cast<int>(bitorder)));
  }
  return {
      info,
      checked_array("q", q, n, 1),
      checked_array("packed", packed, packed_bytes(n, static_cast<std::size_t>(bits)), 1),
  };
}

}  // namespace

sc_status sc_pack_ints(const void* q, sc_dtype q_dtype, size_t n, int32_t bits,
                       sc_bitorder bitorder, void* packed) {
  return guarded([&] {
    const CheckedPacking given = checked_packing(q, q_dtype, n, bits, bitorder, packed);
    require_no_overlap({given.packed}, {given.q});
    pack_ints(q, n, {bits, given.dtype.is_signed, bitorder == SC_BITORDER_BIG},
              given.dtype.bits == 8, packed);
  });
}

sc_status sc_unpack_ints(const void* packed, size_t n, int32_t bits, sc_bitorder bitorder, void* q,
                         sc_dtype q_dtype) {
  return guarded([&] {
    const CheckedPacking given = checked_packing(q, q_dtype, n, bits, bitorder, packed);
    require_no_overlap({given.q}, {given.packed});
    const bool is_signed = given.dtype.is_signed && given.dtype.bits == 8;
    unpack_ints(packed, n, {bits, is_signed, bitorder == SC_BITORDER_BIG}, q);
  });
}
