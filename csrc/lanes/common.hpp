// What every ISA's lanes share. The unnamed namespace gives each target file a copy of its own,
// compiled with that file's flags.
#pragma once

#include <cstddef>
#include <cstdint>

#define SECATEUR_INLINE inline __attribute__((always_inline))

namespace secateur {
namespace {

using std::size_t;

// Floats of 16 bits, for which C++20 has no type: as they stand in memory.
enum class Float16 : uint16_t {};
enum class BFloat16 : uint16_t {};

// Vectors are taken four at a time, as many as it takes to make a vector of bytes of their masks; but
// no more than a word of 64 lanes.
template <size_t kLanes>
inline constexpr size_t kVectorsOfGroup = kLanes * 4 <= 64 ? 4 : 64 / kLanes;

SECATEUR_INLINE size_t PopCount(uint64_t x) {
#if defined(__POPCNT__) || defined(__aarch64__)
  return static_cast<size_t>(__builtin_popcountll(x));
#else  // without the instruction the built-in would be a call into libgcc
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<size_t>((x * 0x0101010101010101u) >> 56);
#endif
}

// 63 where there is none: said without a branch, since kernels ask it of random bits.
SECATEUR_INLINE size_t LowestBit(uint64_t x) {
  return static_cast<size_t>(__builtin_ctzll(x | uint64_t{1} << 63));
}

}  // namespace
}  // namespace secateur
