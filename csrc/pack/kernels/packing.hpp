// Packs codes, which are integers of one or two bytes each, and unpacks them.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "pack/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr size_t kVectorBytes = kLanes<int64_t> * sizeof(int64_t);

// Repeats `bits`, which has at most `width` bits, in every field of `width` bits.
SECATEUR_INLINE Vec<int64_t> repeat_in_fields(uint64_t bits, int width) {
  for (int w = width; w < 64; w *= 2) {
    bits |= bits << w;
  }
  return Set(static_cast<int64_t>(bits));
}
// The lowest `count` bits of every field of `width` bits.
SECATEUR_INLINE Vec<int64_t> low_bits(int count, int width) {
  return repeat_in_fields(~uint64_t{0} >> (64 - count), width);
}

SECATEUR_INLINE size_t packed_bytes(size_t count, Packing packing) {
  return (count * static_cast<size_t>(packing.bits) + 7) / 8;
}

// Detects codes that are out of range. With b = packing.bits, a signed code is in range if its bits
// from b - 1 on are all equal, and an unsigned code if its bits from b on are 0.
struct RangeCheck {
  // Signed: the bits that differ from the bit above them, in any code. Unsigned: the bits that are
  // set in any code.
  Vec<int64_t> seen = Set(int64_t{0});
  // 1 if signed. 63 if unsigned, so that Xor changes only bit 0 of a lane, which has_failed() does
  // not check.
  int shift;

  explicit RangeCheck(Packing p) : shift(p.is_signed ? 1 : 63) {}
  SECATEUR_INLINE void add(Vec<int64_t> v) {
    seen = Or(seen, Xor(v, ShiftRightLogicalSame(v, shift)));
  }

  [[nodiscard]] bool has_failed(Packing p) const {
    int64_t lanes[kLanes<int64_t>];
    StoreU(seen, lanes);
    int64_t bits = 0;
    for (const int64_t lane : lanes) {
      bits |= lane;
    }
    const uint64_t each_code = p.code_bytes == 1 ? 0x0101010101010101 : 0x0001000100010001;
    const uint64_t all_bits = (uint64_t{1} << (8 * p.code_bytes)) - 1;
    const uint64_t checked_bits = p.is_signed ? all_bits >> 1 & ~uint64_t{0} << (p.bits - 1)
                                              : all_bits & ~uint64_t{0} << p.bits;
    return (static_cast<uint64_t>(bits) & checked_bits * each_code) != 0;
  }
};

// ---- Codes of one byte -----------------------------------------------------------------------

// Packs words of codes. A field is a number of adjacent codes that fill whole bytes when packed.
// The codes of a field are joined in up to three steps: pairs of bytes, pairs of 16-bit words,
// and the halves of a 64-bit lane. With msb_first, the bytes of each field are reversed before and
// after.
struct OneByteCodePacker {
  static constexpr size_t kCodeBytes = 1;
  Packing packing;
  int field;
  Vec<int64_t> code_mask, half_mask;

  SECATEUR_INLINE explicit OneByteCodePacker(Packing p)
      : packing(p),
        field(PackedField(p.bits)),
        code_mask(low_bits(p.bits, 8)),
        half_mask(low_bits(32, 64)) {}

  // Packs a word. May write a vector past its results.
  SECATEUR_INLINE void operator()(const unsigned char* from, RangeCheck& range_check,
                                  unsigned char* to) const {
    for (size_t i = 0; i < kWord; i += kVectorBytes) {
      const Vec<int64_t> v = LoadU(reinterpret_cast<const int64_t*>(from + i));
      range_check.add(v);
      pack_vector(v, to);
      to += packed_bytes(kVectorBytes, packing);
    }
  }

 private:
  SECATEUR_INLINE void pack_vector(Vec<int64_t> v, unsigned char* to) const {
    v = And(v, code_mask);
    if (packing.msb_first) {
      v = ReverseFields(v, packing.bits);
    }
    v = JoinBytes(v, packing.bits);
    if (field != 16) {
      v = JoinUint16s(v, packing.bits);
    }
    if (field == 64) {
      const Vec<int64_t> low = And(v, half_mask);
      v = Or(low, ShiftRightLogicalSame(Xor(v, low), 32 - 4 * packing.bits));
    }
    StorePacked(v, packing.bits, packing.msb_first, to);
  }
};

