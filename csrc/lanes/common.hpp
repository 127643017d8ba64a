// Definitions that the vector operations of all ISAs share. The unnamed namespace gives each target
// file its own copy, compiled with the flags of that file.
#pragma once

#include <cstddef>
#include <cstdint>

#define SECATEUR_INLINE inline __attribute__((always_inline))

// Before a loop: disables unrolling.
#ifdef __clang__
#define SECATEUR_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define SECATEUR_ROLLED _Pragma("GCC unroll 1")
#endif

namespace secateur {
namespace {

using std::size_t;

// The bits of 16-bit floats, for which C++20 has no types.
enum class Float16 : uint16_t {};
enum class BFloat16 : uint16_t {};

// The number of vectors per group. The masks of four vectors with 32-bit lanes narrow to one vector
// of bytes. A group has at most 64 lanes, one word.
template <size_t kLanes>
inline constexpr size_t kVectorsOfGroup = kLanes * 4 <= 64 ? 4 : 64 / kLanes;

SECATEUR_INLINE size_t PopCount(uint64_t x) {
#if defined(__POPCNT__) || defined(__aarch64__)
  return static_cast<size_t>(__builtin_popcountll(x));
#else  // without the instruction, the built-in is a call into libgcc
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<size_t>((x * 0x0101010101010101u) >> 56);
#endif
}

// The index of the lowest set bit; 63 if there is none. Without a branch, which would often be
// mispredicted.
SECATEUR_INLINE size_t LowestBit(uint64_t x) {
  return static_cast<size_t>(__builtin_ctzll(x | uint64_t{1} << 63));
}

// The index of the highest set bit; 0 if there is none.
SECATEUR_INLINE size_t HighestBit(uint64_t x) {
  return static_cast<size_t>(63 ^ __builtin_clzll(x | 1));
}

// PackedField for ISAs that can shuffle 16 bytes. A field has two, four or eight codes, the fewest
// whose packed bits fill whole bytes.
constexpr int shuffled_field(int bits) { return bits % 4 == 0 ? 16 : bits % 2 == 0 ? 32 : 64; }

// Shuffle controls for 16 bytes. Entry i is the index of the source of byte i. It is negative if
// byte i becomes 0.
struct ByteOrders {
  int8_t load[2][8][16];   // from packed bytes to the low ends of fields: [msb_first][bits]
  int8_t store[2][8][16];  // the inverse of load
  int8_t reverse[8][16];   // reverses the bytes of each field: [bits]
};
constexpr ByteOrders make_byte_orders() {
  ByteOrders orders{};
  for (int bits = 1; bits < 8; ++bits) {
    const int field_bytes = shuffled_field(bits) / 8;
    const int packed_bytes = field_bytes * bits / 8;
    for (int high = 0; high < 2; ++high) {
      for (int i = 0; i < 16; ++i) {
        orders.store[high][bits][i] = -1;
      }
      for (int i = 0; i < 16; ++i) {
        const int offset = i % field_bytes;  // within the field
        const int packed =
            i / field_bytes * packed_bytes + (high != 0 ? packed_bytes - 1 - offset : offset);
        orders.load[high][bits][i] = static_cast<int8_t>(offset < packed_bytes ? packed : -1);
        if (offset < packed_bytes) {
          orders.store[high][bits][packed] = static_cast<int8_t>(i);
        }
        orders.reverse[bits][i] = static_cast<int8_t>(i - offset + field_bytes - 1 - offset);
      }
    }
  }
  return orders;
}
constexpr ByteOrders kByteOrders = make_byte_orders();

}  // namespace
}  // namespace secateur
