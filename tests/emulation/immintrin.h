// Emulates AVX2 and AVX-512, so that tests run lanes/avx2.hpp, lanes/avx512.hpp and their kernels
// on every x86-64 CPU. With SECATEUR_EMULATE (CMakeLists.txt), this header replaces that of the
// compiler. SIMDe has most operations. This header adds those that SIMDe lacks. It replaces those
// whose results depend on the rounding direction of the thread, which SIMDe partly ignores, or on
// the order of two NaN.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace secateur_emulation {
namespace {

template <class To, class From>
To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
template <class T, class V>
using Lanes = std::array<T, sizeof(V) / sizeof(T)>;
template <class T, class V>
Lanes<T, V> lanes(V v) {
  return bits<Lanes<T, V>>(v);
}

// Divides vectors into parts of type Part, and applies f to each part.
template <class Part, class F, class V, class... Vs>
V by_parts(F f, V v, Vs... others) {
  auto parts = lanes<Part>(v);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = f(parts[i], lanes<Part>(others)[i]...);
  }
  return bits<V>(parts);
}

// Converts each lane in the rounding direction of the thread, as C++ does.
template <class R, class To, class From, class V>
R convert(V v) {
  const auto from = lanes<From>(v);
  std::array<To, sizeof(R) / sizeof(To)> to;
  static_assert(to.size() == from.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<To>(from[i]);
  }
  return bits<R>(to);
}

template <class V>
V round_floats(V v) {
  return by_parts<float>([](float x) { return __builtin_nearbyintf(x); }, v);
}
template <class V>
V round_doubles(V v) {
  return by_parts<double>([](double x) { return __builtin_nearbyint(x); }, v);
}
template <class R, class V>
R nearest_ints(V v) {
  auto parts = lanes<__m128>(v);
  std::array<__m128i, parts.size()> ints;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ints[i] = _mm_cvtps_epi32(parts[i]);
  }
  return bits<R>(ints);
}

// The product of two NaN is the first one. In C++, the compiler may swap the operands.
template <class V>
V multiply_floats(V a, V b) {
  return by_parts<__m128>([](__m128 x, __m128 y) {
    __asm__("mulps %1, %0" : "+x"(x) : "x"(y));
    return x;
  }, a, b);
}
template <class V>
V multiply_doubles(V a, V b) {
  return by_parts<__m128d>([](__m128d x, __m128d y) {
    __asm__("mulpd %1, %0" : "+x"(x) : "x"(y));
    return x;
  }, a, b);
}

template <class T>
T sum(__m512i v) {
  T total = 0;
  for (const T x : lanes<T>(v)) {
    total += x;
  }
  return total;
}
template <class T>
T largest(__m512i v) {
  T found = lanes<T>(v)[0];
  for (const T x : lanes<T>(v)) {
    found = x > found ? x : found;
  }
  return found;
}

inline std::uint32_t greater_words(__m512i a, __m512i b) {
  std::uint32_t mask = 0;
  for (unsigned i = 0; i < 32; ++i) {
    const bool greater = lanes<std::int16_t>(a)[i] > lanes<std::int16_t>(b)[i];
    mask |= static_cast<std::uint32_t>(greater) << i;
  }
  return mask;
}

// The lanes whose bits are set, in order, then zeros.
template <class T>
__m512i compress(std::uint64_t mask, __m512i v) {
  const auto from = lanes<T>(v);
  std::array<T, from.size()> to{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if ((mask >> i & 1) != 0) {
      to[count++] = from[i];
    }
  }
  return bits<__m512i>(to);
}
// The inverse: the first lanes go to those whose bits are set; the others are zeros.
template <class T>
__m512i expand(std::uint64_t mask, __m512i v) {
  const auto from = lanes<T>(v);
  std::array<T, from.size()> to{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if ((mask >> i & 1) != 0) {
      to[i] = from[count++];
    }
  }
  return bits<__m512i>(to);
}

template <int kRounding>
__m256i halves_of_floats(__m512 v) {
  const auto parts = lanes<__m256>(v);
  return _mm256_set_m128i(_mm256_cvtps_ph(parts[1], kRounding),
                          _mm256_cvtps_ph(parts[0], kRounding));
}
inline __m512 floats_of_halves(__m256i v) {
  const auto parts = lanes<__m128i>(v);
  return bits<__m512>(std::array{_mm256_cvtph_ps(parts[0]), _mm256_cvtph_ps(parts[1])});
}

// Two 128-bit blocks of a, then two of b.
template <int kControl>
__m512i shuffle_blocks(__m512i a, __m512i b) {
  const auto x = lanes<__m128i>(a), y = lanes<__m128i>(b);
  return bits<__m512i>(std::array{x[kControl & 3], x[kControl >> 2 & 3], y[kControl >> 4 & 3],
                                  y[kControl >> 6 & 3]});
}
template <int kControl>
__m512i shuffle_ints(__m512i v) {
  return by_parts<__m128i>([](__m128i x) { return _mm_shuffle_epi32(x, kControl); }, v);
}
inline __m512i multiply_add_words(__m512i a, __m512i b) {
  return by_parts<__m128i>([](__m128i x, __m128i y) { return _mm_madd_epi16(x, y); }, a, b);
}

// The low half of a above the low half of b. Each half has `half` bits.
template <class Mask>
Mask unpack_masks(Mask a, Mask b, int half) {
  const auto low = static_cast<Mask>((Mask{1} << half) - 1);
  return static_cast<Mask>(static_cast<Mask>(a & low) << half | (b & low));
}

}  // namespace
}  // namespace secateur_emulation

