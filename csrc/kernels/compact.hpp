// Kept elements side by side, with where they were.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
size_t compact(Part w, const void* bits, void* values, int64_t* indices) {
  const E* const from = static_cast<const E*>(w.array);
  E* const kept = static_cast<E*>(values);
  size_t count = 0;
  for (size_t i = w.begin; i < w.end; i += kWord) {
    uint64_t rest = 0;
    const size_t bytes = (w.end - i + 7) / 8;
    copy_bytes(&rest, static_cast<const unsigned char*>(bits) + i / 8,
               bytes < sizeof rest ? bytes : sizeof rest);
    for (; rest != 0; rest &= rest - 1) {
      const size_t at = i + LowestBit(rest);
      kept[count] = from[at];
      indices[count] = static_cast<int64_t>(at);
      ++count;
    }
  }
  return count;
}

size_t count_bits(const void* bits, size_t count) {
  size_t ones = 0;
  for (size_t byte = 0; byte < (count + 7) / 8; byte += sizeof(uint64_t)) {
    uint64_t word = 0;
    const size_t left = (count + 7) / 8 - byte;
    copy_bytes(&word, static_cast<const unsigned char*>(bits) + byte,
               left < sizeof word ? left : sizeof word);
    ones += PopCount(word);
  }
  return ones;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
