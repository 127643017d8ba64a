// Vector operations with one lane per vector, in portable C++, for CPUs without a supported vector
// ISA. This header is also the contract of the other ISAs: avx2.hpp and avx512.hpp implement the
// same operations. An operation that has the name of one in Google Highway has its meaning, though
// its domain may be smaller (DemoteTo); where the meaning differs, so does the name. tests/lanes
// tests each operation on every ISA, and reads the names of the operations below. Functions with
// names in snake_case are helpers of one file and no operations.
//
// Conventions
//   i16, i32, i64, f32, f64  int16_t, int32_t, int64_t, float, double
//   ints, floats             i16, i32 and i64; f32 and f64
//   T, N                     the lane type of the first vector argument, and kLanes<T>
//   r, a, b, v, m            vectors and a mask; a[i] is lane i of a; r is the result
//   p                        a pointer, not necessarily aligned unless the line says so
// Integer arithmetic wraps. Floating-point arithmetic rounds in the current rounding direction of
// the thread. Shift counts are at least 0 and less than the number of bits of T.
//
// Types and constants
//   Vec<T>, Mask<T>          N lanes of type T; N booleans. The mask of f32 lanes is Mask<i32>, of
//                            f64 lanes Mask<i64>
//   kLanes<T>                lanes per vector
//   kBlockLanes<T>           lanes per block; a block has 128 bits (here: one lane)
//   kGroup<T>                vectors per group; BitsFromMasks takes the masks of one group
//   kDemoteInputs<Q>         vectors of i32 that DemoteTo<Q> narrows to one vector
//   kWidened<T>              vectors of f64 that Widen returns
//   kCanStream               whether Stream and StreamBools bypass the caches
//
// Memory (every lane type, except where types are listed)
//   Set(x)                   r[i] = x; ints and floats
//   LoadU(p)                 r[i] = p[i]
//   LoadOnce(p)              LoadU; the compiler does not repeat the load
//   StoreU(v, p)             p[i] = v[i]
//   Stream(v, p)             StoreU that bypasses the caches if kCanStream; p aligned to the vector
//   FlushStream()            orders earlier Stream and StreamBools stores before later stores
//   CompressStore(v, m, p)   stores the lanes of v with m[i] to p, in order; returns their number;
//                            may write a whole vector; i32, i64
//   CompressBits(v, bits, p) CompressStore with lane i of the mask in bit i of an integer, whose
//                            bits N and above are ignored; i8, ints
//   ExpandBits(bits, p)      the inverse: r[i] = the next of the elements at p if bit i of bits is
//                            set, else 0; may read a whole vector; ignores bits N and above; i8,
//                            ints
//   StoreBools(bits, p)      p[i] = bit i of bits, for 64 bytes
//   StreamBools(bits, p)     StoreBools that bypasses the caches if kCanStream; p aligned to 64
//                            bytes
//   LoadBools(p)             returns 64 bits: bit i = (p[i] != 0), for 64 bytes
//
// Integers (ints, except where types are listed)
//   Add(a, b), Sub(a, b)     r[i] = a[i] + b[i], a[i] - b[i]
//   Min(a, b), Max(a, b)     the smaller, the larger of a[i] and b[i]; signed
//   And(a, b), Xor(a, b)     bitwise
//   Or(a, b)                 bitwise; i64
//   Gt(a, b)                 mask: a[i] > b[i]; signed
//   ReduceMax(v)             returns the largest lane
//   ReduceSum(v)             returns the sum of all lanes, which must not overflow; i32, i64
//   ShiftRightLogical<count>(v)
//                            r[i] = v[i] >> count; shifts in zeros, where Highway's ShiftRight
//                            shifts in the sign
//   ShiftLeft<count>(v)      r[i] = v[i] << count; i32, i64
//   ShiftRightLogicalSame(v, count)
//                            ShiftRightLogical with a count at run time; i32, i64
//   ShiftLeftSame(v, count)  ShiftLeft with a count at run time; i64
//   Shl(v, counts)           r[i] = v[i] << counts[i]; i32, i64
//   ShrLogical(v, counts)    r[i] = v[i] >> counts[i]; shifts in zeros, where Highway's Shr shifts
//                            in the sign; i32, i64
//   Mul(a, b)                the low 32 bits of a[i] * b[i]; i32
//   MulEvenUnsigned(a, b)    r[i] = a[2i] * b[2i], unsigned; i32 to i64
//   MulOddUnsigned(a, b)     r[i] = a[2i + 1] * b[2i + 1], unsigned; i32 to i64; 0 if a vector has
//                            one lane
//   MulLowHalves(a, b)       r[i] = the product of the low 32 bits of a[i] and b[i], unsigned; i64
//   SwapHalves(v)            exchanges the low and the high 32 bits of each lane; i64
//   SubBytes(a, b)           a - b for each byte, wraps; every byte of b is below 128; i64
//   IncrementIf(v, m)        r[i] = m[i] ? v[i] + 1 : v[i]
//   DecrementIf(v, m)        r[i] = m[i] ? v[i] - 1 : v[i]
//
// Floats (floats, except where types are listed)
//   Add(a, b), Sub(a, b)     r[i] = a[i] + b[i], a[i] - b[i]
//   Div(a, b)                r[i] = a[i] / b[i]
//   Mul(a, b)                r[i] = a[i] * b[i]; if both are NaN, a[i] made quiet
//   Product(a, b)            r[i] = a[i] * b[i]; if both are NaN, either of them made quiet
//   Sqrt(v)                  r[i] = sqrt(v[i]); f64
//   Min(a, b)                r[i] = a[i] < b[i] ? a[i] : b[i]; b[i] for NaN and for two zeros
//   Max(a, b)                r[i] = a[i] > b[i] ? a[i] : b[i]; b[i] for NaN and for two zeros
//   Le(a, b), Eq(a, b)       mask: a[i] <= b[i], a[i] == b[i]; false for NaN
//   IsNumber(v)              mask: v[i] is not NaN
//   Rint(v)                  v[i] rounded to an integer in the current rounding direction of the
//                            thread, as by C's rint (Highway's Round: to nearest); the sign of a
//                            zero is unspecified
//
// Conversions
//   BitCast<To>(v)           the same bits; between i32 and f32, and between i64 and f64
//   RintToInt(v)             f32 to i32, rounded as by Rint; |v[i]| < 2^31
//   ConvertTo(v)             i32 to f32
//   PromoteLoad(p)           kLanes<i32> integers of 8, 16 or 32 bits, to i32
//   ConvertLoad<To>(p)       kLanes<To> i32, to f32 (rounds) or f64 (exact)
//   WidenLoad<To>(p)         kLanes<To> floats of the same or a narrower type, to f32 or f64;
//                            exact, except that a signaling NaN may become quiet
//   Widen(v, out)            floats to f64: out[0 .. kWidened<T> - 1] receive all lanes in order
//   DemoteTo<Q>(v)           v[0 .. kDemoteInputs<Q> - 1], vectors of i32, to one Vec<Q>; Q has 8,
//                            16 or 32 bits; every value must be in the range of Q
//   DemoteTo<F>(v)           as many vectors of f32 as fill one Vec<i16>, to the bits of Float16 or
//                            BFloat16, rounded to nearest even; no lane is NaN, and the rounding
//                            direction of the thread is nearest
//   DemoteTo(v)              v[0 .. kWidened<f32> - 1], vectors of f64, to one Vec<f32>
//   LowHalves(v)             v[0 .. kWidened<f32> - 1], vectors of i64, to one Vec<i32>: the low 32
//                            bits of each lane
//
// Masks
//   And(a, b), Or(a, b)      logical
//   AndNot(a, b)             !a[i] && b[i]
//   BitsFromMask(m)          returns an integer: bit i = m[i], other bits 0
//   BitsFromMasks(m)         the bits of m[0 .. kGroup<T> - 1]; those of m[0] are the lowest
//   MaskFromBits<T>(bits)    mask: bit i of bits; ignores bits N and above
//   IfThenElse(m, a, b)      r[i] = m[i] ? a[i] : b[i]; ints
//   IfThenElseZero(m, v)     r[i] = m[i] ? v[i] : 0; ints
//
// Permutations (ints; not defined if a vector has one lane)
//   InterleaveLower(a, b)    for each block: a0 b0 a1 b1 ..., of the lower half of the block
//   InterleaveUpper(a, b)    the same of the upper half of the block
//   InterleaveEvenBlocks<n>(a, b)
//                            a0 b0 a2 b2 ..., where a0 is the first n blocks of a, and so on
//   InterleaveOddBlocks<n>(a, b)
//                            a1 b1 a3 b3 ...
//
// Packed codes (i64). A lane holds eight codes, one per byte. A code has `bits` bits, 1 to 7. Lanes
// consist of fields: a field has two, four or eight codes, whose packed bits fill whole bytes.
//   PackedField(bits)        the size of a field: 16, 32 or 64 bits
//   LoadPacked(p, bits, msb_first)
//                            loads the packed bytes of all fields, which are contiguous at p; those
//                            of each field become its low bytes, the first one the lowest, or, if
//                            msb_first, the highest of them; the other bytes are 0; may read a
//                            whole vector
//   StorePacked(v, bits, msb_first, p)
//                            the inverse of LoadPacked; may write a whole vector
//   ReverseFields(v, bits)   reverses the order of the bytes in each field
//   JoinBytes(v, bits)       in each 16 bits: low byte | high byte << bits; each byte < 2^bits
//   JoinUint16s(v, bits)     in each 32 bits: low half | high half << (2 * bits); each half
//                            < 2^(2 * bits)
//
// PopCount, LowestBit and HighestBit are the same for all ISAs: common.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lanes/common.hpp"

