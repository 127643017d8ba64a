// Vector operations with 512-bit vectors (AVX-512 F, BW, DQ, VL, VBMI2). The contract of each
// operation is in scalar.hpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "lanes/common.hpp"

namespace secateur::avx512 {
namespace {

template <class T>
struct Vec {
  __m512i raw;
};
template <>
struct Vec<float> {
  __m512 raw;
};
template <>
struct Vec<double> {
  __m512d raw;
};

template <class T>
struct Mask {
  __mmask16 raw;
};
template <>
struct Mask<int16_t> {
  __mmask32 raw;
};
template <>
struct Mask<int64_t> {
  __mmask8 raw;
};

template <class T>
inline constexpr size_t kLanes = 64 / sizeof(T);
template <class T>
inline constexpr size_t kBlockLanes = 16 / sizeof(T);
template <class T>
inline constexpr size_t kGroup = kVectorsOfGroup<kLanes<T>>;

SECATEUR_INLINE Vec<int16_t> Set(int16_t value) { return {_mm512_set1_epi16(value)}; }
SECATEUR_INLINE Vec<int32_t> Set(int32_t value) { return {_mm512_set1_epi32(value)}; }
SECATEUR_INLINE Vec<int64_t> Set(int64_t value) { return {_mm512_set1_epi64(value)}; }
SECATEUR_INLINE Vec<float> Set(float value) { return {_mm512_set1_ps(value)}; }
SECATEUR_INLINE Vec<double> Set(double value) { return {_mm512_set1_pd(value)}; }

template <class T>
SECATEUR_INLINE Vec<T> LoadU(const T* p) {
  return {_mm512_loadu_si512(p)};
}
template <>
SECATEUR_INLINE Vec<float> LoadU(const float* p) {
  return {_mm512_loadu_ps(p)};
}
template <>
SECATEUR_INLINE Vec<double> LoadU(const double* p) {
  return {_mm512_loadu_pd(p)};
}

// The compiler may load a value twice instead of keeping it in a register. A second load is slow if
// the vector crosses a cache line.
template <class T>
SECATEUR_INLINE Vec<T> LoadOnce(const T* p) {
  Vec<T> v = LoadU(p);
#if defined(__AVX512F__)  // not where tests emulate it
  __asm__("" : "+v"(v.raw));
#endif
  return v;
}

template <class T>
SECATEUR_INLINE void StoreU(Vec<T> v, T* p) {
  _mm512_storeu_si512(p, v.raw);
}
SECATEUR_INLINE void StoreU(Vec<float> v, float* p) { _mm512_storeu_ps(p, v.raw); }
SECATEUR_INLINE void StoreU(Vec<double> v, double* p) { _mm512_storeu_pd(p, v.raw); }

template <class T>
SECATEUR_INLINE void Stream(Vec<T> v, T* p) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), v.raw);
}
SECATEUR_INLINE void Stream(Vec<float> v, float* p) { _mm512_stream_ps(p, v.raw); }
SECATEUR_INLINE void Stream(Vec<double> v, double* p) { _mm512_stream_pd(p, v.raw); }

inline constexpr bool kCanStream = true;
SECATEUR_INLINE void FlushStream() { _mm_sfence(); }

template <class To>
SECATEUR_INLINE Vec<To> BitCast(Vec<int32_t> v) {
  static_assert(sizeof(To) == 4);
  if constexpr (requires(Vec<To> t) { t.raw = _mm512_castsi512_ps(v.raw); }) {
    return {_mm512_castsi512_ps(v.raw)};
  } else {
    return {v.raw};
  }
}
template <class To>
SECATEUR_INLINE Vec<To> BitCast(Vec<float> v) {
  return {_mm512_castps_si512(v.raw)};
}
template <class To>
SECATEUR_INLINE Vec<double> BitCast(Vec<int64_t> v) {
  return {_mm512_castsi512_pd(v.raw)};
}
template <class To>
SECATEUR_INLINE Vec<int64_t> BitCast(Vec<double> v) {
  return {_mm512_castpd_si512(v.raw)};
}

