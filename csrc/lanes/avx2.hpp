// Vector operations with 256-bit vectors (AVX2, F16C, BMI, POPCNT). The contract of each operation
// is in scalar.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "lanes/common.hpp"

namespace secateur::avx2 {
namespace {

template <class T>
struct Vec {
  __m256i raw;
};
template <>
struct Vec<float> {
  __m256 raw;
};
template <>
struct Vec<double> {
  __m256d raw;
};

// A mask is a vector whose lanes are all ones (true) or all zeros (false).
template <class T>
struct Mask {
  __m256i raw;
};

template <class T>
inline constexpr size_t kLanes = 32 / sizeof(T);
template <class T>
inline constexpr size_t kBlockLanes = 16 / sizeof(T);
template <class T>
inline constexpr size_t kGroup = kVectorsOfGroup<kLanes<T>>;

SECATEUR_INLINE Vec<int16_t> Set(int16_t value) { return {_mm256_set1_epi16(value)}; }
SECATEUR_INLINE Vec<int32_t> Set(int32_t value) { return {_mm256_set1_epi32(value)}; }
SECATEUR_INLINE Vec<int64_t> Set(int64_t value) { return {_mm256_set1_epi64x(value)}; }
SECATEUR_INLINE Vec<float> Set(float value) { return {_mm256_set1_ps(value)}; }
SECATEUR_INLINE Vec<double> Set(double value) { return {_mm256_set1_pd(value)}; }

template <class T>
SECATEUR_INLINE Vec<T> LoadU(const T* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
template <>
SECATEUR_INLINE Vec<float> LoadU(const float* p) {
  return {_mm256_loadu_ps(p)};
}
template <>
SECATEUR_INLINE Vec<double> LoadU(const double* p) {
  return {_mm256_loadu_pd(p)};
}

// The compiler may load a value twice instead of keeping it in a register. A second load is slow if
// the vector crosses a cache line.
template <class T>
SECATEUR_INLINE Vec<T> LoadOnce(const T* p) {
  Vec<T> v = LoadU(p);
#if defined(__AVX2__)  // not where tests emulate it
  __asm__("" : "+x"(v.raw));
#endif
  return v;
}

template <class T>
SECATEUR_INLINE void StoreU(Vec<T> v, T* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.raw);
}
SECATEUR_INLINE void StoreU(Vec<float> v, float* p) { _mm256_storeu_ps(p, v.raw); }
SECATEUR_INLINE void StoreU(Vec<double> v, double* p) { _mm256_storeu_pd(p, v.raw); }

template <class T>
SECATEUR_INLINE void Stream(Vec<T> v, T* p) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), v.raw);
}
SECATEUR_INLINE void Stream(Vec<float> v, float* p) { _mm256_stream_ps(p, v.raw); }
SECATEUR_INLINE void Stream(Vec<double> v, double* p) { _mm256_stream_pd(p, v.raw); }

inline constexpr bool kCanStream = true;
SECATEUR_INLINE void FlushStream() { _mm_sfence(); }

template <class To>
SECATEUR_INLINE Vec<To> BitCast(Vec<int32_t> v) {
  static_assert(sizeof(To) == 4);
  if constexpr (requires(Vec<To> t) { t.raw = _mm256_castsi256_ps(v.raw); }) {
    return {_mm256_castsi256_ps(v.raw)};
  } else {
    return {v.raw};
  }
}
template <class To>
SECATEUR_INLINE Vec<To> BitCast(Vec<float> v) {
  return {_mm256_castps_si256(v.raw)};
}
template <class To>
SECATEUR_INLINE Vec<double> BitCast(Vec<int64_t> v) {
  return {_mm256_castsi256_pd(v.raw)};
}
template <class To>
SECATEUR_INLINE Vec<int64_t> BitCast(Vec<double> v) {
  return {_mm256_castpd_si256(v.raw)};
}

