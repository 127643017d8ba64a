/* secateur: exact top-k pruning, and quantization to fixed-point and affine formats, close to
 * memory bandwidth.
 *
 * Conventions
 *   - Arrays are contiguous and in C order. Arrays are aligned to their element type and structs to
 *     their own, unless a function says otherwise. n counts elements, not bytes.
 *   - n may be 0. Pointers to the elements, and to scores, masks and parameters of elements, may
 *     then be null, and lengths that must divide n may have any value.
 *   - The caller guarantees that every array has the stated number of elements. The library cannot
 *     check this. It refuses a count that no address space can hold with SC_ERROR_ARGUMENT.
 *   - `out` may equal `w` if both have the same dtype; the call then works in place. Any other
 *     overlap between an output and an input, or between two outputs, is SC_ERROR_ARGUMENT, and
 *     sc_last_error names both arguments. Structs, and the arrays that they point to, are inputs
 *     too.
 *   - If a call in place fails, the array is unmodified. If another call fails, the contents of its
 *     outputs are unspecified.
 *   - Results are bit-identical on every ISA and for every number of threads.
 *   - Every function is safe to call from several threads at once, and in a process created by
 *     fork(). No function aborts, prints, or throws an exception. Cancellation of the calling
 *     thread takes effect after the call returns.
 *   - If another thread writes to an input array during a call, the call still returns: with
 *     SC_ERROR_CHANGED, or with unspecified values. A selection by count that succeeds still keeps
 *     exactly k elements or blocks. If a call in place fails with SC_ERROR_CHANGED, the array may
 *     have been overwritten in part; the message says so.
 *
 * Selection ranks elements by magnitude. The order of |w| is the order of the bits of w with the
 * sign bit cleared, so NaN ranks above infinity unless the NaN policy says otherwise. Ties are
 * broken deterministically: among equal magnitudes the element with the lowest index ranks first.
 *
 * A parameter called dtype is the dtype of w. Unless a function says otherwise, w and all other
 * floating-point arrays may be float16, bfloat16, float32 or float64; any other dtype is
 * SC_ERROR_UNSUPPORTED.
 */
#ifndef SECATEUR_SECATEUR_H
#define SECATEUR_SECATEUR_H

#include <stddef.h>
#include <stdint.h>

#include "secateur/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gives enums a fixed underlying type in C++. Without it, reading an enum that holds an undeclared
 * value is undefined behaviour, and the library could not refuse such a value. */
#ifdef __cplusplus
#define SC_OF_INT : int
#else
#define SC_OF_INT
#endif

typedef enum sc_status SC_OF_INT {
  SC_OK = 0,
  SC_ERROR_ARGUMENT = 1,    /* an argument is invalid */
  SC_ERROR_UNSUPPORTED = 2, /* the function does not support the dtype of an array */
  SC_ERROR_NAN = 3,    /* the input contains NaN that is refused; for some functions, infinity */
  SC_ERROR_MEMORY = 4, /* scratch memory could not be allocated */
  SC_ERROR_ENVIRONMENT = 5, /* SECATEUR_ISA or SECATEUR_NUM_THREADS has an invalid value */
  SC_ERROR_INTERNAL = 6,    /* an unexpected failure, or a fork in the interrupt callback */
  SC_ERROR_OVERFLOW = 7,    /* an element is out of range, and the policy is SC_OVERFLOW_RAISE */
  SC_ERROR_INTERRUPTED = 8, /* the callback of sc_set_thread_interrupt interrupted the call */
  SC_ERROR_CHANGED = 9      /* another thread wrote to an input array during the call */
} sc_status;

/* Returns the message of the last call on this thread that failed. It names the argument, the value
 * received and the values allowed. Never null. The string is valid until the next failing call on
 * this thread. */
const char* sc_last_error(void);

/* Returns the version of the linked library. SECATEUR_VERSION is the version of this header. */
const char* sc_version(void);

/* The version of the binary interface, that is, of the functions, structs and constants in this
 * header. It changes when a program that was compiled with the previous header no longer works. */
#define SC_ABI_VERSION 1

/* Returns SC_ABI_VERSION of the linked library. A program that loads the library at run time should
 * check that this equals its own SC_ABI_VERSION before it calls other functions. */
int32_t sc_abi_version(void);

/* ---- Types and modes ---------------------------------------------------------------------- */

/* Floating-point dtypes have the numbers 1 to 15, integers 16 to 31, and bit-packed integers 32 and
 * above.
 *
 * An element of a 2- or 4-bit dtype takes one byte. Reading ignores the upper bits of the byte;
 * writing sets them to 0.
 *
 * Bit-packed integers have as many bits per element as the format that they belong to. They are
 * packed as by sc_pack_ints. */
typedef enum sc_dtype SC_OF_INT {
  SC_DTYPE_FLOAT16 = 1,  /* IEEE 754 binary16 */
  SC_DTYPE_BFLOAT16 = 2, /* the upper half of a float32 */
  SC_DTYPE_FLOAT32 = 3,
  SC_DTYPE_FLOAT64 = 4,
  SC_DTYPE_INT2 = 16,
  SC_DTYPE_UINT2 = 17,
  SC_DTYPE_INT4 = 18,
  SC_DTYPE_UINT4 = 19,
  SC_DTYPE_INT8 = 20,
  SC_DTYPE_UINT8 = 21,
  SC_DTYPE_INT16 = 22,
  SC_DTYPE_UINT16 = 23,
  SC_DTYPE_INT32 = 24,
  SC_DTYPE_UINT32 = 25,
  SC_DTYPE_INT64 = 26, /* only as the input of sc_requantize */
  SC_DTYPE_UINT64 = 27,
  SC_DTYPE_PACKED_LITTLE = 32, /* as SC_BITORDER_LITTLE packs them */
  SC_DTYPE_PACKED_BIG = 33     /* as SC_BITORDER_BIG packs them */
} sc_dtype;

