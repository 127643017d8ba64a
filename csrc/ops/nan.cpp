#include "ops/nan.hpp"

#include <atomic>
#include <cmath>
#include <cstring>
#include <string>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "runtime/error.hpp"

namespace secateur {

void refuse_nan(const void* w, std::size_t n) {
  std::size_t count = 0;
  std::size_t first = n;
  for (std::size_t i = 0; i < n; ++i) {
    float x = 0;
    std::memcpy(&x, static_cast<const unsigned char*>(w) + i * sizeof x, sizeof x);
    if (std::isnan(x)) {
      ++count;
      first = std::min(first, i);
    }
  }
  throw Error(SC_ERROR_NAN, "w has " + std::to_string(count) + " NaN, the first at flat index " +
                                std::to_string(first));
}

void check_nan(const void* w, std::size_t n) {
  std::atomic<bool> nan{false};
  for_blocks(Blocks(w, n, nullptr, 0), n * sizeof(float), [&](Part part) {
    if (kernels().max_magnitude(part) > kInfinity) {
      nan.store(true, std::memory_order_relaxed);
    }
  });
  if (nan.load()) {
    refuse_nan(w, n);
  }
}

}  // namespace secateur
