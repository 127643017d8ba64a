#include "ops/nan.hpp"

#include <atomic>
#include <cstring>
#include <string>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "runtime/error.hpp"

namespace secateur {
namespace {

struct NaNs {
  std::size_t count, first;
};
template <class E>
NaNs find_nan(const void* w, std::size_t n, Key infinity) {
  NaNs found{0, n};
  for (std::size_t i = 0; i < n; ++i) {
    E bits = 0;
    std::memcpy(&bits, static_cast<const unsigned char*>(w) + i * sizeof(E), sizeof(E));
    if ((bits & kMagnitude<E>) > infinity) {
      ++found.count;
      found.first = std::min(found.first, i);
    }
  }
  return found;
}

}  // namespace

void refuse_nan(const void* w, std::size_t n, FloatType type) {
  const auto find = type.bytes == 2   ? find_nan<std::int16_t>
                    : type.bytes == 4 ? find_nan<std::int32_t>
                                      : find_nan<std::int64_t>;
  const NaNs found = find(w, n, type.infinity);
  throw Error(SC_ERROR_NAN, "w has " + std::to_string(found.count) +
                                " NaN, the first at flat index " + std::to_string(found.first));
}

void check_nan(const void* w, std::size_t n, FloatType type) {
  const auto max_magnitude = kernels_of(kernels(), type.bytes).max_magnitude;
  std::atomic<bool> nan{false};
  for_blocks(Blocks(w, n, nullptr, 0), n * type.bytes, [&](Part part) {
    if (max_magnitude(part) > type.infinity) {
      nan.store(true);
    }
  });
  if (nan.load()) {
    refuse_nan(w, n, type);
  }
}

}  // namespace secateur