// ---- Codes of two bytes ----------------------------------------------------------------------

// A quad is four adjacent codes as one number of 4 * bits bits. The first code has the lowest bits
// or, with msb_first, the highest. Two quads take `bits` whole bytes.

// Joins the two numbers of `bits` bits in each field of 2 * width bits.
SECATEUR_INLINE Vec<int64_t> join(Vec<int64_t> v, int bits, int width, bool msb_first) {
  const Vec<int64_t> low = low_bits(bits, 2 * width);
  const Vec<int64_t> first = And(v, low);
  const Vec<int64_t> second = And(ShiftRightLogicalSame(v, width), low);
  return msb_first ? Or(ShiftLeftSame(first, bits), second)
                   : Or(first, ShiftLeftSame(second, bits));
}
// The inverse of join(). The upper halves of the fields must be 0.
SECATEUR_INLINE Vec<int64_t> split(Vec<int64_t> v, int bits, int width, bool msb_first) {
  const Vec<int64_t> low = low_bits(bits, 2 * width);
  const Vec<int64_t> lower = And(v, low);
  const Vec<int64_t> upper = And(ShiftRightLogicalSame(v, bits), low);
  return msb_first ? Or(upper, ShiftLeftSame(lower, width))
                   : Or(lower, ShiftLeftSame(upper, width));
}

// Shifts by up to 64 bits.
SECATEUR_INLINE uint64_t shift_left(uint64_t x, int count) { return x << 1 << (count - 1); }
SECATEUR_INLINE uint64_t shift_right(uint64_t x, int count) { return x >> 1 >> (count - 1); }

// Stores two quads in `bits` bytes. Writes 16 bytes.
SECATEUR_INLINE void store_quads(uint64_t first, uint64_t second, Packing packing,
                                 unsigned char* to) {
  const int bits = 4 * packing.bits;
  uint64_t words[] = {first | shift_left(second, bits), second >> (64 - bits)};
  if (packing.msb_first) {
    const uint64_t top = second << (64 - bits);
    words[0] = __builtin_bswap64(first << (64 - bits) | shift_right(top, bits));
    words[1] = __builtin_bswap64(top << (64 - bits));
  }
  copy_bytes(to, words, sizeof words);
}
// Loads two quads from `bits` bytes. Reads 16 bytes.
SECATEUR_INLINE void load_quads(const unsigned char* from, Packing packing, uint64_t* quads) {
  const int bits = 4 * packing.bits;
  uint64_t words[2];
  copy_bytes(words, from, sizeof words);
  if (packing.msb_first) {
    const uint64_t high = __builtin_bswap64(words[0]);
    const uint64_t low = __builtin_bswap64(words[1]);
    quads[0] = high >> (64 - bits);
    quads[1] = (shift_left(high, bits) | low >> (64 - bits)) >> (64 - bits);
  } else {
    const uint64_t mask = ~uint64_t{0} >> (64 - bits);
    quads[0] = words[0] & mask;
    quads[1] = (shift_right(words[0], bits) | words[1] << (64 - bits)) & mask;
  }
}

// Packs words of codes: joins four codes in each 64-bit lane, and two lanes in `bits` bytes.
struct TwoByteCodePacker {
  static constexpr size_t kCodeBytes = 2;
  Packing packing;

  SECATEUR_INLINE explicit TwoByteCodePacker(Packing p) : packing(p) {}

  // Packs a word. May write a vector past its results.
  SECATEUR_INLINE void operator()(const unsigned char* from, RangeCheck& range_check,
                                  unsigned char* to) const {
    alignas(kLine) uint64_t quads[kWord / 4];
    for (size_t i = 0; i < kWord / 4; i += kLanes<int64_t>) {
      Vec<int64_t> v = LoadU(reinterpret_cast<const int64_t*>(from) + i);
      range_check.add(v);
      v = join(v, packing.bits, 16, packing.msb_first);
      v = join(v, 2 * packing.bits, 32, packing.msb_first);
      StoreU(v, reinterpret_cast<int64_t*>(quads + i));
    }
    for (size_t i = 0; i < kWord / 4; i += 2) {
      store_quads(quads[i], quads[i + 1], packing, to);
      to += packing.bits;
    }
  }
};