// Integers
template <class T>
SECATEUR_INLINE Vec<T> And(Vec<T> a, Vec<T> b) {
  return {_mm256_and_si256(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Add(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm256_add_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Add(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_add_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Add(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_add_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Sub(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm256_sub_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Sub(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_sub_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Sub(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_sub_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Min(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm256_min_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Min(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_min_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Min(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_blendv_epi8(a.raw, b.raw, _mm256_cmpgt_epi64(a.raw, b.raw))};
}
SECATEUR_INLINE Vec<int16_t> Max(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm256_max_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Max(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_max_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Max(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_blendv_epi8(b.raw, a.raw, _mm256_cmpgt_epi64(a.raw, b.raw))};
}
SECATEUR_INLINE int16_t ReduceMax(Vec<int16_t> v) {
  __m128i m = _mm_max_epi16(_mm256_castsi256_si128(v.raw), _mm256_extracti128_si256(v.raw, 1));
  m = _mm_max_epi16(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi16(m, _mm_shuffle_epi32(m, 0xb1));
  m = _mm_max_epi16(m, _mm_srli_epi32(m, 16));
  return static_cast<int16_t>(_mm_cvtsi128_si32(m));
}
SECATEUR_INLINE int64_t ReduceMax(Vec<int64_t> v) {
  int64_t lane[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lane), v.raw);
  const int64_t a = lane[0] > lane[1] ? lane[0] : lane[1];
  const int64_t b = lane[2] > lane[3] ? lane[2] : lane[3];
  return a > b ? a : b;
}
SECATEUR_INLINE int64_t ReduceSum(Vec<int64_t> v) {
  int64_t lane[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lane), v.raw);
  return lane[0] + lane[1] + lane[2] + lane[3];
}
SECATEUR_INLINE int32_t ReduceMax(Vec<int32_t> v) {
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v.raw), _mm256_extracti128_si256(v.raw, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return _mm_cvtsi128_si32(m);
}
SECATEUR_INLINE int32_t ReduceSum(Vec<int32_t> v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v.raw), _mm256_extracti128_si256(v.raw, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}
SECATEUR_INLINE Mask<int16_t> Gt(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm256_cmpgt_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int64_t> Gt(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_cmpgt_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> Gt(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_cmpgt_epi32(a.raw, b.raw)};
}
template <class T>
SECATEUR_INLINE Vec<T> Xor(Vec<T> a, Vec<T> b) {
  return {_mm256_xor_si256(a.raw, b.raw)};
}
template <int kCount>
SECATEUR_INLINE Vec<int16_t> ShiftRightLogical(Vec<int16_t> v) {
  return {_mm256_srli_epi16(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int32_t> ShiftRightLogical(Vec<int32_t> v) {
  return {_mm256_srli_epi32(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int64_t> ShiftRightLogical(Vec<int64_t> v) {
  return {_mm256_srli_epi64(v.raw, kCount)};
}
SECATEUR_INLINE Vec<int32_t> ShiftRightLogicalSame(Vec<int32_t> v, int count) {
  return {_mm256_srl_epi32(v.raw, _mm_cvtsi32_si128(count))};
}
SECATEUR_INLINE Vec<int64_t> ShiftRightLogicalSame(Vec<int64_t> v, int count) {
  return {_mm256_srl_epi64(v.raw, _mm_cvtsi32_si128(count))};
}
template <int kCount>
SECATEUR_INLINE Vec<int32_t> ShiftLeft(Vec<int32_t> v) {
  return {_mm256_slli_epi32(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int64_t> ShiftLeft(Vec<int64_t> v) {
  return {_mm256_slli_epi64(v.raw, kCount)};
}
SECATEUR_INLINE Vec<int64_t> Or(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_or_si256(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> ShrLogical(Vec<int32_t> v, Vec<int32_t> counts) {
  return {_mm256_srlv_epi32(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> ShrLogical(Vec<int64_t> v, Vec<int64_t> counts) {
  return {_mm256_srlv_epi64(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int32_t> Shl(Vec<int32_t> v, Vec<int32_t> counts) {
  return {_mm256_sllv_epi32(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> Shl(Vec<int64_t> v, Vec<int64_t> counts) {
  return {_mm256_sllv_epi64(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> ShiftLeftSame(Vec<int64_t> v, int count) {
  return {_mm256_sll_epi64(v.raw, _mm_cvtsi32_si128(count))};
}
SECATEUR_INLINE Vec<int32_t> Mul(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_mullo_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> MulEvenUnsigned(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_mul_epu32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> MulOddUnsigned(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_mul_epu32(_mm256_srli_epi64(a.raw, 32), _mm256_srli_epi64(b.raw, 32))};
}
SECATEUR_INLINE Vec<int64_t> MulLowHalves(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_mul_epu32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> SwapHalves(Vec<int64_t> v) {
  return {_mm256_shuffle_epi32(v.raw, 0xb1)};
}

// Floats
SECATEUR_INLINE Vec<double> Add(Vec<double> a, Vec<double> b) {
  return {_mm256_add_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Add(Vec<float> a, Vec<float> b) { return {_mm256_add_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<float> Product(Vec<float> a, Vec<float> b) {
  return {_mm256_mul_ps(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<double> Product(Vec<double> a, Vec<double> b) {
  return {_mm256_mul_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Div(Vec<float> a, Vec<float> b) { return {_mm256_div_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Div(Vec<double> a, Vec<double> b) {
  return {_mm256_div_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<double> Sqrt(Vec<double> v) { return {_mm256_sqrt_pd(v.raw)}; }
SECATEUR_INLINE Vec<float> Sub(Vec<float> a, Vec<float> b) { return {_mm256_sub_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Sub(Vec<double> a, Vec<double> b) {
  return {_mm256_sub_pd(a.raw, b.raw)};
}
// If both operands are NaN, the instruction returns its first operand, made quiet. The compiler
// treats multiplication as commutative and may swap the operands. Inline assembly prevents this.
SECATEUR_INLINE Vec<float> Mul(Vec<float> a, Vec<float> b) {
#if defined(__AVX2__)
  Vec<float> product;
  __asm__("vmulps %2, %1, %0" : "=x"(product.raw) : "x"(a.raw), "x"(b.raw));
  return product;
#else
  return {_mm256_mul_ps(a.raw, b.raw)};
#endif
}
SECATEUR_INLINE Vec<double> Mul(Vec<double> a, Vec<double> b) {
#if defined(__AVX2__)
  Vec<double> product;
  __asm__("vmulpd %2, %1, %0" : "=x"(product.raw) : "x"(a.raw), "x"(b.raw));
  return product;
#else
  return {_mm256_mul_pd(a.raw, b.raw)};
#endif
}
SECATEUR_INLINE Vec<float> Min(Vec<float> a, Vec<float> b) { return {_mm256_min_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Min(Vec<double> a, Vec<double> b) {
  return {_mm256_min_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Max(Vec<float> a, Vec<float> b) { return {_mm256_max_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Max(Vec<double> a, Vec<double> b) {
  return {_mm256_max_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> IsNumber(Vec<float> v) {
  return {_mm256_castps_si256(_mm256_cmp_ps(v.raw, v.raw, _CMP_ORD_Q))};
}
SECATEUR_INLINE Mask<int64_t> IsNumber(Vec<double> v) {
  return {_mm256_castpd_si256(_mm256_cmp_pd(v.raw, v.raw, _CMP_ORD_Q))};
}
SECATEUR_INLINE Mask<int32_t> Le(Vec<float> a, Vec<float> b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.raw, b.raw, _CMP_LE_OQ))};
}
SECATEUR_INLINE Mask<int64_t> Le(Vec<double> a, Vec<double> b) {
  return {_mm256_castpd_si256(_mm256_cmp_pd(a.raw, b.raw, _CMP_LE_OQ))};
}
SECATEUR_INLINE Mask<int32_t> Eq(Vec<float> a, Vec<float> b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.raw, b.raw, _CMP_EQ_OQ))};
}
SECATEUR_INLINE Mask<int64_t> Eq(Vec<double> a, Vec<double> b) {
  return {_mm256_castpd_si256(_mm256_cmp_pd(a.raw, b.raw, _CMP_EQ_OQ))};
}
SECATEUR_INLINE Vec<float> Rint(Vec<float> v) {
  return {_mm256_round_ps(v.raw, _MM_FROUND_CUR_DIRECTION | _MM_FROUND_NO_EXC)};
}
SECATEUR_INLINE Vec<double> Rint(Vec<double> v) {
  return {_mm256_round_pd(v.raw, _MM_FROUND_CUR_DIRECTION | _MM_FROUND_NO_EXC)};
}
template <class T>
inline constexpr size_t kWidened = kLanes<T> / kLanes<double>;
SECATEUR_INLINE void Widen(Vec<float> v, Vec<double>* out) {
  out[0] = {_mm256_cvtps_pd(_mm256_castps256_ps128(v.raw))};
  out[1] = {_mm256_cvtps_pd(_mm256_extractf128_ps(v.raw, 1))};
}
SECATEUR_INLINE void Widen(Vec<double> v, Vec<double>* out) { out[0] = v; }
SECATEUR_INLINE Vec<int32_t> RintToInt(Vec<float> v) { return {_mm256_cvtps_epi32(v.raw)}; }
SECATEUR_INLINE Vec<float> ConvertTo(Vec<int32_t> v) { return {_mm256_cvtepi32_ps(v.raw)}; }
template <class To>
SECATEUR_INLINE Vec<To> ConvertLoad(const int32_t* p) {
  if constexpr (sizeof(To) == sizeof(float)) {
    return ConvertTo(LoadU(p));
  } else {
    return {_mm256_cvtepi32_pd(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
}

// Masks
template <class T>
SECATEUR_INLINE Mask<T> And(Mask<T> a, Mask<T> b) {
  return {_mm256_and_si256(a.raw, b.raw)};
}
template <class T>
SECATEUR_INLINE Mask<T> Or(Mask<T> a, Mask<T> b) {
  return {_mm256_or_si256(a.raw, b.raw)};
}
template <class T>
SECATEUR_INLINE Mask<T> AndNot(Mask<T> a, Mask<T> b) {
  return {_mm256_andnot_si256(a.raw, b.raw)};
}
// The bits of two masks of 16-bit lanes. The pack instruction works within 128-bit halves, so a
// permutation restores the order of the lanes.
SECATEUR_INLINE uint64_t bits_from_mask_pair(__m256i low, __m256i high) {
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
  return static_cast<uint32_t>(_mm256_movemask_epi8(bytes));
}
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int16_t> m) {
  return bits_from_mask_pair(m.raw, _mm256_setzero_si256());
}
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int32_t> m) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(m.raw)));
}
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int64_t> m) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(m.raw)));
}
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int16_t>* m) {
  return bits_from_mask_pair(m[0].raw, m[1].raw) | bits_from_mask_pair(m[2].raw, m[3].raw) << 32;
}
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int64_t>* m) {
  return BitsFromMask(m[0]) | BitsFromMask(m[1]) << 4 | BitsFromMask(m[2]) << 8 |
         BitsFromMask(m[3]) << 12;
}
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int32_t>* m) {
  const __m256i ab = _mm256_packs_epi32(m[0].raw, m[1].raw);
  const __m256i cd = _mm256_packs_epi32(m[2].raw, m[3].raw);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(ab, cd), order);
  return static_cast<uint32_t>(_mm256_movemask_epi8(bytes));
}
template <class T>
SECATEUR_INLINE Mask<T> MaskFromBits(uint64_t bits) {
  if constexpr (sizeof(T) == 2) {
    const __m256i lane_bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
                                               4096, 8192, 16384, static_cast<int16_t>(0x8000));
    const __m256i b = _mm256_set1_epi16(static_cast<int16_t>(bits & 0xffff));
    return {_mm256_cmpeq_epi16(_mm256_and_si256(b, lane_bit), lane_bit)};
  } else if constexpr (sizeof(T) == 4) {
    const __m256i lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i b = _mm256_set1_epi32(static_cast<int32_t>(bits & 0xff));
    return {_mm256_cmpeq_epi32(_mm256_and_si256(b, lane_bit), lane_bit)};
  } else {
    const __m256i lane_bit = _mm256_setr_epi64x(1, 2, 4, 8);
    const __m256i b = _mm256_set1_epi64x(static_cast<int64_t>(bits & 0xf));
    return {_mm256_cmpeq_epi64(_mm256_and_si256(b, lane_bit), lane_bit)};
  }
}
template <class T>
SECATEUR_INLINE Vec<T> IfThenElse(Mask<T> m, Vec<T> yes, Vec<T> no) {
  return {_mm256_blendv_epi8(no.raw, yes.raw, m.raw)};
}
template <class T>
SECATEUR_INLINE Vec<T> IfThenElseZero(Mask<T> m, Vec<T> v) {
  return {_mm256_and_si256(m.raw, v.raw)};
}

SECATEUR_INLINE Vec<int16_t> IncrementIf(Vec<int16_t> v, Mask<int16_t> m) {
  return {_mm256_sub_epi16(v.raw, m.raw)};
}
SECATEUR_INLINE Vec<int32_t> IncrementIf(Vec<int32_t> v, Mask<int32_t> m) {
  return {_mm256_sub_epi32(v.raw, m.raw)};
}
SECATEUR_INLINE Vec<int64_t> IncrementIf(Vec<int64_t> v, Mask<int64_t> m) {
  return {_mm256_sub_epi64(v.raw, m.raw)};
}
template <class T>
SECATEUR_INLINE Vec<T> DecrementIf(Vec<T> v, Mask<T> m) {
  return Add(v, Vec<T>{m.raw});
}

// Permutations
template <class T>
SECATEUR_INLINE Vec<T> InterleaveLower(Vec<T> a, Vec<T> b) {
  if constexpr (sizeof(T) == 2) {
    return {_mm256_unpacklo_epi16(a.raw, b.raw)};
  } else if constexpr (sizeof(T) == 4) {
    return {_mm256_unpacklo_epi32(a.raw, b.raw)};
  } else {
    return {_mm256_unpacklo_epi64(a.raw, b.raw)};
  }
}
template <class T>
SECATEUR_INLINE Vec<T> InterleaveUpper(Vec<T> a, Vec<T> b) {
  if constexpr (sizeof(T) == 2) {
    return {_mm256_unpackhi_epi16(a.raw, b.raw)};
  } else if constexpr (sizeof(T) == 4) {
    return {_mm256_unpackhi_epi32(a.raw, b.raw)};
  } else {
    return {_mm256_unpackhi_epi64(a.raw, b.raw)};
  }
}
template <size_t kBlocks, class T>
SECATEUR_INLINE Vec<T> InterleaveEvenBlocks(Vec<T> a, Vec<T> b) {
  static_assert(kBlocks == 1);
  return {_mm256_permute2x128_si256(a.raw, b.raw, 0x20)};
}
template <size_t kBlocks, class T>
SECATEUR_INLINE Vec<T> InterleaveOddBlocks(Vec<T> a, Vec<T> b) {
  static_assert(kBlocks == 1);
  return {_mm256_permute2x128_si256(a.raw, b.raw, 0x31)};
}

// Row b holds the indices of the set bits of b, one per byte, lowest first. The table has only 2
// KiB, so that it leaves the L1 cache to the data. pext could compute a row, but is microcoded on
// AMD CPUs before Zen 3.
struct CompressRows {
  uint64_t row[256];
};
constexpr CompressRows make_compress_rows() {
  CompressRows rows{};
  for (unsigned b = 0; b < 256; ++b) {
    unsigned filled = 0;
    for (unsigned lane = 0; lane < 8; ++lane) {
      if ((b >> lane) & 1) {
        rows.row[b] |= static_cast<uint64_t>(lane) << (8 * filled++);
      }
    }
  }
  return rows;
}
constexpr CompressRows kCompressRows = make_compress_rows();

// Row b holds a byte for each bit of b: the number of set bits below it, or -1 if it is not set.
struct ExpandRows {
  uint64_t row[256];
};
constexpr ExpandRows make_expand_rows() {
  ExpandRows rows{};
  for (unsigned b = 0; b < 256; ++b) {
    unsigned used = 0;
    for (unsigned lane = 0; lane < 8; ++lane) {
      const uint64_t byte = ((b >> lane) & 1) ? used++ : 0xff;
      rows.row[b] |= byte << (8 * lane);
    }
  }
  return rows;
}
constexpr ExpandRows kExpandRows = make_expand_rows();

SECATEUR_INLINE __m128i row_of(const uint64_t* rows, uint64_t b) {
  return _mm_cvtsi64_si128(static_cast<int64_t>(rows[b]));
}
// The bytes of the words with these indices, for a shuffle of bytes; negative indices stay
// negative.
SECATEUR_INLINE __m128i bytes_of_words(__m128i indices) {
  const __m128i pairs =
      _mm_add_epi16(_mm_mullo_epi16(indices, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100));
  return _mm_or_si128(pairs, _mm_srai_epi16(indices, 15));
}
// Each of 4 bits represents two lanes of 32 bits: 0b1010 becomes 0b11001100.
SECATEUR_INLINE uint64_t doubled_bits(uint64_t bits) {
  return ((bits & 1) | (bits & 2) << 1 | (bits & 4) << 2 | (bits & 8) << 3) * 3;
}

// Bytes and words are compressed and expanded by eight.
template <class T>
SECATEUR_INLINE size_t CompressBits(Vec<T> v, uint64_t bits, T* p) {
  if constexpr (sizeof(T) >= 4) {
    const uint64_t lanes = sizeof(T) == 4 ? bits & 0xff : doubled_bits(bits);
    const __m256i indices = _mm256_cvtepu8_epi32(row_of(kCompressRows.row, lanes));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(v.raw, indices));
    return PopCount(lanes) / (sizeof(T) / 4);
  } else {
    size_t stored = 0;
    for (size_t i = 0; i < kLanes<T>; i += 8) {
      const uint64_t eight = bits >> i & 0xff;
      const __m128i row = row_of(kCompressRows.row, eight);
      const __m128i half =
          i * sizeof(T) < 16 ? _mm256_castsi256_si128(v.raw) : _mm256_extracti128_si256(v.raw, 1);
      auto* const to = reinterpret_cast<__m128i*>(p + stored);
      if constexpr (sizeof(T) == 2) {
        _mm_storeu_si128(to, _mm_shuffle_epi8(half, bytes_of_words(_mm_cvtepu8_epi16(row))));
      } else {
        const __m128i bytes = i % 16 == 0 ? half : _mm_unpackhi_epi64(half, half);
        _mm_storel_epi64(to, _mm_shuffle_epi8(bytes, row));
      }
      stored += PopCount(eight);
    }
    return stored;
  }
}
template <class T>
SECATEUR_INLINE Vec<T> ExpandBits(uint64_t bits, const T* p) {
  if constexpr (sizeof(T) >= 4) {
    const uint64_t lanes = sizeof(T) == 4 ? bits & 0xff : doubled_bits(bits);
    const __m256i indices = _mm256_cvtepi8_epi32(row_of(kExpandRows.row, lanes));
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_andnot_si256(_mm256_srai_epi32(indices, 31),
                                _mm256_permutevar8x32_epi32(v, indices))};
  } else {
    __m128i parts[kLanes<T> / 8];
    for (size_t i = 0; i < kLanes<T> / 8; ++i) {
      const uint64_t eight = bits >> (8 * i) & 0xff;
      const __m128i row = row_of(kExpandRows.row, eight);
      const auto* const from = reinterpret_cast<const __m128i*>(p);
      if constexpr (sizeof(T) == 2) {
        const __m128i shuffle = bytes_of_words(_mm_cvtepi8_epi16(row));
        parts[i] = _mm_shuffle_epi8(_mm_loadu_si128(from), shuffle);
      } else {
        parts[i] = _mm_shuffle_epi8(_mm_loadl_epi64(from), row);
      }
      p += PopCount(eight);
    }
    if constexpr (sizeof(T) == 1) {
      parts[0] = _mm_unpacklo_epi64(parts[0], parts[1]);
      parts[1] = _mm_unpacklo_epi64(parts[2], parts[3]);
    }
    return {_mm256_set_m128i(parts[1], parts[0])};
  }
}

template <class T>
SECATEUR_INLINE size_t CompressStore(Vec<T> v, Mask<T> m, T* p) {
  return CompressBits(v, BitsFromMask(m), p);
}

// Conversions between widths
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int16_t* p) {
  return {_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const uint16_t* p) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int32_t* p) { return LoadU(p); }

template <class Q>
inline constexpr size_t kDemoteInputs = kLanes<Q> / kLanes<int32_t>;

template <class Q>
SECATEUR_INLINE Vec<Q> DemoteTo(const Vec<int32_t>* v) {
  if constexpr (sizeof(Q) == sizeof(int32_t)) {
    return v[0];
  } else if constexpr (sizeof(Q) == 1) {
    const __m256i ab = _mm256_packs_epi32(v[0].raw, v[1].raw);
    const __m256i cd = _mm256_packs_epi32(v[2].raw, v[3].raw);
    const __m256i bytes =
        static_cast<Q>(-1) < Q{0} ? _mm256_packs_epi16(ab, cd) : _mm256_packus_epi16(ab, cd);
    return {_mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))};
  } else {
    const __m256i words = static_cast<Q>(-1) < Q{0} ? _mm256_packs_epi32(v[0].raw, v[1].raw)
                                                    : _mm256_packus_epi32(v[0].raw, v[1].raw);
    return {_mm256_permute4x64_epi64(words, 0xd8)};
  }
}

SECATEUR_INLINE Vec<int32_t> LowHalves(const Vec<int64_t>* v) {
  const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  return {_mm256_blend_epi32(_mm256_permutevar8x32_epi32(v[0].raw, even),
                             _mm256_permutevar8x32_epi32(v[1].raw, even), 0xf0)};
}
SECATEUR_INLINE Vec<float> DemoteTo(const Vec<double>* v) {
  return {_mm256_set_m128(_mm256_cvtpd_ps(v[1].raw), _mm256_cvtpd_ps(v[0].raw))};
}

// The first argument selects the type of the 16-bit floats.
SECATEUR_INLINE __m256 widen_to_float(Float16, __m128i bits) { return _mm256_cvtph_ps(bits); }
SECATEUR_INLINE __m256 widen_to_float(BFloat16, __m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
template <class To, class From>
SECATEUR_INLINE Vec<To> WidenLoad(const From* p) {
  if constexpr (sizeof(To) == sizeof(From)) {
    return LoadU(p);
  } else if constexpr (sizeof(From) == sizeof(float)) {
    return {_mm256_cvtps_pd(_mm_loadu_ps(p))};
  } else if constexpr (sizeof(To) == sizeof(float)) {
    return {widen_to_float(From{}, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  } else {
    const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(widen_to_float(From{}, bits)))};
  }
}

// The bits of v rounded to BFloat16, nearest even, in lanes of 32 bits.
SECATEUR_INLINE Vec<int32_t> bfloat16_bits(Vec<float> v) {
  const __m256i bits = _mm256_castps_si256(v.raw);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  return {_mm256_srli_epi32(_mm256_add_epi32(bits, half), 16)};
}
template <class F>
SECATEUR_INLINE Vec<int16_t> DemoteTo(const Vec<float>* v);
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<BFloat16>(const Vec<float>* v) {
  const Vec<int32_t> bits[2] = {bfloat16_bits(v[0]), bfloat16_bits(v[1])};
  return {DemoteTo<uint16_t>(bits).raw};
}
template <>
SECATEUR_INLINE Vec<int16_t> DemoteTo<Float16>(const Vec<float>* v) {
  return {_mm256_set_m128i(_mm256_cvtps_ph(v[1].raw, _MM_FROUND_TO_NEAREST_INT),
                           _mm256_cvtps_ph(v[0].raw, _MM_FROUND_TO_NEAREST_INT))};
}

// 32 bits to 32 bytes of 0 or 1.
SECATEUR_INLINE __m256i bools_from_bits(uint32_t bits) {
  const __m256i byte_of_lane =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit_of_lane = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m256i b =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int32_t>(bits)), byte_of_lane);
  const __m256i zero_or_bit = _mm256_and_si256(b, bit_of_lane);
  return _mm256_min_epu8(zero_or_bit, _mm256_set1_epi8(1));
}
SECATEUR_INLINE void StoreBools(uint64_t bits, uint8_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bools_from_bits(static_cast<uint32_t>(bits)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32),
                      bools_from_bits(static_cast<uint32_t>(bits >> 32)));
}
SECATEUR_INLINE void StreamBools(uint64_t bits, uint8_t* p) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), bools_from_bits(static_cast<uint32_t>(bits)));
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p + 32),
                      bools_from_bits(static_cast<uint32_t>(bits >> 32)));
}
SECATEUR_INLINE uint64_t LoadBools(const uint8_t* p) {
  uint64_t zeros = 0;
  for (size_t half = 0; half < 2; ++half) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * half));
    const __m256i is_zero = _mm256_cmpeq_epi8(v, _mm256_setzero_si256());
    zeros |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(is_zero)))
             << (32 * half);
  }
  return ~zeros;
}

// Packed codes
constexpr int PackedField(int bits) { return shuffled_field(bits); }
// Shuffles the bytes of each block of 16 bytes.
SECATEUR_INLINE __m256i shuffle_bytes(__m256i v, const int8_t* order) {
  const __m128i control = _mm_loadu_si128(reinterpret_cast<const __m128i*>(order));
  return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(control));
}
SECATEUR_INLINE Vec<int64_t> ReverseFields(Vec<int64_t> v, int bits) {
  return {shuffle_bytes(v.raw, kByteOrders.reverse[bits])};
}
SECATEUR_INLINE Vec<int64_t> LoadPacked(const uint8_t* p, int bits, bool msb_first) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + ptrdiff_t{2} * bits));
  return {shuffle_bytes(_mm256_set_m128i(high, low), kByteOrders.load[msb_first][bits])};
}
SECATEUR_INLINE void StorePacked(Vec<int64_t> v, int bits, bool msb_first, uint8_t* p) {
  const __m256i bytes = shuffle_bytes(v.raw, kByteOrders.store[msb_first][bits]);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bytes));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + ptrdiff_t{2} * bits),
                   _mm256_extracti128_si256(bytes, 1));
}
SECATEUR_INLINE Vec<int64_t> SubBytes(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_sub_epi8(a.raw, b.raw)};
}
// Multiplication by powers of two shifts the bytes or words.
SECATEUR_INLINE Vec<int64_t> JoinBytes(Vec<int64_t> v, int bits) {
  const auto factors = static_cast<int16_t>(1 << (8 + bits) | 1);
  return {_mm256_maddubs_epi16(_mm256_set1_epi16(factors), v.raw)};
}
SECATEUR_INLINE Vec<int64_t> JoinUint16s(Vec<int64_t> v, int bits) {
  return {_mm256_madd_epi16(v.raw, _mm256_set1_epi32(1 << (16 + 2 * bits) | 1))};
}

}  // namespace
}  // namespace secateur::avx2
