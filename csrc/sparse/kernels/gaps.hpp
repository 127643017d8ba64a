// Gaps: the numbers of bits of 0 between the bits of a bitmask that are set.
#pragma once

#include "sparse/kernels/bitmask.hpp"
#include "sparse/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

alignas(kLine) constexpr int8_t kPlaces[kWord] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

// Returns the end of the number.
SECATEUR_INLINE unsigned char* write_leb128(uint64_t number, unsigned char* to) {
  for (; number >= kLeb128More; number /= kLeb128More) {
    *to++ = static_cast<unsigned char>(number | kLeb128More);
  }
  *to++ = static_cast<unsigned char>(number);
  return to;
}

// Writes the gaps between the bits of a word that are set, which take a byte each. Returns their number.
// May write a vector past them.
SECATEUR_INLINE size_t gaps_within(uint64_t word, unsigned char* gaps) {
  alignas(kLine) int8_t places[kWord + kLanes<int8_t>];
  alignas(kLine) int8_t next_places[kWord + kLanes<int8_t>];
  compress_word(kPlaces, word, places);
  const size_t count = compress_word(kPlaces, word & (word - 1), next_places);
  const Vec<int64_t> ones = Set(int64_t{0x0101010101010101});
  for (size_t i = 0; i < count; i += kLanes<int64_t> * sizeof(int64_t)) {
    const Vec<int64_t> from = LoadU(reinterpret_cast<const int64_t*>(places + i));
    const Vec<int64_t> to = LoadU(reinterpret_cast<const int64_t*>(next_places + i));
    StoreU(SubBytes(SubBytes(to, from), ones), reinterpret_cast<int64_t*>(gaps + i));
  }
  return count;
}

size_t encode_gaps(const unsigned char* bits, size_t n, uint64_t* zeros, unsigned char* gaps) {
  unsigned char* to = gaps;
  uint64_t before = *zeros;
  for (size_t i = 0; i < n; i += kWord) {
    const size_t count = n - i < kWord ? n - i : kWord;
    const uint64_t word = count == kWord ? bits_from(bits, i) : bits_from(bits, i, count);
    if (word == 0) {
      before += count;
      continue;
    }
    to = write_leb128(before + LowestBit(word), to);
    to += gaps_within(word, to);
    before = count - 1 - HighestBit(word);
  }
  *zeros = before;
  return static_cast<size_t>(to - gaps);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