namespace secateur::scalar {
namespace {

template <class T>
struct Vec {
  T raw;
};

template <class T>
struct Mask {
  bool raw;
};

template <class T>
inline constexpr size_t kLanes = 1;
template <class T>
inline constexpr size_t kBlockLanes = 1;
template <class T>
inline constexpr size_t kGroup = kVectorsOfGroup<kLanes<T>>;

template <class T>
SECATEUR_INLINE Vec<T> Set(T value) {
  return {value};
}

template <class T>
SECATEUR_INLINE Vec<T> LoadU(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v.raw, p, sizeof(T));
  return v;
}
template <class T>
SECATEUR_INLINE Vec<T> LoadOnce(const T* p) {
  return LoadU(p);
}

template <class T>
SECATEUR_INLINE void StoreU(Vec<T> v, T* p) {
  __builtin_memcpy(p, &v.raw, sizeof(T));
}

inline constexpr bool kCanStream = false;
template <class T>
SECATEUR_INLINE void Stream(Vec<T> v, T* p) {
  StoreU(v, p);
}

SECATEUR_INLINE void FlushStream() {}

template <class To, class From>
SECATEUR_INLINE Vec<To> BitCast(Vec<From> v) {
  return {__builtin_bit_cast(To, v.raw)};
}

// Integers. Signed overflow is undefined in C++, so sums use built-ins that wrap.
template <class T>
SECATEUR_INLINE Vec<T> And(Vec<T> a, Vec<T> b) {
  return {static_cast<T>(a.raw & b.raw)};
}
template <class T>
SECATEUR_INLINE Vec<T> Add(Vec<T> a, Vec<T> b) {
  Vec<T> sum;
  static_cast<void>(__builtin_add_overflow(a.raw, b.raw, &sum.raw));
  return sum;
}
template <class T>
SECATEUR_INLINE Vec<T> Min(Vec<T> a, Vec<T> b) {
  return {a.raw < b.raw ? a.raw : b.raw};
}
template <class T>
SECATEUR_INLINE Vec<T> Max(Vec<T> a, Vec<T> b) {
  return {a.raw > b.raw ? a.raw : b.raw};
}
template <class T>
SECATEUR_INLINE T ReduceMax(Vec<T> v) {
  return v.raw;
}
template <class T>
SECATEUR_INLINE T ReduceSum(Vec<T> v) {
  return v.raw;
}
template <class T>
SECATEUR_INLINE Mask<T> Gt(Vec<T> a, Vec<T> b) {
  return {a.raw > b.raw};
}
template <class T>
SECATEUR_INLINE Vec<T> Xor(Vec<T> a, Vec<T> b) {
  return {static_cast<T>(a.raw ^ b.raw)};
}
SECATEUR_INLINE Vec<int32_t> ShiftRightLogicalSame(Vec<int32_t> v, int count) {
  return {static_cast<int32_t>(static_cast<uint32_t>(v.raw) >> count)};
}
SECATEUR_INLINE Vec<int64_t> ShiftRightLogicalSame(Vec<int64_t> v, int count) {
  return {static_cast<int64_t>(static_cast<uint64_t>(v.raw) >> count)};
}
SECATEUR_INLINE Vec<int16_t> ShiftRightLogicalSame(Vec<int16_t> v, int count) {
  return {static_cast<int16_t>(static_cast<uint16_t>(v.raw) >> count)};
}
template <int kCount, class T>
SECATEUR_INLINE Vec<T> ShiftRightLogical(Vec<T> v) {
  return ShiftRightLogicalSame(v, kCount);
}
template <class T>
SECATEUR_INLINE Vec<T> ShrLogical(Vec<T> v, Vec<T> counts) {
  return ShiftRightLogicalSame(v, static_cast<int>(counts.raw));
}
template <class T>
SECATEUR_INLINE Vec<T> Shl(Vec<T> v, Vec<T> counts) {
  return {static_cast<T>(static_cast<std::make_unsigned_t<T>>(v.raw) << counts.raw)};
}
template <int kCount>
SECATEUR_INLINE Vec<int32_t> ShiftLeft(Vec<int32_t> v) {
  return {static_cast<int32_t>(static_cast<uint32_t>(v.raw) << kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int64_t> ShiftLeft(Vec<int64_t> v) {
  return {static_cast<int64_t>(static_cast<uint64_t>(v.raw) << kCount)};
}
SECATEUR_INLINE Vec<int64_t> Or(Vec<int64_t> a, Vec<int64_t> b) { return {a.raw | b.raw}; }
SECATEUR_INLINE Vec<int64_t> ShiftLeftSame(Vec<int64_t> v, int count) {
  return {static_cast<int64_t>(static_cast<uint64_t>(v.raw) << count)};
}
SECATEUR_INLINE Vec<int32_t> Mul(Vec<int32_t> a, Vec<int32_t> b) {
  return {static_cast<int32_t>(static_cast<uint32_t>(a.raw) * static_cast<uint32_t>(b.raw))};
}
SECATEUR_INLINE Vec<int64_t> MulLowHalves(Vec<int64_t> a, Vec<int64_t> b) {
  const uint64_t low = static_cast<uint32_t>(a.raw);
  return {static_cast<int64_t>(low * static_cast<uint32_t>(b.raw))};
}
SECATEUR_INLINE Vec<int64_t> MulEvenUnsigned(Vec<int32_t> a, Vec<int32_t> b) {
  return MulLowHalves(Vec<int64_t>{a.raw}, Vec<int64_t>{b.raw});
}
SECATEUR_INLINE Vec<int64_t> MulOddUnsigned(Vec<int32_t>, Vec<int32_t>) { return {0}; }
SECATEUR_INLINE Vec<int64_t> SwapHalves(Vec<int64_t> v) {
  const auto bits = static_cast<uint64_t>(v.raw);
  return {static_cast<int64_t>(bits << 32 | bits >> 32)};
}

// Floats, and Sub of integers
template <class T>
SECATEUR_INLINE Vec<T> Sub(Vec<T> a, Vec<T> b) {
  if constexpr (static_cast<T>(0.5) == T{0}) {  // T is an integer type
    Vec<T> difference;                          // wraps, as in Add
    static_cast<void>(__builtin_sub_overflow(a.raw, b.raw, &difference.raw));
    return difference;
  } else {
    return {a.raw - b.raw};
  }
}
template <class T>
SECATEUR_INLINE Vec<T> Mul(Vec<T> a, Vec<T> b) {
  return {a.raw != a.raw ? a.raw + a.raw : a.raw * b.raw};
}
SECATEUR_INLINE Vec<float> Add(Vec<float> a, Vec<float> b) { return {a.raw + b.raw}; }
SECATEUR_INLINE Vec<double> Add(Vec<double> a, Vec<double> b) { return {a.raw + b.raw}; }
template <class T>
SECATEUR_INLINE Vec<T> Product(Vec<T> a, Vec<T> b) {
  return {a.raw * b.raw};
}
SECATEUR_INLINE Vec<float> Div(Vec<float> a, Vec<float> b) { return {a.raw / b.raw}; }
SECATEUR_INLINE Vec<double> Div(Vec<double> a, Vec<double> b) { return {a.raw / b.raw}; }
SECATEUR_INLINE Vec<double> Sqrt(Vec<double> v) { return {__builtin_sqrt(v.raw)}; }
SECATEUR_INLINE Mask<int32_t> IsNumber(Vec<float> v) { return {v.raw == v.raw}; }
SECATEUR_INLINE Mask<int64_t> IsNumber(Vec<double> v) { return {v.raw == v.raw}; }
SECATEUR_INLINE Mask<int32_t> Le(Vec<float> a, Vec<float> b) { return {a.raw <= b.raw}; }
SECATEUR_INLINE Mask<int64_t> Le(Vec<double> a, Vec<double> b) { return {a.raw <= b.raw}; }
SECATEUR_INLINE Mask<int32_t> Eq(Vec<float> a, Vec<float> b) { return {a.raw == b.raw}; }
SECATEUR_INLINE Mask<int64_t> Eq(Vec<double> a, Vec<double> b) { return {a.raw == b.raw}; }
// Converts to an integer and back, which is one instruction each. Floats of at least 2^23, and
// doubles of at least 2^52, are integers already.
SECATEUR_INLINE Vec<float> Rint(Vec<float> v) {
  return {__builtin_fabsf(v.raw) < 0x1p23f ? static_cast<float>(__builtin_lrintf(v.raw)) : v.raw};
}
SECATEUR_INLINE Vec<double> Rint(Vec<double> v) {
  return {__builtin_fabs(v.raw) < 0x1p52 ? static_cast<double>(__builtin_lrint(v.raw)) : v.raw};
}
template <class T>
inline constexpr size_t kWidened = kLanes<T> / kLanes<double>;
template <class T>
SECATEUR_INLINE void Widen(Vec<T> v, Vec<double>* out) {
  out[0] = {static_cast<double>(v.raw)};
}
SECATEUR_INLINE Vec<int32_t> RintToInt(Vec<float> v) {
  return {static_cast<int32_t>(__builtin_lrintf(v.raw))};
}
SECATEUR_INLINE Vec<float> ConvertTo(Vec<int32_t> v) { return {static_cast<float>(v.raw)}; }
template <class To>
SECATEUR_INLINE Vec<To> ConvertLoad(const int32_t* p) {
  return {static_cast<To>(LoadU(p).raw)};
}

// Masks
template <class T>
SECATEUR_INLINE Mask<T> And(Mask<T> a, Mask<T> b) {
  return {a.raw && b.raw};
}
template <class T>
SECATEUR_INLINE Mask<T> Or(Mask<T> a, Mask<T> b) {
  return {a.raw || b.raw};
}
template <class T>
SECATEUR_INLINE Mask<T> AndNot(Mask<T> a, Mask<T> b) {
  return {!a.raw && b.raw};
}
template <class T>
SECATEUR_INLINE uint64_t BitsFromMask(Mask<T> m) {
  return m.raw;
}
template <class T>
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<T>* m) {
  return BitsFromMask(m[0]) | BitsFromMask(m[1]) << 1 | BitsFromMask(m[2]) << 2 |
         BitsFromMask(m[3]) << 3;
}
template <class T>
SECATEUR_INLINE Mask<T> MaskFromBits(uint64_t bits) {
  return {(bits & 1) != 0};
}
template <class T>
SECATEUR_INLINE Vec<T> IfThenElse(Mask<T> m, Vec<T> yes, Vec<T> no) {
  return m.raw ? yes : no;
}
template <class T>
SECATEUR_INLINE Vec<T> IfThenElseZero(Mask<T> m, Vec<T> v) {
  return {m.raw ? v.raw : T{0}};
}
template <class T>
SECATEUR_INLINE Vec<T> IncrementIf(Vec<T> v, Mask<T> m) {
  return Add(v, Vec<T>{static_cast<T>(m.raw ? 1 : 0)});  // wraps
}
template <class T>
SECATEUR_INLINE Vec<T> DecrementIf(Vec<T> v, Mask<T> m) {
  return Sub(v, Vec<T>{static_cast<T>(m.raw ? 1 : 0)});  // wraps
}

template <class T>
SECATEUR_INLINE size_t CompressStore(Vec<T> v, Mask<T> m, T* p) {
  StoreU(v, p);
  return m.raw;
}
template <class T>
SECATEUR_INLINE size_t CompressBits(Vec<T> v, uint64_t bits, T* p) {
  StoreU(v, p);
  return bits & 1;
}
template <class T>
SECATEUR_INLINE Vec<T> ExpandBits(uint64_t bits, const T* p) {
  return {static_cast<T>((bits & 1) != 0 ? *p : T{0})};
}

// Conversions between widths
template <class Q>
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const Q* p) {
  return {LoadU(p).raw};
}

// One vector, because all vectors have one lane.
template <class Q>
inline constexpr size_t kDemoteInputs = 1;

template <class Q>
SECATEUR_INLINE Vec<Q> DemoteTo(const Vec<int32_t>* v) {
  return {static_cast<Q>(v[0].raw)};
}

SECATEUR_INLINE Vec<int32_t> LowHalves(const Vec<int64_t>* v) {
  return {static_cast<int32_t>(v[0].raw)};
}
SECATEUR_INLINE Vec<float> DemoteTo(const Vec<double>* v) { return {static_cast<float>(v[0].raw)}; }

SECATEUR_INLINE float to_float(float x) { return x; }
SECATEUR_INLINE double to_float(double x) { return x; }
SECATEUR_INLINE float to_float(BFloat16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x) << 16);
}
// All ones if the condition holds, otherwise 0. The conversions below combine their cases with such
// masks, because branches would often be mispredicted.
SECATEUR_INLINE uint32_t ones_if(bool condition) { return -static_cast<uint32_t>(condition); }
// The mantissa of float32 is 13 bits longer than that of float16. Its exponent bias is larger by
// 112.
SECATEUR_INLINE float to_float(Float16 x) {
  const uint32_t magnitude = (static_cast<uint32_t>(x) & 0x7fffu) << 13;
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
  const uint32_t infinite = ones_if(magnitude >= 31u << 23) & 0x7f800000u;
  const uint32_t quiet = ones_if(magnitude > 31u << 23) & 0x00400000u;
  const uint32_t sign = (static_cast<uint32_t>(x) & 0x8000u) << 16;
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, scaled) | infinite | quiet | sign);
}
template <class To, class From>
SECATEUR_INLINE Vec<To> WidenLoad(const From* p) {
  return {static_cast<To>(to_float(LoadU(p).raw))};
}

