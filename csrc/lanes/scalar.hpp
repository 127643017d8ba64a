// Lanes of width one, in plain C++: for any CPU, and the reference for what every operation means.
// avx2.hpp and avx512.hpp say the same in their ISA's words; names follow Google Highway.
//
// Types      Vec<T>, Mask<T>          kLanes<T> elements of T, and one truth value for each
// Memory     LoadU, StoreU            any alignment
//            Stream                   past the caches where kCanStream, which need not be asked for where
//                                     not; p aligned to the vector; Fence() when done
//            PromoteLoad(p)           kLanes<float> integers of 8, 16 or 32 bits, widened to int32
//            WidenLoad<To>(p)         kLanes<To> floats of any type that To (float, double) holds
//                                     exactly; a signaling NaN may become quiet
//            CompressStore(v, m, p)   the lanes of m, in order; returns how many; may write a whole
//                                     Vec at p
//            StoreBools(bits, p)      64 bits to 64 bytes of 0 or 1
//            StreamBools(bits, p)     the same, past the caches; p aligned to 64 bytes
//            LoadBools(p)             64 bytes to 64 bits: is the byte other than zero?
// Integers   Set, And, Add, Sub, Min, Max, ReduceMax, Gt (signed)   of 16, 32 and 64 bits
//            ReduceSum                                    of 32 and 64 bits
//            ShiftRight<count>(v)                         of 16, 32 and 64 bits; zeros come in
//            ShiftLeft<count>(v)                          of 32 and 64 bits
//            Xor                                          of 16, 32 and 64 bits
//            ShiftRightSame(v, count)                     of 32 and 64 bits; zeros come in
//            Or, ShiftLeftSame(v, count)                  of 64 bits; zeros come in
//            Mul(a, b)                the low halves of products of 32 bits
//            MulEven, MulOdd          unsigned products of the even or the odd lanes of 32 bits, whole,
//                                     as lanes of 64; 0 where there is no odd lane
//            MulHalves(a, b)          unsigned products of the low halves of lanes of 64 bits, whole
//            SwapHalves(v)            the two halves of lanes of 64 bits, exchanged
// Floats     Set, Add, Sub, Div, Le, Eq, IsNumber (not NaN)   float and double
//            Mul                      of two NaN, the first one, quiet; Product: either
//            Sqrt                                         double
//            Round(v)                 to an integer, in the direction that the thread has set, as arithmetic
//                                     is; a zero may come out with either sign
//            Min, Max                 the second one where neither is less: NaN, zeros of two signs
//            NearestInt (as Round, to int32; |v| < 2^31), ConvertTo (to float)     float
//            ConvertLoad<To>(p)       kLanes<To> int32, as float (rounded) or double
//            Widen(v, out)            a vector to kWidened<T> of double, in order     float and double
// Masks      And, Or, AndNot (not a, but b), BitsFromMask, MaskFromBits (lane i is bit i)
//            IfThenElse, IfThenElseZero                   of 16, 32 and 64 bits
//            BitsFromMasks(m)         of kGroup<T> masks, the first lowest
//            CountIf(v, m)            v + 1 in the lanes of m, v in the others
//            DiscountIf(v, m)         v - 1 in the lanes of m, v in the others
// Exchanges  InterleaveLower(a, b)    a0 b0 a1 b1 ..., of the lower half of each block; a block has
//                                     kBlockLanes<T> lanes
//            InterleaveUpper(a, b)    the same of the upper half
//            InterleaveEvenBlocks<n>  a0 b0 a2 b2 ..., each n blocks; where a vector has more
//            InterleaveOddBlocks<n>   a1 b1 a3 b3 ...
// Narrowing  DemoteTo<Q>(v)           sizeof(int32_t) / sizeof(Q) vectors of int32, each value
//                                     already in Q's range, to one Vec<Q>
//            DemoteTo<F>(v)           as many vectors of float, none NaN, to the bits of Float16 or
//                                     BFloat16, nearest even
//            DemoteTo(v)              kGroupOf64 vectors of double to one of float
//            LowHalves(v)             the same of 64 bits to one of 32: their low halves
// Bits       BitCast<To>(v)
// Packed     of lanes of 64 bits, which are eight codes, a byte each, of 1 to 7 bits
//            PackedField(bits)        16, 32 or 64: the bits of the codes that are brought together in
//                                     a register, those that fill whole bytes
//            LoadPacked(p, bits, high_first)   these bytes of each field, of one after another; the first
//                                     lowest, or highest; may read a whole Vec at p
//            StorePacked(v, bits, high_first, p)   the same to p; may write a whole Vec
//            SubBytes(a, b)           byte by byte, b below 128
//            ReverseFields(v, bits)   the bytes of each field, the last one first
//            JoinBytes(v, bits)       of each two bytes, neither of which has more bits, the first and, above
//                                     these bits, the second, as 16 bits
//            JoinWords(v, bits)       of these 16 bits, the same as 32
// PopCount and LowestBit are the same everywhere: common.hpp.
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

