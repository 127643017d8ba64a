// Floats as integers times a step, and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/table.hpp"
#include "ops/float_type.hpp"
#include "ops/packing.hpp"
#include "secateur/secateur.h"

namespace secateur {

// As far as float goes with a power of two and its inverse.
inline constexpr std::int32_t kNearFracBits = 126;

// What integers stand for: (q - zero point) * step. The steps are 2^-frac_bits, or else scales of the type
// that is computed in; there are as many of each, and of zero points if any, as the granularity says.
struct Scheme {
  int bits;
  bool is_signed;
  sc_granularity granularity;
  const std::int32_t* frac_bits;
  const void* scales;  // float, but double for floats of float64, or in_double
  const std::int32_t* zero_points;
  bool in_double = false;  // integers that float does not hold, of quotients as float has them
  bool are_near = true;  // all frac_bits are at most kNearFracBits, and at least the negative of it
};

// Where integers are: one by one in a type that holds them, or packed, whose bits are those of the scheme.
struct Codes {
  void* data;
  sc_dtype dtype;

  [[nodiscard]] bool are_packed() const {
    return dtype == SC_PACKED_LOW_FIRST || dtype == SC_PACKED_HIGH_FIRST;
  }
  [[nodiscard]] std::size_t bits_each(const Scheme& scheme) const;
  // How many bytes n of them take.
  [[nodiscard]] std::size_t bytes(std::size_t n, const Scheme& scheme) const {
    return packed_bytes(n, bits_each(scheme));
  }
};

// Throw Error when NaN or what is out of range is refused. fake_quantize leaves an output in place as it was
// then.
void quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
              const sc_quantize_options& options, const Codes& q);
void fake_quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, void* out);
void dequantize(const Codes& q, std::size_t n, const Scheme& scheme, void* out, FloatType type);

// quantize() of the k largest, and 0 for the others.
void prune_quantize(const void* w, FloatType type, std::size_t n, std::size_t k,
                    const Scheme& scheme, const sc_quantize_options& options, const Codes& q);

}  // namespace secateur