/* The NaN policy. Selection accepts RAISE, KEEP and PRUNE; quantization accepts RAISE and ZERO. */
typedef enum sc_nan SC_OF_INT {
  SC_NAN_RAISE = 0, /* fails with SC_ERROR_NAN; sc_last_error has the count and the first index */
  SC_NAN_KEEP = 1,  /* NaN ranks above infinity; several NaN rank by their bits */
  SC_NAN_PRUNE = 2, /* NaN ranks below zero; several NaN rank by their bits */
  SC_NAN_ZERO = 3   /* NaN quantizes as 0, and ranks below zero in sc_prune_quantize */
} sc_nan;

/* How a mask is stored.
 *   - Bools take one byte per element. A function writes 0 or 1; when it reads, any nonzero byte
 *     is true.
 *   - Bits take one bit per element, (n + 7) / 8 bytes in all. Spare bits of the last byte are
 *     written as 0 and ignored when read. */
typedef enum sc_mask_format SC_OF_INT {
  SC_MASK_FORMAT_BOOLS = 0,
  SC_MASK_FORMAT_BITS_LITTLE = 1, /* bits, the lowest bit of a byte first */
  SC_MASK_FORMAT_BITS_BIG = 2     /* bits, the highest bit of a byte first */
} sc_mask_format;

typedef enum sc_norm SC_OF_INT {
  SC_NORM_L1 = 0,  /* the sum of |w| */
  SC_NORM_L2 = 1,  /* the square root of the sum of w^2 */
  SC_NORM_MAX = 2, /* the largest |w| */
  SC_NORM_MEAN = 3 /* the sum of |w|, divided by the number of elements of the block */
} sc_norm;

/* Divides the n elements of an array into groups, such as the elements that share a scale.
 *
 * The array is viewed as [outer][length][inner], that is, as `outer` matrices of `length` rows and
 * `inner` columns, where outer = n / (length * inner). length * inner must divide n. Each matrix is
 * divided into blocks of `block` rows and `inner_block` columns. Blocks at the lower and right
 * edges may be smaller. A `block` of 0, or of more than `length`, means all rows, and likewise an
 * `inner_block` of 0, or of more than `inner`, all columns.
 *   shared = 0: each block of each matrix is a group.
 *   shared = 1: all blocks at the same place in their matrices are one group.
 *
 * An array with one value per group is in C order. Its shape is
 * [outer][ceil(length / block)][ceil(inner / inner_block)], without the first axis if shared = 1.
 *
 * A null pointer to sc_layout means that the whole array is one group. If n is 0, an axis of length
 * 0 has one block if the length of its blocks is given as 0, and none otherwise.
 *
 * The fields {length, inner, block, inner_block, shared} for a matrix of `rows` rows and `columns`
 * columns:
 *   each row: {columns, 1, 0, 0, 0}, where each row is viewed as a matrix [columns][1]
 *   each column: {rows, columns, 0, 1, 0}
 *   32 neighbours in a row: {columns, 1, 32, 0, 0}
 *   blocks of 128 x 128: {rows, columns, 128, 128, 0}
 *
 * For an array of the shape [n0][n1][n2][n3] whose second axis is the channels:
 *   each channel: {n1, n2 * n3, 1, 0, 1} */
typedef struct sc_layout {
  size_t length;
  size_t inner;
  size_t block;
  size_t inner_block;
  int32_t shared; /* 0 or 1 */
} sc_layout;

/* How an element that has been scaled to a number x is rounded to an integer. The first five modes
 * round to the nearest integer and differ in how they round ties. SC_ROUNDING_STOCHASTIC rounds
 * away from zero with a probability equal to the fractional part of |x|. It compares the fraction
 * with a pseudorandom number of 31 bits, which depends only on the seed and on the index of the
 * element. */
typedef enum sc_rounding SC_OF_INT {
  SC_ROUNDING_NEAREST_EVEN = 0,
  SC_ROUNDING_NEAREST_AWAY = 1, /* ties away from zero */
  SC_ROUNDING_NEAREST_ZERO = 2, /* ties toward zero */
  SC_ROUNDING_NEAREST_UP = 3,   /* ties toward plus infinity */
  SC_ROUNDING_NEAREST_DOWN = 4, /* ties toward minus infinity */
  SC_ROUNDING_FLOOR = 5,
  SC_ROUNDING_CEIL = 6,
  SC_ROUNDING_TRUNC = 7, /* toward zero */
  SC_ROUNDING_AWAY = 8,  /* away from zero */
  SC_ROUNDING_STOCHASTIC = 9
} sc_rounding;

/* The result for an element whose integer is outside the range of the format. For affine formats,
 * the integer includes the zero point. */
typedef enum sc_overflow SC_OF_INT {
  SC_OVERFLOW_SATURATE = 0,           /* the nearest integer of the format */
  SC_OVERFLOW_SATURATE_SYMMETRIC = 1, /* the same, but in signed formats no integer is below
                                       * -m, where m is the largest integer of the format,
                                       * unless m is negative */
  SC_OVERFLOW_SATURATE_ZERO = 2,      /* 0; affine: the zero point */
  SC_OVERFLOW_WRAP = 3,               /* the integer modulo 2^bits; infinity counts as NaN */
  SC_OVERFLOW_RAISE = 4               /* fails with SC_ERROR_OVERFLOW, the count and first index */
} sc_overflow;

