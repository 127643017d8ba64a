// The door into the core: checks arguments, and turns whatever goes wrong into a status.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "dispatch/dispatch.hpp"
#include "kernels/float_state.hpp"
#include "ops/blocks.hpp"
#include "ops/fixed_point.hpp"
#include "ops/mask.hpp"
#include "ops/select.hpp"
#include "runtime/error.hpp"
#include "runtime/threads.hpp"
#include "secateur/secateur.h"

namespace secateur {
namespace {

thread_local char last_error[512] = "";

sc_status failed(sc_status status, const char* message) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s", message);
  return status;
}

template <class F>
sc_status guarded(const F& body) noexcept {
  try {
    const DefaultFloatState float_state;  // counts, thresholds and estimates are sums in double
    body();
    return SC_OK;
  } catch (const Error& error) {
    return failed(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(SC_ERROR_MEMORY, "out of scratch memory");
  } catch (const std::exception& error) {
    return failed(SC_ERROR_INTERNAL, error.what());
  } catch (...) {
    return failed(SC_ERROR_INTERNAL, "an unknown exception");
  }
}

[[noreturn]] void refuse(const char* argument, const std::string& allowed, const std::string& came,
                         sc_status status = SC_ERROR_ARGUMENT) {
  throw Error(status, std::string(argument) + " must be " + allowed + ", got " + came);
}

std::string name_of(sc_dtype dtype) {
  switch (dtype) {
    case SC_FLOAT32:
      return "float32";
    case SC_INT8:
      return "int8";
    case SC_UINT8:
      return "uint8";
    case SC_INT16:
      return "int16";
    case SC_UINT16:
      return "uint16";
    case SC_FLOAT64:
      return "float64";
    case SC_FLOAT16:
      return "float16";
    case SC_BFLOAT16:
      return "bfloat16";
  }
  return "sc_dtype " + std::to_string(static_cast<int>(dtype));
}

void require_array(const char* argument, const void* data, std::size_t n, std::size_t bytes_each) {
  if (n > std::numeric_limits<std::size_t>::max() / 16) {
    refuse("n", "a number of elements in memory", std::to_string(n));
  }
  if (n != 0 && data == nullptr) {
    refuse(argument, "an array", "a null pointer");
  }
  if (reinterpret_cast<std::uintptr_t>(data) % bytes_each != 0) {
    refuse(argument, "aligned to its elements of " + std::to_string(bytes_each) + " bytes",
           "another address");
  }
}

// Any type of float.
void require_floats(const char* argument, const void* data, std::size_t n, sc_dtype dtype) {
  if (dtype != SC_FLOAT32 && dtype != SC_FLOAT64 && dtype != SC_FLOAT16 && dtype != SC_BFLOAT16) {
    refuse(argument, "float16, bfloat16, float32 or float64", name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  require_array(argument, data, n, float_type(dtype).bytes);
}

// Where other types of float will come in for fixed point.
void require_float32s(const char* argument, const void* data, std::size_t n, sc_dtype dtype) {
  if (dtype != SC_FLOAT32) {
    refuse(argument, "float32", name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  require_array(argument, data, n, sizeof(float));
}

// `out` may be `w` only where elements are of the same size, so that each is read before its place
// is written.
void require_apart(const char* argument, const void* out, std::size_t out_bytes, const void* in,
                   std::size_t in_bytes, bool may_be_same = false) {
  const auto a = reinterpret_cast<std::uintptr_t>(out);
  const auto b = reinterpret_cast<std::uintptr_t>(in);
  const bool overlap = out_bytes != 0 && in_bytes != 0 && a < b + in_bytes && b < a + out_bytes;
  if (overlap && (!may_be_same || a != b)) {
    refuse(argument, may_be_same ? "the input itself or apart from it" : "apart from the input",
           "memory that overlaps it");
  }
}

void require_k(std::size_t k, std::size_t least, std::size_t n) {
  if (k < least || k > n) {
    refuse("k", std::to_string(least) + " to " + std::to_string(n), std::to_string(k));
  }
}

void require_selecting(sc_nan nan) {
  if (nan != SC_NAN_RAISE && nan != SC_NAN_KEEP && nan != SC_NAN_PRUNE) {
    refuse("nan", "raise, keep or prune", std::to_string(static_cast<int>(nan)));
  }
}

// A mask of n elements, to be read or written beside floats.
void require_mask(const void* mask, std::size_t n, sc_mask_format format) {
  require_array("mask", mask, n, 1);
  if (format != SC_MASK_BOOLS && format != SC_MASK_BITS) {
    refuse("format", "bools or bits", std::to_string(static_cast<int>(format)));
  }
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

// The largest of a type's keys whose magnitude does not exceed the threshold: |w| > threshold just
// where |w| is above that.
template <class E, class Float>
Key key_below(double threshold) {
  auto rounded = static_cast<Float>(threshold);
  if (static_cast<double>(rounded) > threshold) {
    rounded = std::nextafter(rounded, Float{0});
  }
  E bits = 0;
  std::memcpy(&bits, &rounded, sizeof bits);
  return bits & kMagnitude<E>;
}

// A bfloat16 is the upper half of a float, and a float16's bits are those of a float but for the
// width of the exponent: cutting off what is too much rounds toward zero.
Key key_of_threshold(double threshold, sc_dtype dtype) {
  if (dtype == SC_FLOAT64) {
    return key_below<std::int64_t, double>(threshold);
  }
  const Key key = key_below<std::int32_t, float>(threshold);
  if (dtype == SC_FLOAT32) {
    return key;
  }
  if (dtype == SC_BFLOAT16) {
    return key >> 16;
  }
  // float16: 2^-24 is the step of its subnormal numbers; from 2^-14 on exponents are normal.
  constexpr Key kRebias = Key{127 - 15} << 23;
  if (threshold < 0x1p-14) {
    return static_cast<Key>(threshold * 0x1p24);
  }
  return std::min((key - kRebias) >> 13, kFloat16.infinity - (std::isinf(threshold) ? 0 : 1));
}

// The low bytes of `bits`, whatever the order of bytes.
void store_bits(Key bits, std::size_t bytes, void* to) {
  const auto narrow = [&](auto value) { std::memcpy(to, &value, sizeof value); };
  bytes == 2   ? narrow(static_cast<std::int16_t>(bits))
  : bytes == 4 ? narrow(static_cast<std::int32_t>(bits))
               : narrow(bits);
}

}  // namespace
}  // namespace secateur

using namespace secateur;

const char* sc_last_error(void) { return last_error; }
const char* sc_version(void) { return SECATEUR_VERSION; }

sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan,
                           void* value) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_array("value", value, 1, 1);
    require_k(k, 1, n);
    require_selecting(nan);
    const Magnitudes magnitudes(w, dtype, n, nan);
    const Key bits = (kth_key(magnitudes, k) - magnitudes.rotation) & magnitudes.type.most;
    store_bits(bits, magnitudes.type.bytes, value);
  });
}

sc_status sc_topk_mask(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan, void* mask,
                       sc_mask_format format) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_mask(mask, n, format);
    require_k(k, 0, n);
    require_selecting(nan);
    require_apart("mask", mask, mask_bytes(n, format), w, n * float_type(dtype).bytes);
    write_topk({w, dtype, n, nan}, k,
               {format == SC_MASK_BOOLS ? Form::bools : Form::bits, mask, false, {}});
  });
}

