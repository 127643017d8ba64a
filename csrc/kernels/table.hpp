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

// Keys are integers in the order in which elements are ranked. Kernels compare keys of the float's own
// width; where keys are kept, those of 16 bits are widened to 32. The least integer of a width is never
// a key.
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

// The types of float, where the width alone does not tell.
enum class Float : uint32_t { float16, bfloat16, float32, float64, count };
inline constexpr size_t kFloats = static_cast<size_t>(Float::count);

// How an element becomes a key: (bits + rotation) & mask. A float's bits with the sign cleared, read as
// an integer, order as its magnitude does, NaN above infinity. Adding `rotation` first turns the
// circle of all these, so that NaN may stand below zero instead.
struct Order {
  Key rotation;
  Key mask;
};
// Of elements that are keys already. Not inline: a kernel that is not inlined refers to it, and nothing of a
// target may be shared.
constexpr Order kAsTheyAre{0, -1};

// What is ranked in the place of elements, made of them as they are read. Candidates are collected as
// they were before.
struct Made {
  enum class As : uint32_t {
    they_are,
    values,   // keys in the order of the floats themselves, as by value_keys
    products  // floats, of the elements and their factors
  };
  As as;
  bool nan_low;         // of values
  Key infinity;         // of values
  const void* factors;  // of products: again and again so many, beginning with that of `phase`
  size_t period;
  size_t phase;
};

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

// Bins of the keys first <= key <= last, 2^shift keys wide.
struct Bins {
  Key first;
  Key last;
  int shift;

  [[nodiscard]] size_t count() const { return static_cast<size_t>((last - first) >> shift) + 1; }
};

// Of all keys: how many lie within the bins, how many above them, the largest, and the checksum.
struct Tally {
  size_t within;
  size_t above;
  Key max_key;
  uint64_t checksum;
};

// Kept: keys above threshold, and those equal to it at a flat index below tie_end.
struct Selection {
  Key threshold;
  size_t tie_end;
};

// Slices of an array of n that lie in line: each has `length` elements and begins `stride` after the one
// before.
struct Rows {
  const void* bits;
  size_t count, length, stride, n;
};

inline constexpr size_t kMostShortRow = size_t{16} << 10;

// Slices that lie side by side, rows x columns: rows begin `stride` apart. Their keys are brought together
// in a tile, those of as many columns as there are lanes after one another, row by row, and those of the
// next columns `pitch` further.
struct Columns {
  const void* from;
  size_t rows, columns, stride, pitch;
};

// What is selected in columns: the keys above their thresholds, and those equal to them in the rows before
// tie_ends. Both are elements, of whole vectors.
struct ColumnSelection {
  void* thresholds;
  void* tie_ends;
};

// What is looked for in a slice: the selection of the k largest, or (exact) the key of the k-th; and
// between which keys all lie.
struct Goal {
  size_t k;
  bool exact;
  Bracket range;
};

// Where the threshold of a slice probably is, going by so many before it, and by how much they differed.
struct Guess {
  Key center = 0;
  double reach = 0;
  size_t slices = 0;
};

// How many elements go through the stages of quantizing at once, and what their buffers have beyond, where
// kernels may read and write.
inline constexpr size_t kStage = 1024;
inline constexpr size_t kStageRoom = kStage + kWord;

// Numbers that go with elements: one each, or (shift != 0) one for 2^shift neighbours, of which the first has
// `past` before it. No vector has elements with different ones then: both are multiples of the lanes of the widest.
inline constexpr size_t kWidestVector = 16;
template <class C>
struct Spread {
  const C* values;
  uint32_t shift;
  uint32_t past;

  [[nodiscard]] size_t place(size_t i) const { return (past + i) >> shift; }
};
// The same for all.
template <class C>
constexpr Spread<C> same_for_all(const C* value) {
  return {value, 63, 0};
}
// The same for some, while others follow that differ. Where kernels have code of their own for the former, these go
// the way of the others: the CPU mispredicts what happens after each change from one to the other.
template <class C>
constexpr Spread<C> same_for_run(const C* value) {
  return {value, 62, 0};
}
template <class C>
constexpr bool is_same_for_all(Spread<C> spread) {
  return spread.shift == 63;
}
template <class C>
constexpr Spread<C> one_each(const C* values) {
  return {values, 0, 0};
}

// To which side rounding to nearest takes a tie, how out of range is dealt with, and what draws depend on.
// C is float or double.
enum class Rounding : uint32_t { directed, tied, stochastic, count };
enum class Overflow : uint32_t { saturate, zero, wrap, count };
template <class C>
struct Rule {
  C lowest, highest;      // of the range
  C tie;                  // 0.5 or -0.5 from the even one, if ties go another way
  bool tie_has_sign;      // times the sign of the element
  int32_t bits, sign;     // of the range, for wrapping
  uint64_t seed;          // mixed
  Spread<C> zero_points;  // where elements are shifted
};

