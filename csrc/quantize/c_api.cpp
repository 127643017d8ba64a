// The functions of secateur.h for fixed-point and affine formats.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "core/arguments.hpp"
#include "core/blocks.hpp"
#include "quantize/parameters.hpp"
#include "quantize/quantize.hpp"
#include "select/select.hpp"

namespace secateur::api {
namespace {

void require_in_range(const char* argument, std::int64_t received, std::int64_t least,
                      std::int64_t most) {
  if (received < least || received > most) {
    refuse(argument, std::to_string(least) + " to " + std::to_string(most),
           std::to_string(received));
  }
}

void require_in_range(const char* argument, const std::int32_t* received, std::size_t count,
                      std::int32_t least, std::int32_t most) {
  if (!all_within(received, count, least, most)) {
    for (std::size_t i = 0; i < count; ++i) {
      require_in_range(argument, received[i], least, most);
    }
  }
}

// Checks a granularity and returns the number of parameters, 0 for an array without elements.
// Reduces `block` to the length of the axis if it is longer.
std::size_t require_granularity(sc_granularity& g, std::size_t n) {
  if (n == 0) {
    return 0;
  }
  if (g.length == 0) {
    return 1;
  }
  require_in_range("fmt.granularity.shared", g.shared, 0, 1);
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
  g.block = std::min(g.block, g.length);
  return parameter_count(g, n);
}

// A scheme, and the memory of its arguments: the struct, the frac_bits or scales, and the zero
// points.
struct Format {
  Scheme scheme;
  Extent fmt, steps, zero_points;
};

Format require_fixed_point(const sc_fixed_point* fmt, std::size_t n) {
  const Extent fmt_extent = require_array("fmt", fmt, 1);
  require_in_range("fmt.bits", fmt->bits, 2, 32);
  require_in_range("fmt.is_signed", fmt->is_signed, 0, 1);
  Scheme scheme{fmt->bits, fmt->is_signed != 0, kPerTensor, &fmt->frac_bits, nullptr, nullptr};
  std::size_t count = 1;
  Extent steps;
  if (fmt->each != nullptr) {
    scheme.frac_bits = fmt->each;
    scheme.granularity = fmt->granularity;
    count = require_granularity(scheme.granularity, n);
    steps = require_array("fmt.each", fmt->each, count);
  }
  scheme.powers_fit_float =
      all_within(scheme.frac_bits, count, -kMaxFloatExponent, kMaxFloatExponent);
  if (!scheme.powers_fit_float) {
    require_in_range("fmt.frac_bits", scheme.frac_bits, count, -256, 256);
  }
  return {scheme, fmt_extent, steps, {}};
}

// The narrowest of the 8-, 16- and 32-bit dtypes that holds the codes.
sc_dtype dtype_of(const Scheme& scheme) {
  if (scheme.bits <= 8) {
    return scheme.is_signed ? SC_DTYPE_INT8 : SC_DTYPE_UINT8;
  }
  if (scheme.bits <= 16) {
    return scheme.is_signed ? SC_DTYPE_INT16 : SC_DTYPE_UINT16;
  }
  return scheme.is_signed ? SC_DTYPE_INT32 : SC_DTYPE_UINT32;
}

// Whether dtype is a 4- or 2-bit one that holds the codes.
bool is_narrow(sc_dtype dtype, const Scheme& scheme) {
  const bool is_4_bits = dtype == (scheme.is_signed ? SC_DTYPE_INT4 : SC_DTYPE_UINT4);
  const bool is_2_bits = dtype == (scheme.is_signed ? SC_DTYPE_INT2 : SC_DTYPE_UINT2);
  return (is_4_bits && scheme.bits <= 4) || (is_2_bits && scheme.bits <= 2);
}

Extent require_codes(const Codes& q, std::size_t n, const Scheme& scheme) {
  const bool fits = (q.are_packed() && scheme.bits <= 8) || q.dtype == dtype_of(scheme) ||
                    is_narrow(q.dtype, scheme);
  if (!fits) {
    refuse("q",
           name_of(dtype_of(scheme)) + (scheme.bits <= 8 ? " or packed" : "") + " for this fmt",
           name_of(q.dtype));
  }
  return q.are_packed() ? require_array("q", q.data, q.bytes(n, scheme), 1)
                        : require_array("q", q.data, n, q.bytes(1, scheme));
}

sc_quantize_options require_options(const sc_quantize_options* options) {
  if (options == nullptr) {
    return {};
  }
  require_optional("options", options);
  require_in_range("rounding", options->rounding, SC_ROUNDING_NEAREST_EVEN, SC_ROUNDING_STOCHASTIC);
  require_in_range("overflow", options->overflow, SC_OVERFLOW_SATURATE, SC_OVERFLOW_RAISE);
  if (options->nan != SC_NAN_RAISE && options->nan != SC_NAN_ZERO) {
    refuse("nan", "raise or zero", std::to_string(static_cast<int>(options->nan)));
  }
  return *options;
}

// ---- Affine ----------------------------------------------------------------------------------

template <class T>
void require_scales(const T* scales, std::size_t count) {
  const auto is_valid = [](T scale) {
    return scale >= std::numeric_limits<T>::min() && scale <= std::numeric_limits<T>::max();
  };
  if constexpr (sizeof(T) == sizeof(float)) {
    // Positive floats have the order of their bits. These are the least and the largest normal
    // ones.
    if (all_within(scales, count, 0x00800000, 0x7f7fffff)) {
      return;
    }
  }
  const T* const invalid = std::find_if_not(scales, scales + count, is_valid);
  if (invalid != scales + count) {
    refuse("scale", "positive and normal", text_of(*invalid));
  }
}

// The negated exponents of scales that are all powers of two, with 2^exponent and 2^-exponent
// normal floats; empty if any scale is another number. Multiplying by a power of two is as exact as
// dividing, and faster.
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
    if (bits << (sizeof(T) * 8 - kMantissa) != 0 || std::abs(exponent) > kMaxFloatExponent) {
      return {};
    }
    exponents.push_back(-exponent);
  }
  return exponents;
}

