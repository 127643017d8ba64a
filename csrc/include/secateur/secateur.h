/* secateur: exact top-k pruning and fixed-point quantization at memory speed.
 *
 * Conventions
 *   - Arrays are contiguous, in C order, aligned to their element, of n elements; n may be 0, and
 *     then the pointers may be null.
 *   - `out` may be `w` itself where both have the same type (in place). Any other overlap is
 *     SC_ERROR_ARGUMENT. When a call fails, an in-place array is as it was; what a separate `out`
 *     holds is then unspecified.
 *   - Results are the same bits on every ISA and for every number of threads.
 *   - Every function may be called from many threads at once, and after fork(). None aborts,
 *     prints or throws.
 *
 * Selection works on magnitude: the order of |w|, which is the order of the bits with the sign
 * cleared, so that NaN stands above infinity. Among equal magnitudes the lowest index wins.
 */
#ifndef SECATEUR_SECATEUR_H
#define SECATEUR_SECATEUR_H

#include <stddef.h>
#include <stdint.h>

#include "secateur/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* So that a value that is none of an enum's can be refused, which in C++ could not otherwise be
 * looked at. */
#ifdef __cplusplus
#define SC_OF_INT : int
#else
#define SC_OF_INT
#endif

typedef enum sc_status SC_OF_INT {
  SC_OK = 0,
  SC_ERROR_ARGUMENT = 1,    /* an argument is out of its range */
  SC_ERROR_UNSUPPORTED = 2, /* a type, width or mode that this version does not have */
  SC_ERROR_NAN = 3,         /* the input has NaN, and SC_NAN_RAISE was asked for */
  SC_ERROR_MEMORY = 4,      /* scratch memory could not be had */
  SC_ERROR_ENVIRONMENT = 5, /* SECATEUR_ISA or SECATEUR_NUM_THREADS cannot be honoured */
  SC_ERROR_INTERNAL = 6,
  SC_ERROR_OVERFLOW = 7 /* the input is out of range, and SC_OVERFLOW_RAISE was asked for */
} sc_status;

/* What went wrong in the last call that failed on this thread: the argument, what came and what is
 * allowed. Never null; valid until the next call that fails on this thread. */
const char* sc_last_error(void);

/* The version of the library that was linked, as SECATEUR_VERSION says it of the header. */
const char* sc_version(void);

/* ---- Types and modes ---------------------------------------------------------------------- */

typedef enum sc_dtype SC_OF_INT {
  SC_FLOAT32 = 1,
  SC_INT8 = 2,
  SC_UINT8 = 3,
  SC_INT16 = 4,
  SC_UINT16 = 5,
  SC_FLOAT64 = 6,
  SC_FLOAT16 = 7,  /* IEEE 754 binary16 */
  SC_BFLOAT16 = 8, /* the upper half of a float32 */
  SC_INT4 = 9, /* a byte each, of which only the low bits are read; the others are 0 when written */
  SC_UINT4 = 10,
  SC_INT2 = 11,
  SC_UINT2 = 12,
  SC_INT32 = 13,
  SC_UINT32 = 14,
  /* Where integers of a format go to, or come from: as many bits each as it has, packed as by
   * sc_pack_ints with SC_LOW_FIRST or with SC_HIGH_FIRST. */
  SC_PACKED_LOW_FIRST = 15,
  SC_PACKED_HIGH_FIRST = 16
} sc_dtype;

typedef enum sc_nan SC_OF_INT {
  SC_NAN_RAISE = 0, /* SC_ERROR_NAN, with the count and the first index in sc_last_error */
  SC_NAN_KEEP = 1,  /* selecting: larger than infinity, ordered by its bits */
  SC_NAN_PRUNE = 2, /* selecting: smaller than zero, ordered by its bits */
  SC_NAN_ZERO = 3   /* quantizing: as 0 (and, selecting too, smaller than zero) */
} sc_nan;

