// Which elements are largest.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "api/checks.hpp"
#include "ops/float_type.hpp"
#include "ops/mask.hpp"
#include "ops/select.hpp"
#include "ops/slices.hpp"
#include "ops/topk.hpp"

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

sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k,
                           const sc_slices* slices, sc_nan nan, void* values) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    const Slices along = require_slices(slices, n);
    const std::size_t count = along.outer * along.inner;
    const std::size_t bytes = float_type(dtype).bytes;
    require_floats("values", values, count, dtype);
    require_apart("values", values, count * bytes, w, n * bytes);
    require_k(k, 1, along.length);
    require_selecting(nan);
    const SliceResult result{values, 1, bytes};
    for_slices(require_source(w, dtype, n, nullptr), along, nan, k, true, {&result, 1},
               [&](Source slice, void* const* to, const Selection* known) {
      const Scope scope({&slice, 1}, nan);
      const Order order = scope.order(slice);
      const Key kth = known != nullptr ? known->threshold : kth_key(scope, k);
      store_bits((kth - order.rotation) & order.mask, slice.type.bytes, to[0]);
    });
  });
}

sc_status sc_topk(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                  sc_nan nan, sc_order order, void* values, int64_t* indices) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    const Slices along = require_slices(slices, n);
    require_k(k, 0, along.length);
    require_selecting(nan);
    if (order != SC_ORDER_INDEX && order != SC_ORDER_MAGNITUDE) {
      refuse("order", "index or magnitude", std::to_string(static_cast<int>(order)));
    }
    const std::size_t count = along.outer * along.inner * k;
    const std::size_t bytes = float_type(dtype).bytes;
    require_floats("values", values, count, dtype);
    require_array("indices", indices, count, sizeof *indices);
    require_apart("values", values, count * bytes, w, n * bytes);
    require_apart("indices", indices, count * sizeof *indices, w, n * bytes);
    require_apart("indices", indices, count * sizeof *indices, values, count * bytes);
    const SliceResult results[] = {{values, k, bytes}, {indices, k, sizeof *indices}};
    for_slices(require_source(w, dtype, n, nullptr), along, nan, k, false, results,
               [&](const Source& slice, void* const* to, const Selection* known) {
      topk(slice, nan, k, order == SC_ORDER_MAGNITUDE, to[0], static_cast<std::int64_t*>(to[1]),
           known);
    });
  });
}

sc_status sc_topk_mask(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                       const sc_scores* scores, sc_nan nan, void* mask, sc_mask_format format) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_mask(mask, n, format);
    const Slices along = require_slices(slices, n);
    if (slices != nullptr && format != SC_MASK_BOOLS) {
      refuse("format", "bools with slices", "bits", SC_ERROR_UNSUPPORTED);
    }
    require_k(k, 0, along.length);
    require_selecting(nan);
    require_apart("mask", mask, mask_bytes(n, format), w, n * float_type(dtype).bytes);
    Source source = require_source(w, dtype, n, scores);
    source.out = {format == SC_MASK_BOOLS ? Form::bools : Form::bits, mask, false};
    require_apart_from_scores("mask", mask, mask_bytes(n, format), source);
    write_topk(source, along, nan, k);
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
