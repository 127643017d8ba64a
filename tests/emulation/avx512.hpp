// AVX-512 on CPUs that have AVX2 alone, so that lanes/avx512.hpp and the kernels over it run in tests
// everywhere. Included ahead of everything else. SIMDe has most operations; those that it lacks are here.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace secateur_emulation {

template <class To, class From>
To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// A vector of 512 bits from its halves, and the halves from it.
template <class Half>
struct Halves {
  Half low, high;
};
template <class Whole, class Half>
Whole join(Half low, Half high) {
  return bits<Whole>(Halves<Half>{low, high});
}
template <class Half, class Whole>
Halves<Half> split(Whole whole) {
  return bits<Halves<Half>>(whole);
}

// Applies f to the halves of each vector, and joins its results.
template <class To, class Half, class F, class... Whole>
To by_halves(F f, Whole... v) {
  return join<To>(f(split<Half>(v).low...), f(split<Half>(v).high...));
}

// In the rounding direction of the thread, which SIMDe ignores.
inline __m512 round_ps(__m512 v) {
  const auto round = [](__m256 half) { return _mm256_round_ps(half, _MM_FROUND_CUR_DIRECTION); };
  return by_halves<__m512, __m256>(round, v);
}
inline __m512d round_pd(__m512d v) {
  const auto round = [](__m256d half) { return _mm256_round_pd(half, _MM_FROUND_CUR_DIRECTION); };
  return by_halves<__m512d, __m256d>(round, v);
}
inline __m512i cvtps_epi32(__m512 v) {
  return by_halves<__m512i, __m256>([](__m256 half) { return _mm256_cvtps_epi32(half); }, v);
}
inline __m512 cvtepi32_ps(__m512i v) {
  return by_halves<__m512, __m256i>([](__m256i half) { return _mm256_cvtepi32_ps(half); }, v);
}

template <class T>
T sum(__m512i v) {
  T total = 0;
  for (const T x : bits<std::array<T, sizeof v / sizeof(T)>>(v)) {
    total += x;
  }
  return total;
}

inline __m512d cvtps_pd(__m256 v) {
  return join<__m512d>(_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                       _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
}
inline __m512d cvtepi32_pd(__m256i v) {
  return join<__m512d>(_mm256_cvtepi32_pd(_mm256_castsi256_si128(v)),
                       _mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1)));
}
inline __m256 cvtpd_ps(__m512d v) {
  const auto [low, high] = split<__m256d>(v);
  return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}
inline __m512i cvtepi8_epi32(__m128i v) {
  return join<__m512i>(_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8)));
}
inline __m512i cvtepu8_epi32(__m128i v) {
  return join<__m512i>(_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8)));
}
template <int kRounding>
__m256i cvtps_ph(__m512 v) {
  const auto [low, high] = split<__m256>(v);
  return _mm256_set_m128i(_mm256_cvtps_ph(high, kRounding), _mm256_cvtps_ph(low, kRounding));
}
// Of two NaN, the first.
inline __m256 multiply(__m256 a, __m256 b) {
  __m256 product;
  __asm__("vmulps %2, %1, %0" : "=x"(product) : "x"(a), "x"(b));
  return product;
}
inline __m256d multiply(__m256d a, __m256d b) {
  __m256d product;
  __asm__("vmulpd %2, %1, %0" : "=x"(product) : "x"(a), "x"(b));
  return product;
}
template <class Half, class Whole>
Whole multiply_halves(Whole a, Whole b) {
  return by_halves<Whole, Half>([](Half x, Half y) { return multiply(x, y); }, a, b);
}
template <class Mask>
Mask kunpack(Mask a, Mask b, int half) {
  const auto low = static_cast<Mask>((Mask{1} << half) - 1);
  return static_cast<Mask>((a & low) << half | (b & low));
}

}  // namespace secateur_emulation

#define _mm512_mul_ps secateur_emulation::multiply_halves<__m256, __m512>
#define _mm512_mul_pd secateur_emulation::multiply_halves<__m256d, __m512d>
#undef _mm512_roundscale_ps
#undef _mm512_roundscale_pd
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_ps
#define _mm512_roundscale_ps(v, direction) secateur_emulation::round_ps(v)
#define _mm512_roundscale_pd(v, direction) secateur_emulation::round_pd(v)
#define _mm512_cvtps_epi32 secateur_emulation::cvtps_epi32
#define _mm512_cvtepi32_ps secateur_emulation::cvtepi32_ps
#define _mm512_cvtps_pd secateur_emulation::cvtps_pd
#define _mm512_cvtepi32_pd secateur_emulation::cvtepi32_pd
#define _mm512_cvtpd_ps secateur_emulation::cvtpd_ps
#define _mm512_cvtepi8_epi32 secateur_emulation::cvtepi8_epi32
#define _mm512_cvtepu8_epi32 secateur_emulation::cvtepu8_epi32
#define _mm512_cvtps_ph(v, rounding) secateur_emulation::cvtps_ph<(rounding)>(v)
#define _mm512_kunpackb(a, b) secateur_emulation::kunpack<__mmask16>(a, b, 8)
#define _mm512_kunpackw(a, b) secateur_emulation::kunpack<__mmask32>(a, b, 16)
#define _mm512_kunpackd(a, b) secateur_emulation::kunpack<__mmask64>(a, b, 32)
#define _mm512_mask_sub_epi16(s, k, a, b) _mm512_mask_blend_epi16(k, s, _mm512_sub_epi16(a, b))
#define _mm512_reduce_add_epi32 secateur_emulation::sum<std::int32_t>
#define _mm512_reduce_add_epi64 secateur_emulation::sum<std::int64_t>
#define _mm512_stream_si512(p, v) _mm512_storeu_si512(p, v)
#define _mm512_stream_ps(p, v) _mm512_storeu_ps(p, v)
#define _mm512_stream_pd(p, v) _mm512_storeu_pd(p, v)
#define _kand_mask8(a, b) static_cast<__mmask8>((a) & (b))
#define _kand_mask16(a, b) static_cast<__mmask16>((a) & (b))
#define _kand_mask32(a, b) static_cast<__mmask32>((a) & (b))
#define _kor_mask8(a, b) static_cast<__mmask8>((a) | (b))
#define _kor_mask16(a, b) static_cast<__mmask16>((a) | (b))
#define _kor_mask32(a, b) static_cast<__mmask32>((a) | (b))
#define _kandn_mask8(a, b) static_cast<__mmask8>(~(a) & (b))
#define _kandn_mask16(a, b) static_cast<__mmask16>(~(a) & (b))
#define _kandn_mask32(a, b) static_cast<__mmask32>(~(a) & (b))
#define _cvtmask8_u32(m) static_cast<std::uint32_t>(m)
#define _cvtmask16_u32(m) static_cast<std::uint32_t>(m)
#define _cvtmask32_u32(m) static_cast<std::uint32_t>(m)
#define _cvtmask64_u64(m) static_cast<std::uint64_t>(m)
#define _cvtu32_mask8(m) static_cast<__mmask8>(m)
#define _cvtu32_mask16(m) static_cast<__mmask16>(m)
#define _cvtu32_mask32(m) static_cast<__mmask32>(m)
#define _cvtu64_mask64(m) static_cast<__mmask64>(m)
