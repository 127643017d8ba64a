// The C API of bit packing.
#include "pack/packing.hpp"

#include <string>

#include "core/arguments.hpp"

using namespace secateur;
using namespace secateur::api;

namespace {

// The number of bits of an integer dtype whose elements take one byte each.
int bits_of(sc_dtype dtype) {
  switch (dtype) {
    case SC_DTYPE_INT8:
    case SC_DTYPE_UINT8:
      return 8;
    case SC_DTYPE_INT4:
    case SC_DTYPE_UINT4:
      return 4;
    case SC_DTYPE_INT2:
    case SC_DTYPE_UINT2:
      return 2;
    default:
      refuse("q", "int8, uint8, int4, uint4, int2 or uint2", name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
}

bool is_signed(sc_dtype dtype) {
  return dtype == SC_DTYPE_INT8 || dtype == SC_DTYPE_INT4 || dtype == SC_DTYPE_INT2;
}

struct PackingExtents {
  Extent q, packed;
};

// Checks the arguments that sc_pack_ints and sc_unpack_ints share. Returns the memory of both
// arrays.
PackingExtents require_packing(const void* q, sc_dtype dtype, std::size_t n, std::int32_t bits,
                               sc_bitorder bitorder, const void* packed) {
  const int dtype_bits = bits_of(dtype);
  if (dtype_bits != 8 && bits != dtype_bits) {
    refuse("bits", std::to_string(dtype_bits) + " for " + name_of(dtype), std::to_string(bits));
  }
  if (bits < 1 || bits > 8) {
    refuse("bits", "1 to 8", std::to_string(bits));
  }
  if (bitorder != SC_BITORDER_LITTLE && bitorder != SC_BITORDER_BIG) {
    refuse("bitorder", "little or big", std::to_string(static_cast<int>(bitorder)));
  }
  return {
      require_array("q", q, n, 1),
      require_array("packed", packed, packed_bytes(n, static_cast<std::size_t>(bits)), 1),
  };
}

}  // namespace

sc_status sc_pack_ints(const void* q, sc_dtype q_dtype, size_t n, int32_t bits,
                       sc_bitorder bitorder, void* packed) {
  return guarded([&] {
    const PackingExtents extents = require_packing(q, q_dtype, n, bits, bitorder, packed);
    require_no_overlap({extents.packed}, {extents.q});
    pack_ints(q, n, {bits, is_signed(q_dtype), bitorder == SC_BITORDER_BIG}, bits_of(q_dtype) == 8,
              packed);
  });
}

sc_status sc_unpack_ints(const void* packed, size_t n, int32_t bits, sc_bitorder bitorder, void* q,
                         sc_dtype q_dtype) {
  return guarded([&] {
    const PackingExtents extents = require_packing(q, q_dtype, n, bits, bitorder, packed);
    require_no_overlap({extents.q}, {extents.packed});
    unpack_ints(packed, n, {bits, q_dtype == SC_DTYPE_INT8, bitorder == SC_BITORDER_BIG}, q);
  });
}
