#include "select/arguments.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace secateur::api {

Layout checked_slices(const sc_layout* layout, std::size_t n, const char* argument) {
  const std::string name(argument);
  const Layout groups = checked_layout(argument, layout, n);
  if (groups.shared) {
    refuse((name + ".shared").c_str(), "0 for a selection", "1");
  }
  if (groups.block < groups.length) {
    refuse((name + ".block").c_str(), "0 or length = " + std::to_string(groups.length),
           std::to_string(groups.block));
  }
  if (groups.inner_block != 1 && groups.inner_block < groups.inner) {
    refuse((name + ".inner_block").c_str(), "0, 1 or inner = " + std::to_string(groups.inner),
           std::to_string(groups.inner_block));
  }
  std::size_t matrix = 0;  // without elements, the product may wrap
  if (groups.inner_block == groups.inner &&
      __builtin_mul_overflow(groups.length, groups.inner, &matrix)) {
    matrix = std::numeric_limits<std::size_t>::max();
    return {groups.outer, matrix, 1, matrix, 1, false};
  }
  return groups.flattened();
}

Operand checked_operand(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores) {
  Operand operand{w, n, float_type(dtype)};
  if (scores == nullptr) {
    return operand;
  }
  checked_optional("scores", scores);
  const bool values = scores->scoring == SC_SCORING_VALUES;
  if (!values && scores->scoring != SC_SCORING_PRODUCTS) {
    refuse("scores.scoring", "values or products",
           std::to_string(static_cast<int>(scores->scoring)));
  }
  if (!values && n != 0 && (scores->period == 0 || scores->repeat == 0)) {
    refuse(scores->period == 0 ? "scores.period" : "scores.repeat", "at least 1", "0");
  }
  checked_floats("scores.data", scores->data, values || n == 0 ? n : scores->period, scores->dtype);
  if (n == 0 && !values) {
    return operand;  // no element has a factor
  }
  operand.scores = {values ? Scores::Kind::values : Scores::Kind::products, scores->data,
                    float_type(scores->dtype), scores->period, std::min(scores->repeat, n)};
  return operand;
}

MemoryRange scores_of(const Operand& operand) {
  return {"scores.data", operand.scores.data, operand.has_scores() ? operand.scores_bytes() : 0};
}

void set_float_output(Operand& operand, void* out) {
  const OutputKind kind =
      operand.kernels_rank_w() ? OutputKind::floats : unranked_kind(operand.type.bytes);
  operand.out = {kind, out, false, operand.w};
}

}  // namespace secateur::api
