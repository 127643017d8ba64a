// The elements that matter least become zero.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "api/checks.hpp"
#include "ops/float_type.hpp"
#include "ops/mask.hpp"
#include "ops/select.hpp"
#include "ops/soft_threshold.hpp"
#include "ops/tiles.hpp"

namespace secateur::api {
namespace {

void require_threshold(double threshold) {
  if (!(threshold >= 0)) {
    refuse("threshold", "a number, at least 0", std::to_string(threshold));
  }
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

// How many elements the matrices have.
std::size_t require_blocks(const sc_blocks* blocks) {
  if (blocks == nullptr) {
    refuse("blocks", "matrices and their blocks", "a null pointer");
  }
  std::size_t n = 0;
  if (__builtin_mul_overflow(blocks->matrices, blocks->rows, &n) ||
      __builtin_mul_overflow(n, blocks->columns, &n)) {
    refuse("blocks", "those of matrices in memory", "more elements than there are addresses");
  }
  const auto require_fit = [n](const char* argument, std::size_t length, std::size_t most) {
    if (length == 0 || (n != 0 && length > most)) {
      refuse(argument, "1 to " + std::to_string(most), std::to_string(length));
    }
  };
  require_fit("blocks.block_rows", blocks->block_rows, blocks->rows);
  require_fit("blocks.block_columns", blocks->block_columns, blocks->columns);
  if (blocks->norm != SC_NORM_L1 && blocks->norm != SC_NORM_L2 && blocks->norm != SC_NORM_MAX) {
    refuse("blocks.norm", "l1, l2 or max", std::to_string(static_cast<int>(blocks->norm)));
  }
  return n;
}

void require_pruning(const void* w, sc_dtype dtype, std::size_t n, const void* out) {
  require_floats("w", w, n, dtype);
  require_floats("out", out, n, dtype);
  require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
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
    require_threshold(threshold);
    require_selecting(nan);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    const Magnitudes magnitudes(w, dtype, n, nan);
    write_above(magnitudes, key_of_threshold(threshold, dtype) + magnitudes.rotation,
                {Form::floats, out, false, {}});
  });
}

sc_status sc_prune_blocks(const void* w, sc_dtype dtype, const sc_blocks* blocks, size_t k,
                          sc_nan nan, void* out) {
  return guarded([&] {
    require_pruning(w, dtype, require_blocks(blocks), out);
    require_k(k, 0, tiles(tiling_of(*blocks)));
    require_selecting(nan);
    prune_tiles(w, dtype, *blocks, k, nan, out);
  });
}

sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, const sc_blocks* blocks,
                                    double threshold, sc_nan nan, void* out) {
  return guarded([&] {
    require_pruning(w, dtype, require_blocks(blocks), out);
    require_threshold(threshold);
    require_selecting(nan);
    prune_tiles_above(w, dtype, *blocks, key_of_threshold(threshold, SC_FLOAT64), nan, out);
  });
}

sc_status sc_soft_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    require_threshold(threshold);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    soft_threshold(w, dtype, n, threshold, out);
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