// bits >> count, rounded to nearest even.
SECATEUR_INLINE uint32_t shift_right_to_even(uint32_t bits, unsigned count) {
  return (bits + (1u << (count - 1)) - 1 + ((bits >> count) & 1)) >> count;
}
template <class F>
SECATEUR_INLINE Vec<int16_t> DemoteTo(const Vec<float>* v);
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<BFloat16>(const Vec<float>* v) {
  return {static_cast<int16_t>(shift_right_to_even(__builtin_bit_cast(uint32_t, v[0].raw), 16))};
}
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<Float16>(const Vec<float>* v) {
  const auto bits = __builtin_bit_cast(uint32_t, v[0].raw);
  const uint32_t magnitude = bits & 0x7fffffffu;
  // Float16 subnormals are the multiples of 2^-24. The last bit of this sum has the value 2^-24, so
  // the addition rounds to a multiple of it.
  const float sum = __builtin_bit_cast(float, magnitude) + 0.5f;
  const uint32_t small = __builtin_bit_cast(uint32_t, sum) - __builtin_bit_cast(uint32_t, 0.5f);
  const uint32_t large = shift_right_to_even(magnitude - (112u << 23), 13);
  const uint32_t is_small = ones_if(magnitude < 113u << 23);
  const uint32_t rounded = (small & is_small) | (large & ~is_small);
  const uint32_t infinity = 0x7c00;
  return {static_cast<int16_t>((bits >> 16 & 0x8000u) | (rounded < infinity ? rounded : infinity))};
}

