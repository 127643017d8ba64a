// Lanes of width one, in plain C++: for any CPU, and the reference for what every operation means.
// avx2.hpp and avx512.hpp say the same in their ISA's words; names follow Google Highway.
//
// Types      Vec<T>, Mask<T>          kLanes<T> elements of T, and one truth value for each
// Memory     LoadU, StoreU            any alignment
//            Stream                   past the caches; p aligned to the vector; Fence() when done
//            PromoteLoad(p)           kLanes<float> integers of 8 or 16 bits, widened to int32
//            CompressStore(v, m, p)   the lanes of m, in order; returns how many; may write a whole
//                                     Vec at p
//            StoreBools(bits, p)      64 bits to 64 bytes of 0 or 1
//            StreamBools(bits, p)     the same, past the caches; p aligned to 64 bytes
//            LoadBools(p)             64 bytes to 64 bits: is the byte other than zero?
// Integers   Set, And, Add, Min, Max, ReduceMax, Gt (signed)   of 16, 32 and 64 bits
//            ReduceSum                                         of 32 and 64 bits
// Floats     Set, Mul, Min, Max, IsNumber (not NaN), NearestInt (half to even; |v| < 2^31), ConvertTo (to float)
// Masks      And, AndNot (not a, but b), BitsFromMask, MaskFromBits (lane i is bit i), IfThenElseZero
//            BitsFromMasks(m)         of kGroup<T> masks, the first lowest
//            CountIf(v, m)            v + 1 in the lanes of m, v in the others
//            DiscountIf(v, m)         v - 1 in the lanes of m, v in the others
// Exchanges  InterleaveLower(a, b)    of each block of kBlockLanes<T> lanes the lower half: a0 b0 a1 b1 ...
//            InterleaveUpper(a, b)    the upper half
//            InterleaveEvenBlocks<n>  n blocks as one: a0 b0 a2 b2 ...
//            InterleaveOddBlocks<n>   a1 b1 a3 b3 ...
//            Vectors of one lane have none of them.
// Narrowing  DemoteTo<Q>(v)           sizeof(int32_t) / sizeof(Q) vectors of int32, each value
//                                     already in Q's range, to one Vec<Q>
// Bits       BitCast<To>(v)
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
SECATEUR_INLINE void StoreU(Vec<T> v, T* p) {
  __builtin_memcpy(p, &v.raw, sizeof(T));
}

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

// Floats
SECATEUR_INLINE Vec<float> Mul(Vec<float> a, Vec<float> b) { return {a.raw * b.raw}; }
SECATEUR_INLINE Mask<int32_t> IsNumber(Vec<float> v) { return {v.raw == v.raw}; }
SECATEUR_INLINE Vec<int32_t> NearestInt(Vec<float> v) {
  return {static_cast<int32_t>(__builtin_lrintf(v.raw))};
}
SECATEUR_INLINE Vec<float> ConvertTo(Vec<int32_t> v) { return {static_cast<float>(v.raw)}; }

// Masks
template <class T>
SECATEUR_INLINE Mask<T> And(Mask<T> a, Mask<T> b) {
  return {a.raw && b.raw};
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

}  // namespace
}  // namespace secateur::scalar