// ---- Packing ---------------------------------------------------------------------------------

void write_bytes(const unsigned char* from, unsigned char* to, size_t bytes, bool stream) {
  kCanStream&& stream ? write_out<true>(from, to, bytes) : write_out<false>(from, to, bytes);
}

// Whether the packed bytes are those of the codes.
bool is_plain_copy(Packing packing) {
  return static_cast<size_t>(packing.bits) == 8 * packing.code_bytes &&
         (packing.code_bytes == 1 || !packing.msb_first);
}
void copy_codes(const Part& codes, size_t code_bytes, bool stream, void* out) {
  write_bytes(static_cast<const unsigned char*>(codes.array) + codes.begin * code_bytes,
              static_cast<unsigned char*>(out), (codes.end - codes.begin) * code_bytes, stream);
}

template <class Packer>
bool pack_codes(const Part& codes, Packing packing, bool stream, void* out) {
  // Packed codes are staged in a buffer that fits the L1 cache, and written to memory in whole
  // cache lines. An incomplete line is kept for the next piece. If it were stored and missed the
  // caches, the store would delay all stores after it.
  constexpr size_t kPieceBytes = 4096;
  constexpr size_t kCodeBytes = Packer::kCodeBytes;
  // The codes of a piece, preceded by up to one cache line and followed by up to one vector.
  alignas(kLine) unsigned char staged[kPieceBytes + 2 * kLine];
  const Packer pack_word(packing);
  RangeCheck range_check(packing);
  const unsigned char* const array = static_cast<const unsigned char*>(codes.array);
  unsigned char* line = static_cast<unsigned char*>(out);
  size_t skipped =
      reinterpret_cast<uintptr_t>(line) % kLine;  // bytes of the first line before `out`
  size_t filled = skipped;
  line -= skipped;
  // The first piece ends where the codes are aligned to a cache line, if a packed byte ends there
  // too. Otherwise every 64-byte vector of codes would cross a cache line, and packing would take
  // twice as long.
  const size_t misalignment = reinterpret_cast<uintptr_t>(array + codes.begin * kCodeBytes) % kLine;
  const bool can_align = misalignment != 0 && misalignment % (8 * kCodeBytes) == 0;
  size_t piece = (can_align ? kLine - misalignment : kPieceBytes) / kCodeBytes;
  for (size_t begin = codes.begin; begin != codes.end; piece = kPieceBytes / kCodeBytes) {
    const unsigned char* const from = array + begin * kCodeBytes;
    const bool can_prefetch =
        begin * kCodeBytes + kPrefetchBytes + kPieceBytes <= codes.n * kCodeBytes;
    const unsigned char* const ahead = can_prefetch ? from + kPrefetchBytes : from;
    unsigned char* to = staged + filled;
    const size_t count = codes.end - begin < piece ? codes.end - begin : piece;
    size_t i = 0;
    for (; i + kWord <= count; i += kWord) {
      for (size_t byte = 0; byte < kWord * kCodeBytes; byte += kLine) {
        __builtin_prefetch(ahead + i * kCodeBytes + byte);
      }
      pack_word(from + i * kCodeBytes, range_check, to);
      to += packed_bytes(kWord, packing);
    }
    if (i != count) {
      alignas(kLine) unsigned char padded[kWord * kCodeBytes] = {};
      copy_bytes(padded, from + i * kCodeBytes, (count - i) * kCodeBytes);
      pack_word(padded, range_check, to);
    }
    begin += count;
    filled += packed_bytes(count, packing);
    const size_t whole = begin == codes.end ? filled : filled / kLine * kLine;
    if (whole != 0) {
      write_bytes(staged + skipped, line + skipped, whole - skipped, stream);
      copy_bytes(staged, staged + whole, filled - whole);  // less than a line, so nothing overlaps
      line += whole;
      filled -= whole;
      skipped = 0;
    }
  }
  return !range_check.has_failed(packing);
}

