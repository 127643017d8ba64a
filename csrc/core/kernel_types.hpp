// The types in the interface between operations and kernels. Both include this file, so nothing in
// it depends on an ISA.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/dtype_table.hpp"

namespace secateur {

using std::size_t;

// Elements per loop iteration of a kernel on every ISA. One 64-bit word holds a mask of them.
inline constexpr size_t kWord = 64;

inline constexpr size_t kLine = 64;  // bytes per cache line; the alignment of streaming stores

// A key is an integer that represents the rank of an element: keys compare as the elements rank.
// Kernels compare keys of the width of the element. Stored 16-bit keys are widened to 32 bits. The
// smallest integer of each width is never a key.
using Key = int64_t;

// StoredKey<E> is the type in which the keys of elements of type E are stored.
template <class E>
using StoredKey = std::conditional_t<sizeof(E) == sizeof(int16_t), int32_t, E>;

// The mask of all bits of a float except the sign. E is the integer type of the same width.
template <class E>
inline constexpr E kMagnitudeMask = static_cast<E>(~(Key{1} << (8 * sizeof(E) - 1)));

// The floating-point types, in the order of the table of dtypes.
enum class Float : uint32_t {
#define SECATEUR_FLOAT(type, name, ...) name,
  SECATEUR_FLOATS(SECATEUR_FLOAT)
#undef SECATEUR_FLOAT
      count
};
inline constexpr size_t kFloats = static_cast<size_t>(Float::count);

// The parameters that compute the key of an element: key = (bits + rotation) & mask.
//
// The bits of a float without the sign, read as an integer, order as its magnitude, with NaN above
// infinity. Adding `rotation` before the mask rotates this order cyclically. A suitable rotation
// places NaN below zero instead.
struct Order {
  Key rotation;
  Key mask;
};
// The order of elements that are already keys: key = bits. The constant is not `inline` because the
// object files of different ISAs must not share a symbol, and kernels refer to it.
constexpr Order kIdentityOrder{0, -1};

// The keys with lo < key <= hi.
struct Bracket {
  Key lo;
  Key hi;
};

// The elements [begin, end) of an array of n.
struct Part {
  const void* array;
  size_t begin;
  size_t end;
  size_t n;
};

// `count` rows of an array of n elements. Each row has `length` consecutive elements. Consecutive
// rows begin `stride` elements apart.
struct Rows {
  const void* array;
  size_t count, length, stride, n;
};

// What a kernel writes. The kinds `unranked*` write kept elements of another array than the ranked
// one. Those elements are 2, 4 or 8 bytes wide.
enum class OutputKind : uint32_t {
  none,
  floats,
  unranked16,
  unranked32,
  unranked64,
  bools,
  bits,
  integers,  // float32 multiplied by one factor and rounded to integers
  count
};
inline constexpr size_t kOutputKinds = static_cast<size_t>(OutputKind::count);

// The integer format of fused quantization: 8 or 16 bits wide, with values in [lowest, highest].
struct IntegerTarget {
  float lowest, highest;
  bool divides;  // true: elements are divided by the factors; false: multiplied
  uint32_t bytes;
  bool is_signed;
  // Used only by the selection kernels. They multiply by one factor and set the rounding direction.
  float factor;
  uint32_t direction;
};

struct Output {
  OutputKind kind;
  void* data;
  bool stream;                     // use streaming stores, which bypass the caches
  const void* unranked = nullptr;  // the elements to write, if another array ranks them
  const IntegerTarget* target = nullptr;
};

// One set of kernels for each width of an element.
template <class Kernels>
struct ByWidth {
  Kernels of_16_bits, of_32_bits, of_64_bits;

  constexpr const Kernels& operator[](size_t element_bytes) const {
    return element_bytes == 2 ? of_16_bits : element_bytes == 4 ? of_32_bits : of_64_bits;
  }
};

// One set of kernels for each floating-point type.
template <class Kernels>
struct ByFloat {
  Kernels of[kFloats];  // in the order of Float

  constexpr const Kernels& operator[](Float type) const { return of[static_cast<size_t>(type)]; }
};

// One set of kernels for each width of stored keys.
template <template <class K> class Kernels>
struct ByKey {
  Kernels<int32_t> of_32_bits;
  Kernels<int64_t> of_64_bits;

  template <class K>
  constexpr const Kernels<K>& of() const {
    if constexpr (sizeof(K) == sizeof(int32_t)) {
      return of_32_bits;
    } else {
      return of_64_bits;
    }
  }
};

}  // namespace secateur
