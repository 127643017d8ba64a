// What a target offers: one table of functions, the same for every ISA. Plain types only, so that
// target files and the rest of the library can both include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace secateur {

using std::size_t;

// Elements that a kernel works on at once, whatever its lanes: one mask word.
inline constexpr size_t kWord = 64;

inline constexpr size_t kLine = 64;  // bytes in a cache line; what streaming stores are aligned to

// Keys. A float's bits with the sign cleared, read as an integer, order as its magnitude does, NaN
// above infinity. Adding `rotation` first and clearing the sign after turns the circle of all keys,
// so that NaN may stand below zero instead. Keys are never negative, so signed comparisons serve,
// and -1 lies below them all. Kernels compare keys of the float's own width; where keys are kept,
// those of 16 bits are widened to 32.
using Key = int64_t;

template <class E>
struct Kept {
  using Key = E;
};
template <>
struct Kept<int16_t> {
  using Key = int32_t;
};

template <class E>  // the integer of a float's width
inline constexpr E kMagnitude = static_cast<E>(~(Key{1} << (8 * sizeof(E) - 1)));

// The keys lo < key <= hi.
struct Bracket {
  Key lo;
  Key hi;
};

// How many keys lie above the lower end of a bracket, how many of these within it, which are
// collected, and the largest of all.
struct Census {
  size_t above_lo;
  size_t collected;
  Key max_key;

  [[nodiscard]] size_t above() const { return above_lo - collected; }
};

// Kept: keys above threshold, and those equal to it at a flat index below tie_end.
struct Selection {
  Key threshold;
  size_t tie_end;
};

// q = round(w * to_a * to_b) within [lowest, highest], and w = q * back_a * back_b. Each factor is a
// power of two that a float holds; two of them reach every scale that matters, 2^-252 to 2^252.
struct FixedPointScale {
  float to_a;
  float to_b;
  float back_a;
  float back_b;
  float lowest;
  float highest;
};

// The elements [begin, end) of an array of n.
struct Part {
  const void* array;
  size_t begin;
  size_t end;
  size_t n;
};

// Of each group of `of` elements, its members, the `keep` largest are kept: 1 <= keep <= of.
struct Pattern {
  size_t keep;
  size_t of;
};
inline constexpr size_t kMostMembers = 32;

// A part of an array of n, along an axis of which a pattern runs. A band is `of` rows of `inner`
// elements, and each of its columns is a group.
struct Bands {
  const void* array;
  size_t n;
  size_t inner;
  size_t begin;  // the first element
  size_t count;
  size_t columns;  // from there on: all, which begin with the first, or some
};

// What a selection is written as.
enum class Form : uint32_t { none, floats, bools, bits, int8, uint8, int16, uint16, count };

struct Output {
  Form form;
  void* data;
  bool stream;  // past the caches
  FixedPointScale fixed;
};

struct Collected {
  void* bits;         // as they stand in w; room for the part and a few more
  uint32_t* offsets;  // from the begin of the part
};

inline constexpr size_t kForms = static_cast<size_t>(Form::count);
inline constexpr size_t kIntForms = kForms - static_cast<size_t>(Form::int8);

// Elements of the sample that lie side by side: as many floats as a cache line has.
inline constexpr size_t kRun = 16;

// Loops over floats of one width, as integers E of that width. Results go to the places in out that
// the elements of a part have in their array.
struct ElementKernels {
  // keys: the keys of w, widened to 32 bits at least; returns the largest
  Key (*keys)(const void* w, size_t n, Key rotation, void* out);
  size_t (*count_above)(const void* w, size_t n, Key rotation, Key key);
  Key (*max_magnitude)(Part w);

  // scan: census, candidates, and the output as if the keys above lo were kept
  using Scan = Census (*)(Part w, Key rotation, Bracket bracket, const Output& out,
                          Collected collected);
  Scan scan[kForms];
  // emit: the output for a selection that is known; returns the largest key
  Key (*emit[kForms])(Part w, Key rotation, Selection selection, const Output& out);

  // the floats that a pattern keeps, 0 for the others; returns the largest key
  Key (*prune_pattern)(const Bands& w, Pattern pattern, Key rotation, const Output& out);

  void (*apply_bools)(Part w, const void* mask, const Output& out);
  void (*apply_bits)(Part w, const void* mask, const Output& out);
};

// Selection in cache among fewer than 2^31 keys, K of 32 or 64 bits.
template <class K>
struct KeyKernels {
  // bisect: the k-th largest key, 1 <= k <= n, rounded down to a multiple of a power of two
  K (*bisect)(const K* keys, size_t n, size_t k, K step);
  // narrow: the keys of w within the bracket, in order, to out, which has room for n and a word
  // more; keys may take the place of w with a rotation of 0
  Census (*narrow)(const void* w, size_t n, Key rotation, Bracket bracket, K* out);
  // run_spread: over pairs of neighbouring runs, the sum of the squared differences between how
  // many of their keys lie above `key`; n is a multiple of kWord
  uint64_t (*run_spread)(const K* keys, size_t n, K key);
  // mark_pattern: -1 for the keys that a pattern keeps, which may be any but the least K, and 0 for the
  // others; emit[bits] at a threshold of 0 makes bits of them
  void (*mark_pattern)(const Bands& keys, Pattern pattern, const Output& out);
};

struct KernelTable {
  const char* isa;

  ElementKernels of_16_bits, of_32_bits, of_64_bits;
  KeyKernels<int32_t> keys_of_32_bits;
  KeyKernels<int64_t> keys_of_64_bits;

  // Fixed point. NaN becomes 0; the largest magnitude, returned, tells whether there was one.
  Key (*quantize[kIntForms])(Part w, const Output& out);
  Key (*fake_quantize)(Part w, const Output& out);
  void (*dequantize[kIntForms])(Part q, const Output& out);
};

constexpr const ElementKernels& kernels_of(const KernelTable& table, size_t bytes_each) {
  return bytes_each == 2 ? table.of_16_bits : bytes_each == 4 ? table.of_32_bits : table.of_64_bits;
}
template <class K>
constexpr const KeyKernels<K>& key_kernels_of(const KernelTable& table) {
  if constexpr (sizeof(K) == sizeof(int32_t)) {
    return table.keys_of_32_bits;
  } else {
    return table.keys_of_64_bits;
  }
}

}  // namespace secateur