typedef enum sc_mask_format SC_OF_INT {
  SC_MASK_BOOLS = 0, /* one byte an element; 0 or 1 when written, 0 or not when read */
  SC_MASK_BITS = 1   /* one bit an element, lowest bit first, (n + 7) / 8 bytes; spare bits are 0 */
} sc_mask_format;

typedef enum sc_norm SC_OF_INT {
  SC_NORM_L1 = 0, /* the sum of |w| */
  SC_NORM_L2 = 1, /* the root of the sum of squares */
  SC_NORM_MAX = 2 /* the largest |w| */
} sc_norm;

/* Matrices one after another, cut in blocks; those at the lower and right edges may be smaller. A
 * block is no larger than a matrix, unless there are no elements. */
typedef struct sc_blocks {
  size_t matrices, rows, columns;
  size_t block_rows, block_columns;
  sc_norm norm; /* what is compared of them */
} sc_blocks;

/* The first five round to the nearest integer, and differ in where ties go. The last rounds away from zero
 * as often as the fraction says: by a draw of 31 bits, which depends on the seed and on the element's
 * index alone. */
typedef enum sc_rounding SC_OF_INT {
  SC_ROUND_NEAREST_EVEN = 0,
  SC_ROUND_NEAREST_AWAY = 1, /* from zero */
  SC_ROUND_NEAREST_ZERO = 2,
  SC_ROUND_NEAREST_UP = 3,   /* to plus infinity */
  SC_ROUND_NEAREST_DOWN = 4, /* to minus infinity */
  SC_ROUND_FLOOR = 5,
  SC_ROUND_CEIL = 6,
  SC_ROUND_TRUNC = 7, /* towards zero */
  SC_ROUND_STOCHASTIC = 8
} sc_rounding;

/* What becomes of a rounded number that a format has no integer for. */
typedef enum sc_overflow SC_OF_INT {
  SC_OVERFLOW_SATURATE = 0,           /* the nearest one that it has */
  SC_OVERFLOW_SATURATE_SYMMETRIC = 1, /* the same of -max to max; as above for unsigned formats */
  SC_OVERFLOW_SATURATE_ZERO = 2,      /* 0 */
  SC_OVERFLOW_WRAP = 3,               /* modulo 2^bits; an infinity counts as NaN */
  SC_OVERFLOW_RAISE = 4               /* SC_ERROR_OVERFLOW, with the count and the first index */
} sc_overflow;

/* Which elements share a parameter. w is seen as [n / (length * inner)][length][inner], and `block`
 * neighbours along the middle, of which the last may be fewer, share one: of their own slice
 * (groups), or all slices have the same (shared; for channels `block` is 1). Parameters lie in C
 * order, [n / (length * inner)][ceil(length / block)][inner], or [ceil(length / block)] where they
 * are shared. A length of 0 stands for one parameter for the whole array. */
typedef struct sc_granularity {
  size_t length;
  size_t inner;
  size_t block;
  int32_t shared; /* 0 or 1 */
} sc_granularity;

/* w is stood for by the integer q = round(w * 2^frac_bits). */
typedef struct sc_fixed_point {
  int32_t bits;               /* 2 to 32 */
  int32_t frac_bits;          /* -256 to 256 */
  int32_t is_signed;          /* 0 or 1 */
  const int32_t* each;        /* instead of frac_bits, one for each of the granularity; or null */
  sc_granularity granularity; /* of `each`; not looked at without */
} sc_fixed_point;

/* w is stood for by the integer q = round(w / scale) + zero_point. */
typedef struct sc_affine {
  int32_t bits;              /* 1 to 16; or 32, signed and without zero points */
  int32_t is_signed;         /* 0 or 1 */
  const void* scale;         /* float32, or float64 beside floats of float64; positive and normal */
  const int32_t* zero_point; /* as many, integers of so many bits; null for 0 */
  sc_granularity granularity;
} sc_affine;

