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
// above infinity. Adding `rotation` first and clearing the sign after turns that circle of 2^31
// keys, so that with kNaNsLowest NaN stands below zero instead. Keys are never negative, so
// signed comparisons serve, and -1 lies below them all.
inline constexpr int32_t kMagnitude = 0x7fffffff;
inline constexpr int32_t kInfinity = 0x7f800000;
inline constexpr int32_t kNaNsHighest = 0;
inline constexpr int32_t kNaNsLowest = kMagnitude - kInfinity;

// An open interval of keys.
struct Bracket {
  int32_t lo;
  int32_t hi;
};

// How many keys lie where, and the largest of them. Those strictly within the bracket are collected.
struct Census {
  size_t above_hi;  // only where the ends were told apart; else the same as from_hi
  size_t from_hi;   // hi itself included
  size_t above_lo;
  size_t from_lo;  // lo itself included; as above_hi
  size_t collected;
  int32_t max_key;
};

// Kept: keys above threshold, and those equal to it at a flat index below tie_end.
struct Selection {
  int32_t threshold;
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

// What a selection is written as.
enum class Form : uint32_t { none, floats, bools, bits, int8, uint8, int16, uint16, count };

struct Output {
  Form form;
  void* data;
  bool stream;  // past the caches
  FixedPointScale fixed;
};

struct Collected {
  int32_t* bits;      // as they stand in w; room for the part and a few more
  uint32_t* offsets;  // from the begin of the part
};

inline constexpr size_t kForms = static_cast<size_t>(Form::count);
inline constexpr size_t kIntForms = kForms - static_cast<size_t>(Form::int8);

// Elements of the sample that lie side by side: as many as a cache line has.
inline constexpr size_t kRun = 16;

// Results go to the places in out that the elements of a part have in their array.
struct KernelTable {
  const char* isa;

  // Selection in cache, of fewer than 2^31 keys. Keys may take the place of w with a rotation of 0.
  // keys: the keys of w; returns the largest
  int32_t (*keys)(const void* w, size_t n, int32_t rotation, int32_t* out);
  // bisect: the k-th largest key, 1 <= k <= n, rounded down to a multiple of a power of two
  int32_t (*bisect)(const int32_t* keys, size_t n, size_t k, int32_t step);
  size_t (*count_above)(const void* w, size_t n, int32_t rotation, int32_t key);
  // narrow: the keys within the bracket, in order, to out, which has room for n and a word more
  Census (*narrow)(const void* w, size_t n, int32_t rotation, Bracket bracket, int32_t* out);
  // run_spread: over pairs of neighbouring runs, the sum of the squared differences between how
  // many of their keys lie above `key`; n is a multiple of kWord
  uint64_t (*run_spread)(const int32_t* keys, size_t n, int32_t key);

  // Selection from memory
  // scan: census, candidates, and the output as if the keys above lo were kept
  Census (*scan[kForms])(Part w, int32_t rotation, Bracket bracket, const Output& out,
                         Collected collected);
  // scan_edges: the same without output, telling the ends of the bracket from what lies beyond
  Census (*scan_edges)(Part w, int32_t rotation, Bracket bracket, const Output& out,
                       Collected collected);
  // emit: the output for a selection that is known; returns the largest key
  int32_t (*emit[kForms])(Part w, int32_t rotation, Selection selection, const Output& out);
  int32_t (*max_magnitude)(Part w);

  void (*apply_bools)(Part w, const void* mask, const Output& out);
  void (*apply_bits)(Part w, const void* mask, const Output& out);

  // Fixed point. NaN becomes 0; the largest magnitude, returned, tells whether there was one.
  int32_t (*quantize[kIntForms])(Part w, const Output& out);
  int32_t (*fake_quantize)(Part w, const Output& out);
  void (*dequantize[kIntForms])(Part q, const Output& out);
};

}  // namespace secateur
