// How much two arrays differ.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "api/checks.hpp"
#include "ops/compare.hpp"
#include "ops/threshold.hpp"

namespace secateur::api {
namespace {

// The largest keys that do not become integers out of range. The highest integer is odd, and a half more
// becomes the even one above; the lowest is even, and a half less becomes that.
Peaks inside(const sc_fixed_point& fmt, std::int32_t frac_bits, FloatType type) {
  const double half_range = std::ldexp(1.0, fmt.bits - 1);
  const double above = (fmt.is_signed != 0 ? half_range : 2 * half_range) - 0.5;
  const double below = (fmt.is_signed != 0 ? half_range : 0) + 0.5;
  const double least_above = std::ldexp(above, -frac_bits);
  return {key_of_threshold(std::nextafter(least_above, 0), type),
          key_of_threshold(std::ldexp(below, -frac_bits), type)};
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
                     size_t n, const sc_cells* cells, const sc_fixed_point* fmt,
                     const int32_t* frac_bits, sc_error_sums* sums) {
  return guarded([&] {
    require_floats("w", w, n, w_dtype);
    require_floats("w_hat", w_hat, n, w_hat_dtype);
    const Cells of = require_cells(cells, n);
    const std::size_t count = of.count();
    require_array("sums", sums, count, alignof(sc_error_sums));
    const bool wide = w_dtype == SC_FLOAT64 || w_hat_dtype == SC_FLOAT64;
    const FloatType as = wide ? kFloat64 : kFloat32;
    const Buffer<Peaks> limits(fmt == nullptr ? 0 : count);
    if (fmt != nullptr) {
      require_range(*fmt);
      require_array("frac_bits", frac_bits, 0, alignof(std::int32_t));
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t own = frac_bits == nullptr ? fmt->frac_bits : frac_bits[i];
        require_frac_bits(own);
        limits[i] = inside(*fmt, own, as);
      }
    }
    const Buffer<PairSums> found(count);
    compare(of, {w, float_type(w_dtype), as}, {w_hat, float_type(w_hat_dtype), as}, limits.data(),
            found.data());
    std::transform(found.data(), found.data() + count, sums, [](const PairSums& s) {
      return sc_error_sums{s.error, s.a, s.b, s.product, s.largest, s.outside};
    });
  });
}
