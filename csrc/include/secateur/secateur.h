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
  SC_ERROR_INTERNAL = 6
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
  SC_FLOAT16 = 7, /* IEEE 754 binary16 */
  SC_BFLOAT16 = 8 /* the upper half of a float32 */
} sc_dtype;

typedef enum sc_nan SC_OF_INT {
  SC_NAN_RAISE = 0, /* SC_ERROR_NAN, with the count and the first index in sc_last_error */
  SC_NAN_KEEP = 1,  /* selecting: larger than infinity, ordered by its bits */
  SC_NAN_PRUNE = 2, /* selecting: smaller than zero, ordered by its bits */
  SC_NAN_ZERO = 3   /* quantizing: becomes 0 (and, selecting too, smaller than zero) */
} sc_nan;

typedef enum sc_mask_format SC_OF_INT {
  SC_MASK_BOOLS = 0, /* one byte an element; 0 or 1 when written, 0 or not when read */
  SC_MASK_BITS = 1   /* one bit an element, lowest bit first, (n + 7) / 8 bytes; spare bits are 0 */
} sc_mask_format;

typedef enum sc_rounding SC_OF_INT { SC_ROUND_NEAREST_EVEN = 0 } sc_rounding;
typedef enum sc_overflow SC_OF_INT { SC_OVERFLOW_SATURATE = 0 } sc_overflow;

/* w is stood for by the integer q = round(w * 2^frac_bits). */
typedef struct sc_fixed_point {
  int32_t bits;      /* 8 or 16 */
  int32_t frac_bits; /* -256 to 256 */
  int32_t is_signed; /* 0 or 1 */
} sc_fixed_point;

typedef struct sc_quantize_options {
  sc_rounding rounding;
  sc_overflow overflow;
  sc_nan nan; /* SC_NAN_RAISE or SC_NAN_ZERO */
} sc_quantize_options;

/* Which elements are compared with each other: w is seen as [n / (length * inner)][length][inner],
 * and the selection is along the middle. A null pointer means the whole array. */
typedef struct sc_slices {
  size_t length;
  size_t inner;
} sc_slices;

/* ---- Selection ---------------------------------------------------------------------------- */
/* Here, and for pruning, dtype is any of the floats; for fixed point it is SC_FLOAT32. */

/* The k-th largest |w|, 1 <= k <= n, to *value (of type dtype). */
sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan,
                           void* value);

/* Which k elements are largest, 0 <= k <= n, as a mask. */
sc_status sc_topk_mask(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan, void* mask,
                       sc_mask_format format);

/* How many of n elements are kept at a sparsity in [0, 1]: n - round(sparsity * n), half to even. */
sc_status sc_keep_count(size_t n, double sparsity, size_t* k);

/* ---- Pruning: kept elements keep their bits, the others become +0.0 -------------------------- */

/* Keeps the k largest, 0 <= k <= n. */
sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan, void* out);

/* Keeps |w| > threshold, compared exactly; threshold >= 0. */
sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, sc_nan nan,
                             void* out);

/* Keeps the `keep` largest of each `of` consecutive elements along the slices, 1 <= keep <= of <= 32.
 * The length of the slices is a multiple of `of`. */
sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           const sc_slices* slices, sc_nan nan, void* out);

/* Keeps what the mask says. */
sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out);

/* ---- Fixed point ---------------------------------------------------------------------------- */
/* Integers are held in the type of their width: 8 bits in SC_INT8 or SC_UINT8, 16 in SC_INT16 or
 * SC_UINT16. Results are those of exact arithmetic rounded once. `options` may be null: nearest
 * even, saturate, SC_NAN_RAISE. */

sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype);

/* out = q * 2^-frac_bits, rounded once to out_dtype. */
sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_fixed_point* fmt,
                        void* out, sc_dtype out_dtype);

/* What w becomes when it is quantized and dequantized; the integer 0 becomes +0.0. */
sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                           const sc_quantize_options* options, void* out);

/* sc_prune to the k largest and sc_quantize, in one read of w; integers, 0 where pruned. */
sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k,
                            const sc_fixed_point* fmt, const sc_quantize_options* options, void* q,
                            sc_dtype q_dtype);

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
