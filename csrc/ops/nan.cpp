#include "ops/nan.hpp"

#include <atomic>
#include <cstring>
#include <string>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "runtime/error.hpp"

namespace secateur {
namespace {

template <class E>
NaNs find(const void* w, std::size_t n, Key infinity) {
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

NaNs find_nan(const void* w, std::size_t n, FloatType type) {
  const auto find_in = type.bytes == 2   ? find<std::int16_t>
                       : type.bytes == 4 ? find<std::int32_t>
                                         : find<std::int64_t>;
  return find_in(w, n, type.infinity);
}

void refuse_nan(NaNs found, const char* name, const char* what) {
  throw Error(SC_ERROR_NAN, std::string(name) + " has " + std::to_string(found.count) + " " + what +
                                ", the first at flat index " + std::to_string(found.first));
}

void refuse_nan(const void* w, std::size_t n, FloatType type) {
  refuse_nan(find_nan(w, n, type), "w");
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
