// Fixed point, and affine integers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "api/checks.hpp"
#include "ops/blocks.hpp"
#include "ops/parameters.hpp"
#include "ops/quantize.hpp"
#include "ops/select.hpp"

namespace secateur::api {
namespace {

void require_in(const char* argument, std::int64_t came, std::int64_t least, std::int64_t most) {
  if (came < least || came > most) {
    refuse(argument, std::to_string(least) + " to " + std::to_string(most), std::to_string(came));
  }
}

void require_in(const char* argument, const std::int32_t* came, std::size_t count,
                std::int32_t least, std::int32_t most) {
  if (!all_within(came, count, least, most)) {
    for (std::size_t i = 0; i < count; ++i) {
      require_in(argument, came[i], least, most);
    }
  }
}

void require_granularity(const sc_granularity& g, std::size_t n) {
  if (g.length == 0) {
    return;
  }
  require_in("fmt.granularity.shared", g.shared, 0, 1);
  if (g.inner == 0 || g.block == 0) {
    refuse("fmt.granularity", "an inner and a block of at least 1", "0");
  }
  if (g.inner > n / g.length || n % (g.length * g.inner) != 0) {
    refuse("fmt.granularity", "slices that make up " + std::to_string(n) + " elements",
           std::to_string(g.length) + " times " + std::to_string(g.inner));
  }
  if (g.shared != 0 && g.block != 1) {
    refuse("fmt.granularity.block", "1 where parameters are shared", std::to_string(g.block));
  }
}

Scheme require_fixed_point(const sc_fixed_point* fmt, std::size_t n) {
  if (fmt == nullptr) {
    refuse("fmt", "a fixed-point format", "a null pointer");
  }
  require_in("fmt.bits", fmt->bits, 2, 32);
  require_in("fmt.is_signed", fmt->is_signed, 0, 1);
  Scheme scheme{fmt->bits, fmt->is_signed != 0, kPerTensor, &fmt->frac_bits, nullptr, nullptr};
  if (fmt->each != nullptr) {
    require_array("fmt.each", fmt->each, 1, sizeof(std::int32_t));
    scheme.frac_bits = fmt->each;
    scheme.granularity = fmt->granularity;
    if (n != 0) {
      require_granularity(scheme.granularity, n);
    }
  }
  const std::size_t count = n == 0 && fmt->each != nullptr ? 0 : count_of(scheme.granularity, n);
  scheme.are_near = all_within(scheme.frac_bits, count, -kNearFracBits, kNearFracBits);
  if (!scheme.are_near) {
    require_in("fmt.frac_bits", scheme.frac_bits, count, -256, 256);
  }
  return scheme;
}

// The type that holds integers of so many bits.
sc_dtype dtype_of(const Scheme& scheme) {
  if (scheme.bits <= 8) {
    return scheme.is_signed ? SC_INT8 : SC_UINT8;
  }
  if (scheme.bits <= 16) {
    return scheme.is_signed ? SC_INT16 : SC_UINT16;
  }
  return scheme.is_signed ? SC_INT32 : SC_UINT32;
}

// Whether a type of fewer bits than its byte holds the integers.
bool is_narrow(sc_dtype dtype, const Scheme& scheme) {
  const bool of_four = dtype == (scheme.is_signed ? SC_INT4 : SC_UINT4);
  const bool of_two = dtype == (scheme.is_signed ? SC_INT2 : SC_UINT2);
  return (of_four && scheme.bits <= 4) || (of_two && scheme.bits <= 2);
}

std::size_t alignment_of(const Codes& q) { return q.are_packed() ? 1 : q.bytes(1, Scheme{}); }

void require_codes(const Codes& q, std::size_t n, const Scheme& scheme) {
  const bool fits = (q.are_packed() && scheme.bits <= 8) || q.dtype == dtype_of(scheme) ||
                    is_narrow(q.dtype, scheme);
  if (!fits) {
    refuse("q",
           name_of(dtype_of(scheme)) + (scheme.bits <= 8 ? " or packed" : "") + " for this fmt",
           name_of(q.dtype));
  }
  require_array("q", q.data, n, alignment_of(q));
}

sc_quantize_options require_options(const sc_quantize_options* options) {
  if (options == nullptr) {
    return {};
  }
  require_in("rounding", options->rounding, SC_ROUND_NEAREST_EVEN, SC_ROUND_STOCHASTIC);
  require_in("overflow", options->overflow, SC_OVERFLOW_SATURATE, SC_OVERFLOW_RAISE);
  if (options->nan != SC_NAN_RAISE && options->nan != SC_NAN_ZERO) {
    refuse("nan", "raise or zero", std::to_string(static_cast<int>(options->nan)));
  }
  return *options;
}

// ---- Affine ----------------------------------------------------------------------------------

template <class T>
void require_scales(const T* scales, std::size_t count) {
  const auto is_fit = [](T scale) {
    return scale >= std::numeric_limits<T>::min() && scale <= std::numeric_limits<T>::max();
  };
  if constexpr (sizeof(T) == sizeof(float)) {  // which are in the order of their bits
    if (all_within(scales, count, 0x00800000, 0x7f7fffff)) {
      return;
    }
  }
  const T* const unfit = std::find_if_not(scales, scales + count, is_fit);
  if (unfit != scales + count) {
    char came[32];
    std::snprintf(came, sizeof came, "%g", static_cast<double>(*unfit));
    refuse("scale", "positive and normal", came);
  }
}

// What scales are powers of two of: the negative exponents, if all of them are such and 2^±exponent is a float;
// else none. Multiplying is faster than dividing, and exact as well.
template <class T>
std::vector<std::int32_t> exponents_of(const T* scales, std::size_t count) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;
  constexpr int kMantissa = std::numeric_limits<T>::digits - 1;
  constexpr int kBias = std::numeric_limits<T>::max_exponent - 1;
  std::vector<std::int32_t> exponents;
  exponents.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<Bits>(scales[i]);
    const int exponent = static_cast<int>(bits >> kMantissa) - kBias;
    if (bits << (sizeof(T) * 8 - kMantissa) != 0 || std::abs(exponent) > kNearFracBits) {
      return {};
    }
    exponents.push_back(-exponent);
  }
  return exponents;
}

