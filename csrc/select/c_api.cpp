// The functions of the C API that select: sc_kth_magnitude, sc_topk and sc_keep_count.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/dtypes.hpp"
#include "select/arguments.hpp"
#include "select/select.hpp"
#include "select/slices.hpp"
#include "select/topk.hpp"

namespace secateur::api {
namespace {

// Stores the low `bytes` bytes of `bits` as an integer of that size, on a machine of any byte
// order.
void store_bits(Key bits, std::size_t bytes, void* out) {
  const auto narrow = [&](auto value) { std::memcpy(out, &value, sizeof value); };
  bytes == 2   ? narrow(static_cast<std::int16_t>(bits))
  : bytes == 4 ? narrow(static_cast<std::int32_t>(bits))
               : narrow(bits);
}

// The arguments of the functions that write elements and their indices, after their checks.
struct TopKArguments {
  TopKArguments(const void* w_, sc_dtype dtype, std::size_t n, std::size_t k,
                const sc_layout* layout_, sc_nan nan, sc_order order, void* values_,
                std::int64_t* indices_)
      : w(checked_floats("w", w_, n, dtype)), slices(checked_slices(layout_, n)) {
    require_k(k, 0, slices.length);
    require_selection_nan(nan);
    if (order != SC_ORDER_INDEX && order != SC_ORDER_RANK) {
      refuse("order", "index or rank", std::to_string(static_cast<int>(order)));
    }
    const std::size_t count = slices.outer * slices.inner * k;  // n at most
    values = checked_floats("values", values_, count, dtype);
    indices = checked_array("indices", indices_, count);
    layout = checked_optional("layout", layout_);
  }

  MemoryRange w;
  Layout slices;
  MemoryRange layout, values, indices;
};

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_kth_magnitude(const void* w, sc_dtype dtype, size_t n, size_t k,
                           const sc_layout* layout, sc_nan nan, void* values) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const Layout slices = checked_slices(layout, n);
    require_k(k, 1, slices.length);
    require_selection_nan(nan);
    const MemoryRange out = checked_floats("values", values, slices.outer * slices.inner, dtype);
    require_no_overlap({out}, {in, checked_optional("layout", layout)});
    const SliceResult result{values, 1, float_type(dtype).bytes};
    for_slices(checked_operand(w, dtype, n, nullptr), slices, nan, k, true, {&result, 1},
               [&](Operand slice, void* const* outputs, const Selection* known) {
      const SelectionProblem problem({&slice, 1}, nan);
      const Order order = problem.order(slice);
      const Key kth = known != nullptr ? known->threshold : kth_key(problem, k);
      store_bits((kth - order.rotation) & order.mask, slice.type.bytes, outputs[0]);
    });
  });
}

sc_status sc_topk(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                  const sc_scores* scores, sc_nan nan, sc_order order, void* values,
                  int64_t* indices) {
  return guarded([&] {
    const TopKArguments checked(w, dtype, n, k, layout, nan, order, values, indices);
    const Operand operand = checked_operand(w, dtype, n, scores);
    require_no_overlap(
        {checked.values, checked.indices},
        {checked.w, checked.layout, checked_optional("scores", scores), scores_of(operand)});
    topk_of_slices(operand, checked.slices, nan, k, order == SC_ORDER_RANK, values, indices);
  });
}

sc_status sc_topk_with_residual(const void* w, void* residual, sc_dtype dtype, size_t n, size_t k,
                                const sc_layout* layout, sc_nan nan, sc_order order, void* values,
                                int64_t* indices) {
  return guarded([&] {
    const TopKArguments checked(w, dtype, n, k, layout, nan, order, values, indices);
    const MemoryRange rest = checked_floats("residual", residual, n, dtype);
    require_no_overlap({checked.values, checked.indices, rest}, {checked.w, checked.layout});
    topk_with_residual(checked_operand(w, dtype, n, nullptr), residual, checked.slices, nan, k,
                       order == SC_ORDER_RANK, values, indices);
  });
}

sc_status sc_keep_count(size_t n, double sparsity, size_t* k) {
  return guarded([&] {
    if (!(sparsity >= 0) || !(sparsity <= 1)) {
      refuse("sparsity", "a number from 0 to 1", text_of(sparsity));
    }
    checked_array("k", k, 1);
    const auto all = static_cast<double>(n);  // rounded, so it may exceed any size_t
    const double exact = sparsity * all;
    const double removed = exact - std::remainder(exact, 1.0);
    *k = removed >= all ? 0 : n - std::min(n, static_cast<std::size_t>(removed));
  });
}