typedef struct sc_quantize_options {
  sc_rounding rounding;
  sc_overflow overflow;
  sc_nan nan;    /* SC_NAN_RAISE or SC_NAN_ZERO */
  uint64_t seed; /* of SC_ROUND_STOCHASTIC; any number */
} sc_quantize_options;

/* Which elements of w are compared with each other: w is seen as [n / (length * inner)][length][inner],
 * and each of its slices along the middle is selected from. For the rows of a matrix inner is 1, for
 * its columns it is their number. Wherever these are asked for, a null pointer stands for one slice,
 * the whole array. */
typedef struct sc_slices {
  size_t length;
  size_t inner;
} sc_slices;

typedef enum sc_scoring SC_OF_INT {
  SC_SCORE_VALUES = 1,  /* the n values of `data`: the largest are kept, negative ones included, and
                         * -0 equals 0 */
  SC_SCORE_PRODUCTS = 2 /* |w * factor|; element i has the factor (i / repeat) % period of `data` */
} sc_scoring;

/* What elements are ranked by instead of |w|. Products are formed in double if w or the factors are,
 * else in float, and rounded to nearest even; NaN in the scores, or among the products, is what the NaN
 * policy is about. Wherever these are asked for, a null pointer stands for |w|. */
typedef struct sc_scores {
  sc_scoring scoring;
  sc_dtype dtype; /* of data: any of the floats */
  const void* data;
  size_t period; /* of products: how many factors there are */
  size_t repeat; /* of products: how many elements in a row have the same factor */
} sc_scores;

/* What has results of its own: a cell. w is seen as [n / (length * inner)][length][inner]. Where
 * group_size is 0, there is a cell for each index along the middle, with all elements of that index.
 * Otherwise there are [n / (length * inner)][length / group_size, rounded up][inner] of them, each of
 * group_size neighbours along the middle, the last of which may have fewer. Wherever these are asked
 * for, a null pointer stands for one cell, the whole array. */
typedef struct sc_cells {
  size_t length;
  size_t inner;
  size_t group_size;
} sc_cells;

typedef enum sc_order SC_OF_INT {
  SC_ORDER_INDEX = 0,    /* lowest index first */
  SC_ORDER_MAGNITUDE = 1 /* largest first, those that tie by index */
} sc_order;

/* ---- Selection ---------------------------------------------------------------------------- */
/* Here, and everywhere below, dtype is any of the floats; any other is SC_ERROR_UNSUPPORTED. */

/* The k-th largest |w| of each slice, 1 <= k <= length, to values[outer][inner] (of type dtype). */
sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k,
                           const sc_slices* slices, sc_nan nan, void* values);

/* The k largest of each slice, 0 <= k <= length, sign and all, to values[outer][k][inner] (of type
 * dtype), and their indices in the slice to indices[outer][k][inner]. */
sc_status sc_topk(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                  sc_nan nan, sc_order order, void* values, int64_t* indices);

/* Which k elements of each slice are largest, 0 <= k <= length, as a mask of all n. Bits are for the
 * whole array only: with slices the format is SC_MASK_BOOLS. */
sc_status sc_topk_mask(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                       const sc_scores* scores, sc_nan nan, void* mask, sc_mask_format format);

/* How many of n elements are kept at a sparsity in [0, 1]: n - round(sparsity * n), half to even. */
sc_status sc_keep_count(size_t n, double sparsity, size_t* k);

/* ---- Selection from data that come in parts ------------------------------------------------- */
/* The k-th largest magnitude of data that are never in memory at once, or never on one machine, but
 * can be read again. A magnitude has a key: its bits, the sign cleared; under SC_NAN_PRUNE, where
 * NaN lie below zero, that plus (largest key - key of infinity), modulo the number of keys, which
 * is 2^15, 2^31 or 2^63. A pass counts the keys of a range, and finds which bin of it holds the
 * k-th; the next one looks into that bin.
 *
 *   1. The range is that of all keys, 0 to 2^31 - 1 for float32. Counts and tally are 0.
 *   2. sc_count_magnitudes for each part of the data. What several machines counted is added up.
 *   3. The bin of the k-th is the first, going down from the last, with which the counts and
 *      tally.above make at least k.
 *   4. If bins are one key wide, that is the key of the k-th. Else its keys are the range of the
 *      next pass, from step 2, with counts and tally at 0 again; k stays.
 *
 * One pass leads to the key of 16-bit floats, two to that of float32, four to that of float64. What
 * a pass counts, above, below and in the bins together, and its checksum must be those of the pass
 * before; else the data were others. */

