#include "core/nan.hpp"

#include <atomic>
#include <cstring>
#include <string>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/error.hpp"

namespace secateur {
namespace {

template <class E>
NaNs find_nan_by_width(const void* w, std::size_t n, Key infinity) {
  NaNs found{0, n};
  for_indices(n, [&](std::size_t i) {
    E bits = 0;
    std::memcpy(&bits, static_cast<const unsigned char*>(w) + i * sizeof(E), sizeof(E));
    if ((bits & kMagnitudeMask<E>) > infinity) {
      ++found.count;
      found.first = std::min(found.first, i);
    }
  });
  return found;
}

}  // namespace

NaNs find_nan(const void* w, std::size_t n, FloatType type) {
  const auto find = type.bytes == 2   ? find_nan_by_width<std::int16_t>
                    : type.bytes == 4 ? find_nan_by_width<std::int32_t>
                                      : find_nan_by_width<std::int64_t>;
  return find(w, n, type.infinity);
}

void refuse_nan(NaNs found, const char* name, const char* what) {
  if (found.count == 0) {
    throw_input_changed();
  }
  throw Error(SC_ERROR_NAN, std::string(name) + " has " + std::to_string(found.count) + " " + what +
                                ", the first at flat index " + std::to_string(found.first));
}

void refuse_nan(const void* w, std::size_t n, FloatType type) {
  refuse_nan(find_nan(w, n, type), "w");
}

void check_nan(const void* w, std::size_t n, FloatType type) {
  const auto max_magnitude = kernels().core.max_magnitude[type.bytes];
  std::atomic<bool> has_nan{false};
  for_blocks(Blocks(w, n, nullptr, 0), n * type.bytes, [&](Part part) {
    if (max_magnitude(part) > type.infinity) {
      has_nan.store(true);
    }
  });
  if (has_nan.load()) {
    refuse_nan(w, n, type);
  }
}

}  // namespace secateur