bool pack(const Part& codes, Packing packing, bool stream, void* out) {
  if (is_plain_copy(packing)) {
    copy_codes(codes, packing.code_bytes, stream, out);
    return true;
  }
  return packing.code_bytes == 1 ? pack_codes<OneByteCodePacker>(codes, packing, stream, out)
                                 : pack_codes<TwoByteCodePacker>(codes, packing, stream, out);
}

// ---- Unpacking -------------------------------------------------------------------------------

// Unpacks a vector of codes of one byte: the steps of OneByteCodePacker in reverse.
struct OneByteCodeUnpacker {
  Packing packing;
  int field;
  Vec<int64_t> lower_of_16, lower_of_32, lower_of_64;  // the bits of the lower half of a field
  Vec<int64_t> sign;

  SECATEUR_INLINE explicit OneByteCodeUnpacker(Packing p)
      : packing(p),
        field(PackedField(p.bits)),
        lower_of_16(low_bits(p.bits, 16)),
        lower_of_32(low_bits(2 * p.bits, 32)),
        lower_of_64(low_bits(4 * p.bits, 64)),
        sign(repeat_in_fields(p.is_signed ? uint64_t{1} << (p.bits - 1) : 0, 8)) {}

  // Leaves the bits of `lower` in their place, and moves the bits above them up by `gap`.
  SECATEUR_INLINE static Vec<int64_t> split(Vec<int64_t> v, Vec<int64_t> lower, int gap) {
    const Vec<int64_t> low = And(v, lower);
    return Or(low, ShiftLeftSame(Xor(v, low), gap));
  }

  SECATEUR_INLINE Vec<int64_t> operator()(const unsigned char* from) const {
    const int gap = 8 - packing.bits;
    Vec<int64_t> v = LoadPacked(from, packing.bits, packing.msb_first);
    if (field == 64) {
      v = split(v, lower_of_64, 4 * gap);
    }
    if (field != 16) {
      v = split(v, lower_of_32, 2 * gap);
    }
    v = split(v, lower_of_16, gap);
    if (packing.msb_first) {
      v = ReverseFields(v, packing.bits);
    }
    return SubBytes(Xor(v, sign), sign);  // extends the sign
  }
};

// Unpacks at most kWord codes of one byte through a padded copy, for when fewer bytes are readable
// than vectors load.
__attribute__((noinline, cold)) void unpack_ragged(const unsigned char* from, size_t readable,
                                                   Packing packing, unsigned char* to,
                                                   size_t count) {
  const OneByteCodeUnpacker unpacker(packing);
  unsigned char padded[kLine] = {};
  unsigned char codes[kWord];
  copy_bytes(padded, from, readable);
  for (size_t v = 0; v < kWord; v += kVectorBytes) {
    StoreU(unpacker(padded + packed_bytes(v, packing)), reinterpret_cast<int64_t*>(codes + v));
  }
  copy_bytes(to, codes, count);
}

void unpack_one_byte_codes(const Part& packed, Packing packing, bool stream, void* out) {
  const unsigned char* const array = static_cast<const unsigned char*>(packed.array);
  const size_t bytes = packed_bytes(packed.n, packing);
  unsigned char* to = static_cast<unsigned char*>(out);
  size_t i = packed.begin;
  const auto ragged = [&](size_t limit) {
    const size_t offset = packed_bytes(i, packing);
    const size_t count = packed.end - i < limit ? packed.end - i : limit;
    unpack_ragged(array + offset, bytes - offset < kLine ? bytes - offset : kLine, packing, to,
                  count);
    to += count;
    i += count;
  };
  const size_t misalignment = reinterpret_cast<uintptr_t>(to) % kLine;
  // Codes are streamed if their cache lines begin at a packed byte.
  const bool streams = stream && misalignment % 8 == 0;
  if (streams && misalignment != 0) {
    ragged(kLine - misalignment);
  }
  // Unpacking a word may read kLine bytes.
  const size_t readable = bytes - packed_bytes(i, packing);
  size_t words = readable < kLine ? 0 : (readable - kLine) / packed_bytes(kWord, packing) + 1;
  words = words < (packed.end - i) / kWord ? words : (packed.end - i) / kWord;
  const OneByteCodeUnpacker unpacker(packing);
  const unsigned char* from = array + packed_bytes(i, packing);
  unsigned char* word = to;
  unsigned char* const end = word + words * kWord;
  for (; word != end; word += kVectorBytes) {
    const Vec<int64_t> v = unpacker(from);
    from += packed_bytes(kVectorBytes, packing);
    if (streams) {
      Stream(v, reinterpret_cast<int64_t*>(word));
    } else {
      StoreU(v, reinterpret_cast<int64_t*>(word));
    }
  }
  to = end;
  i += words * kWord;
  while (i != packed.end) {
    ragged(kWord);
  }
}

