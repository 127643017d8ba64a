// Exact selection by magnitude, and the writing of what was selected.
#pragma once

#include "kernels/table.hpp"
#include "ops/float_type.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The magnitudes of w, in the order that the NaN policy gives them.
struct Magnitudes {
  const void* w;
  std::size_t n;
  FloatType type;
  Key rotation;  // 0, or what puts NaN below zero
  bool refuse_nan;
  const KernelTable& table;

  Magnitudes(const void* w_, sc_dtype dtype, std::size_t n_, sc_nan nan);

  [[nodiscard]] const ElementKernels& kernels() const { return kernels_of(table, type.bytes); }
  [[nodiscard]] const unsigned char* at(std::size_t i) const {
    return static_cast<const unsigned char*>(w) + i * type.bytes;
  }
};

// The key of the k-th largest magnitude, 1 <= k <= n. Throws Error when NaN is refused.
Key kth_key(const Magnitudes& magnitudes, std::size_t k);

// Writes the k largest, 0 <= k <= n, in the form of `out`. out.data may be w itself. Throws as above,
// and then an output in place is as it was.
void write_topk(const Magnitudes& magnitudes, std::size_t k, Output out);

// Writes those above a key.
void write_above(const Magnitudes& magnitudes, Key key, Output out);

}  // namespace secateur