// The largest magnitude of elements that were decided, as a key of C; and how many were out of range, if those
// become zero.
struct Decided {
  Key largest;
  size_t out_of_range;
};

// Parameters that runs of neighbours share: an array is rows of `row` elements, in which a run ends after
// so many, and with the row. Each row has `per_row` of its own, or all share these.
struct SharedRuns {
  size_t run, row, per_row;
  bool shared;
};

// Where an element lies: the number of its parameter, and how far in its row and in its run.
struct RunPlace {
  size_t value, in_row, in_run;
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

// What a selection is written as: `others` are kept elements of another array than
// the one that is ranked, 2, 4 or 8 bytes wide.
enum class Form : uint32_t {
  none,
  floats,
  others16,
  others32,
  others64,
  bools,
  bits,
  integers,  // of floats of 32 bits, times a factor and about 0
  count
};

// The integers that are asked for most, 8 or 16 bits wide, within [lowest, highest].
struct Integral {
  float lowest, highest;
  bool divides;  // by factors, rather than multiply
  uint32_t bytes;
  bool is_signed;
  // Where a selection writes them, whose kernels set the direction for themselves, there is one for all
  float factor;
  uint32_t direction;
};

struct Output {
  Form form;
  void* data;
  bool stream;  // past the caches
  const void* others = nullptr;
  const Integral* integral = nullptr;
};

// Matrices one after another, each cut in tiles: `bands` of them one above the other, `across` side
// by side. Those at the lower and right edges may be smaller.
struct Tiling {
  size_t matrices, rows, columns;
  size_t tile_rows, tile_columns;
  size_t bands, across;
};

// What is said of a tile in one number.
enum class Norm : uint32_t { l1, l2, max, count };
inline constexpr size_t kNorms = static_cast<size_t>(Norm::count);

// Integers of fewer bits than a byte, side by side: of a stream of bits, which begins with the lowest bit
// of the first byte, element i has those from i * bits on, lowest bit first. High first, the stream begins
// with the highest bit, and so does each element. Negative ones stand as two's complements.
struct Packing {
  int bits;  // 1 to 8
  bool is_signed;
  bool high_first;
};

// The largest positive element of a row, and the largest negative one by magnitude, as keys; 0 where there is
// none.
struct Peaks {
  Key positive;
  Key negative;
};

// Of pairs of elements, a and b: the sums of (a - b)^2, a^2, b^2 and a * b, and the largest |a - b|, NaN
// aside. And how many a are outside some range.
struct PairSums {
  double error, a, b, product, largest;
  uint64_t outside;
};

// The integers lowest <= q <= highest, lowest <= 0 <= highest, for which x * multiplier is rounded to q;
// a row with the multiplier 0 is passed over.
struct Grid {
  double multiplier, lowest, highest;
};

// Of three grids, each `ratio` times as fine as the one before, the second of which is given. With
// y = x * multiplier: of the first the sum of squares of how far y is from any integer, of the second from
// one within the range, of the third from the range.
struct RoundingSums {
  double coarser, error, finer;
};

struct Collected {
  void* bits;         // as they stand in w; room for the part and a few more
  uint32_t* offsets;  // from the begin of the part
};

inline constexpr size_t kIntegers = 5;
inline constexpr size_t kForms = static_cast<size_t>(Form::count);

// Elements of the sample that lie side by side: as many floats as a cache line has.
inline constexpr size_t kRun = 16;

// Counters of a bin, so that an increment need not wait for the last one. Two are too few where
// nine keys of ten are the same, and eight leave less of the caches.
inline constexpr size_t kCounters = 4;

// Loops over floats of one width, as integers E of that width. Results go to the places in out that
// the elements of a part have in their array. The largest key, where one is returned, is at least 0.
struct ElementKernels {
  size_t lanes;  // of a vector

  // keys: the keys of w, widened to 32 bits at least; returns the largest
  Key (*keys)(const void* w, size_t n, Order order, void* out);
  // value_keys: keys in the order of the floats themselves, as wide as they, to out from its start;
  // NaN, whatever their sign, are above infinity or (nan_low) below minus infinity
  void (*value_keys)(Part floats, Key infinity, bool nan_low, void* out);
  size_t (*count_above)(const void* w, size_t n, Order order, Key key);
  Key (*max_magnitude)(Part w);