SECATEUR_INLINE void StoreBools(uint64_t bits, uint8_t* p) {
  for (size_t i = 0; i < 64; ++i) {
    p[i] = static_cast<uint8_t>((bits >> i) & 1);
  }
}
SECATEUR_INLINE void StreamBools(uint64_t bits, uint8_t* p) { StoreBools(bits, p); }

SECATEUR_INLINE uint64_t LoadBools(const uint8_t* p) {
  uint64_t bits = 0;
  for (size_t i = 0; i < 64; ++i) {
    bits |= static_cast<uint64_t>(p[i] != 0) << i;
  }
  return bits;
}

// Packed codes. Only shifts move bytes here, so a field is a whole lane.
constexpr int PackedField(int) { return 64; }
SECATEUR_INLINE Vec<int64_t> ReverseFields(Vec<int64_t> v, int) {
  return {static_cast<int64_t>(__builtin_bswap64(static_cast<uint64_t>(v.raw)))};
}
// Setting the top bit of each byte of a before the subtraction prevents borrows from the next byte.
// The XOR corrects the top bits.
SECATEUR_INLINE Vec<int64_t> SubBytes(Vec<int64_t> a, Vec<int64_t> b) {
  const uint64_t top = 0x8080808080808080;
  const auto bits = static_cast<uint64_t>(a.raw);
  return {static_cast<int64_t>(((bits | top) - static_cast<uint64_t>(b.raw)) ^ (~bits & top))};
}
SECATEUR_INLINE Vec<int64_t> LoadPacked(const uint8_t* p, int bits, bool msb_first) {
  Vec<int64_t> v;
  __builtin_memcpy(&v.raw, p, sizeof v.raw);
  const int unused_bits = 64 - 8 * bits;
  if (msb_first) {
    return ShiftRightLogicalSame(ReverseFields(v, bits), unused_bits);
  }
  return And(v, ShiftRightLogicalSame(Set(int64_t{-1}), unused_bits));
}
SECATEUR_INLINE void StorePacked(Vec<int64_t> v, int bits, bool msb_first, uint8_t* p) {
  if (msb_first) {
    v = ReverseFields(ShiftLeftSame(v, 64 - 8 * bits), bits);
  }
  __builtin_memcpy(p, &v.raw, sizeof v.raw);
}
// Keeps the bits of v in `low_mask` and shifts the other bits right by `gap`.
SECATEUR_INLINE Vec<int64_t> join(Vec<int64_t> v, int gap, int64_t low_mask) {
  const Vec<int64_t> low{v.raw & low_mask};
  return Or(low, ShiftRightLogicalSame(Xor(v, low), gap));
}
SECATEUR_INLINE Vec<int64_t> JoinBytes(Vec<int64_t> v, int bits) {
  return join(v, 8 - bits, 0x00ff00ff00ff00ff);
}
SECATEUR_INLINE Vec<int64_t> JoinUint16s(Vec<int64_t> v, int bits) {
  return join(v, 16 - 2 * bits, 0x0000ffff0000ffff);
}

}  // namespace
}  // namespace secateur::scalar
