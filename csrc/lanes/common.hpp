// What every ISA's lanes share. The unnamed namespace gives each target file a copy of its own,
// compiled with that file's flags.
#pragma once

#include <cstddef>
#include <cstdint>

#define SECATEUR_INLINE inline __attribute__((always_inline))

// Before a loop: its body stays there once.
#ifdef __clang__
#define SECATEUR_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define SECATEUR_ROLLED _Pragma("GCC unroll 1")
#endif

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

// Packed codes where bytes can be moved within 16. The bits of a field are those of two, four or eight
// codes, the fewest that fill whole bytes.
constexpr int ShuffledField(int bits) { return bits % 4 == 0 ? 16 : bits % 2 == 0 ? 32 : 64; }

// From where each of 16 bytes comes; a negative place stands for 0.
struct ByteOrders {
  int8_t load[2][8][16];   // packed bytes to the lower ends of fields: [high first][bits]
  int8_t store[2][8][16];  // and back
  int8_t reverse[8][16];   // within fields
};
constexpr ByteOrders make_byte_orders() {
  ByteOrders orders{};
  for (int bits = 1; bits < 8; ++bits) {
    const int field = ShuffledField(bits) / 8;
    const int filled = field * bits / 8;
    for (int high = 0; high < 2; ++high) {
      for (int i = 0; i < 16; ++i) {
        orders.store[high][bits][i] = -1;
      }
      for (int i = 0; i < 16; ++i) {
        const int at = i % field;
        const int packed = i / field * filled + (high != 0 ? filled - 1 - at : at);
        orders.load[high][bits][i] = static_cast<int8_t>(at < filled ? packed : -1);
        if (at < filled) {
          orders.store[high][bits][packed] = static_cast<int8_t>(i);
        }
        orders.reverse[bits][i] = static_cast<int8_t>(i - at + field - 1 - at);
      }
    }
  }
  return orders;
}
constexpr ByteOrders kByteOrders = make_byte_orders();

}  // namespace
}  // namespace secateur