template <class T>
Scheme require_affine(const sc_affine& fmt, std::size_t n) {
  const Scheme scheme{fmt.bits, fmt.is_signed != 0, fmt.granularity,
                      nullptr,  fmt.scale,          fmt.zero_point};
  if (n == 0) {
    return scheme;
  }
  require_granularity(scheme.granularity, n);
  const std::size_t count = count_of(scheme.granularity, n);
  require_array("scale", fmt.scale, count, sizeof(T));
  require_array("zero_point", fmt.zero_point, 0, sizeof(std::int32_t));
  const std::int64_t codes = std::int64_t{1} << fmt.bits;
  const std::int64_t least = scheme.is_signed ? -codes / 2 : 0;
  require_scales(static_cast<const T*>(fmt.scale), count);
  if (fmt.zero_point != nullptr) {  // of 16 bits at most
    require_in("zero_point", fmt.zero_point, count, static_cast<std::int32_t>(least),
               static_cast<std::int32_t>(least + codes - 1));
  }
  return scheme;
}

Scheme require_affine(const sc_affine* fmt, std::size_t n, sc_dtype floats) {
  if (fmt == nullptr) {
    refuse("fmt", "an affine format", "a null pointer");
  }
  require_in("fmt.bits", fmt->bits, 1, 32);
  require_in("fmt.is_signed", fmt->is_signed, 0, 1);
  if (fmt->bits > 16 && (fmt->bits != 32 || fmt->is_signed == 0 || fmt->zero_point != nullptr)) {
    refuse("fmt", "1 to 16 bits, or 32 signed ones without zero points", std::to_string(fmt->bits));
  }
  return floats == SC_FLOAT64 ? require_affine<double>(*fmt, n) : require_affine<float>(*fmt, n);
}