#define SC_MAX_BINS 65536

/* The keys first <= key <= last. They are cut in bins of 2^shift keys, with the least shift with
 * which SC_MAX_BINS are enough: key lies in bin (key - first) >> shift. */
typedef struct sc_key_range {
  uint64_t first;
  uint64_t last;
} sc_key_range;

/* Keys above and below a range; and the sum, modulo 2^64, of a hash of every key, in the range or
 * not: that of other data is another with a chance of about 1 - 2^-64, unless they were made to
 * deceive. */
typedef struct sc_tally {
  uint64_t above;
  uint64_t below;
  uint64_t checksum;
} sc_tally;

/* Adds the magnitudes of w to the counts, one for each bin of the range, and to the tally. When it
 * fails, both are as they were. */
sc_status sc_count_magnitudes(const void* w, sc_dtype dtype, size_t n, const sc_key_range* range,
                              sc_nan nan, uint64_t* counts, sc_tally* tally);

/* ---- Pruning: kept elements keep their bits, the others become +0.0 -------------------------- */

/* Keeps the k largest of each slice, 0 <= k <= length. */
sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                   const sc_scores* scores, sc_nan nan, void* out);

/* Keeps what is larger than the threshold, compared exactly. It is at least 0, but for
 * SC_SCORE_VALUES, where it is any number. */
sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                             const sc_scores* scores, sc_nan nan, void* out);

/* One of several arrays that are pruned together. */
typedef struct sc_member {
  const void* w;
  sc_dtype dtype;
  size_t n;
  const sc_scores* scores;
  void* out;
} sc_member;

/* Keeps the k largest of all members, which are compared as values whatever their types. Of those that
 * tie, the first member's come first. `out` may be w itself, and must be apart from everything else. */
sc_status sc_prune_global(const sc_member* members, size_t count, size_t k, sc_nan nan);

/* Keeps the `keep` largest of each `of` consecutive elements along the slices, 1 <= keep <= of <= 32.
 * The length of the slices is a multiple of `of`. */
sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           const sc_slices* slices, const sc_scores* scores, sc_nan nan, void* out);

/* Keeps what the mask says. */
sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out);

/* Keeps whole blocks, the k of largest norm in all matrices, 0 <= k <= their number; ties go
 * to the first by matrix, block row and block column. Norms are float64: for each column of the
 * block the sum over its rows in order; of these every eighth to one of eight partial sums; and
 * these in order. A block with NaN has NaN for its norm, and all such tie. */
sc_status sc_prune_blocks(const void* w, sc_dtype dtype, const sc_blocks* blocks, size_t k,
                          sc_nan nan, void* out);

/* Keeps the blocks with norm > threshold; threshold >= 0. */
sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, const sc_blocks* blocks,
                                    double threshold, sc_nan nan, void* out);

/* ---- Shrinking ------------------------------------------------------------------------------ */

/* sign(w) * max(|w| - threshold, 0), the proximal operator of the L1 norm: the threshold, at least
 * 0, is rounded to dtype, and so is the difference. |w| <= threshold gives +0.0; NaN stays as it
 * is. */
sc_status sc_soft_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, void* out);