/* The two kinds of number formats. */
typedef enum sc_format_kind SC_OF_INT {
  SC_FORMAT_KIND_FIXED_POINT = 1, /* the integer q represents q * 2^-frac_bits */
  SC_FORMAT_KIND_AFFINE = 2       /* the integer q represents (q - zero_point) * scale */
} sc_format_kind;

/* A number format: the values that integers represent. The dtypes of the integers and of the floats
 * are arguments of the functions. The range of a format is the integers that quantization may
 * return.
 *
 * Fixed-point formats use frac_bits and group_bits, and their range is all integers of the width,
 * or of that of the element's group. Affine formats use scale, zero_point, qmin and qmax. The
 * fields of the other kind are ignored. */
typedef struct sc_format {
  sc_format_kind kind;
  int32_t bits;            /* the width of the integers: 2 to 32; up to 64 in from_fmt of
                            * sc_requantize; affine: 1 to 32 */
  int32_t is_signed;       /* 1: two's complement; 0: unsigned */
  const sc_layout* layout; /* the groups of elements that share a parameter; null: one group */

  const int32_t* frac_bits; /* fixed point: one number per group, -256 to 256 */

  const void* scale;         /* affine: one number per group, double if the floats are float64,
                              * else float */
  const int32_t* zero_point; /* affine: one number per group, qmin to qmax; null: all are 0, which
                              * must then be in the range */
  int64_t qmin, qmax;        /* affine: the range, qmin < qmax; both 0: all integers of the width */

  const int32_t* group_bits; /* fixed point: the width of the integers of each group, 2 to `bits`;
                              * null: `bits` for all. `bits` is the storage width: it determines
                              * q_dtype, the width of packed integers, and which integers are
                              * accepted when they are read */
} sc_format;

/* The modes of quantization. */
typedef struct sc_quantize_options {
  sc_rounding rounding;
  sc_overflow overflow;
  sc_nan nan;            /* SC_NAN_RAISE or SC_NAN_ZERO */
  uint64_t seed;         /* for SC_ROUNDING_STOCHASTIC: any value */
  uint64_t index_offset; /* for SC_ROUNDING_STOCHASTIC: the index of the first element in a larger
                          * array of which the call quantizes a part; otherwise 0 */
} sc_quantize_options;

typedef enum sc_scoring SC_OF_INT {
  SC_SCORING_VALUES = 1, /* ranks by the n values of `data`, negative values below positive ones; -0
                         * equals 0 */
  SC_SCORING_PRODUCTS = 2 /* ranks by |w[i] * data[(i / repeat) % period]| */
} sc_scoring;

/* Scores rank elements in place of |w|. A product is computed in float64 if w or the factors are
 * float64, else in float32, and is rounded to nearest even. The NaN policy applies to the scores,
 * or to the products. With SC_SCORING_VALUES, SC_NAN_PRUNE ranks NaN below minus infinity. A null
 * pointer to sc_scores means that elements rank by |w|. */
typedef struct sc_scores {
  sc_scoring scoring;
  sc_dtype dtype; /* of data: any floating-point dtype */
  const void* data;
  size_t period; /* for products: the number of factors */
  size_t repeat; /* for products: the number of consecutive elements that share a factor */
} sc_scores;

typedef enum sc_order SC_OF_INT {
  SC_ORDER_INDEX = 0, /* lowest index first */
  SC_ORDER_RANK = 1   /* highest rank first, ties by index */
} sc_order;

/* ---- Selection ---------------------------------------------------------------------------- */
/* The elements of a group of the layout compete with each other. Each group must be a slice: shared
 * is 0, and block is 0 or length. With inner_block 1, each column of a matrix is a slice of
 * `length` elements: {length, inner, 0, 1, 0}. With inner_block 0 or inner, each matrix is one
 * slice; below, length then stands for length * inner, and inner for 1. A null layout is one slice
 * of n elements. */

/* Writes the k-th largest |w| of each slice, 1 <= k <= length, to values[outer][inner] of the dtype
 * of w. */
sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k,
                           const sc_layout* layout, sc_nan nan, void* values);

/* Writes the k elements of each slice that rank highest, 0 <= k <= length. The elements go to
 * values[outer][k][inner], of the dtype of w and with their signs; their indices within the slice
 * go to indices[outer][k][inner]. `order` is their order along the middle axis. */
sc_status sc_topk(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                  const sc_scores* scores, sc_nan nan, sc_order order, void* values,
                  int64_t* indices);

/* Error feedback, for compressed gradients: sc_topk of the sums w[i] + residual[i], which are
 * rounded once to the dtype of both and rank by magnitude. `values` receives the selected sums.
 * Afterwards, residual[i] is 0 where the sum was selected, and the sum elsewhere. A sum that is NaN
 * is the positive NaN with only the quiet bit set. `residual` has n elements. */
sc_status sc_topk_with_residual(const void* w, void* residual, sc_dtype dtype, size_t n, size_t k,
                                const sc_layout* layout, sc_nan nan, sc_order order, void* values,
                                int64_t* indices);

/* Writes the number of elements that a sparsity in [0, 1] keeps of n: n - round(sparsity * n), ties
 * to even, computed in float64. */
sc_status sc_keep_count(size_t n, double sparsity, size_t* k);

