// Fixed point.
#include <string>

#include "api/checks.hpp"
#include "ops/blocks.hpp"
#include "ops/fixed_point.hpp"
#include "ops/select.hpp"

namespace secateur::api {
namespace {

// Where other types of float will come in for fixed point.
void require_float32s(const char* argument, const void* data, std::size_t n, sc_dtype dtype) {
  if (dtype != SC_FLOAT32) {
    refuse(argument, "float32", name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  require_array(argument, data, n, sizeof(float));
}

void require_format(const sc_fixed_point* fmt) {
  if (fmt == nullptr) {
    refuse("fmt", "a fixed-point format", "a null pointer");
  }
  if (fmt->bits != 8 && fmt->bits != 16) {
    refuse("fmt.bits", "8 or 16", std::to_string(fmt->bits), SC_ERROR_UNSUPPORTED);
  }
  if (fmt->frac_bits < -256 || fmt->frac_bits > 256) {
    refuse("fmt.frac_bits", "-256 to 256", std::to_string(fmt->frac_bits));
  }
  if (fmt->is_signed != 0 && fmt->is_signed != 1) {
    refuse("fmt.is_signed", "0 or 1", std::to_string(fmt->is_signed));
  }
}

sc_dtype dtype_of(const sc_fixed_point& fmt) {
  if (fmt.bits == 8) {
    return fmt.is_signed != 0 ? SC_INT8 : SC_UINT8;
  }
  return fmt.is_signed != 0 ? SC_INT16 : SC_UINT16;
}

// The integers of a format.
void require_integers(const void* q, std::size_t n, sc_dtype q_dtype, const sc_fixed_point* fmt) {
  require_format(fmt);
  if (q_dtype != dtype_of(*fmt)) {
    refuse("q", name_of(dtype_of(*fmt)) + " for this fmt", name_of(q_dtype));
  }
  require_array("q", q, n, bytes_of(form_of(*fmt), sizeof(float)));
}

// Where other roundings and overflow rules will come in.
sc_nan require_options(const sc_quantize_options* options) {
  if (options == nullptr) {
    return SC_NAN_RAISE;
  }
  if (options->rounding != SC_ROUND_NEAREST_EVEN) {
    refuse("rounding", "nearest_even", std::to_string(static_cast<int>(options->rounding)),
           SC_ERROR_UNSUPPORTED);
  }
  if (options->overflow != SC_OVERFLOW_SATURATE) {
    refuse("overflow", "saturate", std::to_string(static_cast<int>(options->overflow)),
           SC_ERROR_UNSUPPORTED);
  }
  if (options->nan != SC_NAN_RAISE && options->nan != SC_NAN_ZERO) {
    refuse("nan", "raise or zero", std::to_string(static_cast<int>(options->nan)));
  }
  return options->nan;
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                      const sc_quantize_options* options, void* q, sc_dtype q_dtype) {
  return guarded([&] {
    require_float32s("w", w, n, dtype);
    require_integers(q, n, q_dtype, fmt);
    const sc_nan nan = require_options(options);
    require_apart("q", q, n * bytes_of(form_of(*fmt), sizeof(float)), w, n * sizeof(float));
    quantize(w, n, *fmt, nan, q);
  });
}

sc_status sc_dequantize(const void* q, sc_dtype q_dtype, size_t n, const sc_fixed_point* fmt,
                        void* out, sc_dtype out_dtype) {
  return guarded([&] {
    require_integers(q, n, q_dtype, fmt);
    require_float32s("out", out, n, out_dtype);
    require_apart("out", out, n * sizeof(float), q, n * bytes_of(form_of(*fmt), sizeof(float)));
    dequantize(q, n, *fmt, out);
  });
}

sc_status sc_fake_quantize(const void* w, sc_dtype dtype, size_t n, const sc_fixed_point* fmt,
                           const sc_quantize_options* options, void* out) {
  return guarded([&] {
    require_float32s("w", w, n, dtype);
    require_float32s("out", out, n, dtype);
    require_format(fmt);
    const sc_nan nan = require_options(options);
    require_apart("out", out, n * sizeof(float), w, n * sizeof(float), true);
    fake_quantize(w, n, *fmt, nan, out);
  });
}

sc_status sc_prune_quantize(const void* w, sc_dtype dtype, size_t n, size_t k,
                            const sc_fixed_point* fmt, const sc_quantize_options* options, void* q,
                            sc_dtype q_dtype) {
  return guarded([&] {
    require_float32s("w", w, n, dtype);
    require_k(k, 0, n);
    require_integers(q, n, q_dtype, fmt);
    const sc_nan nan = require_options(options);
    require_apart("q", q, n * bytes_of(form_of(*fmt), sizeof(float)), w, n * sizeof(float));
    Source source{w, n, float_type(dtype)};
    source.out = {form_of(*fmt), q, false, scale_of(*fmt), nullptr};
    decide_streaming({&source, 1});
    write_topk(Scope({&source, 1}, nan), k);
  });
}
