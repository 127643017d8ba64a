// C API arguments that describe a number format.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/arguments.hpp"
#include "quantize/quantize.hpp"
#include "quantize/scales.hpp"

namespace secateur::api {

// Throws Error unless least <= received <= most.
void require_in_range(const char* argument, std::int64_t received, std::int64_t least,
                      std::int64_t most);

// A scheme, and the memory of its arguments: the struct, its layout, the frac_bits or scales, the
// zero points, and the widths of groups.
struct CheckedFormat {
  Scheme scheme;
  MemoryRange fmt, layout, steps, zero_points, group_bits;
};

// The names of a format argument and of its fields in error messages.
struct FormatNames {
  const char *fmt, *kind, *is_signed, *layout, *bits, *frac_bits, *scale, *zero_point, *qmin, *qmax,
      *group_bits;
};
#define SECATEUR_FORMAT_NAMES(fmt)                                     \
  {fmt,         fmt ".kind",      fmt ".is_signed", fmt ".layout",     \
   fmt ".bits", fmt ".frac_bits", fmt ".scale",     fmt ".zero_point", \
   fmt ".qmin", fmt ".qmax",      fmt ".group_bits"}
inline constexpr FormatNames kFormatNames = SECATEUR_FORMAT_NAMES("fmt");

// Checks a format for an array of n elements and floats of a dtype. An array without elements needs
// no parameters. max_bits is the limit of fixed-point formats.
CheckedFormat checked_format(const sc_format* fmt, std::size_t n, sc_dtype floats,
                             ScaleConstraint allowed, const FormatNames& names = kFormatNames,
                             int max_bits = kMaxCodeBits);

// Checks an array of n codes of a scheme. `format` is the name of the argument with the format.
// Codes of more than max_packed_bits bits may not be packed.
MemoryRange checked_codes(const Codes& q, std::size_t n, const Scheme& scheme,
                          const char* name = "q", const char* format = "fmt",
                          int max_packed_bits = SC_MAX_PACKED_BITS);

}  // namespace secateur::api