// Extends the sign of each 16 bits. `sign` has the sign bit of each, or 0 for unsigned codes.
// Setting the top bits before the subtraction prevents borrows from the next code. The last two
// steps correct them.
SECATEUR_INLINE Vec<int64_t> sign_extended(Vec<int64_t> v, Vec<int64_t> sign) {
  const Vec<int64_t> top = repeat_in_fields(uint64_t{1} << 15, 16);
  const Vec<int64_t> flipped = Xor(v, sign);
  const Vec<int64_t> difference = Sub(Or(flipped, top), sign);
  return Xor(difference, Xor(And(flipped, top), top));
}

// Unpacks codes of two bytes: the steps of TwoByteCodePacker in reverse. A vector is not loaded
// from quads that have just been stored, because that load would wait until they are in the cache.
void unpack_two_byte_codes(const Part& packed, Packing packing, bool stream, void* out) {
  constexpr size_t kPieceCodes = 512;
  alignas(kLine) uint64_t quads[kPieceCodes / 4] = {};
  alignas(kLine) int64_t codes[kPieceCodes / 4];
  const Vec<int64_t> sign =
      repeat_in_fields(packing.is_signed ? uint64_t{1} << (packing.bits - 1) : uint64_t{0}, 16);
  const size_t bytes_per_pair = static_cast<size_t>(packing.bits);  // of quads
  const unsigned char* const array = static_cast<const unsigned char*>(packed.array);
  const size_t bytes = packed_bytes(packed.n, packing);
  unsigned char* to = static_cast<unsigned char*>(out);
  // The first piece ends where the codes are aligned to a cache line, if a packed byte ends there.
  const size_t misalignment = reinterpret_cast<uintptr_t>(to) % kLine;
  const bool can_align = misalignment != 0 && misalignment % 16 == 0;
  size_t piece = can_align ? (kLine - misalignment) / 2 : kPieceCodes;
  for (size_t i = packed.begin; i != packed.end; piece = kPieceCodes) {
    const size_t count = packed.end - i < piece ? packed.end - i : piece;
    const size_t begin = i / 8 * bytes_per_pair;
    for (size_t pair = 0; 8 * pair < count; ++pair) {
      const size_t offset = begin + pair * bytes_per_pair;
      unsigned char padded[16] = {};
      const unsigned char* from = array + offset;
      if (bytes - offset < sizeof padded) [[unlikely]] {
        copy_bytes(padded, from, bytes - offset);
        from = padded;
      }
      load_quads(from, packing, quads + 2 * pair);
    }
    for (size_t v = 0; 4 * v < count; v += kLanes<int64_t>) {
      Vec<int64_t> x = LoadU(reinterpret_cast<const int64_t*>(quads + v));
      x = split(x, 2 * packing.bits, 32, packing.msb_first);
      x = split(x, packing.bits, 16, packing.msb_first);
      StoreU(sign_extended(x, sign), codes + v);
    }
    write_bytes(reinterpret_cast<const unsigned char*>(codes), to, 2 * count, stream);
    to += 2 * count;
    i += count;
  }
}

void unpack(const Part& packed, Packing packing, bool stream, void* out) {
  if (is_plain_copy(packing)) {
    return copy_codes(packed, packing.code_bytes, stream, out);
  }
  packing.code_bytes == 1 ? unpack_one_byte_codes(packed, packing, stream, out)
                          : unpack_two_byte_codes(packed, packing, stream, out);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