template <class T>
Format require_affine(const sc_affine& fmt, std::size_t n) {
  Scheme scheme{fmt.bits, fmt.is_signed != 0, fmt.granularity, nullptr, fmt.scale, fmt.zero_point};
  const std::size_t count = require_granularity(scheme.granularity, n);
  const Extent scales = require_array("scale", static_cast<const T*>(fmt.scale), count);
  const Extent zero_points =
      require_array("zero_point", fmt.zero_point, fmt.zero_point == nullptr ? 0 : count);
  const std::int64_t codes = std::int64_t{1} << fmt.bits;
  const std::int64_t least = scheme.is_signed ? -codes / 2 : 0;
  require_scales(static_cast<const T*>(fmt.scale), count);
  if (fmt.zero_point != nullptr) {  // the format then has at most 16 bits
    require_in_range("zero_point", fmt.zero_point, count, static_cast<std::int32_t>(least),
                     static_cast<std::int32_t>(least + codes - 1));
  }
  return {scheme, require_array("fmt", &fmt, 1), scales, zero_points};
}

Format require_affine(const sc_affine* fmt, std::size_t n, sc_dtype floats) {
  require_array("fmt", fmt, 1);
  require_in_range("fmt.bits", fmt->bits, 1, 32);
  require_in_range("fmt.is_signed", fmt->is_signed, 0, 1);
  if (fmt->bits > 16 && (fmt->bits != 32 || fmt->is_signed == 0 || fmt->zero_point != nullptr)) {
    refuse("fmt", "1 to 16 bits, or 32 signed ones without zero points", std::to_string(fmt->bits));
  }
  return floats == SC_DTYPE_FLOAT64 ? require_affine<double>(*fmt, n)
                                    : require_affine<float>(*fmt, n);
}

// ---- Fixed point and affine ------------------------------------------------------------------

void require_to_quantize(const Extent& w, std::size_t n, const Format& format,
                         const sc_quantize_options* options, const Codes& q) {
  const Extent codes = require_codes(q, n, format.scheme);
  require_no_overlap({codes}, {w, format.fmt, format.steps, format.zero_points,
                               require_optional("options", options)});
}

