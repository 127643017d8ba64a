#include "select/arguments.hpp"

#include <algorithm>
#include <string>

namespace secateur::api {

Slices require_slices(const sc_slices* slices, std::size_t n) {
  if (slices == nullptr) {
    return {1, n, 1};
  }
  require_optional("slices", slices);
  return require_shape("slices", slices->length, slices->inner, n);
}

Operand require_operand(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores) {
  Operand operand{w, n, float_type(dtype)};
  if (scores == nullptr) {
    return operand;
  }
  require_optional("scores", scores);
  const bool values = scores->scoring == SC_SCORING_VALUES;
  if (!values && scores->scoring != SC_SCORING_PRODUCTS) {
    refuse("scores.scoring", "values or products",
           std::to_string(static_cast<int>(scores->scoring)));
  }
  if (!values && n != 0 && (scores->period == 0 || scores->repeat == 0)) {
    refuse(scores->period == 0 ? "scores.period" : "scores.repeat", "at least 1", "0");
  }
  require_floats("scores.data", scores->data, values || n == 0 ? n : scores->period, scores->dtype);
  if (n == 0 && !values) {
    return operand;  // no element has a factor
  }
  operand.scores = {values ? Scores::Kind::values : Scores::Kind::products, scores->data,
                    float_type(scores->dtype), scores->period, std::min(scores->repeat, n)};
  return operand;
}

Extent scores_of(const Operand& operand) {
  return {"scores.data", operand.scores.data, operand.is_computed() ? operand.scores_bytes() : 0};
}

void write_floats(Operand& operand, void* out) {
  const OutputKind kind =
      operand.kernels_rank_w() ? OutputKind::floats : others_kind(operand.type.bytes);
  operand.out = {kind, out, false, operand.w};
}

}  // namespace secateur::api