/* ---- Selection from data that come in parts ------------------------------------------------- */
/* Finds the k-th largest magnitude of data that do not fit in memory, or that several machines hold
 * parts of. The data must be readable more than once.
 *
 * Each magnitude has an integer key. A larger magnitude has a larger key. Keys are 0 to 2^b - 1,
 * where b is 15, 31 or 63 for 16-, 32- and 64-bit floats. The key is the bits of w with the sign
 * bit cleared. Under SC_NAN_PRUNE, where NaN ranks below zero, the key is those bits plus the
 * difference between the largest key and the key of infinity, modulo 2^b.
 *
 * Each pass counts the keys of a range in bins and finds the bin that contains the k-th largest
 * key. The next pass divides that bin.
 *
 *   1. Set the range to all keys, 0 to 2^b - 1. Set the counts and the totals to 0.
 *   2. Call sc_count_magnitudes for each part of the data. If several machines count, add up their
 *      counts and their totals.
 *   3. Go from the last bin down, adding up counts, and stop at the first bin where this sum plus
 *      totals.above is at least k. That bin contains the k-th largest key.
 *   4. If the bins are one key wide, the bin is the key. Otherwise the keys of the bin are the
 *      range of the next pass: set the counts and the totals to 0 and go to step 2. k does not
 *      change.
 *
 * 16-bit floats need one pass, float32 two, and float64 four. The total of all counts, totals.above
 * and totals.below is the same in every pass, and so is the checksum; a difference means that the
 * data changed between passes. */

#define SC_MAX_BINS 65536

/* The keys first <= key <= last. They are divided into bins of 2^shift keys, where shift is the
 * smallest that gives at most SC_MAX_BINS bins. A key belongs to bin (key - first) >> shift. */
typedef struct sc_key_range {
  uint64_t first;
  uint64_t last;
} sc_key_range;

/* The number of keys above and below a range, and a checksum. The checksum is the sum, modulo 2^64,
 * of a hash of every key, inside the range or outside. Different data have a different checksum
 * with a probability of about 1 - 2^-64, unless they were constructed to collide. */
typedef struct sc_key_totals {
  uint64_t above;
  uint64_t below;
  uint64_t checksum;
} sc_key_totals;

/* Adds the keys of w to `counts`, which has one element per bin of the range, and to `totals`. If
 * the call fails, both are left unmodified. A range without first <= last <= 2^b - 1 is
 * SC_ERROR_ARGUMENT. */
sc_status sc_count_magnitudes(const void* w, sc_dtype dtype, size_t n, const sc_key_range* range,
                              sc_nan nan, uint64_t* counts, sc_key_totals* totals);

/* ---- Pruning -------------------------------------------------------------------------------- */
/* Kept elements keep their bits; all others become +0.0. `out` has the dtype of w and may be
 * w. */

/* Keeps the k elements of each slice that rank highest, 0 <= k <= length. */
sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                   const sc_scores* scores, sc_nan nan, void* out);

/* Keeps the elements whose magnitude or score is larger than the threshold. The comparison is
 * exact: the threshold is not rounded to dtype. The threshold must be at least 0; with
 * SC_SCORING_VALUES it may also be negative. A threshold of NaN is SC_ERROR_ARGUMENT. */
sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                             const sc_scores* scores, sc_nan nan, void* out);

/* One of several arrays that are pruned together. */
typedef struct sc_member {
  const void* w;
  sc_dtype dtype;
  size_t n;
  const sc_scores* scores;
  void* out;
  const sc_layout* layout; /* the blocks, as in sc_prune_blocks; where elements are pruned: null */
  size_t min_kept; /* keep at least this many elements or blocks of the member; 0: no minimum */
} sc_member;

/* Keeps the k elements that rank highest among the elements of all members, 0 <= k <= their total
 * number. Members may have different dtypes; elements compare by value. A tie goes to the member
 * that comes first, then to the lowest index. Each `out` may equal the w of its own member, and
 * must not overlap anything else of any member.
 *
 * Of each member, the min_kept elements that rank highest within it are kept in any case. The rest
 * of the k elements are those that rank highest among all others. k must be at least the sum of all
 * min_kept. sc_keep_count computes min_kept from the largest sparsity that a member may have. */
sc_status sc_prune_global(const sc_member* members, size_t count, size_t k, sc_nan nan);

/* What to do with the last `length % of` elements of a slice if the groups of a pattern do not
 * divide the slice. */
typedef enum sc_remainder SC_OF_INT {
  SC_REMAINDER_RAISE = 0, /* fails with SC_ERROR_ARGUMENT */
  SC_REMAINDER_KEEP = 1,  /* all are kept */
  SC_REMAINDER_PAD = 2    /* they are a shorter group, of which at most `keep` are kept, as if the
                           * slice were padded with elements that rank below all others */
} sc_remainder;

/* Keeps the `keep` elements that rank highest of every `of` consecutive elements along each slice,
 * 1 <= keep <= of <= 32. With SC_REMAINDER_RAISE, the length of the slices must be a multiple of
 * `of`. */
sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           sc_remainder remainder, const sc_layout* layout, const sc_scores* scores,
                           sc_nan nan, void* out);

/* Keeps the elements for which the mask is set. The mask needs no alignment. */
sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out);

/* Keeps the k groups of the layout that have the largest norms, 0 <= k <= their number. `shared`
 * must be 0. A tie goes to the group that comes first. The blocks of a stack of matrices [rows]
 * [columns] have the layout {rows, columns, block_rows, block_columns, 0}; null is one row of n
 * elements. An array without elements has no blocks.
 *
 * `slices` divides the array of the norms, [outer][ceil(length / block)][ceil(inner /
 * inner_block)], as the layout of sc_prune divides an array of elements: k blocks are kept in each
 * slice. Null is one slice.
 *
 * The norm of a block is that of its elements or, with scores, of its values or products. Norms are
 * float64, and their sums have a fixed order: first down each column of the block, then
 * over the columns, where column i goes to partial sum i % 8, then over the partial sums in order.
 * If the l2 norm or the mean of a block of float64 overflows, or the l2 norm is less than 2^-484,
 * it is computed again from the elements divided by the power of two of the largest magnitude. The
 * norm of a block that contains NaN is NaN, and all such blocks tie. */
