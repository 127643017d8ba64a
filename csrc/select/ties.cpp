#include "select/ties.hpp"

#include <algorithm>
#include <cstdint>

namespace secateur {
namespace {

// Tuning: elements counted at a time.
constexpr std::size_t kTieBlock = 1024;

// The result of end_of_ties within one block. Keys are stored as K.
template <class K>
std::size_t end_within(const ElementKernels& kernels, const void* block, std::size_t length,
                       Order order, Key key, std::size_t r) {
  K keys[kTieBlock];
  kernels.keys(block, length, order, keys);
  std::size_t i = 0;
  while (i < length && (keys[i] != key || --r != 0)) {
    ++i;
  }
  return std::min(i + 1, length);
}

}  // namespace

// Counts the ties of each block to find the one that holds the r-th, and then searches that block.
std::size_t end_of_ties(const ElementKernels& kernels, const void* w, std::size_t bytes_each,
                        std::size_t n, Order order, Key key, std::size_t r) {
  for (std::size_t begin = 0; begin < n; begin += kTieBlock) {
    const void* block = static_cast<const unsigned char*>(w) + begin * bytes_each;
    const std::size_t length = std::min(kTieBlock, n - begin);
    const std::size_t count = kernels.count_above(block, length, order, key - 1) -
                              kernels.count_above(block, length, order, key);
    if (count >= r) {
      const auto end =
          bytes_each == sizeof(std::int64_t) ? end_within<std::int64_t> : end_within<std::int32_t>;
      return begin + end(kernels, block, length, order, key, r);
    }
    r -= count;
  }
  return n;
}

}  // namespace secateur
