// The table of the selection kernels, and the types of their arguments.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// How a kernel computes the ranking values of the elements as it reads them. Collected candidates
// are the elements as read, not their ranking values.
struct RankKey {
  enum class Kind : uint32_t {
    magnitude,  // the magnitude of the element
    value,      // the value of the element, as computed by value_keys
    product     // the magnitude of the product of the element and its factor
  };
  Kind kind;
  bool nan_low;         // for values: whether NaN rank below all numbers
  Key infinity;         // for values: the bits of infinity
  const void* factors;  // for products: `period` factors, which repeat
  size_t period;
  size_t phase;  // the index of the factor of the first element
};

// The result of a pass with a bracket.
struct BracketCounts {
  size_t above_lo;   // keys above the lower end of the bracket
  size_t collected;  // keys in the bracket; they are the candidates
  Key max_key;       // the largest key of all, at least 0

  [[nodiscard]] size_t above() const { return above_lo - collected; }
};

// A selection keeps keys above the threshold, and keys equal to it at a flat index below tie_end.
struct Selection {
  Key threshold;
  size_t tie_end;
};

// The result of a pass that writes a selection.
struct Emitted {
  Key max_key;  // the largest key of all, at least 0
  size_t kept;  // the number of elements that were kept
};

// The buffers for the candidates of a part.
struct Collected {
  void* bits;         // the elements; capacity for all of the part and a few more
  uint32_t* offsets;  // their indices, relative to the begin of the part; the same capacity
};

// Consecutive elements in a run of a sample: a cache line of 32-bit floats.
inline constexpr size_t kRun = 16;

// ---- Along an axis ---------------------------------------------------------------------------

// The maximum size of a row for emit_rows.
inline constexpr size_t kMaxShortRowBytes = size_t{16} << 10;

// Slices that are the columns of a matrix, rows x columns, whose rows begin `stride` elements
// apart. gather_columns stores their keys in a tile. The tile holds one vector of columns after
// another: each holds its keys row by row, and begins `pitch` elements after the previous one.
struct Columns {
  const void* from;
  size_t rows, columns, stride, pitch;
};

// The selections in columns. A column keeps keys above its threshold, and keys equal to it in rows
// before its tie end. emit_columns counts what each column keeps. The arrays hold an element for
// each column, padded to whole vectors.
struct ColumnSelection {
  void* thresholds;
  void* tie_ends;
  void* kept;
};

// What to determine in each slice.
struct Goal {
  size_t k;  // the selection of the k largest
  // Whether the threshold must be the key of the k-th largest. tie_end is then unspecified.
  bool needs_kth_key;
  Bracket range;  // the range of all keys
};

// Predicts the threshold of a slice from those of the previous slices. No result depends on it.
struct ThresholdPredictor {
  Key center = 0;     // the running mean of the thresholds
  double reach = 0;   // the running mean of their distances from it
  size_t slices = 0;  // the number of slices noted
};

// ---- The table ---------------------------------------------------------------------------------

// Kernels over floats of one width, which they read as integers E of that width. The result of the
// element at index i of an array goes to index i of the output, unless stated otherwise. A largest
// key that is returned is at least 0.
struct ElementKernels {
  size_t lanes;  // elements in a vector

  // keys: writes the keys of w, widened to at least 32 bits, to out; returns the largest
  Key (*keys)(const void* w, size_t n, Order order, void* out);
  // value_keys: writes keys that order by value rather than by magnitude, of the width of the
  // floats, to the start of out. NaN of either sign are above infinity, or (nan_low) below minus
  // infinity
  void (*value_keys)(Part floats, Key infinity, bool nan_low, void* out);
  // count_above: the number of elements whose keys are above `key`
  size_t (*count_above)(const void* w, size_t n, Order order, Key key);

  // With the output kinds floats and integers, scan and emit write the elements of w.
  // scan: counts the keys, collects the candidates of the bracket, and writes the output of the
  // selection of all keys above `threshold`, lo <= threshold <= hi
  using Scan = BracketCounts (*)(Part w, const RankKey& rank_key, Order order, Bracket bracket,
                                 Key threshold, const Output& out, Collected collected);
  Scan scan[kOutputKinds];
  // emit: writes the output of a selection
  Emitted (*emit[kOutputKinds])(Part w, const RankKey& rank_key, Order order, Selection selection,
                                const Output& out);

  // compact: writes the elements whose bits are set, and their indices, in order, from the start of
  // the outputs; returns their number
  size_t (*compact)(Part w, const void* bits, void* values, int64_t* indices);

  // select_rows: finds the selection in each slice; tie_end is an index in the slice. scratch holds
  // the elements of a slice and a word more. Returns the largest key
  Key (*select_rows)(const Rows& rows, Order order, const Goal& goal, ThresholdPredictor& predictor,
                     void* scratch, Selection* selections);
  // emit_rows: writes the selected elements of contiguous rows of at most kMaxShortRowBytes bytes,
  // and 0 for the others. Returns whether k elements of each row were kept
  bool (*emit_rows)(const Rows& rows, Order order, const Selection* selections, size_t k,
                    bool stream, void* out);

  // index_rows: writes the indices of the k selected elements of each row, in ascending order;
  // those of the next row begin `stride` further on. Returns false, and some indices are not
  // written, if another thread has changed a row so that k elements are no longer selected
  bool (*index_rows)(const Rows& rows, Order order, const Selection* selections, size_t k,
                     int64_t* indices, size_t stride);

  // gather_columns: stores the keys in a tile; returns the largest
  Key (*gather_columns)(const Columns& w, Order order, void* tile);
  // select_columns: finds the selection in each column. There are fewer than 2^15 rows. scratch
  // holds the keys of one vector of columns
  void (*select_columns)(const Columns& w, const void* tile, const Goal& goal,
                         ThresholdPredictor& predictor, void* scratch,
                         const ColumnSelection& selection);
  // emit_columns: writes the selected elements, and 0 for the others, to an array of w's shape.
  // With `stream`, the results of every whole vector must be aligned. Returns whether k elements of
  // each column were kept
  bool (*emit_columns)(const Columns& w, Order order, const ColumnSelection& selection, size_t k,
                       bool stream, void* out);
  // mark_columns: for a row of the tile, stores -1 for kept elements and 0 for the others, in whole
  // vectors
  void (*mark_columns)(const Columns& w, const void* tile, size_t row,
                       const ColumnSelection& selection, void* marks);
};

// Kernels over fewer than 2^31 stored keys K in cache. Keys may be negative.
template <class K>
struct KeyKernels {
  // bisect: the k-th largest key, 1 <= k <= n, rounded down to a multiple of `step`, a power of two
  K (*bisect)(const K* keys, size_t n, size_t k, K step);
  // narrow: writes the keys of w in the bracket to out, in order. out has capacity for n keys and a
  // word more. w holds floats of K's width or stored keys
  BracketCounts (*narrow)(const void* w, size_t n, Order order, Bracket bracket, K* out);
  // run_spread: for pairs of neighbouring runs, the sum of the squared differences between the
  // numbers of their keys above `key`. n is a multiple of kWord
  uint64_t (*run_spread)(const K* keys, size_t n, K key);
};

struct SelectKernels {
  ByWidth<ElementKernels> elements;
  ByKey<KeyKernels> keys;
  // count_bits: the number of ones among `count` bits; bits after them in the last byte must be 0
  size_t (*count_bits)(const void* bits, size_t count);
};

}  // namespace secateur
