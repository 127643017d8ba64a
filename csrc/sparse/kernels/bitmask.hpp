// Bitmasks: a bit for each element, and the elements whose bit is set, one after another.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "sparse/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Which of 64 elements have a bit that is set.
template <class E>
SECATEUR_INLINE uint64_t nonzero_bits(const E* elements) {
  if constexpr (sizeof(E) == 1) {
    return LoadBools(reinterpret_cast<const uint8_t*>(elements));
  } else {
    const Vec<E> zero = Set(E{0});
    uint64_t bits = 0;
    for (size_t i = 0; i < kWord; i += kGroupLanes<E>) {
      Mask<E> nonzero[kGroup<E>];
      for (size_t v = 0; v < kGroup<E>; ++v) {
        const Vec<E> x = LoadU(elements + i + v * kLanes<E>);
        nonzero[v] = Or(Gt(x, zero), Gt(zero, x));
      }
      bits |= BitsFromMasks(nonzero) << i;
    }
    return bits;
  }
}

// Stores those of 64 elements whose bit is set. Returns their number. May write a vector past them.
template <class E>
SECATEUR_INLINE size_t compress_word(const E* elements, uint64_t bits, E* values) {
  size_t count = 0;
  for (size_t i = 0; i < kWord; i += kLanes<E>) {
    count += CompressBits(LoadU(elements + i), bits >> i, values + count);
  }
  return count;
}

template <class E>
size_t encode_bitmask(const Part& w, const uint8_t* keep, unsigned char* bits, void* values) {
  const E* const elements = static_cast<const E*>(w.array) + w.begin;
  const size_t n = w.end - w.begin;
  E* const kept = static_cast<E*>(values);
  size_t count = 0;
  size_t i = 0;
  for (; i + kWord <= n; i += kWord) {
    prefetch_ahead<E>(static_cast<const unsigned char*>(w.array), w.begin + i, w.n);
    const uint64_t word = keep != nullptr ? LoadBools(keep + i) : nonzero_bits(elements + i);
    copy_bytes(bits + i / 8, &word, sizeof word);
    count += compress_word(elements + i, word, kept + count);
  }
  if (i < n) {
    alignas(kLine) E padded[kWord] = {};
    alignas(kLine) uint8_t padded_keep[kWord] = {};
    copy_bytes(padded, elements + i, (n - i) * sizeof(E));
    if (keep != nullptr) {
      copy_bytes(padded_keep, keep + i, n - i);
    }
    const uint64_t word = keep != nullptr ? LoadBools(padded_keep) : nonzero_bits(padded);
    copy_bytes(bits + i / 8, &word, (n - i + 7) / 8);
    count += compress_word(padded, word, kept + count);
  }
  return count;
}

// The 64 bits from bit i on.
SECATEUR_INLINE uint64_t bits_from(const unsigned char* bits, size_t i) {
  uint64_t word = 0;
  copy_bytes(&word, bits + i / 8, sizeof word);
  const size_t shift = i % 8;
  return shift == 0 ? word : word >> shift | uint64_t{bits[i / 8 + 8]} << (64 - shift);
}

// The first `count` of the bits from bit i on; the others are 0.
SECATEUR_INLINE uint64_t bits_from(const unsigned char* bits, size_t i, size_t count) {
  unsigned char padded[2 * sizeof(uint64_t)] = {};
  copy_bytes(padded, bits + i / 8, (i % 8 + count + 7) / 8);
  return bits_from(padded, i % 8) & first_bits(count);
}

// Takes the values of one word after another. Never reads more than there are, even if another thread
// changes the bits.
template <class E>
class ValueReader {
 public:
  ValueReader(const void* values, size_t readable)
      : next_(static_cast<const E*>(values)), readable_(readable) {}

  // Writes 64 elements.
  SECATEUR_INLINE void expand_word(uint64_t bits, bool stream, E* results) {
    if (readable_ < kWord + kLanes<E>) {
      return expand_last(bits, stream, results);
    }
    const size_t count = expand(next_, bits, stream, results);
    next_ += count;
    readable_ -= count;
  }

 private:
  // Returns the number of values used. May read a vector past them.
  SECATEUR_INLINE static size_t expand(const E* from, uint64_t bits, bool stream, E* results) {
    size_t count = 0;
    for (size_t i = 0; i < kWord; i += kLanes<E>) {
      store(stream, ExpandBits(bits >> i, from + count), results + i);
      count += PopCount(bits >> i & first_bits(kLanes<E>));
    }
    return count;
  }

  __attribute__((noinline)) void expand_last(uint64_t bits, bool stream, E* results) {
    alignas(kLine) E padded[kWord + kLanes<E>] = {};
    copy_bytes(padded, next_, (readable_ < kWord ? readable_ : kWord) * sizeof(E));
    const size_t count = expand(padded, bits, stream, results);
    next_ += count < readable_ ? count : readable_;
    readable_ -= count < readable_ ? count : readable_;
  }

  const E* next_;
  size_t readable_;
};

template <class E>
void decode_bitmask(const unsigned char* bits, size_t n, const void* values, size_t readable,
                    bool stream, void* out) {
  const MayStream<E> destination(Output{.kind = OutputKind::none, .data = out, .stream = stream});
  ValueReader<E> reader(values, readable);
  E* const results = static_cast<E*>(out);
  const auto expand_ragged = [&](size_t i, size_t count) {
    alignas(kLine) E padded[kWord];
    reader.expand_word(bits_from(bits, i, count), false, padded);
    copy_bytes(results + i, padded, count * sizeof(E));
  };
  const size_t head = unaligned_head(destination, 0);
  size_t i = head < n ? head : n;
  if (i != 0) {
    expand_ragged(0, i);
  }
  for (; i + kWord <= n; i += kWord) {
    reader.expand_word(bits_from(bits, i), stream, results + i);
  }
  if (i < n) {
    expand_ragged(i, n - i);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
