// The functions of secateur.h that quantize and dequantize.
#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "core/arguments.hpp"
#include "core/blocks.hpp"
#include "quantize/arguments.hpp"
#include "quantize/quantize.hpp"
#include "quantize/requantize.hpp"
#include "quantize/rounding_table.hpp"
#include "select/select.hpp"

namespace secateur::api {
namespace {

Codes checked_input_codes(const void* q, sc_dtype dtype, std::int32_t sign_extend) {
  require_in_range("sign_extend", sign_extend, 0, 1);
  return {const_cast<void*>(q), dtype, sign_extend != 0};
}

// ---- Schemes of affine formats ----------------------------------------------------------------

// The frac_bits that are equivalent to scales that are all powers of two, where 2^frac_bits and
// 2^-frac_bits are normal floats; empty if any scale is another number. Multiplying by a power of
// two is as exact as dividing, and faster.
template <class T>
std::vector<std::int32_t> frac_bits_of(const T* scales, std::size_t count) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;
  constexpr int kMantissa = std::numeric_limits<T>::digits - 1;
  constexpr int kBias = std::numeric_limits<T>::max_exponent - 1;
  std::vector<std::int32_t> frac_bits;
  frac_bits.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<Bits>(scales[i]);
    const int exponent = static_cast<int>(bits >> kMantissa) - kBias;
    if (bits << (sizeof(T) * 8 - kMantissa) != 0 || std::abs(exponent) > kMaxFloatExponent) {
      return {};
    }
    frac_bits.push_back(-exponent);
  }
  return frac_bits;
}

// Codes of more bits are computed in double.
constexpr int kMaxFloatBits = 16;

// The scheme that the kernels compute with. Where the results are the same, frac_bits replace
// scales that are all powers of two, because multiplying is faster. Where float is not exact,
// scales are in double.
class ComputedScheme {
 public:
  // Without options, for dequantization.
  ComputedScheme(const Scheme& scheme, sc_dtype floats, const sc_quantize_options* options)
      : scheme_(scheme) {
    if (!scheme.has_scales()) {
      return;
    }
    const std::size_t count = scheme.layout.groups();
    const bool is_double = floats == SC_DTYPE_FLOAT64;
    // Only for the common modes. In every mode the quotient is rounded to nearest even, but kernels
    // round a product in the direction of the mode. A product that underflows might then be rounded
    // away from 0, and after that to 1 or -1.
    const bool is_default = options != nullptr && options->rounding == SC_ROUNDING_NEAREST_EVEN &&
                            options->overflow <= SC_OVERFLOW_SATURATE_SYMMETRIC;
    if (is_default && scheme.bits <= kMaxFloatBits) {
      frac_bits_ = is_double ? frac_bits_of(static_cast<const double*>(scheme.scales), count)
                             : frac_bits_of(static_cast<const float*>(scheme.scales), count);
    }
    if (!frac_bits_.empty()) {
      scheme_.frac_bits = frac_bits_.data();
      scheme_.scales = nullptr;
      return;
    }
    const bool float_is_exact =
        scheme.bits <= kMaxFloatBits ||
        (options == nullptr && scheme.is_signed && scheme.zero_points == nullptr);
    if (!is_double && !float_is_exact) {
      const auto* const scales = static_cast<const float*>(scheme.scales);
      widened_.assign(scales, scales + count);
      scheme_.scales = widened_.data();
      scheme_.in_double = true;
    }
  }
  ComputedScheme(const ComputedScheme&) = delete;
  ComputedScheme& operator=(const ComputedScheme&) = delete;

  [[nodiscard]] const Scheme& get() const { return scheme_; }

 private:
  Scheme scheme_;
  std::vector<std::int32_t> frac_bits_;
  std::vector<double> widened_;
};

// ---- Checks of whole calls ---------------------------------------------------------------------

sc_quantize_options checked_options(const sc_quantize_options* options,
                                    const CheckedFormat& format) {
  sc_quantize_options checked{};
  if (options != nullptr) {
    checked_optional("options", options);
    checked = *options;
  }
  constexpr sc_rounding kRoundings[] = {
#define SECATEUR_CONSTANT(name, constant, ...) SC_ROUNDING_##constant,
      SECATEUR_ROUNDINGS(SECATEUR_CONSTANT)
#undef SECATEUR_CONSTANT
  };
  require_in_range("rounding", checked.rounding, 0, std::ssize(kRoundings) - 1);
  require_in_range("overflow", checked.overflow, SC_OVERFLOW_SATURATE, SC_OVERFLOW_RAISE);
  if (checked.nan != SC_NAN_RAISE && checked.nan != SC_NAN_ZERO) {
    refuse("nan", "raise or zero", std::to_string(static_cast<int>(checked.nan)));
  }
  const Scheme& scheme = format.scheme;
  const std::int64_t codes = std::int64_t{1} << scheme.bits;
  if (checked.overflow == SC_OVERFLOW_WRAP && scheme.highest - scheme.lowest != codes - 1) {
    refuse("overflow",
           "another policy than wrap, which needs all integers of " + std::to_string(scheme.bits) +
               " bits",
           "wrap with " + std::to_string(scheme.lowest) + " to " + std::to_string(scheme.highest));
  }
  return checked;
}