  // What is written by floats and by integers are the elements themselves, which nothing is made of.
  // scan: census, candidates, and the output as if the keys above a threshold were kept, which is within
  // the bracket
  using Scan = Census (*)(Part w, const Made& made, Order order, Bracket bracket, Key threshold,
                          const Output& out, Collected collected);
  Scan scan[kForms];
  // emit: the output for a selection that is known; returns the largest key
  Key (*emit[kForms])(Part w, const Made& made, Order order, Selection selection,
                      const Output& out);

  // compact: the elements whose bits are set, and their indices, side by side; returns how many
  size_t (*compact)(Part w, const void* bits, void* values, int64_t* indices);

  // count_bins: adds 1 for each key within to one of the kCounters counters of its bin
  Tally (*count_bins)(Part w, Order order, Bins bins, uint32_t* counters);
  // count_in_place: to the only one
  Tally (*count_in_place)(Part w, Order order, Bins bins, uint64_t* counters);

  // the floats that a pattern keeps, 0 for the others; returns the largest key
  Key (*prune_pattern)(const Bands& w, Pattern pattern, Order order, const Output& out);

  // select_rows: the selection in each slice, by its own index; the room is for a slice and a word more.
  // Returns the largest key
  Key (*select_rows)(const Rows& rows, Order order, const Goal& goal, Guess& guess, void* room,
                     Selection* selections);

  // emit_rows: what is selected in rows of kMostShortRow bytes at most, one right after the other; 0 for the
  // others
  void (*emit_rows)(const Rows& rows, Order order, const Selection* selections, bool stream,
                    void* out);

  // gather_columns: keys to a tile; returns the largest
  Key (*gather_columns)(const Columns& w, Order order, void* tile);
  // select_columns: fewer than 2^15 rows; the room is for the keys of as many columns as there are lanes
  void (*select_columns)(const Columns& w, const void* tile, const Goal& goal, Guess& guess,
                         void* room, const ColumnSelection& selection);
  // emit_columns: what is selected, 0 for the others, to an array like that of w; stream: where whole
  // vectors are aligned
  void (*emit_columns)(const Columns& w, Order order, const ColumnSelection& selection, bool stream,
                       void* out);
  // mark_columns: of a row, as mark_pattern; whole vectors
  void (*mark_columns)(const Columns& w, const void* tile, size_t row,
                       const ColumnSelection& selection, void* marks);

  // peaks: those of each row, with those that are there
  void (*peaks)(const Rows& rows, Peaks* peaks);

  void (*apply_bools)(Part w, const void* mask, const Output& out);
  void (*apply_bits)(Part w, const void* mask, const Output& out);
};

// Loops over floats of one type. The results of a part go to out from its start.
struct FloatKernels {
  // Widened exactly, but that a signaling NaN may become quiet; to_float32 is null for float64
  void (*to_float32)(const Part& x, float* out);
  void (*to_float64)(const Part& x, double* out);

  // soft_threshold: sign(w) * max(|w| - threshold, 0), for a finite threshold of the type; NaN as
  // it is
  void (*soft_threshold)(Part w, double threshold, const Output& out);