SECATEUR_INLINE void Fence() {}

template <class To, class From>
SECATEUR_INLINE Vec<To> BitCast(Vec<From> v) {
  return {__builtin_bit_cast(To, v.raw)};
}

// Integers. Sums wrap, which signed C++ arithmetic must not.
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
SECATEUR_INLINE Vec<int32_t> ShiftRightSame(Vec<int32_t> v, int count) {
  return {static_cast<int32_t>(static_cast<uint32_t>(v.raw) >> count)};
}
SECATEUR_INLINE Vec<int64_t> ShiftRightSame(Vec<int64_t> v, int count) {
  return {static_cast<int64_t>(static_cast<uint64_t>(v.raw) >> count)};
}
SECATEUR_INLINE Vec<int16_t> ShiftRightSame(Vec<int16_t> v, int count) {
  return {static_cast<int16_t>(static_cast<uint16_t>(v.raw) >> count)};
}
template <int kCount, class T>
SECATEUR_INLINE Vec<T> ShiftRight(Vec<T> v) {
  return ShiftRightSame(v, kCount);
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
SECATEUR_INLINE Vec<int64_t> MulHalves(Vec<int64_t> a, Vec<int64_t> b) {
  const uint64_t low = static_cast<uint32_t>(a.raw);
  return {static_cast<int64_t>(low * static_cast<uint32_t>(b.raw))};
}
SECATEUR_INLINE Vec<int64_t> MulEven(Vec<int32_t> a, Vec<int32_t> b) {
  return MulHalves(Vec<int64_t>{a.raw}, Vec<int64_t>{b.raw});
}
SECATEUR_INLINE Vec<int64_t> MulOdd(Vec<int32_t>, Vec<int32_t>) { return {0}; }
SECATEUR_INLINE Vec<int64_t> SwapHalves(Vec<int64_t> v) {
  const auto bits = static_cast<uint64_t>(v.raw);
  return {static_cast<int64_t>(bits << 32 | bits >> 32)};
}

// Floats; Sub of integers too
template <class T>
SECATEUR_INLINE Vec<T> Sub(Vec<T> a, Vec<T> b) {
  if constexpr (static_cast<T>(0.5) == T{0}) {  // integers
    Vec<T> difference;                          // wraps, as for Add
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
// By way of integers, which is one instruction each way; beyond them all floats are integers.
SECATEUR_INLINE Vec<float> Round(Vec<float> v) {
  return {__builtin_fabsf(v.raw) < 0x1p23f ? static_cast<float>(__builtin_lrintf(v.raw)) : v.raw};
}
SECATEUR_INLINE Vec<double> Round(Vec<double> v) {
  return {__builtin_fabs(v.raw) < 0x1p52 ? static_cast<double>(__builtin_lrint(v.raw)) : v.raw};
}
template <class T>
inline constexpr size_t kWidened = kLanes<T> / kLanes<double>;
template <class T>
SECATEUR_INLINE void Widen(Vec<T> v, Vec<double>* out) {
  out[0] = {static_cast<double>(v.raw)};
}
SECATEUR_INLINE Vec<int32_t> NearestInt(Vec<float> v) {
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
SECATEUR_INLINE Vec<T> CountIf(Vec<T> v, Mask<T> m) {
  return {static_cast<T>(v.raw + (m.raw ? 1 : 0))};
}
template <class T>
SECATEUR_INLINE Vec<T> DiscountIf(Vec<T> v, Mask<T> m) {
  return {static_cast<T>(v.raw - (m.raw ? 1 : 0))};
}

template <class T>
SECATEUR_INLINE size_t CompressStore(Vec<T> v, Mask<T> m, T* p) {
  StoreU(v, p);
  return m.raw;
}

// Widths
template <class Q>
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const Q* p) {
  return {LoadU(p).raw};
}

// One lane of int32 gives one lane of Q: unlike a register, a plain value has no spare room.
template <class Q>
inline constexpr size_t kDemoteInputs = 1;

template <class Q>
SECATEUR_INLINE Vec<Q> DemoteTo(const Vec<int32_t>* v) {
  return {static_cast<Q>(v[0].raw)};
}

// As above: one lane of 64 bits gives one of 32.
SECATEUR_INLINE Vec<int32_t> LowHalves(const Vec<int64_t>* v) {
  return {static_cast<int32_t>(v[0].raw)};
}
SECATEUR_INLINE Vec<float> DemoteTo(const Vec<double>* v) { return {static_cast<float>(v[0].raw)}; }

SECATEUR_INLINE float ToFloat(float x) { return x; }
SECATEUR_INLINE double ToFloat(double x) { return x; }
SECATEUR_INLINE float ToFloat(BFloat16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x) << 16);
}
// Cases are put together from bits: which one it is would often be mispredicted.
SECATEUR_INLINE uint32_t OnesIf(bool condition) { return -static_cast<uint32_t>(condition); }
// A float's mantissa is 13 bits longer, and the bias of its exponent 112 more.
SECATEUR_INLINE float ToFloat(Float16 x) {
  const uint32_t magnitude = (static_cast<uint32_t>(x) & 0x7fffu) << 13;
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
  const uint32_t infinite = OnesIf(magnitude >= 31u << 23) & 0x7f800000u;
  const uint32_t quiet = OnesIf(magnitude > 31u << 23) & 0x00400000u;
  const uint32_t sign = (static_cast<uint32_t>(x) & 0x8000u) << 16;
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, scaled) | infinite | quiet | sign);
}
template <class To, class From>
SECATEUR_INLINE Vec<To> WidenLoad(const From* p) {
  return {static_cast<To>(ToFloat(LoadU(p).raw))};
}

