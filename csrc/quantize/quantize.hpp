// Quantization to integer codes, and dequantization.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtypes.hpp"
#include "core/layout.hpp"
#include "pack/packing.hpp"
#include "quantize/kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The most bits of an integer that quantization returns.
inline constexpr int kMaxCodeBits = 32;

// Both 2^e and 2^-e are normal floats for |e| up to this.
inline constexpr std::int32_t kMaxFloatExponent = 126;

// A validated format: the integer q represents (q - zero point) * step. A step is 2^-frac_bits, or
// a scale if frac_bits is null. Each array below has an element for each group of the layout.
struct Scheme {
  int bits;
  bool is_signed;
  std::int64_t lowest, highest;  // the integers in use
  Layout layout;
  const std::int32_t* frac_bits;
  const void* scales;  // of the compute type: double for float64 arrays or if in_double, else float
  const std::int32_t* zero_points;  // or null
  // Set for affine formats of more than 16 bits where the floats are not float64, except to
  // dequantize signed codes without zero points. Float does not represent the codes exactly, so the
  // compute type is double. Quotients, sums and products are rounded to float.
  bool in_double = false;
  bool powers_fit_float = true;  // all frac_bits are from -kMaxFloatExponent to kMaxFloatExponent
  // The widths of the groups, at most `bits`; or null. Codes that are read may have `bits` all the
  // same.
  const std::int32_t* group_bits = nullptr;

  // The integers that quantization may return for a group.
  [[nodiscard]] IntegerRange range_of(std::size_t group) const {
    return group_bits == nullptr ? IntegerRange{lowest, highest}
                                 : integer_range(group_bits[group], is_signed);
  }
  [[nodiscard]] bool has_scales() const { return frac_bits == nullptr; }
};

// An array of integer codes, of an integer dtype or bit-packed. Packed codes have scheme.bits bits.
struct Codes {
  void* data;
  sc_dtype dtype;
  // Only the lowest scheme.bits bits of a stored code count. Otherwise all bits of the dtype do,
  // and codes that the scheme does not have are refused.
  bool sign_extend = false;

  [[nodiscard]] bool are_packed() const { return is_packed(dtype); }
  [[nodiscard]] std::size_t bits_each(const Scheme& scheme) const;
  // The bits of a code that count: all but the upper ones of bytes of narrow dtypes.
  [[nodiscard]] int stored_bits(const Scheme& scheme) const {
    return are_packed() || sign_extend ? scheme.bits : dtype_info(dtype).bits;
  }
  // Whether loaded codes have bits that do not count.
  [[nodiscard]] bool have_unused_bits(const Scheme& scheme) const {
    return sign_extend && !are_packed() && dtype_info(dtype).bits != scheme.bits;
  }
  // The number of bytes of n codes.
  [[nodiscard]] std::size_t bytes(std::size_t n, const Scheme& scheme) const {
    return packed_bytes(n, bits_each(scheme));
  }
};

// These functions throw Error if the options refuse NaN or elements out of range and there are any,
// and dequantize if there are codes that the scheme does not have.
// In place, fake_quantize then leaves the array unmodified.
void quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
              const sc_quantize_options& options, const Codes& q);
// The same for a part of an array. If `stream`, results bypass the caches.
void quantize_part(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, const Codes& q, bool stream);
void fake_quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, void* out);
void dequantize(const Codes& q, std::size_t n, const Scheme& scheme, void* out, FloatType type);

// Quantizes the k elements of largest magnitude; the codes of the others are 0, or the zero point.
void prune_quantize(const void* w, FloatType type, std::size_t n, std::size_t k,
                    const Scheme& scheme, const sc_quantize_options& options, const Codes& q);

}  // namespace secateur