sc_status sc_prune_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                          sc_norm norm, size_t k, const sc_layout* slices, const sc_scores* scores,
                          sc_nan nan, void* out);

/* Keeps the blocks whose norm is larger than the threshold, which must be at least 0. Norms are
 * those of sc_prune_blocks. */
sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                    const sc_layout* layout, sc_norm norm, double threshold,
                                    const sc_scores* scores, sc_nan nan, void* out);

/* Prunes the blocks of several members as sc_prune_global prunes elements: k blocks are kept, and
 * of each member at least min_kept. Norms are those of sc_prune_blocks. */
sc_status sc_prune_global_blocks(const sc_member* members, size_t count, sc_norm norm, size_t k,
                                 sc_nan nan);

/* ---- Masks of what is kept ------------------------------------------------------------------ */
/* A mask marks the elements that are kept, including kept zeros. Each function below corresponds to
 * the function without `mask` in its name: sc_apply_mask with the mask gives the result of that
 * function. Masks need no alignment, and must not overlap an input. */

/* Writes the mask of the elements that sc_prune with the same arguments keeps. */
sc_status sc_prune_mask(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                        const sc_scores* scores, sc_nan nan, void* mask, sc_mask_format format);

/* Writes the mask of the elements that sc_prune_threshold with the same arguments keeps. */
sc_status sc_prune_mask_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                                  const sc_scores* scores, sc_nan nan, void* mask,
                                  sc_mask_format format);

/* Writes the masks of the elements that sc_prune_global with the same arguments keeps. The mask of
 * each member goes to its `out`. */
sc_status sc_prune_mask_global(const sc_member* members, size_t count, size_t k, sc_nan nan,
                               sc_mask_format format);

/* Writes the mask of the elements that sc_prune_pattern with the same arguments keeps. */
sc_status sc_prune_mask_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                                sc_remainder remainder, const sc_layout* layout,
                                const sc_scores* scores, sc_nan nan, void* mask,
                                sc_mask_format format);

/* Writes the mask of the elements that sc_prune_blocks with the same arguments keeps. */
sc_status sc_prune_mask_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                               sc_norm norm, size_t k, const sc_layout* slices,
                               const sc_scores* scores, sc_nan nan, void* mask,
                               sc_mask_format format);

/* Writes the mask of the elements that sc_prune_blocks_threshold with the same arguments keeps. */
sc_status sc_prune_mask_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                         const sc_layout* layout, sc_norm norm, double threshold,
                                         const sc_scores* scores, sc_nan nan, void* mask,
                                         sc_mask_format format);

/* Writes the masks of the elements that sc_prune_global_blocks with the same arguments keeps. The
 * mask of each member goes to its `out`. */
sc_status sc_prune_mask_global_blocks(const sc_member* members, size_t count, sc_norm norm,
                                      size_t k, sc_nan nan, sc_mask_format format);

/* ---- Soft thresholding ---------------------------------------------------------------------- */

/* Computes sign(w) * max(|w| - threshold, 0), the proximal operator of the L1 norm. The threshold
 * must be at least 0. It is rounded to dtype, and so is the difference. The result is +0.0 where
 * |w| is at most the rounded threshold. NaN keeps its bits. `out` has the dtype of w and may equal
 * w. */
sc_status sc_soft_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, void* out);

/* ---- Quantization --------------------------------------------------------------------------- */
/* Fixed-point formats: results are those of exact arithmetic, rounded once.
 *
 * Affine formats: with the default options, results are those of QuantizeLinear and
 * DequantizeLinear of ONNX, opset 25. The compute type is float64 if the floating-point array is
 * float64, else float32.
 *
 * q_dtype is the dtype of q, signed or unsigned as the format is:
 *   - the smallest of the 8-, 16-, 32- and 64-bit integer dtypes that holds the format;
 *   - or a 4-bit dtype, for formats of at most 4 bits;
 *   - or a 2-bit dtype, for formats of at most 2 bits;
 *   - or a bit-packed dtype, for formats of at most SC_MAX_PACKED_BITS bits. q then has
 *     (n * bits + 7) / 8 bytes and needs no alignment.
 * SC_ERROR_ARGUMENT: any other q_dtype, a field of a format that is out of its range, or a layout
 * that does not fit n. Integer arrays must not overlap floating-point arrays.
 *
 * If `options` is null, or all its fields are 0, the options are SC_ROUNDING_NEAREST_EVEN,
 * SC_OVERFLOW_SATURATE and SC_NAN_RAISE. */

/* Quantizes w.
 *   Fixed point: q = round(w * 2^frac_bits).
 *   Affine: q = round(w / scale) + zero_point. The quotient is rounded to nearest even to a number
 *     of the compute type; options->rounding then rounds it to an integer. The sum is exact. Scales
 *     must be positive and normal.
 * If q is outside the range of the format, options->overflow determines the result. Under
 * SC_NAN_ZERO, NaN is quantized as 0.0 is.
 *
 * SC_ERROR_NAN: w contains NaN and the policy is SC_NAN_RAISE; under SC_OVERFLOW_WRAP infinities
 * count as NaN. SC_ERROR_OVERFLOW: an element is out of range and the policy is SC_OVERFLOW_RAISE.
 * For both errors, sc_last_error has the number of such elements and the first index.
 * SC_ERROR_ARGUMENT: SC_OVERFLOW_WRAP with an affine format that does not use all integers of its
 * width. */
sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_format* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype);

/* Computes the values that integers represent. Every integer of the width of the format is
 * accepted, even outside its range. A result that is too large for out_dtype is infinite.
 *   Fixed point: out = q * 2^-frac_bits, rounded once to out_dtype with ties to even.
 *   Affine: out = (q - zero_point) * scale. The difference and the product are each rounded to the
 *     compute type, and the product then to out_dtype. Scales may be any finite numbers. The
 *     floating-point array is `out`, so that out_dtype determines the compute type and the type of
 *     the scales.
 *
 * If sign_extend is 1, only the lowest fmt->bits bits of an integer count, as in words of hardware
 * registers whose upper bits are undefined: they are extended by their sign, or by 0 if the format
 * is unsigned. If sign_extend is 0, an integer that fmt->bits bits cannot hold is
 * SC_ERROR_ARGUMENT, and sc_last_error has the first such integer and its index. Both concern only
 * a q_dtype that is wider than the format. Packed integers never are. */
sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_format* fmt,
                        int32_t sign_extend, void* out, sc_dtype out_dtype);

/* Computes the result of sc_quantize followed by sc_dequantize to the dtype of w. `out` may equal
 * w. Errors are those of sc_quantize. */
sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_format* fmt,
                           const sc_quantize_options* options, void* out);

/* Converts integers of one format to integers of another:
 *   out = round((q - zero_point) * step / out_step) + out_zero_point
 * in exact arithmetic, rounded once. A step is 2^-frac_bits, or the scale. Scales are doubles;
 * those of from_fmt may be any finite numbers, those of to_fmt must be positive and normal. A
 * fixed-point from_fmt may have up to 64 bits. out_dtype is the dtype of out, as q_dtype is that of
 * q.
 *
 * sign_extend, and integers wider than from_fmt, are as for sc_dequantize. `options` are those of
 * sc_quantize; `nan` has no effect. SC_ERROR_OVERFLOW: as for sc_quantize. */
sc_status sc_requantize(const void* q, sc_dtype q_dtype, size_t n, const sc_format* from_fmt,
                        int32_t sign_extend, const sc_format* to_fmt,
                        const sc_quantize_options* options, void* out, sc_dtype out_dtype);

/* Prunes w to the k elements of largest magnitude, 0 <= k <= n, and quantizes the result, without
 * an array in between. A pruned element is quantized as 0.0 is. SC_NAN_RAISE refuses NaN in all of
 * w; with SC_NAN_ZERO, NaN ranks below zero. Elements out of range, and infinities under
 * SC_OVERFLOW_WRAP, are errors only where they are kept. Other errors are those of sc_quantize. */
sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_format* fmt,
                            const sc_quantize_options* options, void* q, sc_dtype q_dtype);

/* ---- Packed integers ------------------------------------------------------------------------ */
/* n integers of 1 to SC_MAX_PACKED_BITS bits, stored consecutively as a stream of bits in
 * (n * bits + 7) / 8 bytes. Negative integers are in two's complement. Packing sets the spare bits
 * of the last byte to 0. The packed bytes need no alignment.
 *
 * row_align is 0, 8 or 32. With 8 or 32, each row_length consecutive integers are a row, and each
 * row is a stream of its own, padded with zeros to a multiple of row_align bits (byte-aligned
 * rows). row_length must divide n. With a row_align of 0, all integers are one stream, and
 * row_length is ignored. */

/* The largest width of packed integers. */
#define SC_MAX_PACKED_BITS 16

/* How the stream is stored; the names are those of NumPy's packbits. */
typedef enum sc_bitorder SC_OF_INT {
  SC_BITORDER_LITTLE = 0, /* fills bytes and integers from their lowest bit */
  SC_BITORDER_BIG = 1     /* fills bytes and integers from their highest bit */
} sc_bitorder;

/* Packs the integers q. q_dtype is one of:
 *   - SC_DTYPE_INT8 or SC_DTYPE_UINT8, with `bits` from 1 to 8, or SC_DTYPE_INT16 or
 *     SC_DTYPE_UINT16, with `bits` from 1 to 16. If an integer does not fit in `bits`, signed or
 *     unsigned as q_dtype is, the call fails with SC_ERROR_ARGUMENT, and sc_last_error names the
 *     first such integer.
 *   - SC_DTYPE_INT4, SC_DTYPE_UINT4, SC_DTYPE_INT2 or SC_DTYPE_UINT2, with `bits` 4 or 2 as the
 *     dtype has. No integer is refused.
 * Any other q_dtype is SC_ERROR_UNSUPPORTED. */
sc_status sc_pack_ints(const void* q, sc_dtype q_dtype, size_t n, int32_t bits,
                       sc_bitorder bitorder, size_t row_length, int32_t row_align, void* packed);

/* Unpacks n integers to q. q_dtype is one of those of sc_pack_ints; if it is signed, so are the
 * integers. */
sc_status sc_unpack_ints(const void* packed, size_t n, int32_t bits, sc_bitorder bitorder,
                         size_t row_length, int32_t row_align, void* q, sc_dtype q_dtype);

/* ---- Bitmasks ------------------------------------------------------------------------------- */
/* A sparse encoding: one bit per element, and the values of the elements whose bit is 1, in order.
 * A bit is 1 unless all bits of its element are 0, so that decoding is lossless, including for
 * -0.0. Elements have element_bytes bytes: 1, 2, 4 or 8; any dtype of that size fits.
 *
 * row_length divides n. The bitmask has (row_length + 7) / 8 bytes for each row of row_length
 * elements, and needs no alignment: element i of a row is bit i % 8, counted from the lowest, of
 * byte i / 8, as NumPy's packbits(axis=-1, bitorder="little") has it. Spare bits of the last byte
 * of a row are 0. With a row_length of n, the whole array is one row. */