// Integers
template <class T>
SECATEUR_INLINE Vec<T> And(Vec<T> a, Vec<T> b) {
  return {_mm512_and_si512(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Add(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm512_add_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Add(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_add_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Add(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_add_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Sub(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm512_sub_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Sub(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_sub_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Sub(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_sub_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Min(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm512_min_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Min(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_min_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Min(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_min_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int16_t> Max(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm512_max_epi16(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> Max(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_max_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> Max(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_max_epi64(a.raw, b.raw)};
}
SECATEUR_INLINE int32_t ReduceMax(Vec<int32_t> v) { return _mm512_reduce_max_epi32(v.raw); }
SECATEUR_INLINE int64_t ReduceMax(Vec<int64_t> v) { return _mm512_reduce_max_epi64(v.raw); }
SECATEUR_INLINE int16_t ReduceMax(Vec<int16_t> v) {
  const __m512i low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(v.raw));
  const __m512i high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(v.raw, 1));
  return static_cast<int16_t>(_mm512_reduce_max_epi32(_mm512_max_epi32(low, high)));
}
SECATEUR_INLINE int32_t ReduceSum(Vec<int32_t> v) { return _mm512_reduce_add_epi32(v.raw); }
SECATEUR_INLINE int64_t ReduceSum(Vec<int64_t> v) { return _mm512_reduce_add_epi64(v.raw); }
SECATEUR_INLINE Mask<int16_t> Gt(Vec<int16_t> a, Vec<int16_t> b) {
  return {_mm512_cmpgt_epi16_mask(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> Gt(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_cmpgt_epi32_mask(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int64_t> Gt(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_cmpgt_epi64_mask(a.raw, b.raw)};
}
template <class T>
SECATEUR_INLINE Vec<T> Xor(Vec<T> a, Vec<T> b) {
  return {_mm512_xor_si512(a.raw, b.raw)};
}
template <int kCount>
SECATEUR_INLINE Vec<int16_t> ShiftRightLogical(Vec<int16_t> v) {
  return {_mm512_srli_epi16(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int32_t> ShiftRightLogical(Vec<int32_t> v) {
  return {_mm512_srli_epi32(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int64_t> ShiftRightLogical(Vec<int64_t> v) {
  return {_mm512_srli_epi64(v.raw, kCount)};
}
SECATEUR_INLINE Vec<int32_t> ShiftRightLogicalSame(Vec<int32_t> v, int count) {
  return {_mm512_srl_epi32(v.raw, _mm_cvtsi32_si128(count))};
}
SECATEUR_INLINE Vec<int64_t> ShiftRightLogicalSame(Vec<int64_t> v, int count) {
  return {_mm512_srl_epi64(v.raw, _mm_cvtsi32_si128(count))};
}
template <int kCount>
SECATEUR_INLINE Vec<int32_t> ShiftLeft(Vec<int32_t> v) {
  return {_mm512_slli_epi32(v.raw, kCount)};
}
template <int kCount>
SECATEUR_INLINE Vec<int64_t> ShiftLeft(Vec<int64_t> v) {
  return {_mm512_slli_epi64(v.raw, kCount)};
}
SECATEUR_INLINE Vec<int64_t> Or(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_or_si512(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int32_t> ShrLogical(Vec<int32_t> v, Vec<int32_t> counts) {
  return {_mm512_srlv_epi32(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> ShrLogical(Vec<int64_t> v, Vec<int64_t> counts) {
  return {_mm512_srlv_epi64(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int32_t> Shl(Vec<int32_t> v, Vec<int32_t> counts) {
  return {_mm512_sllv_epi32(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> Shl(Vec<int64_t> v, Vec<int64_t> counts) {
  return {_mm512_sllv_epi64(v.raw, counts.raw)};
}
SECATEUR_INLINE Vec<int64_t> ShiftLeftSame(Vec<int64_t> v, int count) {
  return {_mm512_sll_epi64(v.raw, _mm_cvtsi32_si128(count))};
}
SECATEUR_INLINE Vec<int32_t> Mul(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_mullo_epi32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> MulEvenUnsigned(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_mul_epu32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> MulOddUnsigned(Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_mul_epu32(_mm512_srli_epi64(a.raw, 32), _mm512_srli_epi64(b.raw, 32))};
}
SECATEUR_INLINE Vec<int64_t> MulLowHalves(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_mul_epu32(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<int64_t> SwapHalves(Vec<int64_t> v) {
  return {_mm512_shuffle_epi32(v.raw, _MM_PERM_CDAB)};
}

// Floats
SECATEUR_INLINE Vec<double> Add(Vec<double> a, Vec<double> b) {
  return {_mm512_add_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Add(Vec<float> a, Vec<float> b) { return {_mm512_add_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<float> Product(Vec<float> a, Vec<float> b) {
  return {_mm512_mul_ps(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<double> Product(Vec<double> a, Vec<double> b) {
  return {_mm512_mul_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Div(Vec<float> a, Vec<float> b) { return {_mm512_div_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Div(Vec<double> a, Vec<double> b) {
  return {_mm512_div_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<double> Sqrt(Vec<double> v) { return {_mm512_sqrt_pd(v.raw)}; }
SECATEUR_INLINE Vec<float> Sub(Vec<float> a, Vec<float> b) { return {_mm512_sub_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Sub(Vec<double> a, Vec<double> b) {
  return {_mm512_sub_pd(a.raw, b.raw)};
}
// If both operands are NaN, the instruction returns its first operand, made quiet. The compiler
// treats multiplication as commutative and may swap the operands. Inline assembly prevents this.
SECATEUR_INLINE Vec<float> Mul(Vec<float> a, Vec<float> b) {
#if defined(__AVX512F__)
  Vec<float> product;
  __asm__("vmulps %2, %1, %0" : "=v"(product.raw) : "v"(a.raw), "v"(b.raw));
  return product;
#else
  return {_mm512_mul_ps(a.raw, b.raw)};
#endif
}
SECATEUR_INLINE Vec<double> Mul(Vec<double> a, Vec<double> b) {
#if defined(__AVX512F__)
  Vec<double> product;
  __asm__("vmulpd %2, %1, %0" : "=v"(product.raw) : "v"(a.raw), "v"(b.raw));
  return product;
#else
  return {_mm512_mul_pd(a.raw, b.raw)};
#endif
}
SECATEUR_INLINE Vec<float> Min(Vec<float> a, Vec<float> b) { return {_mm512_min_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Min(Vec<double> a, Vec<double> b) {
  return {_mm512_min_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Vec<float> Max(Vec<float> a, Vec<float> b) { return {_mm512_max_ps(a.raw, b.raw)}; }
SECATEUR_INLINE Vec<double> Max(Vec<double> a, Vec<double> b) {
  return {_mm512_max_pd(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> IsNumber(Vec<float> v) {
  return {_mm512_cmp_ps_mask(v.raw, v.raw, _CMP_ORD_Q)};
}
SECATEUR_INLINE Mask<int64_t> IsNumber(Vec<double> v) {
  return {_mm512_cmp_pd_mask(v.raw, v.raw, _CMP_ORD_Q)};
}
SECATEUR_INLINE Mask<int32_t> Le(Vec<float> a, Vec<float> b) {
  return {_mm512_cmp_ps_mask(a.raw, b.raw, _CMP_LE_OQ)};
}
SECATEUR_INLINE Mask<int64_t> Le(Vec<double> a, Vec<double> b) {
  return {_mm512_cmp_pd_mask(a.raw, b.raw, _CMP_LE_OQ)};
}
SECATEUR_INLINE Mask<int32_t> Eq(Vec<float> a, Vec<float> b) {
  return {_mm512_cmp_ps_mask(a.raw, b.raw, _CMP_EQ_OQ)};
}
SECATEUR_INLINE Mask<int64_t> Eq(Vec<double> a, Vec<double> b) {
  return {_mm512_cmp_pd_mask(a.raw, b.raw, _CMP_EQ_OQ)};
}
SECATEUR_INLINE Vec<float> Rint(Vec<float> v) {
  return {_mm512_roundscale_ps(v.raw, _MM_FROUND_CUR_DIRECTION | _MM_FROUND_NO_EXC)};
}
SECATEUR_INLINE Vec<double> Rint(Vec<double> v) {
  return {_mm512_roundscale_pd(v.raw, _MM_FROUND_CUR_DIRECTION | _MM_FROUND_NO_EXC)};
}
template <class T>
inline constexpr size_t kWidened = kLanes<T> / kLanes<double>;
SECATEUR_INLINE void Widen(Vec<float> v, Vec<double>* out) {
  out[0] = {_mm512_cvtps_pd(_mm512_castps512_ps256(v.raw))};
  out[1] = {_mm512_cvtps_pd(_mm512_extractf32x8_ps(v.raw, 1))};
}
SECATEUR_INLINE void Widen(Vec<double> v, Vec<double>* out) { out[0] = v; }
SECATEUR_INLINE Vec<int32_t> RintToInt(Vec<float> v) { return {_mm512_cvtps_epi32(v.raw)}; }
SECATEUR_INLINE Vec<float> ConvertTo(Vec<int32_t> v) { return {_mm512_cvtepi32_ps(v.raw)}; }
template <class To>
SECATEUR_INLINE Vec<To> ConvertLoad(const int32_t* p) {
  if constexpr (sizeof(To) == sizeof(float)) {
    return ConvertTo(LoadU(p));
  } else {
    return {_mm512_cvtepi32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
}

// Masks
SECATEUR_INLINE Mask<int16_t> And(Mask<int16_t> a, Mask<int16_t> b) {
  return {_kand_mask32(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> And(Mask<int32_t> a, Mask<int32_t> b) {
  return {_kand_mask16(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int64_t> And(Mask<int64_t> a, Mask<int64_t> b) {
  return {_kand_mask8(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int16_t> Or(Mask<int16_t> a, Mask<int16_t> b) {
  return {_kor_mask32(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> Or(Mask<int32_t> a, Mask<int32_t> b) {
  return {_kor_mask16(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int64_t> Or(Mask<int64_t> a, Mask<int64_t> b) {
  return {_kor_mask8(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int16_t> AndNot(Mask<int16_t> a, Mask<int16_t> b) {
  return {_kandn_mask32(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int32_t> AndNot(Mask<int32_t> a, Mask<int32_t> b) {
  return {_kandn_mask16(a.raw, b.raw)};
}
SECATEUR_INLINE Mask<int64_t> AndNot(Mask<int64_t> a, Mask<int64_t> b) {
  return {_kandn_mask8(a.raw, b.raw)};
}
// GCC 12 merges the comparison that has made a mask with its extension to 64 bits. If it then
// spills the result, it stores only as many bits as the mask has, and loads 64. The empty
// statement, which emits no instruction, keeps the two apart.
template <class M>
SECATEUR_INLINE M unmerged(M mask) {
#if defined(__AVX512BW__) && !defined(__clang__)
  __asm__("" : "+k"(mask));
#endif
  return mask;
}
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int16_t> m) { return _cvtmask32_u32(unmerged(m.raw)); }
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int32_t> m) { return _cvtmask16_u32(unmerged(m.raw)); }
SECATEUR_INLINE uint64_t BitsFromMask(Mask<int64_t> m) { return _cvtmask8_u32(unmerged(m.raw)); }
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int16_t>* m) {
  return _cvtmask64_u64(_mm512_kunpackd(m[1].raw, m[0].raw));
}
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int32_t>* m) {
  return _cvtmask64_u64(
      _mm512_kunpackd(_mm512_kunpackw(m[3].raw, m[2].raw), _mm512_kunpackw(m[1].raw, m[0].raw)));
}
SECATEUR_INLINE uint64_t BitsFromMasks(const Mask<int64_t>* m) {
  return _cvtmask32_u32(unmerged(
      _mm512_kunpackw(_mm512_kunpackb(m[3].raw, m[2].raw), _mm512_kunpackb(m[1].raw, m[0].raw))));
}
template <class T>
SECATEUR_INLINE Mask<T> MaskFromBits(uint64_t bits) {
  if constexpr (sizeof(T) == 2) {
    return {_cvtu32_mask32(static_cast<unsigned>(bits))};
  } else if constexpr (sizeof(T) == 4) {
    return {_cvtu32_mask16(static_cast<unsigned>(bits & 0xffff))};
  } else {
    return {_cvtu32_mask8(static_cast<unsigned>(bits & 0xff))};
  }
}
SECATEUR_INLINE Vec<int16_t> IfThenElse(Mask<int16_t> m, Vec<int16_t> yes, Vec<int16_t> no) {
  return {_mm512_mask_mov_epi16(no.raw, m.raw, yes.raw)};
}
SECATEUR_INLINE Vec<int32_t> IfThenElse(Mask<int32_t> m, Vec<int32_t> yes, Vec<int32_t> no) {
  return {_mm512_mask_mov_epi32(no.raw, m.raw, yes.raw)};
}
SECATEUR_INLINE Vec<int64_t> IfThenElse(Mask<int64_t> m, Vec<int64_t> yes, Vec<int64_t> no) {
  return {_mm512_mask_mov_epi64(no.raw, m.raw, yes.raw)};
}
SECATEUR_INLINE Vec<int16_t> IfThenElseZero(Mask<int16_t> m, Vec<int16_t> v) {
  return {_mm512_maskz_mov_epi16(m.raw, v.raw)};
}
SECATEUR_INLINE Vec<int32_t> IfThenElseZero(Mask<int32_t> m, Vec<int32_t> v) {
  return {_mm512_maskz_mov_epi32(m.raw, v.raw)};
}
SECATEUR_INLINE Vec<int64_t> IfThenElseZero(Mask<int64_t> m, Vec<int64_t> v) {
  return {_mm512_maskz_mov_epi64(m.raw, v.raw)};
}

SECATEUR_INLINE Vec<int16_t> IncrementIf(Vec<int16_t> v, Mask<int16_t> m) {
  return {_mm512_mask_sub_epi16(v.raw, m.raw, v.raw, _mm512_set1_epi16(-1))};
}
SECATEUR_INLINE Vec<int32_t> IncrementIf(Vec<int32_t> v, Mask<int32_t> m) {
  return {_mm512_mask_sub_epi32(v.raw, m.raw, v.raw, _mm512_set1_epi32(-1))};
}
SECATEUR_INLINE Vec<int64_t> IncrementIf(Vec<int64_t> v, Mask<int64_t> m) {
  return {_mm512_mask_sub_epi64(v.raw, m.raw, v.raw, _mm512_set1_epi64(-1))};
}
SECATEUR_INLINE Vec<int16_t> DecrementIf(Vec<int16_t> v, Mask<int16_t> m) {
  return {_mm512_mask_add_epi16(v.raw, m.raw, v.raw, _mm512_set1_epi16(-1))};
}
SECATEUR_INLINE Vec<int32_t> DecrementIf(Vec<int32_t> v, Mask<int32_t> m) {
  return {_mm512_mask_add_epi32(v.raw, m.raw, v.raw, _mm512_set1_epi32(-1))};
}
SECATEUR_INLINE Vec<int64_t> DecrementIf(Vec<int64_t> v, Mask<int64_t> m) {
  return {_mm512_mask_add_epi64(v.raw, m.raw, v.raw, _mm512_set1_epi64(-1))};
}

// Permutations
template <class T>
SECATEUR_INLINE Vec<T> InterleaveLower(Vec<T> a, Vec<T> b) {
  if constexpr (sizeof(T) == 2) {
    return {_mm512_unpacklo_epi16(a.raw, b.raw)};
  } else if constexpr (sizeof(T) == 4) {
    return {_mm512_unpacklo_epi32(a.raw, b.raw)};
  } else {
    return {_mm512_unpacklo_epi64(a.raw, b.raw)};
  }
}
template <class T>
SECATEUR_INLINE Vec<T> InterleaveUpper(Vec<T> a, Vec<T> b) {
  if constexpr (sizeof(T) == 2) {
    return {_mm512_unpackhi_epi16(a.raw, b.raw)};
  } else if constexpr (sizeof(T) == 4) {
    return {_mm512_unpackhi_epi32(a.raw, b.raw)};
  } else {
    return {_mm512_unpackhi_epi64(a.raw, b.raw)};
  }
}
// One instruction moves blocks of one vector to their positions and merges them with the other
// vector.
template <size_t kBlocks, class T>
SECATEUR_INLINE Vec<T> InterleaveEvenBlocks(Vec<T> a, Vec<T> b) {
  if constexpr (kBlocks == 1) {
    return {_mm512_mask_shuffle_i64x2(a.raw, 0xcc, b.raw, b.raw, 0xa0)};
  } else {
    return {_mm512_shuffle_i64x2(a.raw, b.raw, 0x44)};
  }
}
template <size_t kBlocks, class T>
SECATEUR_INLINE Vec<T> InterleaveOddBlocks(Vec<T> a, Vec<T> b) {
  if constexpr (kBlocks == 1) {
    return {_mm512_mask_shuffle_i64x2(b.raw, 0x33, a.raw, a.raw, 0xf5)};
  } else {
    return {_mm512_shuffle_i64x2(a.raw, b.raw, 0xee)};
  }
}

// The bits of all lanes.
template <class T>
inline constexpr uint64_t kAllLanes = ~uint64_t{0} >> (64 - kLanes<T>);

// Compresses in a register and stores the whole vector. vpcompressd with a memory destination is
// microcoded on Zen 4 and takes more than a hundred cycles.
SECATEUR_INLINE size_t CompressStore(Vec<int32_t> v, Mask<int32_t> m, int32_t* p) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(m.raw, v.raw));
  return PopCount(BitsFromMask(m));
}
SECATEUR_INLINE size_t CompressStore(Vec<int64_t> v, Mask<int64_t> m, int64_t* p) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi64(m.raw, v.raw));
  return PopCount(BitsFromMask(m));
}
template <class T>
SECATEUR_INLINE size_t CompressBits(Vec<T> v, uint64_t bits, T* p) {
  if constexpr (sizeof(T) == 1) {
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(_cvtu64_mask64(bits), v.raw));
  } else if constexpr (sizeof(T) == 2) {
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi16(MaskFromBits<T>(bits).raw, v.raw));
  } else if constexpr (sizeof(T) == 4) {
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(MaskFromBits<T>(bits).raw, v.raw));
  } else {
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi64(MaskFromBits<T>(bits).raw, v.raw));
  }
  return PopCount(bits & kAllLanes<T>);
}
template <class T>
SECATEUR_INLINE Vec<T> ExpandBits(uint64_t bits, const T* p) {
  const __m512i v = _mm512_loadu_si512(p);
  if constexpr (sizeof(T) == 1) {
    return {_mm512_maskz_expand_epi8(_cvtu64_mask64(bits), v)};
  } else if constexpr (sizeof(T) == 2) {
    return {_mm512_maskz_expand_epi16(MaskFromBits<T>(bits).raw, v)};
  } else if constexpr (sizeof(T) == 4) {
    return {_mm512_maskz_expand_epi32(MaskFromBits<T>(bits).raw, v)};
  } else {
    return {_mm512_maskz_expand_epi64(MaskFromBits<T>(bits).raw, v)};
  }
}

// Conversions between widths
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int16_t* p) {
  return {_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
SECATEUR_INLINE Vec<int32_t> PromoteLoad(const int32_t* p) { return LoadU(p); }

template <class Q>
inline constexpr size_t kDemoteInputs = kLanes<Q> / kLanes<int32_t>;

// Pack instructions work within 128-bit blocks; a permutation restores the order of the lanes. On
// Zen 4, this takes a third of the time of vpmovdb.
template <class Q>
SECATEUR_INLINE Vec<Q> DemoteTo(const Vec<int32_t>* v) {
  if constexpr (sizeof(Q) == sizeof(int32_t)) {
    return v[0];
  } else if constexpr (sizeof(Q) == 1) {
    const __m512i ab = _mm512_packs_epi32(v[0].raw, v[1].raw);
    const __m512i cd = _mm512_packs_epi32(v[2].raw, v[3].raw);
    const __m512i bytes =
        static_cast<Q>(-1) < Q{0} ? _mm512_packs_epi16(ab, cd) : _mm512_packus_epi16(ab, cd);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return {_mm512_permutexvar_epi32(order, bytes)};
  } else {
    const __m512i words = static_cast<Q>(-1) < Q{0} ? _mm512_packs_epi32(v[0].raw, v[1].raw)
                                                    : _mm512_packus_epi32(v[0].raw, v[1].raw);
    return {_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), words)};
  }
}

SECATEUR_INLINE Vec<int32_t> LowHalves(const Vec<int64_t>* v) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return {_mm512_permutex2var_epi32(v[0].raw, even, v[1].raw)};
}
SECATEUR_INLINE Vec<float> DemoteTo(const Vec<double>* v) {
  const __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(v[0].raw)));
  const __m256d high = _mm256_castps_pd(_mm512_cvtpd_ps(v[1].raw));
  return {_mm512_castpd_ps(_mm512_insertf64x4(low, high, 1))};
}

// The first argument selects the type of the 16-bit floats.
SECATEUR_INLINE __m512 widen_to_float(Float16, __m256i bits) { return _mm512_cvtph_ps(bits); }
SECATEUR_INLINE __m512 widen_to_float(BFloat16, __m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
SECATEUR_INLINE __m256 widen_to_float(Float16, __m128i bits) { return _mm256_cvtph_ps(bits); }
SECATEUR_INLINE __m256 widen_to_float(BFloat16, __m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
template <class To, class From>
SECATEUR_INLINE Vec<To> WidenLoad(const From* p) {
  if constexpr (sizeof(To) == sizeof(From)) {
    return LoadU(p);
  } else if constexpr (sizeof(From) == sizeof(float)) {
    return {_mm512_cvtps_pd(_mm256_loadu_ps(p))};
  } else if constexpr (sizeof(To) == sizeof(float)) {
    return {widen_to_float(From{}, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  } else {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtps_pd(widen_to_float(From{}, bits))};
  }
}

// The bits of v rounded to BFloat16, nearest even, in lanes of 32 bits.
SECATEUR_INLINE Vec<int32_t> bfloat16_bits(Vec<float> v) {
  const __m512i bits = _mm512_castps_si512(v.raw);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  return {_mm512_srli_epi32(_mm512_add_epi32(bits, half), 16)};
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
  const __m256i low = _mm512_cvtps_ph(v[0].raw, _MM_FROUND_TO_NEAREST_INT);
  const __m256i high = _mm512_cvtps_ph(v[1].raw, _MM_FROUND_TO_NEAREST_INT);
  return {_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1)};
}

SECATEUR_INLINE void StoreBools(uint64_t bits, uint8_t* p) {
  _mm512_storeu_si512(p, _mm512_maskz_set1_epi8(_cvtu64_mask64(bits), 1));
}
SECATEUR_INLINE void StreamBools(uint64_t bits, uint8_t* p) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p),
                      _mm512_maskz_set1_epi8(_cvtu64_mask64(bits), 1));
}
SECATEUR_INLINE uint64_t LoadBools(const uint8_t* p) {
  const __m512i v = _mm512_loadu_si512(p);
  return _cvtmask64_u64(_mm512_test_epi8_mask(v, v));
}

// Packed codes
constexpr int PackedField(int bits) { return shuffled_field(bits); }
// Shuffles the bytes of each block of 16 bytes.
SECATEUR_INLINE __m512i shuffle_bytes(__m512i v, const int8_t* order) {
  const __m128i control = _mm_loadu_si128(reinterpret_cast<const __m128i*>(order));
  return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(control));
}
// Word i of the result is i.
SECATEUR_INLINE __m512i word_indices() {
  return _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,
                          13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}
SECATEUR_INLINE Vec<int64_t> ReverseFields(Vec<int64_t> v, int bits) {
  return {shuffle_bytes(v.raw, kByteOrders.reverse[bits])};
}
// In memory, the packed bytes of two lanes are `bits` words of 16 bits. LoadPacked moves them to
// the beginning of a block of 16 bytes, and StorePacked moves them back. vpexpandb and vpcompressb
// could do this, but they also depend on the previous value of their destination register.
SECATEUR_INLINE Vec<int64_t> LoadPacked(const uint8_t* p, int bits, bool msb_first) {
  const __m512i block = _mm512_srli_epi16(word_indices(), 3);
  const __m512i first = _mm512_mullo_epi16(block, _mm512_set1_epi16(static_cast<int16_t>(bits)));
  const __m512i words =
      _mm512_add_epi16(first, _mm512_and_si512(word_indices(), _mm512_set1_epi16(7)));
  return {shuffle_bytes(_mm512_permutexvar_epi16(words, _mm512_loadu_si512(p)),
                        kByteOrders.load[msb_first][bits])};
}
SECATEUR_INLINE void StorePacked(Vec<int64_t> v, int bits, bool msb_first, uint8_t* p) {
  const __m512i bytes = shuffle_bytes(v.raw, kByteOrders.store[msb_first][bits]);
  __m512i words = word_indices();
  for (int block = 1; block < 4; ++block) {
    const auto last = _mm512_set1_epi16(static_cast<int16_t>(block * bits - 1));
    words = _mm512_mask_add_epi16(words, _mm512_cmpgt_epi16_mask(word_indices(), last), words,
                                  _mm512_set1_epi16(static_cast<int16_t>(8 - bits)));
  }
  _mm512_storeu_si512(p, _mm512_permutexvar_epi16(words, bytes));
}
SECATEUR_INLINE Vec<int64_t> SubBytes(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_sub_epi8(a.raw, b.raw)};
}
// Multiplication by powers of two shifts the bytes or words.
SECATEUR_INLINE Vec<int64_t> JoinBytes(Vec<int64_t> v, int bits) {
  const auto factors = static_cast<int16_t>(1 << (8 + bits) | 1);
  return {_mm512_maddubs_epi16(_mm512_set1_epi16(factors), v.raw)};
}
SECATEUR_INLINE Vec<int64_t> JoinUint16s(Vec<int64_t> v, int bits) {
  return {_mm512_madd_epi16(v.raw, _mm512_set1_epi32(1 << (16 + 2 * bits) | 1))};
}

}  // namespace
}  // namespace secateur::avx512
