// Integers of fewer bits than a byte: a byte each, and side by side.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr uint64_t kEachByte = 0x0101010101010101;
inline constexpr size_t kVectorCodes = kLanes<int64_t> * sizeof(int64_t);

// The same bits in each field that is `width` bits wide.
SECATEUR_INLINE Vec<int64_t> in_fields(uint64_t bits, int width) {
  for (int w = width; w < 64; w *= 2) {
    bits |= bits << w;
  }
  return Set(static_cast<int64_t>(bits));
}
SECATEUR_INLINE Vec<int64_t> low_bits(int count, int width) {
  return in_fields(~uint64_t{0} >> (64 - count), width);
}

SECATEUR_INLINE size_t packed_bytes(size_t count, Packing packing) {
  return (count * static_cast<size_t>(packing.bits) + 7) / 8;
}

// Codes that are neighbours are brought together in a field of bits: two bytes, two of these pairs, and the
// two halves of a lane, as far as it takes to fill whole bytes. High first it is the same with the bytes
// of a field reversed before and after.
struct Packer {
  Packing packing;
  int field;
  Vec<int64_t> code, half;

  SECATEUR_INLINE explicit Packer(Packing p)
      : packing(p), field(PackedField(p.bits)), code(low_bits(p.bits, 8)), half(low_bits(32, 64)) {}

  SECATEUR_INLINE void operator()(Vec<int64_t> v, unsigned char* to) const {
    v = And(v, code);
    if (packing.high_first) {
      v = ReverseFields(v, packing.bits);
    }
    v = JoinBytes(v, packing.bits);
    if (field != 16) {
      v = JoinWords(v, packing.bits);
    }
    if (field == 64) {
      const Vec<int64_t> low = And(v, half);
      v = Or(low, ShiftRightSame(Xor(v, low), 32 - 4 * packing.bits));
    }
    StorePacked(v, packing.bits, packing.high_first, to);
  }
};

// Which codes are not integers of so many bits: signed, those whose bits from the sign on differ, each from
// the one above it; unsigned, those with bits above.
struct Loss {
  Vec<int64_t> seen = Set(int64_t{0});
  int to_next;  // unsigned, away from all that matter

  explicit Loss(Packing p) : to_next(p.is_signed ? 1 : 63) {}
  SECATEUR_INLINE void see(Vec<int64_t> v) { seen = Or(seen, Xor(v, ShiftRightSame(v, to_next))); }

  [[nodiscard]] bool any(Packing p) const {
    int64_t lanes[kLanes<int64_t>];
    StoreU(seen, lanes);
    int64_t bits = 0;
    for (const int64_t lane : lanes) {
      bits |= lane;
    }
    const unsigned beyond = p.is_signed ? 0x7f & ~0u << (p.bits - 1) : 0xff & ~0u << p.bits;
    return (static_cast<uint64_t>(bits) & beyond * kEachByte) != 0;
  }
};

void write_bytes(const unsigned char* from, unsigned char* to, size_t bytes, bool stream) {
  kCanStream&& stream ? write_out<true>(from, to, bytes) : write_out<false>(from, to, bytes);
}

// Of 8 bits, codes are packed as they are.
void copy_codes(const Part& codes, bool stream, void* out) {
  write_bytes(static_cast<const unsigned char*>(codes.array) + codes.begin,
              static_cast<unsigned char*>(out), codes.end - codes.begin, stream);
}