/* Writes the bitmask of w, sets *count to the number of bits that are set, and writes the elements
 * of these bits to `values`, which has room for `capacity` elements; n is always enough. If there
 * are more, the call fails with SC_ERROR_ARGUMENT, but unlike after other errors *count, the
 * bitmask and the first `capacity` values are right. If mask is not null, it has n bytes, and an
 * element is stored where its byte is not 0; zeros can be stored so. */
sc_status sc_encode_bitmask(const void* w, size_t element_bytes, size_t n, size_t row_length,
                            const void* mask, void* bitmask, void* values, size_t capacity,
                            size_t* count);

/* Writes the n elements that a bitmask and its `count` values encode. Fails with SC_ERROR_ARGUMENT,
 * and writes nothing, if another number of bits is set, or a spare bit is. */
sc_status sc_decode_bitmask(const void* bitmask, const void* values, size_t count,
                            size_t element_bytes, size_t n, size_t row_length, void* out);

/* Sets *count to the number of bits of a bitmask of n elements that are set. Unless row_offsets is
 * null, sets row_offsets[i] to the number of set bits in rows 0 to i - 1, which is the index of the
 * first value of row i; there are n / row_length rows. Fails with SC_ERROR_ARGUMENT if a spare bit
 * is set. */
sc_status sc_count_bitmask(const void* bitmask, size_t n, size_t row_length, size_t* count,
                           int64_t* row_offsets);

/* ---- Gaps ----------------------------------------------------------------------------------- */
/* The positions of the bits that are set in a bitmask, for bitmasks with few of them: for each, in
 * C order, the number of bits of 0 between it and the one before, or the beginning. Spare bits do
 * not count. Numbers are unsigned LEB128, as in DWARF and WebAssembly: 7 bits in each byte, from
 * the lowest on; the highest bit of a byte is 1 if another byte of the number follows. They are as
 * short as possible. Gaps take at most one byte for each bit that is set and one for every 128
 * bits. */

/* Writes the gaps of a bitmask of n elements to `gaps`, which has room for `capacity` bytes, and
 * sets *count to the number of bytes. If there are more, the call fails with SC_ERROR_ARGUMENT, but
 * *count and the first `capacity` bytes are right. Spare bits of the bitmask are ignored. */
sc_status sc_encode_gaps(const void* bitmask, size_t n, size_t row_length, void* gaps,
                         size_t capacity, size_t* count);

/* Writes the bitmask of n elements whose gaps are these `count` bytes. Fails with
 * SC_ERROR_ARGUMENT, after it may have written a part, if they are not what sc_encode_gaps writes
 * for such a bitmask. */
sc_status sc_decode_gaps(const void* gaps, size_t count, size_t n, size_t row_length,
                         void* bitmask);

/* ---- Comparing, and choosing formats -------------------------------------------------------- */
/* These functions compute a result for each group of the layout. Sums are float64 and have a fixed
 * order, which "Order of sums" in docs/semantics.md defines. */

/* Sums over the pairs of elements (w, w_hat) of a group. NaN and infinity propagate as in any sum,
 * except that max_error ignores NaN. */
typedef struct sc_error_sums {
  double squared_error; /* of (w - w_hat)^2 */
  double squared_w;     /* of w^2 */
  double squared_w_hat; /* of w_hat^2 */
  double products;      /* of w * w_hat */
  double max_error;     /* the largest |w - w_hat| */
  uint64_t saturated;   /* the number of w whose rounded integer is out of the range of fmt; 0 if
                         * fmt is null */
} sc_error_sums;

/* Computes the sums of each group in one pass over both arrays, whose dtypes may differ. fmt may be
 * null. If it is given, it and `rounding` determine `saturated`, where infinity counts and NaN does
 * not. Its layout must be null, have one group, or have the groups of `layout`. Its scales are
 * double if w is float64, else float. SC_ROUNDING_STOCHASTIC is SC_ERROR_ARGUMENT. */
sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_layout* layout, const sc_format* fmt, sc_rounding rounding,
                     sc_error_sums* sums);

/* How a format is chosen for the elements of a group. All elements must be finite; others are
 * SC_ERROR_NAN. SC_ROUNDING_STOCHASTIC is SC_ERROR_ARGUMENT. SC_CHOICE_METHOD_MAX chooses a format
 * in which no element overflows under `rounding` (fixed point: unless a magnitude exceeds 2^256).
 * One chosen for SC_ROUNDING_AWAY does not overflow under SC_ROUNDING_STOCHASTIC either. */
typedef enum sc_choice_method SC_OF_INT {
  SC_CHOICE_METHOD_MAX = 0,        /* by the range of the elements and 0 */
  SC_CHOICE_METHOD_PERCENTILE = 1, /* the same, after the range is clipped to a percentile of the
                                    * magnitudes: of n elements, the magnitude of rank
                                    * max(1, ceil(n * percentile / 100)), counted from the
                                    * smallest */
  SC_CHOICE_METHOD_MSE = 2         /* the least sum of squared errors */
} sc_choice_method;

/* q of sc_choose_format and sc_choose_affine may be null, and q_dtype is then ignored. Otherwise q
 * is an array of n integers of a dtype that sc_quantize allows for the format, but not packed. It
 * receives the integers that sc_quantize writes for the chosen format, with `rounding` and the
 * other options by default. Where groups are contiguous parts of w, this takes one pass over w.
 * After an error, the contents of q are unspecified. */

