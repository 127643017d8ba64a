// Exact selection by magnitude, and the writing of what was selected.
#pragma once

#include "kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The magnitudes of w, in the order that the NaN policy gives them.
struct Magnitudes {
  const void* w;
  std::size_t n;
  std::int32_t rotation;
  bool refuse_nan;

  Magnitudes(const void* w_, std::size_t n_, sc_nan nan);
};

// The key of the k-th largest magnitude, 1 <= k <= n. Throws Error when NaN is refused.
std::int32_t kth_key(const Magnitudes& magnitudes, std::size_t k);

// Writes the k largest, 0 <= k <= n, in the form of `out`. out.data may be w itself. Throws as above,
// and then an output in place is as it was.
void write_topk(const Magnitudes& magnitudes, std::size_t k, Output out);

// Writes those above a key.
void write_above(const Magnitudes& magnitudes, std::int32_t key, Output out);

}  // namespace secateur
