// The C API of statistics, for quantization-error metrics and for choosing a format.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/arguments.hpp"
#include "select/threshold.hpp"
#include "stats/compare.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur::api {
namespace {

// For each sign, the largest key whose value is rounded to an integer in range. Rounding is half to
// even. The highest integer is odd, so highest + 0.5 is rounded up, out of range. The lowest
// integer is even, so lowest - 0.5 is rounded to it.
MinMax range_limits(const sc_fixed_point& fmt, std::int32_t frac_bits, FloatType type) {
  const double half_range = std::ldexp(1.0, fmt.bits - 1);
  const double above = (fmt.is_signed != 0 ? half_range : 2 * half_range) - 0.5;
  const double below = (fmt.is_signed != 0 ? half_range : 0) + 0.5;
  const double first_above = std::ldexp(above, -frac_bits);
  return {key_of_threshold(std::nextafter(first_above, 0), type),
          key_of_threshold(std::ldexp(below, -frac_bits), type)};
}

// Replaces every NaN by the same one. Which of two NaN operands an addition returns depends on the
// ISA.
double without_payload(double sum) {
  return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
}

void require_range(const sc_fixed_point& fmt) {
  if (fmt.bits < 2 || fmt.bits > 32) {
    refuse("fmt.bits", "2 to 32", std::to_string(fmt.bits));
  }
  if (fmt.is_signed != 0 && fmt.is_signed != 1) {
    refuse("fmt.is_signed", "0 or 1", std::to_string(fmt.is_signed));
  }
}

void require_frac_bits(std::int32_t frac_bits) {
  if (frac_bits < -256 || frac_bits > 256) {
    refuse("frac_bits", "-256 to 256", std::to_string(frac_bits));
  }
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_compare(const void* w, sc_dtype w_dtype, const void* w_hat, sc_dtype w_hat_dtype,
                     size_t n, const sc_layout* layout, const sc_fixed_point* fmt,
                     const int32_t* frac_bits, sc_error_sums* sums) {
  return guarded([&] {
    const Extent reference = require_floats("w", w, n, w_dtype);
    const Extent approximation = require_floats("w_hat", w_hat, n, w_hat_dtype);
    const Layout groups = require_layout("layout", layout, n);
    const std::size_t count = groups.groups();
    const Extent out = require_array("sums", sums, count);
    const Extent frac_bits_extent =
        require_array("frac_bits", frac_bits, frac_bits == nullptr ? 0 : count);
    require_no_overlap({out}, {reference, approximation, require_optional("layout", layout),
                               require_optional("fmt", fmt), frac_bits_extent});
    const bool wide = w_dtype == SC_DTYPE_FLOAT64 || w_hat_dtype == SC_DTYPE_FLOAT64;
    const FloatType kernel_type = wide ? kFloat64 : kFloat32;
    const Buffer<MinMax> limits(fmt == nullptr ? 0 : count);
    if (fmt != nullptr) {
      require_range(*fmt);
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t group_frac_bits = frac_bits == nullptr ? fmt->frac_bits : frac_bits[i];
        require_frac_bits(group_frac_bits);
        limits[i] = range_limits(*fmt, group_frac_bits, kernel_type);
      }
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