/* Chooses the fraction bits of fixed-point formats, one for each group of the layout, from -256 to
 * 256. bits is 2 to 32. percentile is 0 to 100, and only SC_CHOICE_METHOD_PERCENTILE uses it.
 * SC_CHOICE_METHOD_MAX and SC_CHOICE_METHOD_PERCENTILE choose the largest frac_bits with which no
 * element of the range, or of the clipped range, is rounded out of the range of the format. For
 * SC_CHOICE_METHOD_MSE, elements out of range saturate; of several frac_bits with the least error,
 * it chooses the largest. A group whose range is 0, or for unsigned integers does not exceed 0,
 * gets bits - is_signed.
 *
 * If is_signed is 0, a negative element is SC_ERROR_ARGUMENT, unless the frac_bits of
 * SC_CHOICE_METHOD_MAX round it to 0. */
sc_status sc_choose_format(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                           int32_t bits, int32_t is_signed, sc_choice_method method,
                           double percentile, sc_rounding rounding, int32_t* frac_bits, void* q,
                           sc_dtype q_dtype);

/* Chooses the scales and the zero points of affine formats that use all integers of the width, one
 * of each for each group of the layout. bits is 2 to 16. The scales are double if w is float64,
 * else float; they are positive and not subnormal. The range of a group is lowest = min(0,
 * elements) to highest = max(0, elements), clipped for SC_CHOICE_METHOD_PERCENTILE. It determines
 * the parameters:
 *   is_symmetric = 0: the scale is highest / (qmax - qmin) - lowest / (qmax - qmin), and the zero
 *     point is qmin - lowest / scale, rounded to the nearest integer from qmin to qmax. For
 *     SC_ROUNDING_FLOOR and SC_ROUNDING_AWAY it is rounded up instead, for SC_ROUNDING_CEIL down.
 *     For SC_ROUNDING_AWAY, ranges of both signs are divided into one step less.
 *   is_symmetric = 1: the zero point is 0 or, if is_signed is 0, 2^(bits - 1), and the highest
 *     integer represents the largest magnitude.
 * If an end of the range is still rounded out of the range of the format, the scale is replaced by
 * the next larger number until it is not.
 *
 * SC_CHOICE_METHOD_MSE searches among the scale of SC_CHOICE_METHOD_MAX and smaller ones, down to
 * 2^-16 of it, for that of the least error, and keeps the zero point. docs/semantics.md defines the
 * search. A group whose range is 0 gets the scale 1 and, if is_symmetric is 0, the zero point 0. */
sc_status sc_choose_affine(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                           int32_t bits, int32_t is_signed, int32_t is_symmetric,
                           sc_choice_method method, double percentile, sc_rounding rounding,
                           void* scale, int32_t* zero_point, void* q, sc_dtype q_dtype);

/* ---- Host ------------------------------------------------------------------------------------ */

/* Writes the name of the instruction set in use: "scalar", "avx2" or "avx512". By default it is the
 * best one that this CPU supports. The environment variable SECATEUR_ISA, read at the first call,
 * selects another. */
sc_status sc_isa(const char** name);

/* Writes the names of the instruction sets that this CPU and this build support, slowest first, and
 * returns their number. At most `capacity` names are written. `names` may be null. */
size_t sc_isas(const char** names, size_t capacity);

/* Selects another instruction set for all later calls, in every thread. It is meant for tests and
 * comparisons. A name that sc_isas does not list is SC_ERROR_ARGUMENT. */
sc_status sc_set_isa(const char* name);

/* Sets the number of threads that a call may use, from 1 to SC_MAX_THREADS, including the calling
 * thread. sc_get_num_threads writes the number that applies to calls from this thread. The default
 * is SECATEUR_NUM_THREADS if set, else the number of CPUs that this process may run on. Small
 * arrays use only the calling thread. */
#define SC_MAX_THREADS 1024
sc_status sc_set_num_threads(size_t num_threads);
sc_status sc_get_num_threads(size_t* num_threads);

/* Sets the number of threads for calls from this thread only; 0 restores the number of the process.
 * Writes the previous setting to *previous, unless previous is null. */
sc_status sc_set_thread_num_threads(size_t num_threads, size_t* previous);

/* The threads that the library starts block all signals except those that report a fault of the
 * thread itself, such as SIGBUS. They end after two seconds without work. Once any function other
 * than sc_version and sc_abi_version has been called, a shared object that contains the library
 * stays loaded after dlclose. */

/* A callback that decides whether to interrupt a call: nonzero interrupts, 0 continues. */
typedef int (*sc_interrupt)(void* context);

/* Sets the callback for later calls from this thread. Null, the default, disables interruption. A
 * long call runs check(context) about every 100 ms, on the thread that made the call and in the
 * default floating-point environment. If the callback returns nonzero, the call fails with
 * SC_ERROR_INTERRUPTED. Once a call has started to write to an array in place, it does not run the
 * callback any more and cannot be interrupted.
 *
 * Writes the previous callback and its context to *previous_check and *previous_context, unless
 * these are null. A caller that needs its own callback for a few calls passes both back afterwards.
 *
 * The callback must return. It may call functions of the library; those calls run no callback. It
 * may also call sc_set_thread_interrupt: the call that runs the callback keeps it, and later calls
 * have the new one. If the callback forks and returns in the child, a call that uses several
 * threads fails in the child with SC_ERROR_INTERNAL. */
sc_status sc_set_thread_interrupt(sc_interrupt check, void* context, sc_interrupt* previous_check,
                                  void** previous_context);

#undef SC_OF_INT

#ifdef __cplusplus
}
#endif

#endif