SECATEUR_INLINE uint32_t HalfToEven(uint32_t bits, unsigned dropped) {
  return (bits + (1u << (dropped - 1)) - 1 + ((bits >> dropped) & 1)) >> dropped;
}
template <class F>
SECATEUR_INLINE Vec<int16_t> DemoteTo(const Vec<float>* v);
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<BFloat16>(const Vec<float>* v) {
  return {static_cast<int16_t>(HalfToEven(__builtin_bit_cast(uint32_t, v[0].raw), 16))};
}
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<Float16>(const Vec<float>* v) {
  const auto bits = __builtin_bit_cast(uint32_t, v[0].raw);
  const uint32_t magnitude = bits & 0x7fffffffu;
  // What is subnormal is a multiple of 2^-24, the last bit of this sum.
  const float sum = __builtin_bit_cast(float, magnitude) + 0.5f;
  const uint32_t small = __builtin_bit_cast(uint32_t, sum) - __builtin_bit_cast(uint32_t, 0.5f);
  const uint32_t large = HalfToEven(magnitude - (112u << 23), 13);
  const uint32_t is_small = OnesIf(magnitude < 113u << 23);
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

// Packed codes. Bytes are moved by shifts alone, and so a field is a lane.
constexpr int PackedField(int) { return 64; }
SECATEUR_INLINE Vec<int64_t> ReverseFields(Vec<int64_t> v, int) {
  return {static_cast<int64_t>(__builtin_bswap64(static_cast<uint64_t>(v.raw)))};
}
// With the highest bit of each byte set, none borrows from the next.
SECATEUR_INLINE Vec<int64_t> SubBytes(Vec<int64_t> a, Vec<int64_t> b) {
  const uint64_t top = 0x8080808080808080;
  const auto from = static_cast<uint64_t>(a.raw);
  return {static_cast<int64_t>(((from | top) - static_cast<uint64_t>(b.raw)) ^ (~from & top))};
}
SECATEUR_INLINE Vec<int64_t> LoadPacked(const uint8_t* p, int bits, bool high_first) {
  Vec<int64_t> v;
  __builtin_memcpy(&v.raw, p, sizeof v.raw);
  const int others = 64 - 8 * bits;
  if (high_first) {
    return ShiftRightSame(ReverseFields(v, bits), others);
  }
  return And(v, ShiftRightSame(Set(int64_t{-1}), others));
}
SECATEUR_INLINE void StorePacked(Vec<int64_t> v, int bits, bool high_first, uint8_t* p) {
  if (high_first) {
    v = ReverseFields(ShiftLeftSame(v, 64 - 8 * bits), bits);
  }
  __builtin_memcpy(p, &v.raw, sizeof v.raw);
}
SECATEUR_INLINE Vec<int64_t> Join(Vec<int64_t> v, int gap, int64_t first) {
  const Vec<int64_t> stays{v.raw & first};
  return Or(stays, ShiftRightSame(Xor(v, stays), gap));
}
SECATEUR_INLINE Vec<int64_t> JoinBytes(Vec<int64_t> v, int bits) {
  return Join(v, 8 - bits, 0x00ff00ff00ff00ff);
}
SECATEUR_INLINE Vec<int64_t> JoinWords(Vec<int64_t> v, int bits) {
  return Join(v, 16 - 2 * bits, 0x0000ffff0000ffff);
}

}  // namespace
}  // namespace secateur::scalar
