// Packs codes, which are integers of one byte each, and unpacks them.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "pack/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr uint64_t kEachByte = 0x0101010101010101;
inline constexpr size_t kVectorCodes = kLanes<int64_t> * sizeof(int64_t);

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

// Packs a vector of codes. A field is a number of adjacent codes that fill whole bytes when packed.
// Packer joins the codes of a field in up to three steps: pairs of bytes, pairs of 16-bit words,
// and the halves of a 64-bit lane. With high_first, the bytes of each field are reversed before and
// after.
struct Packer {
  Packing packing;
  int field;
  Vec<int64_t> code_mask, half_mask;

  SECATEUR_INLINE explicit Packer(Packing p)
      : packing(p),
        field(PackedField(p.bits)),
        code_mask(low_bits(p.bits, 8)),
        half_mask(low_bits(32, 64)) {}

  SECATEUR_INLINE void operator()(Vec<int64_t> v, unsigned char* to) const {
    v = And(v, code_mask);
    if (packing.high_first) {
      v = ReverseFields(v, packing.bits);
    }
    v = JoinBytes(v, packing.bits);
    if (field != 16) {
      v = JoinWords(v, packing.bits);
    }
    if (field == 64) {
      const Vec<int64_t> low = And(v, half_mask);
      v = Or(low, ShiftRightLogicalSame(Xor(v, low), 32 - 4 * packing.bits));
    }
    StorePacked(v, packing.bits, packing.high_first, to);
  }
};

// Detects codes that are out of range. With b = packing.bits, a signed code is in range if its bits
// b - 1 to 7 are all equal, and an unsigned code if its bits b to 7 are 0.
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
    const unsigned checked_bits = p.is_signed ? 0x7f & ~0u << (p.bits - 1) : 0xff & ~0u << p.bits;
    return (static_cast<uint64_t>(bits) & checked_bits * kEachByte) != 0;
  }
};

void write_bytes(const unsigned char* from, unsigned char* to, size_t bytes, bool stream) {
  kCanStream&& stream ? write_out<true>(from, to, bytes) : write_out<false>(from, to, bytes);
}

// With 8 bits, the packed integers are the codes.
void copy_codes(const Part& codes, bool stream, void* out) {
  write_bytes(static_cast<const unsigned char*>(codes.array) + codes.begin,
              static_cast<unsigned char*>(out), codes.end - codes.begin, stream);
}

bool pack(const Part& codes, Packing packing, bool stream, void* out) {
  if (packing.bits == 8) {
    copy_codes(codes, stream, out);
    return true;
  }
  // Packed codes are staged in a buffer that fits the L1 cache, and written to memory in whole
  // cache lines. An incomplete line is kept for the next piece. If it were stored and missed the
  // caches, the store would delay all stores after it.
  constexpr size_t kPiece = 4096;
  // kPiece codes of at most 7 bits, preceded by up to one cache line and followed by up to one
  // vector.
  alignas(kLine) unsigned char staged[kPiece];
  const Packer packer(packing);
  RangeCheck range_check(packing);
  const auto pack_word = [&](const unsigned char* from, unsigned char*& to)
                             __attribute__((always_inline)) {
    for (size_t i = 0; i < kWord; i += kVectorCodes) {
      const Vec<int64_t> v = LoadU(reinterpret_cast<const int64_t*>(from + i));
      range_check.add(v);
      packer(v, to);
      to += packed_bytes(kVectorCodes, packing);
    }
  };
  const unsigned char* const array = static_cast<const unsigned char*>(codes.array);
  unsigned char* line = static_cast<unsigned char*>(out);
  size_t skipped =
      reinterpret_cast<uintptr_t>(line) % kLine;  // bytes of the first line before `out`
  size_t filled = skipped;
  line -= skipped;
  // The first piece ends where the codes are aligned to a cache line, if a packed byte ends there
  // too. Otherwise every 64-byte vector of codes would cross a cache line, and packing would take
  // twice as long.
  const size_t misalignment = reinterpret_cast<uintptr_t>(array + codes.begin) % kLine;
  size_t piece = misalignment != 0 && misalignment % 8 == 0 ? kLine - misalignment : kPiece;
  for (size_t begin = codes.begin; begin != codes.end; piece = kPiece) {
    const unsigned char* const from = array + begin;
    const bool can_prefetch = begin + kPrefetchBytes + kPiece <= codes.n;
    const unsigned char* const ahead = can_prefetch ? from + kPrefetchBytes : from;
    unsigned char* to = staged + filled;
    const size_t count = codes.end - begin < piece ? codes.end - begin : piece;
    size_t i = 0;
    for (; i + kWord <= count; i += kWord) {
      __builtin_prefetch(ahead + i);
      pack_word(from + i, to);
    }
    if (i != count) {
      alignas(kLine) unsigned char padded[kWord] = {};
      copy_bytes(padded, from + i, count - i);
      pack_word(padded, to);
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

// Unpacks a vector of codes: the steps of Packer in reverse.
struct Unpacker {
  Packing packing;
  int field;
  Vec<int64_t> lower_of_16, lower_of_32, lower_of_64;  // the bits of the lower half of a field
  Vec<int64_t> sign;

  SECATEUR_INLINE explicit Unpacker(Packing p)
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
    Vec<int64_t> v = LoadPacked(from, packing.bits, packing.high_first);
    if (field == 64) {
      v = split(v, lower_of_64, 4 * gap);
    }
    if (field != 16) {
      v = split(v, lower_of_32, 2 * gap);
    }
    v = split(v, lower_of_16, gap);
    if (packing.high_first) {
      v = ReverseFields(v, packing.bits);
    }
    return SubBytes(Xor(v, sign), sign);  // extends the sign
  }
};

// Unpacks at most kWord codes through a padded copy, for when fewer bytes are readable than vectors
// load.
__attribute__((noinline, cold)) void unpack_ragged(const unsigned char* from, size_t readable,
                                                   Packing packing, unsigned char* to,
                                                   size_t count) {
  const Unpacker unpacker(packing);
  unsigned char padded[kLine] = {};
  unsigned char codes[kWord];
  copy_bytes(padded, from, readable);
  for (size_t v = 0; v < kWord; v += kVectorCodes) {
    StoreU(unpacker(padded + packed_bytes(v, packing)), reinterpret_cast<int64_t*>(codes + v));
  }
  copy_bytes(to, codes, count);
}

void unpack(const Part& packed, Packing packing, bool stream, void* out) {
  if (packing.bits == 8) {
    copy_codes(packed, stream, out);
    return;
  }
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
  const Unpacker unpacker(packing);
  const unsigned char* from = array + packed_bytes(i, packing);
  unsigned char* word = to;
  unsigned char* const end = word + words * kWord;
  for (; word != end; word += kVectorCodes) {
    const Vec<int64_t> v = unpacker(from);
    from += packed_bytes(kVectorCodes, packing);
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

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
