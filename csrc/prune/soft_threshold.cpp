#include "prune/soft_threshold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/dtypes.hpp"
#include "select/select.hpp"

namespace secateur {
namespace {

// Rounds a number >= 0 to the nearest value of the type, half to even. Subnormals have the same
// spacing as the smallest normals, so the exponent of the step has a lower bound.
double rounded(double number, FloatType type) {
  const double step =
      std::ldexp(1.0, std::max(std::ilogb(number), 1 - type.bias()) - type.mantissa_bits);
  const double nearest = std::nearbyint(number / step) * step;
  const Key largest = type.largest_number(), first_bit = Key{1} << type.mantissa_bits;
  const double limit =
      std::ldexp(static_cast<double>(largest % first_bit + first_bit),
                 static_cast<int>(largest / first_bit) - type.bias() - type.mantissa_bits);
  return nearest <= limit ? nearest : std::numeric_limits<double>::infinity();
}

}  // namespace

void soft_threshold(const void* w, sc_dtype dtype, std::size_t n, double threshold, void* out) {
  const FloatType type = float_type(dtype);
  const double limit = std::isinf(threshold) ? threshold : rounded(threshold, type);
  if (std::isinf(limit)) {  // only NaN is kept
    Operand operand{w, n, type};
    operand.out = {OutputKind::floats, out, false};
    write_above(SelectionProblem({&operand, 1}, SC_NAN_KEEP), type.infinity);
    return;
  }
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  const Output output{OutputKind::floats, out, stream};
  begin_writing(w, out);
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes,
             [&, kernel = kernels().prune.floats[type.kind].soft_threshold](Part part) {
    kernel(part, limit, output);
  });
}

}  // namespace secateur
