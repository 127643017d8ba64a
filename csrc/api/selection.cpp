// Which elements are largest.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "api/checks.hpp"
#include "ops/float_type.hpp"
#include "ops/mask.hpp"
#include "ops/select.hpp"

namespace secateur::api {
namespace {

// The low bytes of `bits`, whatever the order of bytes.
void store_bits(Key bits, std::size_t bytes, void* to) {
  const auto narrow = [&](auto value) { std::memcpy(to, &value, sizeof value); };
  bytes == 2   ? narrow(static_cast<std::int16_t>(bits))
  : bytes == 4 ? narrow(static_cast<std::int32_t>(bits))
               : narrow(bits);
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

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
