// The properties of dtypes, computed from the table of dtypes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "core/dtype_table.hpp"
#include "core/kernel_types.hpp"
#include "secateur/secateur.h"

namespace secateur {

// ---- All dtypes ------------------------------------------------------------------------------

enum class DtypeKind { undeclared, floating, integer, packed };

struct DtypeInfo {
  sc_dtype dtype;
  const char* name;
  DtypeKind kind;
  int bits;  // of an element; 0 for packed integers, whose format has the number
  bool is_signed;

  // The bytes of an element in an array.
  [[nodiscard]] constexpr std::size_t bytes() const {
    return (static_cast<std::size_t>(bits) + 7) / 8;
  }
};

inline constexpr DtypeInfo kDtypes[] = {
#define SECATEUR_FLOAT(type, name, constant, exponent_bits, mantissa_bits, has_infinity) \
  {SC_DTYPE_##constant, #name, DtypeKind::floating, 1 + (exponent_bits) + (mantissa_bits), true},
#define SECATEUR_INTEGER(type, name, constant, bits, is_signed) \
  {SC_DTYPE_##constant, #name, DtypeKind::integer, bits, is_signed},
#define SECATEUR_PACKED_INTEGER(name, constant) \
  {SC_DTYPE_##constant, name, DtypeKind::packed, 0, false},
    SECATEUR_FLOATS(SECATEUR_FLOAT)      //
    SECATEUR_INTEGERS(SECATEUR_INTEGER)  //
    SECATEUR_PACKED(SECATEUR_PACKED_INTEGER)
#undef SECATEUR_FLOAT
#undef SECATEUR_INTEGER
#undef SECATEUR_PACKED_INTEGER
};

// The ranges of numbers that secateur.h documents.
static_assert(std::all_of(std::begin(kDtypes), std::end(kDtypes), [](const DtypeInfo& info) {
  return info.kind == (info.dtype >= 32   ? DtypeKind::packed
                       : info.dtype >= 16 ? DtypeKind::integer
                                          : DtypeKind::floating);
}));

// The index in kDtypes of each dtype; std::size(kDtypes) for all other numbers.
inline constexpr auto kDtypeIndices = [] {
  std::array<std::uint8_t, 64> indices{};
  indices.fill(std::size(kDtypes));
  for (std::size_t i = 0; i < std::size(kDtypes); ++i) {
    indices[static_cast<std::size_t>(kDtypes[i].dtype)] = static_cast<std::uint8_t>(i);
  }
  return indices;
}();

// The properties of a dtype; `undeclared` if the number is not that of a dtype.
constexpr DtypeInfo dtype_info(sc_dtype dtype) {
  const auto number = static_cast<std::size_t>(dtype);
  if (number < kDtypeIndices.size() && kDtypeIndices[number] < std::size(kDtypes)) {
    return kDtypes[kDtypeIndices[number]];
  }
  return {dtype, nullptr, DtypeKind::undeclared, 0, false};
}

constexpr bool is_float(const DtypeInfo& info) { return info.kind == DtypeKind::floating; }
constexpr bool is_integer(const DtypeInfo& info) { return info.kind == DtypeKind::integer; }
constexpr bool is_packed(const DtypeInfo& info) { return info.kind == DtypeKind::packed; }
constexpr bool is_float(sc_dtype dtype) { return is_float(dtype_info(dtype)); }
constexpr bool is_integer(sc_dtype dtype) { return is_integer(dtype_info(dtype)); }
constexpr bool is_packed(sc_dtype dtype) { return is_packed(dtype_info(dtype)); }
// Integers that can be bit-packed.
constexpr bool is_packable(const DtypeInfo& info) {
  return is_integer(info) && info.bits <= SC_MAX_PACKED_BITS;
}

// ---- Integers --------------------------------------------------------------------------------

struct IntegerRange {
  std::int64_t lowest, highest;
};

// The most bits of an integer.
inline constexpr int kMaxIntegerBits = 64;

// All integers of `bits` bits. The highest of 64 unsigned bits is that of int64.
constexpr IntegerRange integer_range(int bits, bool is_signed) {
  const int magnitude_bits = std::min(is_signed ? bits - 1 : bits, kMaxIntegerBits - 1);
  const auto highest = static_cast<std::int64_t>((std::uint64_t{1} << magnitude_bits) - 1);
  return {is_signed ? -highest - 1 : 0, highest};
}

// The index in kDtypes of the narrowest dtype of at least 8 bits, by signedness and by the bits of
// the integers.
inline constexpr auto kIntegerDtypes = [] {
  std::array<std::array<std::uint8_t, kMaxIntegerBits + 1>, 2> indices{};
  for (int bits = 0; bits <= kMaxIntegerBits; ++bits) {
    for (const bool is_signed : {false, true}) {
      std::size_t narrowest = std::size(kDtypes);
      for (std::size_t i = 0; i < std::size(kDtypes); ++i) {
        const DtypeInfo& info = kDtypes[i];
        const bool holds =
            is_integer(info) && info.is_signed == is_signed && info.bits >= std::max(bits, 8);
        if (holds && (narrowest == std::size(kDtypes) || info.bits < kDtypes[narrowest].bits)) {
          narrowest = i;
        }
      }
      indices[is_signed ? 1 : 0][static_cast<std::size_t>(bits)] =
          static_cast<std::uint8_t>(narrowest);
    }
  }
  return indices;
}();

// The narrowest dtype of at least 8 bits for integers of `bits` bits.
constexpr DtypeInfo integer_dtype(int bits, bool is_signed) {
  return kDtypes[kIntegerDtypes[is_signed ? 1 : 0][static_cast<std::size_t>(bits)]];
}

// Whether codes of `bits` bits may be stored in this dtype: an integer dtype that holds them, in
// no more bytes than necessary.
constexpr bool holds_codes(sc_dtype dtype, int bits, bool is_signed) {
  const DtypeInfo info = dtype_info(dtype);
  return is_integer(info) && info.is_signed == is_signed && info.bits >= bits &&
         info.bytes() == integer_dtype(bits, is_signed).bytes();
}

static_assert(integer_dtype(1, true).dtype == SC_DTYPE_INT8 &&
              integer_dtype(8, false).dtype == SC_DTYPE_UINT8 &&
              integer_dtype(9, true).dtype == SC_DTYPE_INT16 &&
              integer_dtype(17, false).dtype == SC_DTYPE_UINT32 &&
              integer_dtype(33, true).dtype == SC_DTYPE_INT64);
static_assert(holds_codes(SC_DTYPE_INT8, 2, true) && holds_codes(SC_DTYPE_INT4, 4, true) &&
              !holds_codes(SC_DTYPE_INT4, 5, true) && !holds_codes(SC_DTYPE_UINT4, 4, true) &&
              !holds_codes(SC_DTYPE_INT16, 8, true) && !holds_codes(SC_DTYPE_PACKED_BIG, 8, false));

// ---- Floats ----------------------------------------------------------------------------------

struct FloatType {
  Float kind;
  std::size_t bytes;
  int exponent_bits, mantissa_bits;
  bool has_infinity;
  Key most;      // the largest key: every bit except the sign is set
  Key infinity;  // the largest key that is not NaN's: that of infinity, if the type has it

  // The key of the largest finite number.
  [[nodiscard]] constexpr Key largest_number() const { return infinity - (has_infinity ? 1 : 0); }
  // The exponent of 1.0, as it is stored.
  [[nodiscard]] constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};

constexpr FloatType make_float_type(Float kind, int exponent_bits, int mantissa_bits,
                                    bool has_infinity) {
  const std::size_t bits =
      1 + static_cast<std::size_t>(exponent_bits) + static_cast<std::size_t>(mantissa_bits);
  const auto most = static_cast<Key>((std::uint64_t{1} << (bits - 1)) - 1);
  const auto exponents = most >> mantissa_bits << mantissa_bits;
  return {kind,
          bits / 8,
          exponent_bits,
          mantissa_bits,
          has_infinity,
          most,
          has_infinity ? exponents : most - 1};
}

// In the order of Float.
inline constexpr FloatType kFloatTypes[] = {
#define SECATEUR_FLOAT(type, name, constant, exponent_bits, mantissa_bits, has_infinity) \
  make_float_type(Float::name, exponent_bits, mantissa_bits, has_infinity),
    SECATEUR_FLOATS(SECATEUR_FLOAT)
#undef SECATEUR_FLOAT
};

// Those that operations compute with.
inline constexpr FloatType kFloat32 = kFloatTypes[static_cast<std::size_t>(Float::float32)];
inline constexpr FloatType kFloat64 = kFloatTypes[static_cast<std::size_t>(Float::float64)];

// Precondition: is_float(dtype), or the array has no elements.
constexpr FloatType float_type(sc_dtype dtype) {
  switch (dtype) {
#define SECATEUR_FLOAT(type, name, constant, exponent_bits, mantissa_bits, has_infinity) \
  case SC_DTYPE_##constant:                                                              \
    return kFloatTypes[static_cast<std::size_t>(Float::name)];
    SECATEUR_FLOATS(SECATEUR_FLOAT)
#undef SECATEUR_FLOAT
    default:
      return kFloat32;
  }
}

}  // namespace secateur