/* ---- Fixed point ---------------------------------------------------------------------------- */
/* Integers of up to 8, 16 or 32 bits are held in SC_INT8, SC_INT16 or SC_INT32, or, unsigned, in SC_UINT8,
 * SC_UINT16 or SC_UINT32, and those of up to 4 or 2 bits in SC_INT4, SC_UINT4, SC_INT2 or SC_UINT2 too. Of
 * up to 8 bits they may also be packed, in (n * bits + 7) / 8 bytes at any address. Any other q_dtype is
 * SC_ERROR_ARGUMENT, and so are fields of a format out of their range, and a granularity that does not
 * fit n. Integers and floats are apart from each other.
 *
 * Results are those of exact arithmetic rounded once. `options` may be null: nearest even, saturate,
 * SC_NAN_RAISE. */

/* q = round(w * 2^frac_bits), and then what options->overflow says. SC_ERROR_NAN if NaN are refused, or
 * infinities that are to wrap; SC_ERROR_OVERFLOW if what is out of range is refused. Both name, in
 * sc_last_error, how many there are and the first. */
sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype);

/* out = q * 2^-frac_bits, rounded once to out_dtype, half to even: infinite beyond its range. Any integer
 * that q_dtype holds is taken, be it out of the range of the format. */
sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_fixed_point* fmt,
                        void* out, sc_dtype out_dtype);

/* What w becomes when it is quantized and dequantized, to floats of its own type; the integer 0 becomes
 * +0.0. `out` may be w. Errors are those of sc_quantize. */
sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                           const sc_quantize_options* options, void* out);

/* sc_prune to the k largest, 0 <= k <= n, and sc_quantize, in one read of w; integers, 0 where pruned. Any
 * NaN in w is SC_ERROR_NAN if they are refused, and ranks below zero if not; out of range, or infinite
 * where that does not wrap, is only what is kept. */
sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k,
                            const sc_fixed_point* fmt, const sc_quantize_options* options, void* q,
                            sc_dtype q_dtype);

/* ---- Affine --------------------------------------------------------------------------------- */
/* As ONNX's QuantizeLinear and DequantizeLinear, opset 25: computed in float64 where the floats are,
 * else in float32. Integers are held as those of fixed point, and errors are the same; a scale that is
 * not positive and normal, or a zero point that is none of the integers, is SC_ERROR_ARGUMENT. */

/* q = round(w / scale) + zero_point, of the quotient rounded to the type that is computed in; ties to even,
 * saturated, infinities as well. NaN is refused, or with SC_NAN_ZERO becomes the zero point. */
sc_status sc_quantize_affine(const void* w, sc_dtype dtype, size_t n, const sc_affine* fmt,
                             sc_nan nan, void* q, sc_dtype q_dtype);

/* out = (q - zero_point) * scale: the difference, then the product are rounded to the type that is
 * computed in, and the product to out_dtype. The type of the scales goes by out_dtype. */
sc_status sc_dequantize_affine(const void* q, sc_dtype q_dtype, size_t n, const sc_affine* fmt,
                               void* out, sc_dtype out_dtype);

/* ---- Packed integers ------------------------------------------------------------------------ */
/* Integers of 1 to 8 bits, side by side in (n * bits + 7) / 8 bytes as a stream of bits, in which each
 * follows the one before. Negative ones are two's complements; spare bits are 0 when written. */

typedef enum sc_bit_order SC_OF_INT {
  SC_LOW_FIRST = 0, /* the stream, and each integer, begins with the lowest bit: so do bytes */
  SC_HIGH_FIRST = 1 /* all of them begin with the highest */
} sc_bit_order;

/* q is of SC_INT8 or SC_UINT8, and all are integers of so many bits, signed or unsigned as q is: else it is
 * SC_ERROR_ARGUMENT, with the first that is none; or it is of the type that has so many bits, such as
 * SC_INT4, of which nothing is refused. Any other type is SC_ERROR_UNSUPPORTED. */
sc_status sc_pack_ints(const void* q, sc_dtype q_dtype, size_t n, int32_t bits, sc_bit_order order,
                       void* packed);

/* The first n of them, to q, which is of a type as above. */
sc_status sc_unpack_ints(const void* packed, size_t n, int32_t bits, sc_bit_order order, void* q,
                         sc_dtype q_dtype);