void dequantize_to(const Codes& q, std::size_t n, const Format& format, const Extent& out,
                   sc_dtype dtype) {
  const Extent codes = require_codes(q, n, format.scheme);
  require_no_overlap({out}, {codes, format.fmt, format.steps, format.zero_points});
  if (n != 0) {
    dequantize(q, n, format.scheme, const_cast<void*>(out.data), float_type(dtype));
  }
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    const Format format = require_fixed_point(fmt, n);
    const sc_quantize_options checked_options = require_options(options);
    const Codes codes{q, q_dtype};
    require_to_quantize(in, n, format, options, codes);
    if (n != 0) {
      quantize(w, float_type(dtype), n, format.scheme, checked_options, codes);
    }
  });
}

sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_fixed_point* fmt,
                        void* out, sc_dtype out_dtype) {
  return guarded([&] {
    const Extent floats = require_floats("out", out, n, out_dtype);
    const Format format = require_fixed_point(fmt, n);
    dequantize_to({const_cast<void*>(q), q_dtype}, n, format, floats, out_dtype);
  });
}

sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                           const sc_quantize_options* options, void* out) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    const Extent result = require_floats("out", out, n, dtype);
    const Format format = require_fixed_point(fmt, n);
    const sc_quantize_options checked_options = require_options(options);
    require_same_or_no_overlap(result, in);
    require_no_overlap({result}, {format.fmt, format.steps, require_optional("options", options)});
    if (n != 0) {
      fake_quantize(w, float_type(dtype), n, format.scheme, checked_options, out);
    }
  });
}

sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k,
                            const sc_fixed_point* fmt, const sc_quantize_options* options, void* q,
                            sc_dtype q_dtype) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    require_k(k, 0, n);
    const Format format = require_fixed_point(fmt, n);
    const sc_quantize_options checked_options = require_options(options);
    const Codes codes{q, q_dtype};
    require_to_quantize(in, n, format, options, codes);
    if (n != 0) {
      prune_quantize(w, float_type(dtype), n, k, format.scheme, checked_options, codes);
    }
  });
}

sc_status sc_quantize_affine(const void* w, sc_dtype dtype, size_t n, const sc_affine* fmt,
                             sc_nan nan, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    const Format format = require_affine(fmt, n, dtype);
    const sc_quantize_options options{SC_ROUNDING_NEAREST_EVEN, SC_OVERFLOW_SATURATE, nan, 0};
    require_options(&options);
    const Codes codes{q, q_dtype};
    require_to_quantize(in, n, format, nullptr, codes);
    if (n == 0) {
      return;
    }
    Scheme scheme = format.scheme;
    const std::size_t count = parameter_count(scheme.granularity, n);
    std::vector<double> widened;
    const std::vector<std::int32_t> exponents =
        dtype == SC_DTYPE_FLOAT64 ? exponents_of(static_cast<const double*>(scheme.scales), count)
                                  : exponents_of(static_cast<const float*>(scheme.scales), count);
    if (!exponents.empty()) {
      scheme.frac_bits = exponents.data();
      scheme.scales = nullptr;
    } else if (scheme.bits > 16 && dtype != SC_DTYPE_FLOAT64) {
      const auto* const scales = static_cast<const float*>(scheme.scales);
      // See Scheme::in_double.
      widened.assign(scales, scales + count);
      scheme.scales = widened.data();
      scheme.in_double = true;
    }
    quantize(w, float_type(dtype), n, scheme, options, codes);
  });
}

sc_status sc_dequantize_affine(const void* q, sc_dtype q_dtype, size_t n, const sc_affine* fmt,
                               void* out, sc_dtype out_dtype) {
  return guarded([&] {
    const Extent floats = require_floats("out", out, n, out_dtype);
    const Format format = require_affine(fmt, n, out_dtype);
    dequantize_to({const_cast<void*>(q), q_dtype}, n, format, floats, out_dtype);
  });
}
