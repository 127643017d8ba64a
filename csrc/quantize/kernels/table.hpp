// The kernel table of quantization: the stages between floats and stored integers, and the kernels
// that fuse these stages.
#pragma once

#include "core/kernel_types.hpp"
#include "quantize/rounding_table.hpp"

namespace secateur {

// Elements pass through the stages in chunks of kChunk. A buffer of a stage holds kChunkCapacity
// elements, because kernels may read and write a word past the chunk.
inline constexpr size_t kChunk = 1024;
inline constexpr size_t kChunkCapacity = kChunk + kWord;

// The number of int32 lanes of the widest vector of any ISA.
inline constexpr size_t kWidestVector = 16;

// The parameters of consecutive elements: one per element (shift == 0), or one per run of 2^shift
// elements. In the second case element 0 is number `in_run` of its run. in_run and the length of a
// run are multiples of kWidestVector, so that all lanes of a vector share a parameter.
template <class C>
struct ParameterView {
  const C* values;
  uint32_t shift;
  uint32_t in_run;

  // The index in `values` of the parameter of element i.
  [[nodiscard]] size_t index(size_t i) const { return (in_run + i) >> shift; }
};
// With so large a shift, index() is 0 for every element. The value tells the two cases apart.
inline constexpr uint32_t kSameForAll = 63, kSameForRun = 62;
// One parameter for all elements of the array.
template <class C>
constexpr ParameterView<C> same_for_all(const C* value) {
  return {value, kSameForAll, 0};
}
// One parameter for these elements; the array has further runs. Kernels that have a separate loop
// for same_for_all() do not use it here: the CPU would mispredict the branch after each switch
// between the loops.
template <class C>
constexpr ParameterView<C> same_for_run(const C* value) {
  return {value, kSameForRun, 0};
}
template <class C>
constexpr bool is_same_for_all(ParameterView<C> view) {
  return view.shift == kSameForAll;
}
template <class C>
constexpr ParameterView<C> one_each(const C* values) {
  return {values, 0, 0};
}

// directed: in the direction of the floating-point environment. away: from zero; the environment
// must round up. tied: to nearest, with ties as QuantizeRule says. stochastic: away from zero with
// a probability equal to the fraction; the environment must round to zero.
enum class RoundingKernel : uint32_t {
#define SECATEUR_VALUE(name, type) name,
  SECATEUR_ROUNDING_KERNELS(SECATEUR_VALUE)
#undef SECATEUR_VALUE
      count
};
enum class Overflow : uint32_t { saturate, zero, wrap, count };
// How scaled elements are rounded and brought into range. C, the compute type, is float or double.
template <class C>
struct QuantizeRule {
  C lowest, highest;  // the range of the format
  C tie;  // for `tied`: if x - r == tie, with r = x rounded half to even, the result is r + 2 * tie
  bool tie_has_sign;            // for `tied`: the sign of the element multiplies tie
  int32_t bit_mask, sign_mask;  // for `wrap`: all bits, and the sign bit (0 if unsigned)
  uint64_t seed;                // for `stochastic`: the seed, hashed
  ParameterView<C> zero_points;
};

// The largest magnitude of a chunk of elements, as a key of C. Under Overflow::zero, also the
// number of elements out of range; else 0.
struct ChunkStatus {
  Key largest;
  size_t out_of_range;
};

// The layout of parameters that runs of neighbours share. The array consists of rows of `row`
// elements. A row is divided into runs of `run` elements, of which the last may be shorter. Each
// row has `per_row` parameters, or (shared) all rows have the same ones.
struct SharedRuns {
  size_t run, row, per_row;
  bool shared;
};

// The position of an element: the index of its parameter, and its index in its row and in its run.
struct RunPosition {
  size_t value, in_row, in_run;
};

// divide_as_float divides in double and rounds the quotient to float precision.
enum class Scaling : uint32_t { multiply, divide, divide_as_float, count };
// The stages with compute type C. Buffers consist of whole words. The first result of a part goes
// to the first element of the buffer.
template <class C>
struct StageKernels {
  // Scales, rounds and brings into range. `index` is the index of the first element in the array;
  // the indices of all elements of the part have the same upper 32 bits.
  using QuantizeChunk = ChunkStatus (*)(const Part& w, ParameterView<C> factors,
                                        const QuantizeRule<C>& rule, size_t index, int32_t* q);
  using ByMode = QuantizeChunk[static_cast<size_t>(RoundingKernel::count)]
                              [static_cast<size_t>(Overflow::count)];
  ByMode quantize_chunk;
  // The same, but adds the zero points after rounding.
  ByMode quantize_chunk_with_zero_points;
  // Scales, rounds in the direction of the thread, adds the zero points, and saturates.
  // divide_as_float exists for double only.
  QuantizeChunk quantize_chunk_affine[static_cast<size_t>(Scaling::count)];
  // Computes quotients, and returns the largest magnitude of w. There is none for `multiply`.
  Key (*divide[static_cast<size_t>(Scaling::count)])(const Part& w, ParameterView<C> divisors,
                                                     C* quotients);
  // Computes (q + offset) * factor, rounded to a float type. A part begins at 0. Streamed results
  // must begin at a cache line, as those of QuantizeKernels::quantize.
  using DequantizeChunk = void (*)(const Part& q, ParameterView<C> offsets,
                                   ParameterView<C> factors, const Output& out);
  DequantizeChunk dequantize_chunk[kFloats];
  // The same, but rounds the sum and the product to float. For double only, and not for float64.
  DequantizeChunk dequantize_chunk_as_float[kFloats];
  // Computes 2^exponent, or (inverse) 2^-exponent.
  void (*powers_of_two)(const int32_t* exponents, size_t count, bool inverse, C* to);
  // Converts integers to C, and (inverse) negates them.
  void (*integers)(const int32_t* numbers, size_t count, bool inverse, C* to);
  // Writes the parameters of `count` elements from a position on, one per element, and advances the
  // position. May write up to a word past them.
  void (*fill_runs)(const C* values, const SharedRuns& runs, RunPosition& position, size_t count,
                    C* to);
};

// Any integer but 0, shifted by this, is out of the range of 32 bits, and a multiple of 2^32.
inline constexpr int32_t kMaxLeftShift = 34;

// How integers are multiplied by a power of two, rounded and brought into range (the kernel
// rescale). E is int32 or int64. Each of the first four fields is 0 or -1, which means true.
//
// nearest: the fraction of the number x rounds up above one half and down below it, and the rules
// below decide ties. Otherwise they decide every nonzero fraction. It rounds up if an odd number of
// these hold: invert; invert_if_negative and x < 0; invert_if_odd and floor(x) is odd.
template <class E>
struct RescaleRule {
  E nearest, invert, invert_if_negative, invert_if_odd;
  E lowest, highest;      // the range of the format; for unsigned integers, from 0 on
  E bit_mask, sign_mask;  // for `wrap`: as in QuantizeRule
};

// Rounds q * 2^(left - right) and brings it into range. Of left and right, which have an element
// for each of q and end with a whole word, at least one is 0; `left` may be null. right is less
// than the bits of E. For int32, q * 2^left is an int32; otherwise left is at most kMaxLeftShift.
// `draws` are those of stochastic rounding, which only kernels for int64 have. The first result
// goes to the first element of `to`. Returns the number of integers out of range under
// Overflow::zero, else 0.
template <class E>
using Rescale = size_t (*)(const Part& q, const E* left, const E* right, const int64_t* draws,
                           const RescaleRule<E>& rule, int32_t* to);
// The shifts of consecutive elements: to the left, to the right, and what exceeds the largest shift
// to the right that `rescale` takes, of at most as many bits.
template <class E>
struct Shifts {
  E *left, *right, *excess;
};
// Whether any of these shifts is not 0.
struct ShiftKinds {
  bool left, excess;
};
template <class E>
using RescaleByOverflow = Rescale<E>[static_cast<size_t>(Overflow::count)];
template <class E>
struct RescaleKernels {
  RescaleByOverflow<E> with_bias;
  RescaleByOverflow<E> of_unsigned;  // for int64 only, as the two below
  RescaleByOverflow<E> stochastic;
  RescaleByOverflow<E> stochastic_of_unsigned;
  // Writes the shifts of whole words of elements, whose steps are powers of two.
  ShiftKinds (*set_shifts)(ParameterView<double> from_steps, ParameterView<double> to_steps,
                           size_t count, const Shifts<E>& shifts);
  // Keeps the bits of `bit_mask`, and sign-extends them from the bit of `sign_mask`, if that is not
  // 0. Works on whole vectors, of which the last may end after `count`.
  void (*extend)(E* q, size_t count, E bit_mask, E sign_mask);
};
// The number of types of stored integers: int8, uint8, int16, uint16, int32 and uint32.
inline constexpr size_t kIntegers = 6;

struct QuantizeKernels {
  // The fused kernel, for float types of up to 32 bits: scales, rounds in the direction of the
  // thread, adds zero points unless they are null, saturates, and stores. zero_points is
  // indexed like factors.values. Returns the largest magnitude; the integer of a NaN is
  // unspecified. Streamed results must begin at a cache line, unless all elements have the same
  // factor.
  using Quantize = Key (*)(const Part& w, const IntegerTarget& to, ParameterView<float> factors,
                           const float* zero_points, const Output& out);
  ByFloat<Quantize> quantize;