constexpr FormatNames kFromNames = SECATEUR_FORMAT_NAMES("from_fmt");
constexpr FormatNames kToNames = SECATEUR_FORMAT_NAMES("to_fmt");

// Checks that an output overlaps neither an input nor the format.
void require_apart(const MemoryRange& out, const MemoryRange& in, const CheckedFormat& format,
                   const sc_quantize_options* options) {
  require_no_overlap({out}, {in, format.fmt, format.layout, format.steps, format.zero_points,
                             format.group_bits, checked_optional("options", options)});
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_format* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const CheckedFormat format =
        checked_format(fmt, n, dtype, ScaleConstraint::positive_and_normal);
    const sc_quantize_options checked = checked_options(options, format);
    const Codes codes{q, q_dtype};
    require_apart(checked_codes(codes, n, format.scheme), in, format, options);
    if (n != 0) {
      const ComputedScheme scheme(format.scheme, dtype, &checked);
      quantize(w, float_type(dtype), n, scheme.get(), checked, codes);
    }
  });
}

sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_format* fmt,
                        int32_t sign_extend, void* out, sc_dtype out_dtype) {
  return guarded([&] {
    const MemoryRange floats = checked_floats("out", out, n, out_dtype);
    const CheckedFormat format = checked_format(fmt, n, out_dtype, ScaleConstraint::finite);
    const Codes codes = checked_input_codes(q, q_dtype, sign_extend);
    require_apart(floats, checked_codes(codes, n, format.scheme), format, nullptr);
    if (n != 0) {
      const ComputedScheme scheme(format.scheme, out_dtype, nullptr);
      dequantize(codes, n, scheme.get(), out, float_type(out_dtype));
    }
  });
}

sc_status sc_requantize(const void* q, sc_dtype q_dtype, size_t n, const sc_format* from_fmt,
                        int32_t sign_extend, const sc_format* to_fmt,
                        const sc_quantize_options* options, void* out, sc_dtype out_dtype) {
  return guarded([&] {
    const CheckedFormat from = checked_format(from_fmt, n, SC_DTYPE_FLOAT64,
                                              ScaleConstraint::finite, kFromNames, kMaxIntegerBits);
    const CheckedFormat to =
        checked_format(to_fmt, n, SC_DTYPE_FLOAT64, ScaleConstraint::positive_and_normal, kToNames);
    const sc_quantize_options checked = checked_options(options, to);
    const Codes codes = checked_input_codes(q, q_dtype, sign_extend);
    const Codes result{out, out_dtype};
    const MemoryRange in = checked_codes(codes, n, from.scheme, "q", "from_fmt");
    const MemoryRange written = checked_codes(result, n, to.scheme, "out", "to_fmt");
    require_apart(written, in, from, options);
    require_apart(written, {}, to, nullptr);
    if (n != 0) {
      requantize(codes, n, from.scheme, to.scheme, checked, result);
    }
  });
}

sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_format* fmt,
                           const sc_quantize_options* options, void* out) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const MemoryRange result = checked_floats("out", out, n, dtype);
    const CheckedFormat format =
        checked_format(fmt, n, dtype, ScaleConstraint::positive_and_normal);
    const sc_quantize_options checked = checked_options(options, format);
    require_same_or_no_overlap(result, in);
    require_apart(result, {}, format, options);
    if (n != 0) {
      const ComputedScheme scheme(format.scheme, dtype, &checked);
      fake_quantize(w, float_type(dtype), n, scheme.get(), checked, out);
    }
  });
}

sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_format* fmt,
                            const sc_quantize_options* options, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    require_k(k, 0, n);
    const CheckedFormat format =
        checked_format(fmt, n, dtype, ScaleConstraint::positive_and_normal);
    const sc_quantize_options checked = checked_options(options, format);
    const Codes codes{q, q_dtype};
    require_apart(checked_codes(codes, n, format.scheme), in, format, options);
    if (n != 0) {
      const ComputedScheme scheme(format.scheme, dtype, &checked);
      prune_quantize(w, float_type(dtype), n, k, scheme.get(), checked, codes);
    }
  });
}
