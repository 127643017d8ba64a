// Compaction: the elements whose bits are set, stored consecutively, with their indices.
#pragma once

#include "core/kernels/block_loop.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Calls body(word, index of its first bit) for each 64-bit word of the bits [begin, end). begin is
// a multiple of 8; bits from `end` to the end of its byte must be 0.
template <class Body>
SECATEUR_INLINE void for_bits(const void* bits, size_t begin, size_t end, const Body& body) {
  const unsigned char* const bytes = static_cast<const unsigned char*>(bits);
  size_t i = begin;
  for (; i + kWord <= end; i += kWord) {
    uint64_t word = 0;
    copy_bytes(&word, bytes + i / 8, sizeof word);
    body(word, i);
  }
  if (i < end) {
    uint64_t word = 0;
    copy_bytes(&word, bytes + i / 8, (end - i + 7) / 8);
    body(word, i);
  }
}

template <class E>
size_t compact(Part w, const void* bits, void* values, int64_t* indices) {
  const E* const elements = static_cast<const E*>(w.array);
  E* const kept = static_cast<E*>(values);
  size_t count = 0;
  for_bits(bits, w.begin, w.end, [&](uint64_t rest, size_t i) __attribute__((always_inline)) {
    for (; rest != 0; rest &= rest - 1) {
      const size_t index = i + LowestBit(rest);
      kept[count] = elements[index];
      indices[count] = static_cast<int64_t>(index);
      ++count;
    }
  });
  return count;
}

size_t count_bits(const void* bits, size_t count) {
  size_t ones = 0;
  for_bits(bits, 0, count,
           [&](uint64_t word, size_t) __attribute__((always_inline)) { ones += PopCount(word); });
  return ones;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