// ---- Both ------------------------------------------------------------------------------------

void require_to_quantize(const void* w, sc_dtype dtype, std::size_t n, const Scheme& scheme,
                         const Codes& q) {
  require_codes(q, n, scheme);
  require_apart("q", q.data, q.bytes(n, scheme), w, n * float_type(dtype).bytes);
}

void dequantize_to(const Codes& q, std::size_t n, const Scheme& scheme, void* out, sc_dtype dtype) {
  require_codes(q, n, scheme);
  const FloatType type = float_type(dtype);
  require_apart("out", out, n * type.bytes, q.data, q.bytes(n, scheme));
  if (n != 0) {
    dequantize(q, n, scheme, out, type);
  }
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    const Scheme scheme = require_fixed_point(fmt, n);
    const sc_quantize_options how = require_options(options);
    const Codes codes{q, q_dtype};
    require_to_quantize(w, dtype, n, scheme, codes);
    if (n != 0) {
      quantize(w, float_type(dtype), n, scheme, how, codes);
    }
  });
}

sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_fixed_point* fmt,
                        void* out, sc_dtype out_dtype) {
  return guarded([&] {
    require_floats("out", out, n, out_dtype);
    dequantize_to({const_cast<void*>(q), q_dtype}, n, require_fixed_point(fmt, n), out, out_dtype);
  });
}

sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                           const sc_quantize_options* options, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    const Scheme scheme = require_fixed_point(fmt, n);
    const sc_quantize_options how = require_options(options);
    const FloatType type = float_type(dtype);
    require_apart("out", out, n * type.bytes, w, n * type.bytes, true);
    if (n != 0) {
      fake_quantize(w, type, n, scheme, how, out);
    }
  });
}

sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k,
                            const sc_fixed_point* fmt, const sc_quantize_options* options, void* q,
                            sc_dtype q_dtype) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_k(k, 0, n);
    const Scheme scheme = require_fixed_point(fmt, n);
    const sc_quantize_options how = require_options(options);
    const Codes codes{q, q_dtype};
    require_to_quantize(w, dtype, n, scheme, codes);
    if (n != 0) {
      prune_quantize(w, float_type(dtype), n, k, scheme, how, codes);
    }
  });
}

sc_status sc_quantize_affine(const void* w, sc_dtype dtype, size_t n, const sc_affine* fmt,
                             sc_nan nan, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    Scheme scheme = require_affine(fmt, n, dtype);
    const sc_quantize_options how{SC_ROUND_NEAREST_EVEN, SC_OVERFLOW_SATURATE, nan, 0};
    require_options(&how);
    const Codes codes{q, q_dtype};
    require_to_quantize(w, dtype, n, scheme, codes);
    if (n == 0) {
      return;
    }
    const std::size_t count = count_of(scheme.granularity, n);
    std::vector<double> widened;
    const std::vector<std::int32_t> exponents =
        dtype == SC_FLOAT64 ? exponents_of(static_cast<const double*>(scheme.scales), count)
                            : exponents_of(static_cast<const float*>(scheme.scales), count);
    if (!exponents.empty()) {
      scheme.frac_bits = exponents.data();
      scheme.scales = nullptr;
    } else if (scheme.bits > 16 && dtype != SC_FLOAT64) {
      const auto* const scales = static_cast<const float*>(scheme.scales);
      widened.assign(scales, scales + count);
      scheme.scales = widened.data();
      scheme.in_double = true;
    }
    quantize(w, float_type(dtype), n, scheme, how, codes);
  });
}

sc_status sc_dequantize_affine(const void* q, sc_dtype q_dtype, size_t n, const sc_affine* fmt,
                               void* out, sc_dtype out_dtype) {
  return guarded([&] {
    require_floats("out", out, n, out_dtype);
    dequantize_to({const_cast<void*>(q), q_dtype}, n, require_affine(fmt, n, out_dtype), out,
                  out_dtype);
  });
}