  StageKernels<float> stages_in_float;
  StageKernels<double> stages_in_double;
  // Whether least <= x <= most for all x. x is an array of int32, or of positive floats whose bits
  // are compared as int32. least <= most.
  bool (*all_within)(const void* x, size_t count, int32_t least, int32_t most);
  // Convert between int32 and the types of stored integers; for uint32, copy.
  void (*store_codes[kIntegers])(const Part& q, const Output& out);
  void (*load_codes[kIntegers])(const Part& q, int32_t* to);
  // The bitwise or of the 64-bit words of stored integers. With signs, only bits that differ from
  // the next higher bit of their word count.
  uint64_t (*code_bits[2])(const void* codes, size_t bytes);  // without and with signs
  // load_codes, and code_bits of the same integers.
  uint64_t (*load_checked_codes[kIntegers])(const Part& q, int32_t* to);

  // Apply the overflow rule to integers of a format, without signs and with signs, for ranges that
  // end at `highest`. These are integers, passed as the bits of floats. is_symmetric: ranges begin
  // at -highest. Returns the number of integers out of range under Overflow::zero, else 0. Works on
  // whole vectors.
  using ApplyOverflow = size_t (*)(int32_t* q, size_t count, ParameterView<float> highest,
                                   bool is_symmetric);
  ApplyOverflow apply_overflow[2][static_cast<size_t>(Overflow::count)];

  RescaleKernels<int32_t> rescale_int32;
  RescaleKernels<int64_t> rescale_int64;
  // Writes the pseudorandom numbers of `count` elements from `index` on, whose indices have the
  // same upper 32 bits. May write up to a word past them.
  void (*draw)(uint64_t seed, size_t index, size_t count, int32_t* to);
};

}  // namespace secateur
