#include "ops/soft_threshold.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/float_type.hpp"
#include "ops/select.hpp"

namespace secateur {
namespace {

// The nearest number of a type, half to even; its subnormals lie as far apart as its least normals.
double rounded(double number, FloatType type) {
  const int mantissa = std::countr_zero(static_cast<std::uint64_t>(type.infinity));
  const int bias = static_cast<int>(type.infinity >> mantissa) / 2;
  const double step = std::ldexp(1.0, std::max(std::ilogb(number), 1 - bias) - mantissa);
  const double nearest = std::nearbyint(number / step) * step;
  return nearest < std::ldexp(1.0, bias + 1) ? nearest : std::numeric_limits<double>::infinity();
}

}  // namespace

void soft_threshold(const void* w, sc_dtype dtype, std::size_t n, double threshold, void* out) {
  const FloatType type = float_type(dtype);
  const double limit = std::isinf(threshold) ? threshold : rounded(threshold, type);
  if (std::isinf(limit)) {  // nothing is left but NaN
    Source source{w, n, type};
    source.out = {Form::floats, out, false};
    write_above(Scope({&source, 1}, SC_NAN_KEEP), type.infinity);
    return;
  }
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  const Output output{Form::floats, out, stream};
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes,
             [&, kernel = kernels_of(kernels(), type.kind).soft_threshold](Part part) {
    kernel(part, limit, output);
  });
}

}  // namespace secateur
