// Compares packing, unpacking and bitmasks with a simple stream of bits.
#include "fuzz.hpp"

namespace {

using namespace fuzz;

struct Packing {
  int bits;
  sc_bitorder bitorder;
  sc_dtype dtype;
  std::size_t row_length = 0;
  std::int32_t row_align = 0;

  [[nodiscard]] std::size_t code_bytes() const {
    return dtype == SC_DTYPE_INT16 || dtype == SC_DTYPE_UINT16 ? 2 : 1;
  }
  // Whether unpacking extends the sign.
  [[nodiscard]] bool extends_sign() const {
    return dtype == SC_DTYPE_INT8 || dtype == SC_DTYPE_INT16;
  }
  [[nodiscard]] std::size_t bytes(std::size_t n) const {
    const std::size_t length = row_align == 0 ? n : row_length;
    const auto align = static_cast<std::size_t>(row_align == 0 ? 8 : row_align);
    const std::size_t rows = length == 0 ? 0 : n / length;
    return rows * ((length * static_cast<std::size_t>(bits) + align - 1) / align * align / 8);
  }
  // The position in the packed integers of a bit of integer i.
  [[nodiscard]] std::size_t position(std::size_t i, int bit) const {
    const int from_begin = bitorder == SC_BITORDER_LITTLE ? bit : bits - 1 - bit;
    const std::size_t row = row_align == 0 ? 0 : i / row_length;
    const std::size_t in_row = row_align == 0 ? i : i % row_length;
    return row * 8 * bytes(row_length) + in_row * static_cast<std::size_t>(bits) +
           static_cast<std::size_t>(from_begin);
  }
  [[nodiscard]] std::size_t bit_in_byte(std::size_t position) const {
    return bitorder == SC_BITORDER_LITTLE ? position % 8 : 7 - position % 8;
  }
};

Packing draw_packing(Draw& draw) {
  switch (draw.in<int>(0, 5)) {
    case 0:
      return {4, draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT4 : SC_DTYPE_UINT4};
    case 1:
      return {2, draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT2 : SC_DTYPE_UINT2};
    case 2:
    case 3:
      return {draw.in<int>(1, 16), draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT16 : SC_DTYPE_UINT16};
    default:
      return {draw.in<int>(1, 8), draw.coin() ? SC_BITORDER_BIG : SC_BITORDER_LITTLE,
              draw.coin() ? SC_DTYPE_INT8 : SC_DTYPE_UINT8};
  }
}

// Draws the alignment of rows. Returns the number of integers, about n, that have whole rows.
std::size_t draw_rows(Draw& draw, Packing& packing, std::size_t n) {
  packing.row_align = draw.one_of({0, 0, 8, 32});
  packing.row_length = draw.in<std::size_t>(1, 70);
  return packing.row_align == 0 ? n : n / packing.row_length * packing.row_length;
}

unsigned load_code(const Packing& packing, const Bytes& q, std::size_t i) {
  unsigned code = q.data()[i * packing.code_bytes()];
  if (packing.code_bytes() == 2) {
    code |= static_cast<unsigned>(q.data()[2 * i + 1]) << 8;
  }
  return code;
}

Bytes packed(const Packing& packing, const Bytes& q, std::size_t n) {
  Bytes out(packing.bytes(n));
  std::fill_n(out.data(), out.size(), static_cast<unsigned char>(0));
  for (std::size_t i = 0; i < n; ++i) {
    for (int bit = 0; bit < packing.bits; ++bit) {
      const std::size_t position = packing.position(i, bit);
      const unsigned one = load_code(packing, q, i) >> bit & 1u;
      out.data()[position / 8] |= static_cast<unsigned char>(one << packing.bit_in_byte(position));
    }
  }
  return out;
}

// Codes of int8 and int16 are sign-extended, others zero-extended.
Bytes unpacked(const Packing& packing, const Bytes& from, std::size_t n) {
  Bytes out(n * packing.code_bytes());
  for (std::size_t i = 0; i < n; ++i) {
    unsigned code = 0;
    for (int bit = 0; bit < packing.bits; ++bit) {
      const std::size_t position = packing.position(i, bit);
      code |= (from.data()[position / 8] >> packing.bit_in_byte(position) & 1u) << bit;
    }
    if (packing.extends_sign() && (code >> (packing.bits - 1) & 1u) != 0) {
      code |= 0xffffu << packing.bits;
    }
    for (std::size_t byte = 0; byte < packing.code_bytes(); ++byte) {
      out.data()[i * packing.code_bytes() + byte] = static_cast<unsigned char>(code >> (8 * byte));
    }
  }
  return out;
}

bool has_one_out_of_range(const Packing& packing, const Bytes& q, std::size_t n) {
  const bool is_unsigned = packing.dtype == SC_DTYPE_UINT8 || packing.dtype == SC_DTYPE_UINT16;
  const int count = 1 << packing.bits;
  for (std::size_t i = 0; i < n; ++i) {
    const unsigned bits = load_code(packing, q, i);
    const int code = is_unsigned                 ? static_cast<int>(bits)
                     : packing.code_bytes() == 2 ? static_cast<std::int16_t>(bits)
                                                 : static_cast<signed char>(bits);
    if ((is_unsigned && code >= count) ||
        (packing.extends_sign() && (code < -count / 2 || code >= count / 2))) {
      return true;
    }
  }
  return false;
}

void fuzz_pack(Draw& draw) {
  Packing packing = draw_packing(draw);
  const std::size_t n = draw_rows(draw, packing, draw.size());
  const std::size_t offset = draw.in<std::size_t>(0, 9) * packing.code_bytes();
  Bytes q = draw.bytes(n * packing.code_bytes(), offset);
  if (!draw.once_in(3)) {  // in range
    const Bytes in_range = unpacked(packing, packed(packing, q, n), n);
    std::copy_n(in_range.data(), q.size(), q.data());
  }
  const Outcome outcome = on_every_isa(draw, packing.bytes(n), draw.in<std::size_t>(0, 9), nullptr,
                                       [&](const void*, void* out) {
    return sc_pack_ints(q.data(), packing.dtype, n, packing.bits, packing.bitorder,
                        packing.row_length, packing.row_align, out);
  });
  if (has_one_out_of_range(packing, q, n)) {
    require(outcome.status == SC_ERROR_ARGUMENT, "an integer out of range is refused");
    return;
  }
  require(outcome.status == SC_OK, "integers in range are packed");
  require(outcome.out == packed(packing, q, n), "packed as a stream of bits");
}

void fuzz_unpack(Draw& draw) {
  Packing packing = draw_packing(draw);
  const std::size_t n = draw_rows(draw, packing, draw.size());
  const Bytes from = draw.bytes(packing.bytes(n), draw.in<std::size_t>(0, 9));
  const std::size_t offset = draw.in<std::size_t>(0, 9) * packing.code_bytes();
  const Outcome outcome =
      on_every_isa(draw, n * packing.code_bytes(), offset, nullptr, [&](const void*, void* out) {
    return sc_unpack_ints(from.data(), n, packing.bits, packing.bitorder, packing.row_length,
                          packing.row_align, out, packing.dtype);
  });
  require(outcome.status == SC_OK, "bits are unpacked");
  require(outcome.out == unpacked(packing, from, n), "unpacked as a stream of bits");
}

// An array and its mask are encoded bit by bit, and the bitmask is counted and decoded. A bitmask
// in which one bit differs is refused.
void fuzz_bitmask(Draw& draw) {
  const auto element_bytes = draw.one_of<std::size_t>({1, 2, 4, 8});
  const auto row_length = draw.in<std::size_t>(1, 70);
  const std::size_t rows = draw.size() / row_length;
  const std::size_t n = rows * row_length;
  const std::size_t row_bytes = (row_length + 7) / 8;
  Bytes w = draw.bytes(n * element_bytes, draw.in<std::size_t>(0, 9) * element_bytes);
  Bytes mask = draw.bytes(n, draw.in<std::size_t>(0, 9));
  const bool is_masked = draw.coin();
  const auto zeros = draw.in<std::size_t>(0, 8);  // of 8 elements and of 8 bytes of the mask
  Bytes bitmask(rows * row_bytes);
  std::fill_n(bitmask.data(), bitmask.size(), static_cast<unsigned char>(0));
  Bytes decoded(n * element_bytes);
  std::fill_n(decoded.data(), decoded.size(), static_cast<unsigned char>(0));
  std::vector<unsigned char> values;
  std::vector<std::int64_t> row_offsets;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % row_length == 0) {
      row_offsets.push_back(static_cast<std::int64_t>(values.size() / element_bytes));
    }
    if ((i * 5 + i / 8) % 8 < zeros) {
      set_bits(w, i, element_bytes, 0);
      mask.data()[i] = 0;
    }
    if (is_masked ? mask.data()[i] != 0 : bits_at(w, i, element_bytes) != 0) {
      bitmask.data()[i / row_length * row_bytes + i % row_length / 8] |=
          static_cast<unsigned char>(1u << (i % row_length % 8));
      const unsigned char* const element = w.data() + i * element_bytes;
      values.insert(values.end(), element, element + element_bytes);
      set_bits(decoded, i, element_bytes, bits_at(w, i, element_bytes));
    }
  }

  const std::size_t count = values.size() / element_bytes;
  Bytes kept(values.size(), draw.in<std::size_t>(0, 9) * element_bytes);
  std::size_t counted = 0;
  const Outcome encoded = on_every_isa(draw, bitmask.size(), draw.in<std::size_t>(0, 9), nullptr,
                                       [&](const void*, void* out) {
    return sc_encode_bitmask(w.data(), element_bytes, n, row_length,
                             is_masked ? mask.data() : nullptr, out, kept.data(), count, &counted);
  });
  require(encoded.status == SC_OK && counted == count, "values that fit are encoded");
  require(encoded.out == bitmask, "the bitmask is that of the elements");
  require(std::equal(values.begin(), values.end(), kept.data()), "the values are in order");

  std::vector<std::int64_t> offsets(rows);
  require(sc_count_bitmask(bitmask.data(), n, row_length, &counted, offsets.data()) == SC_OK &&
              counted == count && offsets == row_offsets,
          "the bits are counted by rows");

  const auto decode = [&](const Bytes& bits) {
    return on_every_isa(draw, decoded.size(), draw.in<std::size_t>(0, 9) * element_bytes, nullptr,
                        [&](const void*, void* out) {
      return sc_decode_bitmask(bits.data(), kept.data(), count, element_bytes, n, row_length, out);
    });
  };
  const Outcome outcome = decode(bitmask);
  require(outcome.status == SC_OK && outcome.out == decoded, "decoded as it was encoded");
  if (bitmask.size() != 0) {
    Bytes other = bitmask;
    other.data()[draw.in<std::size_t>(0, other.size() - 1)] ^=
        static_cast<unsigned char>(1u << draw.in<unsigned>(0, 7));
    require(decode(other).status == SC_ERROR_ARGUMENT, "another number of bits is refused");
  }
}

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  Packing packing = draw_packing(draw);
  const auto n = draw.in<std::size_t>(1, 100);
  Bytes q = draw.bytes(2 * n);
  Bytes packed = draw.bytes(2 * n);
  const std::pair<Bytes, Bytes> before{q, packed};
  std::size_t count = n;
  const char* what = "";
  switch (draw.in<int>(0, 5)) {
    case 0:
      what = "another number of bits is refused";
      packing.bits = draw.one_of({0, 17, -1, INT32_MAX, INT32_MIN});
      break;
    case 1:
      what = "another bit order is refused";
      packing.bitorder = static_cast<sc_bitorder>(draw.one_of({2, -1, 99}));
      break;
    case 2:
      what = "another dtype is refused";
      packing.dtype = static_cast<sc_dtype>(draw.one_of<int>(
          {0, SC_DTYPE_FLOAT32, SC_DTYPE_UINT32, SC_DTYPE_INT32, SC_DTYPE_PACKED_LITTLE, 99, -1}));
      break;
    case 3:
      what = "another alignment of rows is refused";
      packing.row_align = draw.one_of({-8, 1, 16, 64, INT32_MAX, INT32_MIN});
      packing.row_length = n;
      break;
    case 4:
      what = "rows that do not divide the integers are refused";
      packing.row_align = draw.one_of({8, 32});
      packing.row_length = draw.one_of<std::size_t>({0, n + 1, SIZE_MAX});
      break;
    default:
      what = "a number of elements beyond memory is refused";
      count = draw.one_of<std::size_t>({SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8 + 1});
  }
  const sc_status status =
      draw.coin() ? sc_pack_ints(q.data(), packing.dtype, count, packing.bits, packing.bitorder,
                                 packing.row_length, packing.row_align, packed.data())
                  : sc_unpack_ints(packed.data(), count, packing.bits, packing.bitorder,
                                   packing.row_length, packing.row_align, q.data(), packing.dtype);
  require(is_refusal(status), what);
  require(q == before.first && packed == before.second,
          "nothing is written when an argument is refused");
}

void fuzz_overlaps(Draw& draw) {
  Packing packing = draw_packing(draw);
  const auto n = draw_rows(draw, packing, draw.in<std::size_t>(70, 200));
  OverlapArena arena(draw, 4096, 0);
  const OverlapArena::Region q = arena.take(n * packing.code_bytes());
  const OverlapArena::Region packed = arena.take(packing.bytes(n));
  arena.check(draw.coin()
                  ? sc_pack_ints(q.data, packing.dtype, n, packing.bits, packing.bitorder,
                                 packing.row_length, packing.row_align, packed.data)
                  : sc_unpack_ints(packed.data, n, packing.bits, packing.bitorder,
                                   packing.row_length, packing.row_align, q.data, packing.dtype),
              q.overlaps(packed));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 4)) {
    case 0:
      fuzz_pack(draw);
      break;
    case 1:
      fuzz_unpack(draw);
      break;
    case 2:
      fuzz_overlaps(draw);
      break;
    case 3:
      fuzz_bitmask(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
