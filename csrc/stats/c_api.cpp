// The C API of statistics, for quantization-error metrics and for choosing a format.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/arguments.hpp"
#include "quantize/arguments.hpp"
#include "select/threshold.hpp"
#include "stats/choosing.hpp"
#include "stats/compare.hpp"

namespace secateur::api {
namespace {

// The largest x >= 0 with rounds_into_range(x), which holds for all smaller ones. `near` is where the
// search begins.
template <class T, class Predicate>
T largest_in_range(T near, const Predicate& rounds_into_range) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  T x = std::min(near, std::numeric_limits<T>::max());
  while (!rounds_into_range(x)) {
    x = std::nextafter(x, T{0});
  }
  for (T next = std::nextafter(x, kInfinity); next != kInfinity && rounds_into_range(next);) {
    x = next;
    next = std::nextafter(x, kInfinity);
  }
  return x;
}

// For each sign, the largest key whose value is quantized to an integer in range. T is the compute
// type.
template <class T>
MinMax affine_limits(const Scheme& scheme, std::size_t group, FloatType type) {
  const T scale = static_cast<const T*>(scheme.scales)[group];
  const std::int64_t zero_point = scheme.zero_points == nullptr ? 0 : scheme.zero_points[group];
  const auto key_of_limit = [&](std::int64_t integer) {  // of the last integer on one side of 0
    const auto limit = static_cast<double>(integer);
    const T x = largest_in_range<T>(static_cast<T>(limit + 0.5) * scale, [&](T magnitude) {
      return static_cast<double>(std::nearbyint(magnitude / scale)) <= limit;
    });
    return key_of_threshold(static_cast<double>(x), type);
  };
  return {key_of_limit(scheme.highest - zero_point), key_of_limit(zero_point - scheme.lowest)};
}

// The same for fixed point. Rounding is half to even. The highest integer is odd, so
// highest + 0.5 is rounded up, out of range. The lowest integer is even, so lowest - 0.5 is rounded
// to it.
MinMax fixed_point_limits(const Scheme& scheme, std::size_t group, FloatType type) {
  const int frac_bits = scheme.frac_bits[group];
  const double first_above = std::ldexp(static_cast<double>(scheme.highest) + 0.5, -frac_bits);
  const double last_below = std::ldexp(0.5 - static_cast<double>(scheme.lowest), -frac_bits);
  return {key_of_threshold(std::nextafter(first_above, 0), type),
          key_of_threshold(last_below, type)};
}

// Writes the limits of each of `count` groups, as keys of `type`.
void write_limits(const Scheme& scheme, std::size_t count, sc_dtype w_dtype, FloatType type,
                  MinMax* limits) {
  const bool is_shared = scheme.layout.groups() == 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t group = is_shared ? 0 : i;
    if (i != 0 && is_shared) {
      limits[i] = limits[0];
    } else if (!scheme.has_scales()) {
      limits[i] = fixed_point_limits(scheme, group, type);
    } else if (w_dtype == SC_DTYPE_FLOAT64) {
      limits[i] = affine_limits<double>(scheme, group, type);
    } else {
      limits[i] = affine_limits<float>(scheme, group, type);
    }
  }
}

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

// Throws Error unless the integers of a format that is to be chosen have 2 to `max_bits` bits.
void require_integers(std::int32_t bits, int max_bits, std::int32_t is_signed) {
  require_in_range("bits", bits, 2, max_bits);
  require_flag("is_signed", is_signed);
}

Calibration checked_calibration(const void* w, sc_dtype dtype, std::size_t n,
                                const sc_layout* layout, sc_choice_method method,
                                double percentile) {
  const Layout groups = checked_layout("layout", layout, n);
  if (method < SC_CHOICE_METHOD_MAX || method > SC_CHOICE_METHOD_MSE) {
    refuse("method", "max, percentile or mse", std::to_string(static_cast<int>(method)));
  }
  if (method == SC_CHOICE_METHOD_PERCENTILE && (!(percentile >= 0) || !(percentile <= 100))) {
    refuse("percentile", "a number from 0 to 100", text_of(percentile));
  }
  return {groups, w, float_type(dtype), method, percentile};
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_layout* layout, const sc_format* fmt, sc_error_sums* sums) {
  return guarded([&] {
    const MemoryRange reference = checked_floats("w", w, n, w_dtype);
    const MemoryRange approximation = checked_floats("w_hat", w_hat, n, w_hat_dtype);
    const Layout groups = checked_layout("layout", layout, n);
    const std::size_t count = groups.groups();
    const MemoryRange out = checked_array("sums", sums, count);
    CheckedFormat format{};
    if (fmt != nullptr) {
      format = checked_format(fmt, n, w_dtype, ScaleConstraint::positive_and_normal);
      require_same_groups(format.scheme.layout, groups);
    }
    require_no_overlap({out}, {reference, approximation, checked_optional("layout", layout),
                               format.fmt, format.layout, format.steps, format.zero_points});
    const bool wide = w_dtype == SC_DTYPE_FLOAT64 || w_hat_dtype == SC_DTYPE_FLOAT64;
    const FloatType kernel_type = wide ? kFloat64 : kFloat32;
    const bool counts_saturated = fmt != nullptr && n != 0;
    const Buffer<MinMax> limits(counts_saturated ? count : 0);
    if (counts_saturated) {
      write_limits(format.scheme, count, w_dtype, kernel_type, limits.data());
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
                           double percentile, int32_t* frac_bits) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const Calibration calibration = checked_calibration(w, dtype, n, layout, method, percentile);
    require_integers(bits, 32, is_signed);
    const MemoryRange out = checked_array("frac_bits", frac_bits, calibration.groups.groups());
    require_no_overlap({out}, {in, checked_optional("layout", layout)});
    const double refused = choose_frac_bits(calibration, bits, is_signed != 0, frac_bits);
    if (refused != 0) {
      refuse("w", "at least 0 for an unsigned format, except where it rounds to 0",
             text_of(refused));
    }
  });
}

sc_status sc_choose_affine(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                           int32_t bits, int32_t is_signed, int32_t is_symmetric,
                           sc_choice_method method, double percentile, void* scale,
                           int32_t* zero_point) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const Calibration calibration = checked_calibration(w, dtype, n, layout, method, percentile);
    require_integers(bits, 16, is_signed);
    require_flag("is_symmetric", is_symmetric);
    const std::size_t count = calibration.groups.groups();
    const bool is_double = dtype == SC_DTYPE_FLOAT64;
    const MemoryRange scales =
        checked_array("scale", scale, count, is_double ? sizeof(double) : sizeof(float));
    const MemoryRange zero_points = checked_array("zero_point", zero_point, count);
    require_no_overlap({scales, zero_points}, {in, checked_optional("layout", layout)});
    const auto [qmin, qmax] = integer_range(bits, is_signed != 0);
    if (is_double) {
      choose_affine(calibration, qmin, qmax, is_symmetric != 0, static_cast<double*>(scale),
                    zero_point);
    } else {
      choose_affine(calibration, qmin, qmax, is_symmetric != 0, static_cast<float*>(scale),
                    zero_point);
    }
  });
}
