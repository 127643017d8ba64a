// The C API of statistics, for quantization-error metrics and for choosing a format.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/arguments.hpp"
#include "core/blocks.hpp"
#include "quantize/arguments.hpp"
#include "stats/choosing.hpp"
#include "stats/compare.hpp"
#include "stats/limits.hpp"

namespace secateur::api {
namespace {

// Throws Error unless a format has one parameter, or one for each group.
void require_same_groups(const Layout& of_format, const Layout& groups) {
  if (of_format.groups() > 1 && !of_format.has_groups_of(groups)) {
    refuse("fmt.layout", "null, of one group, or of the groups of layout", "other groups");
  }
}

// Replaces every NaN by the same one. Which of two NaN operands an addition returns depends on the
// ISA.
double without_payload(double sum) {
  return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
}

void require_deterministic(sc_rounding rounding) {
  require_in_range("rounding", rounding, SC_ROUNDING_NEAREST_EVEN, SC_ROUNDING_STOCHASTIC);
  if (rounding == SC_ROUNDING_STOCHASTIC) {
    refuse("rounding", "deterministic (choose with away for stochastic)", "stochastic");
  }
}

// Throws Error unless the integers of a format that is to be chosen have 2 to `max_bits` bits.
void require_integers(std::int32_t bits, int max_bits, std::int32_t is_signed) {
  require_in_range("bits", bits, 2, max_bits);
  require_flag("is_signed", is_signed);
}

// Checks the optional array to which w is quantized with the chosen format, and adds it to the
// calibration.
MemoryRange add_checked_codes(Calibration& calibration, void* q, sc_dtype q_dtype, int bits,
                              bool is_signed) {
  if (q == nullptr) {
    return {};
  }
  const Codes codes{q, q_dtype};
  const std::size_t n = calibration.groups.elements();
  Scheme scheme{};
  scheme.bits = bits;
  scheme.is_signed = is_signed;
  const MemoryRange memory = checked_codes(codes, n, scheme, "q", "format", 0);
  calibration.q = codes;
  calibration.streams =
      worth_streaming(calibration.w, q, n * calibration.type.bytes + memory.bytes);
  return memory;
}

Calibration checked_calibration(const void* w, sc_dtype dtype, std::size_t n,
                                const sc_layout* layout, sc_choice_method method, double percentile,
                                sc_rounding rounding) {
  const Layout groups = checked_layout("layout", layout, n);
  if (method < SC_CHOICE_METHOD_MAX || method > SC_CHOICE_METHOD_MSE) {
    refuse("method", "max, percentile or mse", std::to_string(static_cast<int>(method)));
  }
  if (method == SC_CHOICE_METHOD_PERCENTILE && (!(percentile >= 0) || !(percentile <= 100))) {
    refuse("percentile", "a number from 0 to 100", text_of(percentile));
  }
  require_deterministic(rounding);
  return {groups, w, float_type(dtype), method, percentile, rounding};
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_layout* layout, const sc_format* fmt, sc_rounding rounding,
                     sc_error_sums* sums) {
  return guarded([&] {
    const MemoryRange reference = checked_floats("w", w, n, w_dtype);
    const MemoryRange approximation = checked_floats("w_hat", w_hat, n, w_hat_dtype);
    const Layout groups = checked_layout("layout", layout, n);
    const std::size_t count = groups.groups();
    const MemoryRange out = checked_array("sums", sums, count);
    require_deterministic(rounding);
    CheckedFormat format{};
    if (fmt != nullptr) {
      format = checked_format(fmt, n, w_dtype, ScaleConstraint::positive_and_normal);
      require_same_groups(format.scheme.layout, groups);
    }
    require_no_overlap({out},
                       {reference, approximation, checked_optional("layout", layout), format.fmt,
                        format.layout, format.steps, format.zero_points, format.group_bits});
    const bool wide = w_dtype == SC_DTYPE_FLOAT64 || w_hat_dtype == SC_DTYPE_FLOAT64;
    const FloatType kernel_type = wide ? kFloat64 : kFloat32;
    const bool counts_saturated = fmt != nullptr && n != 0;
    const Buffer<Limits> limits(counts_saturated ? count : 0);
    if (counts_saturated) {
      write_limits(format.scheme, count, rounding, w_dtype, kernel_type, limits.data());
    }
    const Buffer<PairSums> found(count);
    compare(groups, {w, float_type(w_dtype), kernel_type},
            {w_hat, float_type(w_hat_dtype), kernel_type}, limits.data(), found.data());
    std::transform(found.data(), found.data() + count, sums, [](const PairSums& s) {
      return sc_error_sums{without_payload(s.squared_error),
                           without_payload(s.squared_a),
                           without_payload(s.squared_b),
                           without_payload(s.products),
                           s.max_error,
                           s.out_of_range};
    });
  });
}

sc_status sc_choose_format(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                           int32_t bits, int32_t is_signed, sc_choice_method method,
                           double percentile, sc_rounding rounding, int32_t* frac_bits, void* q,
                           sc_dtype q_dtype) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    Calibration calibration =
        checked_calibration(w, dtype, n, layout, method, percentile, rounding);
    require_integers(bits, 32, is_signed);
    const MemoryRange out = checked_array("frac_bits", frac_bits, calibration.groups.groups());
    const MemoryRange codes = add_checked_codes(calibration, q, q_dtype, bits, is_signed != 0);
    require_no_overlap({out, codes}, {in, checked_optional("layout", layout)});
    const double refused = choose_frac_bits(calibration, bits, is_signed != 0, frac_bits);
    if (refused != 0) {
      refuse("w", "at least 0 for an unsigned format, except where it rounds to 0",
             text_of(refused));
    }
  });
}

sc_status sc_choose_affine(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                           int32_t bits, int32_t is_signed, int32_t is_symmetric,
                           sc_choice_method method, double percentile, sc_rounding rounding,
                           void* scale, int32_t* zero_point, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    Calibration calibration =
        checked_calibration(w, dtype, n, layout, method, percentile, rounding);
    require_integers(bits, 16, is_signed);
    require_flag("is_symmetric", is_symmetric);
    const std::size_t count = calibration.groups.groups();
    const bool is_double = dtype == SC_DTYPE_FLOAT64;
    const MemoryRange scales =
        checked_array("scale", scale, count, is_double ? sizeof(double) : sizeof(float));
    const MemoryRange zero_points = checked_array("zero_point", zero_point, count);
    const MemoryRange codes = add_checked_codes(calibration, q, q_dtype, bits, is_signed != 0);
    require_no_overlap({scales, zero_points, codes}, {in, checked_optional("layout", layout)});
    if (is_double) {
      choose_affine(calibration, bits, is_signed != 0, is_symmetric != 0,
                    static_cast<double*>(scale), zero_point);
    } else {
      choose_affine(calibration, bits, is_signed != 0, is_symmetric != 0,
                    static_cast<float*>(scale), zero_point);
    }
  });
}
