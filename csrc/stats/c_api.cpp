// The C API of statistics, for quantization-error metrics and for choosing a format.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/arguments.hpp"
#include "quantize/arguments.hpp"
#include "select/threshold.hpp"
#include "stats/compare.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur::api {
namespace {

// The largest x >= 0 with rounds_into_range(x), which holds for all smaller ones. `near` is about
// that number.
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
    } else if (!scheme.is_affine()) {
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
    refuse("fmt.layout", "null or the same as layout", "other groups");
  }
}

// Replaces every NaN by the same one. Which of two NaN operands an addition returns depends on the
// ISA.
double without_payload(double sum) {
  return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_layout* layout, const sc_format* fmt, sc_error_sums* sums) {
  return guarded([&] {
    const Extent reference = require_floats("w", w, n, w_dtype);
    const Extent approximation = require_floats("w_hat", w_hat, n, w_hat_dtype);
    const Layout groups = require_layout("layout", layout, n);
    const std::size_t count = groups.groups();
    const Extent out = require_array("sums", sums, count);
    Format format{};
    if (fmt != nullptr) {
      format = checked_format(fmt, n, w_dtype, Scales::positive_and_normal);
      require_same_groups(format.scheme.layout, groups);
    }
    require_no_overlap({out}, {reference, approximation, require_optional("layout", layout),
                               format.fmt, format.layout, format.steps, format.zero_points});
    const bool wide = w_dtype == SC_DTYPE_FLOAT64 || w_hat_dtype == SC_DTYPE_FLOAT64;
    const FloatType kernel_type = wide ? kFloat64 : kFloat32;
    const bool counts = fmt != nullptr && n != 0;
    const Buffer<MinMax> limits(counts ? count : 0);
    if (counts) {
      write_limits(format.scheme, count, w_dtype, kernel_type, limits.data());
    }
    const Buffer<PairSums> found(count);
    compare(groups, {w, float_type(w_dtype), kernel_type},
            {w_hat, float_type(w_hat_dtype), kernel_type}, limits.data(), found.data());
    std::transform(found.data(), found.data() + count, sums, [](const PairSums& s) {
      return sc_error_sums{without_payload(s.error),
                           without_payload(s.a),
                           without_payload(s.b),
                           without_payload(s.product),
                           s.largest,
                           s.outside};
    });
  });
}

sc_status sc_find_ranges(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                         double* lowest, double* highest) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    const Layout groups = require_layout("layout", layout, n);
    const Extent low = require_array("lowest", lowest, groups.groups());
    const Extent high = require_array("highest", highest, groups.groups());
    require_no_overlap({low, high}, {in, require_optional("layout", layout)});
    find_ranges(groups, w, float_type(dtype), lowest, highest);
  });
}

sc_status sc_sum_rounding_errors(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                                 const sc_grid* grids, double ratio, sc_rounding_sums* sums) {
  return guarded([&] {
    const Extent in = require_floats("w", w, n, dtype);
    const Layout groups = require_layout("layout", layout, n);
    const std::size_t count = groups.groups();
    const Extent grids_extent = require_array("grids", grids, count);
    const Extent out = require_array("sums", sums, count);
    require_no_overlap({out}, {in, grids_extent, require_optional("layout", layout)});
    if (!(ratio >= 1) || !(ratio <= 2)) {
      refuse("ratio", "a number from 1 to 2", text_of(ratio));
    }
    const Buffer<Grid> core_grids(count);
    std::transform(grids, grids + count, core_grids.data(), [grids](const sc_grid& grid) {
      if (!(grid.multiplier >= 0) || !(grid.lowest <= 0) || !(grid.highest >= 0)) {
        refuse(("grids[" + std::to_string(&grid - grids) + "]").c_str(),
               "of multiplier >= 0 and lowest <= 0 <= highest",
               "multiplier " + text_of(grid.multiplier) + ", lowest " + text_of(grid.lowest) +
                   " and highest " + text_of(grid.highest));
      }
      return Grid{grid.multiplier, grid.lowest, grid.highest};
    });
    const Buffer<RoundingSums> found(count);
    sum_rounding_errors(groups, w, float_type(dtype), core_grids.data(), ratio, found.data());
    std::transform(found.data(), found.data() + count, sums, [](const RoundingSums& s) {
      return sc_rounding_sums{s.coarser, s.error, s.finer};
    });
  });
}
