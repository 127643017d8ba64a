// The elements that matter least become zero.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "api/checks.hpp"
#include "ops/float_type.hpp"
#include "ops/mask.hpp"
#include "ops/pattern.hpp"
#include "ops/select.hpp"

namespace secateur::api {
namespace {

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

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

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

sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           const sc_slices* slices, sc_nan nan, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    if (of < 1 || of > kMostMembers) {
      refuse("of", "1 to " + std::to_string(kMostMembers), std::to_string(of));
    }
    if (keep < 1 || keep > of) {
      refuse("keep", "1 to " + std::to_string(of), std::to_string(keep));
    }
    const sc_slices along = require_slices(slices, n);
    if (along.length % of != 0) {
      refuse("slices->length", "a multiple of " + std::to_string(of), std::to_string(along.length));
    }
    require_selecting(nan);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    prune_pattern({w, dtype, n, nan}, {keep, of}, along.inner, out);
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