  // tile_norms: those of the tiles [begin, end), in the order of the matrices, to their places in
  // norms; returns the largest, as a key. All NaN are the same.
  Key (*tile_norms[kNorms])(const void* w, const Tiling& tiling, size_t begin, size_t end,
                            double* norms);
  // quantize: times or by their factors, rounded as the thread does; zero points, unless null, which lie as the
  // factors do, are added, and what is out of range is clamped. Of floats of 32 bits at most. Returns the largest
  // magnitude; what is written for NaN may be anything. Streamed results begin at a line, but where the factor
  // is the same for all
  using Quantize = Key (*)(const Part& w, const Integral& to, Spread<float> factors,
                           const float* zero_points, const Output& out);
  Quantize quantize;
};

// Selection in cache among fewer than 2^31 keys, K of 32 or 64 bits; whole keys, the sign included.
template <class K>
struct KeyKernels {
  // bisect: the k-th largest key, 1 <= k <= n, rounded down to a multiple of a power of two
  K (*bisect)(const K* keys, size_t n, size_t k, K step);
  // narrow: the keys of w within the bracket, in order, to out, which has room for n and a word
  // more; w may be keys, as they are
  Census (*narrow)(const void* w, size_t n, Order order, Bracket bracket, K* out);
  // run_spread: over pairs of neighbouring runs, the sum of the squared differences between how
  // many of their keys lie above `key`; n is a multiple of kWord
  uint64_t (*run_spread)(const K* keys, size_t n, K key);
  // mark_pattern: -1 for the keys that a pattern keeps, which may be any but the least K, and 0 for the
  // others; emit[bits] at a threshold of 0 makes bits of them
  void (*mark_pattern)(const Bands& keys, Pattern pattern, const Output& out);
};

// The stages of quantizing, and what they take of each element, of which there are whole words in buffers of
// kStageRoom. Results of a part go to a buffer's begin.
enum class Scaling : uint32_t { multiply, divide, divide_as_float, count };
template <class C>
struct StageKernels {
  // decide: times or by their factors, rounded and brought in range; index is that of the first one, and its
  // upper 32 bits are those of all
  using Decide = Decided (*)(const Part& w, Spread<C> factors, const Rule<C>& rule, size_t index,
                             int32_t* q);
  Decide decide[static_cast<size_t>(Rounding::count)][static_cast<size_t>(Overflow::count)];
  // decide_shifted: to nearest even, and saturated after the zero points are added. Quotients as those of
  // float are for C double
  Decide decide_shifted[static_cast<size_t>(Scaling::count)];
  // give: (q + offset) * factor, rounded to the floats of a type. A part begins at 0; as quantize, below, if it
  // is streamed
  void (*give[kFloats])(const Part& q, Spread<C> offsets, Spread<C> factors, const Output& out);
  // powers: 2^exponent, or (inverse) 2^-exponent; integers: themselves, or (inverse) their negatives
  void (*powers)(const int32_t* exponents, size_t count, bool inverse, C* to);
  void (*integers)(const int32_t* numbers, size_t count, bool inverse, C* to);
  // fill_runs: the parameters of elements from a place on, to a buffer that has room for a word more; the place
  // moves on
  void (*fill_runs)(const C* values, const SharedRuns& runs, RunPlace& place, size_t count, C* to);
};

using Transpose = void (*)(const void* from, size_t from_stride, size_t rows, size_t columns,
                           void* to, size_t to_stride);

// Sums over rows of floats of one type, added to those that are there. Element i of a row goes to the
// partial sum i % 8; these are added as ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)). What each row has
// its own of is `step` after that of the row before: 1, or 0 where it is the same for all.
struct SumKernels {
  // pair_sums: of rows of a, and of others that lie as they do
  void (*pair_sums)(const Rows& a, const void* b, PairSums* sums);
  // count_outside: how many elements are above the peaks, NaN aside
  void (*count_outside)(const Rows& a, const Peaks* peaks, size_t step, PairSums* sums);
  // rounding_sums: of finite elements; x * multiplier, and what is made of it, are rounded to their type
  void (*rounding_sums)(const Rows& rows, double ratio, const Grid* grids, size_t step,
                        RoundingSums* sums);
};

struct KernelTable {
  const char* isa;

  // Makes what this thread stored past the caches visible to others before what it stores next.
  void (*fence)();

  ElementKernels of_16_bits, of_32_bits, of_64_bits;
  KeyKernels<int32_t> keys_of_32_bits;
  KeyKernels<int64_t> keys_of_64_bits;
  FloatKernels of_float[kFloats];
  SumKernels sums_of_float32, sums_of_float64;

  // The products of the elements of a part and of b; b and out begin where the part does. Of two NaN,
  // a's.
  void (*multiply_float32)(Part a, const float* b, float* out);
  void (*multiply_float64)(Part a, const double* b, double* out);

  size_t (*count_bits)(const void* bits, size_t count);
  // rows x columns elements of 1, 2, 4 or 8 bytes; strides in elements
  Transpose transpose[4];

  // Integers, a byte each, and packed. The results of a part go to out from its start.
  // pack: the low bits of codes, from the first bit of out on; spare bits of the last byte are 0. Returns
  // whether all codes are integers of so many bits
  bool (*pack)(const Part& codes, Packing packing, bool stream, void* out);
  // unpack: the part is of elements; it begins at a multiple of 8
  void (*unpack)(const Part& packed, Packing packing, bool stream, void* out);

  StageKernels<float> stages_in_float;
  StageKernels<double> stages_in_double;
  // Whether least <= x <= most of all x, which are int32, or floats taken for such; least <= most
  bool (*all_within)(const void* x, size_t count, int32_t least, int32_t most);
  // Of int8, uint8, int16, uint16 and int32
  void (*put[kIntegers])(const Part& q, const Output& out);
  void (*get[kIntegers])(const Part& q, int32_t* to);
};

constexpr const ElementKernels& kernels_of(const KernelTable& table, size_t bytes_each) {
  return bytes_each == 2 ? table.of_16_bits : bytes_each == 4 ? table.of_32_bits : table.of_64_bits;
}
constexpr const FloatKernels& kernels_of(const KernelTable& table, Float type) {
  return table.of_float[static_cast<size_t>(type)];
}
constexpr const SumKernels& sum_kernels_of(const KernelTable& table, Float type) {
  return type == Float::float32 ? table.sums_of_float32 : table.sums_of_float64;
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
