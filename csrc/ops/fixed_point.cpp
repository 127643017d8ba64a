#include "ops/fixed_point.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/nan.hpp"

namespace secateur {
namespace {

// 2^exponent as two factors that a float holds. Beyond 2^±252 nothing changes: every float other
// than 0 already overflows, or every integer of up to 32 bits already vanishes.
struct Factors {
  float a, b;
};
Factors power_of_two(int exponent) {
  constexpr int kMost = 126;
  const int all = std::clamp(exponent, -2 * kMost, 2 * kMost);
  const int a = std::clamp(all, -kMost, kMost);
  return {std::ldexp(1.0f, a), std::ldexp(1.0f, all - a)};
}

// Runs a kernel that turns NaN into 0 and returns the largest magnitude that it met.
template <class Kernel>
void run(Kernel kernel, const void* w, std::size_t n, const Output& out, sc_nan nan) {
  std::atomic<bool> met{false};
  for_blocks(Blocks(w, n, out.data, bytes_of(out.form, sizeof(float))), n * sizeof(float),
             [&](Part part) {
    if (kernel(part, out) > kFloat32.infinity) {
      met.store(true, std::memory_order_relaxed);
    }
  });
  if (nan == SC_NAN_RAISE && met.load()) {
    refuse_nan(w, n, kFloat32);
  }
}

std::size_t int_form(Form form) {
  return static_cast<std::size_t>(form) - static_cast<std::size_t>(Form::int8);
}

}  // namespace

FixedPointScale scale_of(const sc_fixed_point& format) {
  const Factors to = power_of_two(format.frac_bits);
  const Factors back = power_of_two(-format.frac_bits);
  const float half = std::ldexp(1.0f, format.bits - 1);
  return format.is_signed != 0 ? FixedPointScale{to.a, to.b, back.a, back.b, -half, half - 1}
                               : FixedPointScale{to.a, to.b, back.a, back.b, 0, 2 * half - 1};
}

Form form_of(const sc_fixed_point& format) {
  if (format.bits == 8) {
    return format.is_signed != 0 ? Form::int8 : Form::uint8;
  }
  return format.is_signed != 0 ? Form::int16 : Form::uint16;
}

void quantize(const void* w, std::size_t n, const sc_fixed_point& format, sc_nan nan, void* q) {
  const Form form = form_of(format);
  const bool stream = worth_streaming(w, q, n * (sizeof(float) + bytes_of(form, sizeof(float))));
  const Output out{form, q, stream, scale_of(format), nullptr};
  run(kernels().quantize[int_form(form)], w, n, out, nan);
}

void fake_quantize(const void* w, std::size_t n, const sc_fixed_point& format, sc_nan nan,
                   void* out) {
  if (out == w && nan == SC_NAN_RAISE) {
    check_nan(w, n, kFloat32);
  }
  const bool stream = worth_streaming(w, out, 2 * n * sizeof(float));
  run(kernels().fake_quantize, w, n, Output{Form::floats, out, stream, scale_of(format), nullptr},
      nan);
}

void dequantize(const void* q, std::size_t n, const sc_fixed_point& format, void* out) {
  const Form form = form_of(format);
  const bool stream = worth_streaming(q, out, n * (sizeof(float) + bytes_of(form, sizeof(float))));
  const Output output{Form::floats, out, stream, scale_of(format), nullptr};
  for_blocks(
      Blocks(q, n, out, sizeof(float)), n * sizeof(float),
      [&, kernel = kernels().dequantize[int_form(form)]](Part part) { kernel(part, output); });
}

}  // namespace secateur
