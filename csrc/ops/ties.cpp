#include "ops/ties.hpp"

#include <algorithm>
#include <cstdint>

namespace secateur {
namespace {

constexpr std::size_t kStretch = 1024;

// The same within one stretch, keys kept as K.
template <class K>
std::size_t end_within(const ElementKernels& kernels, const void* stretch, std::size_t length,
                       Order order, Key key, std::size_t r) {
  K keys[kStretch];
  kernels.keys(stretch, length, order, keys);
  std::size_t i = 0;
  while (i < length && (keys[i] != key || --r != 0)) {
    ++i;
  }
  return std::min(i + 1, length);
}

}  // namespace

// Counting passes over whole stretches lead to the one that holds the last.
std::size_t end_of_ties(const ElementKernels& kernels, const void* w, std::size_t bytes_each,
                        std::size_t n, Order order, Key key, std::size_t r) {
  for (std::size_t begin = 0; begin < n; begin += kStretch) {
    const void* stretch = static_cast<const unsigned char*>(w) + begin * bytes_each;
    const std::size_t length = std::min(kStretch, n - begin);
    const std::size_t here = kernels.count_above(stretch, length, order, key - 1) -
                             kernels.count_above(stretch, length, order, key);
    if (here >= r) {
      const auto end =
          bytes_each == sizeof(std::int64_t) ? end_within<std::int64_t> : end_within<std::int32_t>;
      return begin + end(kernels, stretch, length, order, key, r);
    }
    r -= here;
  }
  return n;
}

}  // namespace secateur