bool pack(const Part& codes, Packing packing, bool stream, void* out) {
  if (packing.bits == 8) {
    copy_codes(codes, stream, out);
    return true;
  }
  // Packed codes go to memory in whole lines, from so many as stay in the nearest cache. A part of a line is
  // kept for the next piece: a store to it that misses the caches would hold up all those behind it.
  constexpr size_t kPiece = 4096;
  alignas(
      kLine) unsigned char staged[kPiece];  // of 7 bits at most, with room for a line and a vector
  const Packer packer(packing);
  Loss loss(packing);
  const auto word = [&](const unsigned char* from, unsigned char*& to)
                        __attribute__((always_inline)) {
    for (size_t at = 0; at < kWord; at += kVectorCodes) {
      const Vec<int64_t> v = LoadU(reinterpret_cast<const int64_t*>(from + at));
      loss.see(v);
      packer(v, to);
      to += packed_bytes(kVectorCodes, packing);
    }
  };
  const unsigned char* const array = static_cast<const unsigned char*>(codes.array);
  unsigned char* line = static_cast<unsigned char*>(out);
  size_t before = reinterpret_cast<uintptr_t>(line) % kLine;  // bytes of the line that are not ours
  size_t filled = before;
  line -= before;
  // The first piece ends where codes are aligned, if that is between two packed bytes: of vectors that
  // begin within a line, every one of AVX-512 lies in two, and packing takes twice as long.
  const size_t past = reinterpret_cast<uintptr_t>(array + codes.begin) % kLine;
  size_t most = past != 0 && past % 8 == 0 ? kLine - past : kPiece;
  for (size_t begin = codes.begin; begin != codes.end; most = kPiece) {
    const unsigned char* const from = array + begin;
    const bool more = begin + kPrefetchBytes + kPiece <= codes.n;
    const unsigned char* const ahead = more ? from + kPrefetchBytes : from;
    unsigned char* to = staged + filled;
    const size_t count = codes.end - begin < most ? codes.end - begin : most;
    size_t i = 0;
    for (; i + kWord <= count; i += kWord) {
      __builtin_prefetch(ahead + i);
      word(from + i, to);
    }
    if (i != count) {
      alignas(kLine) unsigned char padded[kWord] = {};
      copy_bytes(padded, from + i, count - i);
      word(padded, to);
    }
    begin += count;
    filled += packed_bytes(count, packing);
    const size_t whole = begin == codes.end ? filled : filled / kLine * kLine;
    if (whole != 0) {
      write_bytes(staged + before, line + before, whole - before, stream);
      copy_bytes(staged, staged + whole, filled - whole);  // less than a line, so nothing overlaps
      line += whole;
      filled -= whole;
      before = 0;
    }
  }
  return !loss.any(packing);
}

struct Unpacker {
  Packing packing;
  int field;
  Vec<int64_t> of_16, of_32, of_64, sign;

  SECATEUR_INLINE explicit Unpacker(Packing p)
      : packing(p),
        field(PackedField(p.bits)),
        of_16(low_bits(p.bits, 16)),
        of_32(low_bits(2 * p.bits, 32)),
        of_64(low_bits(4 * p.bits, 64)),
        sign(in_fields(p.is_signed ? uint64_t{1} << (p.bits - 1) : 0, 8)) {}

  // The lower half of the bits of a field stays, and the upper one goes to the upper half of the field.
  SECATEUR_INLINE static Vec<int64_t> part(Vec<int64_t> v, Vec<int64_t> lower, int gap) {
    const Vec<int64_t> stays = And(v, lower);
    return Or(stays, ShiftLeftSame(Xor(v, stays), gap));
  }

  SECATEUR_INLINE Vec<int64_t> operator()(const unsigned char* from) const {
    const int gap = 8 - packing.bits;
    Vec<int64_t> v = LoadPacked(from, packing.bits, packing.high_first);
    if (field == 64) {
      v = part(v, of_64, 4 * gap);
    }
    if (field != 16) {
      v = part(v, of_32, 2 * gap);
    }
    v = part(v, of_16, gap);
    if (packing.high_first) {
      v = ReverseFields(v, packing.bits);
    }
    return SubBytes(Xor(v, sign), sign);  // extends the sign
  }
};

// Fewer codes than a word, or bytes than may be read of one.
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
  const auto ragged = [&](size_t most) {
    const size_t at = packed_bytes(i, packing);
    const size_t count = packed.end - i < most ? packed.end - i : most;
    unpack_ragged(array + at, bytes - at < kLine ? bytes - at : kLine, packing, to, count);
    to += count;
    i += count;
  };
  const size_t past = reinterpret_cast<uintptr_t>(to) % kLine;
  const bool streams = stream && past % 8 == 0;  // lines begin between two packed bytes
  if (streams && past != 0) {
    ragged(kLine - past);
  }
  // A line may be read of each word.
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
