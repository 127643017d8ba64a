// Compares packing and unpacking with a simple stream of bits.
#include "fuzz.hpp"

namespace {

using namespace fuzz;

struct Packing {
  int bits;
  sc_bitorder bitorder;
  sc_dtype dtype;

  [[nodiscard]] bool is_signed() const {
    return dtype == SC_DTYPE_INT8 || dtype == SC_DTYPE_INT4 || dtype == SC_DTYPE_INT2;
  }
  [[nodiscard]] std::size_t bytes(std::size_t n) const {
    return (n * static_cast<std::size_t>(bits) + 7) / 8;
  }
  // The position in the stream of a bit of integer i.
  [[nodiscard]] std::size_t position(std::size_t i, int bit) const {
    const int from_begin = bitorder == SC_BITORDER_LITTLE ? bit : bits - 1 - bit;
    return i * static_cast<std::size_t>(bits) + static_cast<std::size_t>(from_begin);
  }
  [[nodiscard]] std::size_t bit_in_byte(std::size_t position) const {
    return bitorder == SC_BITORDER_LITTLE ? position % 8 : 7 - position % 8;
  }
};

Packing draw_packing(Draw& draw) {
  switch (draw.in<int>(0, 3)) {
    case 0:
      return {4, draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT4 : SC_DTYPE_UINT4};
    case 1:
      return {2, draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT2 : SC_DTYPE_UINT2};
    default:
      return {draw.in<int>(1, 8), draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT8 : SC_DTYPE_UINT8};
  }
}

Bytes packed(const Packing& packing, const Bytes& q, std::size_t n) {
  Bytes out(packing.bytes(n));
  std::fill_n(out.data(), out.size(), static_cast<unsigned char>(0));
  for (std::size_t i = 0; i < n; ++i) {
    for (int bit = 0; bit < packing.bits; ++bit) {
      const std::size_t position = packing.position(i, bit);
      const unsigned one = q.data()[i] >> bit & 1u;
      out.data()[position / 8] |= static_cast<unsigned char>(one << packing.bit_in_byte(position));
    }
  }
  return out;
}

// int8 codes are sign-extended; codes of uint8 and of narrower dtypes are zero-extended.
Bytes unpacked(const Packing& packing, const Bytes& from, std::size_t n) {
  Bytes out(n);
  for (std::size_t i = 0; i < n; ++i) {
    unsigned code = 0;
    for (int bit = 0; bit < packing.bits; ++bit) {
      const std::size_t position = packing.position(i, bit);
      code |= (from.data()[position / 8] >> packing.bit_in_byte(position) & 1u) << bit;
    }
    if (packing.dtype == SC_DTYPE_INT8 && (code >> (packing.bits - 1) & 1u) != 0) {
      code |= 0xffu << packing.bits;
    }
    out.data()[i] = static_cast<unsigned char>(code);
  }
  return out;
}

bool has_one_out_of_range(const Packing& packing, const Bytes& q) {
  const bool is_byte = packing.dtype == SC_DTYPE_INT8 || packing.dtype == SC_DTYPE_UINT8;
  const int codes = 1 << packing.bits;
  return is_byte && std::any_of(q.data(), q.data() + q.size(), [&](unsigned char byte) {
    const int code = packing.is_signed() ? static_cast<signed char>(byte) : byte;
    return packing.is_signed() ? code < -codes / 2 || code >= codes / 2 : code >= codes;
  });
}

void fuzz_pack(Draw& draw) {
  const Packing packing = draw_packing(draw);
  const std::size_t n = draw.size();
  Bytes q = draw.bytes(n, draw.in<std::size_t>(0, 9));
  if (!draw.once_in(3)) {  // in range
    const Bytes in_range = unpacked(packing, packed(packing, q, n), n);
    std::copy_n(in_range.data(), n, q.data());
  }
  const Outcome outcome = on_every_isa(draw, packing.bytes(n), draw.in<std::size_t>(0, 9), nullptr,
                                       [&](const void*, void* out) {
    return sc_pack_ints(q.data(), packing.dtype, n, packing.bits, packing.bitorder, out);
  });
  if (has_one_out_of_range(packing, q)) {
    require(outcome.status == SC_ERROR_ARGUMENT, "an integer out of range is refused");
    return;
  }
  require(outcome.status == SC_OK, "integers in range are packed");
  require(outcome.out == packed(packing, q, n), "packed as a stream of bits");
}

void fuzz_unpack(Draw& draw) {
  const Packing packing = draw_packing(draw);
  const std::size_t n = draw.size();
  const Bytes from = draw.bytes(packing.bytes(n), draw.in<std::size_t>(0, 9));
  const Outcome outcome =
      on_every_isa(draw, n, draw.in<std::size_t>(0, 9), nullptr, [&](const void*, void* out) {
    return sc_unpack_ints(from.data(), n, packing.bits, packing.bitorder, out, packing.dtype);
  });
  require(outcome.status == SC_OK, "bits are unpacked");
  require(outcome.out == unpacked(packing, from, n), "unpacked as a stream of bits");
}

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  Packing packing = draw_packing(draw);
  const auto n = draw.in<std::size_t>(1, 100);
  Bytes q = draw.bytes(n);
  Bytes packed = draw.bytes(n);
  const std::pair<Bytes, Bytes> before{q, packed};
  std::size_t count = n;
  const char* what = "";
  switch (draw.in<int>(0, 3)) {
    case 0:
      what = "another number of bits is refused";
      packing.bits = draw.one_of({0, 9, -1, INT32_MAX, INT32_MIN});
      break;
    case 1:
      what = "another bit order is refused";
      packing.bitorder = static_cast<sc_bitorder>(draw.one_of({2, -1, 99}));
      break;
    case 2:
      what = "another dtype is refused";
      packing.dtype = static_cast<sc_dtype>(draw.one_of<int>(
          {0, SC_DTYPE_FLOAT32, SC_DTYPE_INT16, SC_DTYPE_INT32, SC_DTYPE_PACKED_LITTLE, 99, -1}));
      break;
    default:
      what = "a number of elements beyond memory is refused";
      count = draw.one_of<std::size_t>({SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8 + 1});
  }
  const sc_status status = draw.coin() ? sc_pack_ints(q.data(), packing.dtype, count, packing.bits,
                                                      packing.bitorder, packed.data())
                                       : sc_unpack_ints(packed.data(), count, packing.bits,
                                                        packing.bitorder, q.data(), packing.dtype);
  require(is_refusal(status), what);
  require(q == before.first && packed == before.second,
          "nothing is written when an argument is refused");
}

void fuzz_overlaps(Draw& draw) {
  const Packing packing = draw_packing(draw);
  const auto n = draw.in<std::size_t>(1, 200);
  OverlapArena arena(draw, 1024, 0);
  const OverlapArena::Region q = arena.take(n);
  const OverlapArena::Region packed = arena.take(packing.bytes(n));
  arena.check(
      draw.coin()
          ? sc_pack_ints(q.data, packing.dtype, n, packing.bits, packing.bitorder, packed.data)
          : sc_unpack_ints(packed.data, n, packing.bits, packing.bitorder, q.data, packing.dtype),
      q.overlaps(packed));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 3)) {
    case 0:
      fuzz_pack(draw);
      break;
    case 1:
      fuzz_unpack(draw);
      break;
    case 2:
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