sc_status sc_keep_count(size_t n, double sparsity, size_t* k) {
  return guarded([&] {
    if (!(sparsity >= 0) || !(sparsity <= 1)) {
      refuse("sparsity", "a number from 0 to 1", std::to_string(sparsity));
    }
    require_array("k", k, 1, sizeof *k);
    const double exact = sparsity * static_cast<double>(n);
    const double removed = exact - std::remainder(exact, 1.0);
    *k = n - std::min(n, static_cast<std::size_t>(removed));
  });
}

sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, sc_nan nan, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    require_k(k, 0, n);
    require_selecting(nan);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    write_topk({w, dtype, n, nan}, k, {Form::floats, out, false, {}});
  });
}

sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, sc_nan nan,
                             void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    if (!(threshold >= 0)) {
      refuse("threshold", "a number, at least 0", std::to_string(threshold));
    }
    require_selecting(nan);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    const Magnitudes magnitudes(w, dtype, n, nan);
    write_above(magnitudes, key_of_threshold(threshold, dtype) + magnitudes.rotation,
                {Form::floats, out, false, {}});
  });
}

sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_mask(mask, n, format);
    require_floats("out", out, n, dtype);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    require_apart("out", out, n * float_type(dtype).bytes, mask, mask_bytes(n, format));
    apply_mask(w, float_type(dtype), n, mask, format, out);
  });
}

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
    write_topk({w, dtype, n, nan}, k, {form_of(*fmt), q, false, scale_of(*fmt)});
  });
}

sc_status sc_isa(const char** name) {
  return guarded([&] {
    require_array("name", name, 1, sizeof *name);
    *name = kernels().isa;
  });
}

size_t sc_isas(const char** names, size_t capacity) {
  std::size_t count = 0;
  guarded([&] {
    for (const KernelTable* table : available_tables()) {
      if (names != nullptr && count < capacity) {
        names[count] = table->isa;
      }
      ++count;
    }
  });
  return count;
}

sc_status sc_set_isa(const char* name) {
  return guarded([&] { set_isa(name == nullptr ? "" : name); });
}

namespace {
void require_num_threads(std::size_t num_threads, std::size_t least) {
  if (num_threads < least || num_threads > kMaxThreads) {
    refuse("num_threads", std::to_string(least) + " to " + std::to_string(kMaxThreads),
           std::to_string(num_threads));
  }
}
}  // namespace

sc_status sc_set_num_threads(size_t num_threads) {
  return guarded([&] {
    require_num_threads(num_threads, 1);
    set_num_threads(num_threads);
  });
}

sc_status sc_get_num_threads(size_t* num_threads) {
  return guarded([&] {
    require_array("num_threads", num_threads, 1, sizeof *num_threads);
    *num_threads = secateur::num_threads();
  });
}

sc_status sc_set_thread_num_threads(size_t num_threads, size_t* previous) {
  return guarded([&] {
    require_num_threads(num_threads, 0);
    const std::size_t was = set_thread_num_threads(num_threads);
    if (previous != nullptr) {
      *previous = was;
    }
  });
}