/* ---- Comparing, and choosing formats -------------------------------------------------------- */
/* Sums are float64. The elements of a cell come in runs: of those that lie in line, or, where a cell
 * has none that do, of all that lie evenly apart. A run is cut in blocks, of 4096 elements in line or 256
 * apart. Element i of a block goes to one of eight partial sums, the i % 8-th, which are added as
 * ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)); and the sums of the blocks one after another. */

/* Of the n pairs of elements of a cell. NaN and infinity count as in any sum, but max_error leaves NaN
 * out. */
typedef struct sc_error_sums {
  double squared_error; /* of (w - w_hat)^2 */
  double squared_w;     /* of w^2 */
  double squared_w_hat; /* of w_hat^2 */
  double products;      /* of w * w_hat */
  double max_error;     /* the largest |w - w_hat| */
  uint64_t saturated;   /* how many w become integers out of range when rounded half to even; 0
                         * without fmt */
} sc_error_sums;

/* The sums of each cell, in one pass over both arrays, which have any types of float. fmt may be null.
 * frac_bits may be null or one number for each cell, which then stands in the place of fmt's. */
sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_cells* cells, const sc_fixed_point* fmt,
                     const int32_t* frac_bits, sc_error_sums* sums);

/* The lowest and the highest of the elements of each cell and 0. SC_ERROR_NAN where elements are NaN
 * or infinite. */
sc_status sc_find_ranges(const void* w, sc_dtype dtype, size_t n, const sc_cells* cells,
                         double* lowest, double* highest);

/* Integers lowest <= q <= highest, where lowest <= 0 <= highest, that stand for q / multiplier. A cell
 * with the multiplier 0 is passed over. */
typedef struct sc_grid {
  double multiplier, lowest, highest;
} sc_grid;

/* Of three grids with the same integers, each `ratio` times as fine as the one before, the second of
 * which is given. With y = w * multiplier the sums are of squares of how far y is
 *   coarser  on the first, from the nearest integer, whatever the range: grids that are 2^k times as
 *            coarse have no less error
 *   error    on the second, from the nearest integer, half to even, within the range
 *   finer    on the third, from the range: still finer grids have no less error
 * each in squares of its grid's own step. */
typedef struct sc_rounding_sums {
  double coarser, error, finer;
} sc_rounding_sums;

/* The sums of each cell, with its grid, for finite w; 1 <= ratio <= 2. What is squared is computed in
 * float32 where w has 32 bits or fewer, all multipliers are between 2^-100 and 2^100, and all integers
 * within 2^24; else in float64. */
sc_status sc_sum_rounding_errors(const void* w, sc_dtype dtype, size_t n, const sc_cells* cells,
                                 const sc_grid* grids, double ratio, sc_rounding_sums* sums);

/* ---- Host ------------------------------------------------------------------------------------ */

/* The instruction set in use: "scalar", "avx2" or "avx512". SECATEUR_ISA, read at the first
 * call, forces one; else it is the best that this CPU has. */
sc_status sc_isa(const char** name);

/* The names of those that this CPU and build have, worst first; returns how many there are and
 * writes at most `capacity` of them; `names` may be null. */
size_t sc_isas(const char** names, size_t capacity);

/* Uses another from the next call on, in every thread; for tests and comparisons. */
sc_status sc_set_isa(const char* name);

/* The number of threads that a call may use, the calling one included. At first it is
 * SECATEUR_NUM_THREADS, else the number of CPUs that this process may run on. Small work stays on
 * the calling thread. */
#define SC_MAX_THREADS 1024
sc_status sc_set_num_threads(size_t num_threads);
sc_status sc_get_num_threads(size_t* num_threads);

/* The same for calls from this thread alone; 0 goes back to the number of the process. Returns
 * what was set before through *previous, unless that is null. */
sc_status sc_set_thread_num_threads(size_t num_threads, size_t* previous);

#undef SC_OF_INT

#ifdef __cplusplus
}
#endif

#endif