#define __mmask8 std::uint8_t
#define __mmask16 std::uint16_t
#define __mmask32 std::uint32_t
#define __mmask64 std::uint64_t
#define _MM_PERM_CDAB 0xb1
#ifndef _MM_FROUND_NO_EXC
#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#endif

// AVX2
#undef _mm256_mul_ps
#undef _mm256_mul_pd
#undef _mm256_round_ps
#undef _mm256_round_pd
#undef _mm256_cvtps_epi32
#undef _mm256_cvtepi32_ps
#undef _mm256_cvtpd_ps
#define _mm256_mul_ps secateur_emulation::multiply_floats<__m256>
#define _mm256_mul_pd secateur_emulation::multiply_doubles<__m256d>
#define _mm256_round_ps(v, direction) secateur_emulation::round_floats<__m256>(v)
#define _mm256_round_pd(v, direction) secateur_emulation::round_doubles<__m256d>(v)
#define _mm256_cvtps_epi32 secateur_emulation::nearest_ints<__m256i>
#define _mm256_cvtepi32_ps secateur_emulation::convert<__m256, float, std::int32_t>
#define _mm256_cvtpd_ps secateur_emulation::convert<__m128, float, double>

// AVX-512
#undef _mm512_mul_ps
#undef _mm512_mul_pd
#undef _mm512_roundscale_ps
#undef _mm512_roundscale_pd
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtps_pd
#undef _mm512_cvtepi32_pd
#undef _mm512_cvtpd_ps
#undef _mm512_cvtepi8_epi32
#undef _mm512_cvtepu8_epi32
#undef _mm512_madd_epi16
#define _mm512_mul_ps secateur_emulation::multiply_floats<__m512>
#define _mm512_mul_pd secateur_emulation::multiply_doubles<__m512d>
#define _mm512_roundscale_ps(v, direction) secateur_emulation::round_floats<__m512>(v)
#define _mm512_roundscale_pd(v, direction) secateur_emulation::round_doubles<__m512d>(v)
#define _mm512_cvtps_epi32 secateur_emulation::nearest_ints<__m512i>
#define _mm512_cvtepi32_ps secateur_emulation::convert<__m512, float, std::int32_t>
#define _mm512_cvtps_pd secateur_emulation::convert<__m512d, double, float>
#define _mm512_cvtepi32_pd secateur_emulation::convert<__m512d, double, std::int32_t>
#define _mm512_cvtpd_ps secateur_emulation::convert<__m256, float, double>
#define _mm512_cvtepi8_epi32 secateur_emulation::convert<__m512i, std::int32_t, std::int8_t>
#define _mm512_cvtepu8_epi32 secateur_emulation::convert<__m512i, std::int32_t, std::uint8_t>
#define _mm512_cvtepi16_epi32 secateur_emulation::convert<__m512i, std::int32_t, std::int16_t>
#define _mm512_cvtepu16_epi32 secateur_emulation::convert<__m512i, std::int32_t, std::uint16_t>
#define _mm512_cvtph_ps secateur_emulation::floats_of_halves
#define _mm512_cvtps_ph(v, rounding) secateur_emulation::halves_of_floats<(rounding)>(v)
#define _mm512_extractf32x8_ps(v, i) (secateur_emulation::lanes<__m256>(v)[i])
#define _mm512_shuffle_epi32(v, control) secateur_emulation::shuffle_ints<(control)>(v)
#define _mm512_shuffle_i64x2(a, b, control) secateur_emulation::shuffle_blocks<(control)>(a, b)
#define _mm512_mask_shuffle_i64x2(s, k, a, b, control) \
  _mm512_mask_mov_epi64(s, k, _mm512_shuffle_i64x2(a, b, control))
#define _mm512_madd_epi16 secateur_emulation::multiply_add_words
#define _mm512_mask_sub_epi16(s, k, a, b) _mm512_mask_mov_epi16(s, k, _mm512_sub_epi16(a, b))
#define _mm512_reduce_add_epi32 secateur_emulation::sum<std::int32_t>
#define _mm512_reduce_add_epi64 secateur_emulation::sum<std::int64_t>
#define _mm512_reduce_max_epi32 secateur_emulation::largest<std::int32_t>
#define _mm512_reduce_max_epi64 secateur_emulation::largest<std::int64_t>
#define _mm512_cmpgt_epi16_mask secateur_emulation::greater_words
#define _mm512_maskz_compress_epi8 secateur_emulation::compress<std::int8_t>
#define _mm512_maskz_compress_epi16 secateur_emulation::compress<std::int16_t>
#define _mm512_maskz_expand_epi8 secateur_emulation::expand<std::int8_t>
#define _mm512_maskz_expand_epi16 secateur_emulation::expand<std::int16_t>
#define _mm512_maskz_expand_epi32 secateur_emulation::expand<std::int32_t>
#define _mm512_maskz_expand_epi64 secateur_emulation::expand<std::int64_t>
#define _mm512_kunpackb(a, b) secateur_emulation::unpack_masks<__mmask16>(a, b, 8)
#define _mm512_kunpackw(a, b) secateur_emulation::unpack_masks<__mmask32>(a, b, 16)
#define _mm512_kunpackd(a, b) secateur_emulation::unpack_masks<__mmask64>(a, b, 32)
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
