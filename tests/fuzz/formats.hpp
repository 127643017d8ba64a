// Number formats: random ones, and the integers that they represent values by.
#pragma once

#include "fuzz.hpp"

namespace fuzz {

// ---- Layouts ---------------------------------------------------------------------------------

// The groups of an array that share a parameter.
struct Groups {
  std::size_t n = 0;
  std::size_t count = 1;
  sc_layout layout{};
  bool is_given = false;

  [[nodiscard]] const sc_layout* argument() const { return is_given ? &layout : nullptr; }
  // The number of elements of a block along an axis.
  static std::size_t block_of(std::size_t block, std::size_t axis) {
    return block == 0 ? axis : std::min(block, axis);
  }
  [[nodiscard]] std::size_t index(std::size_t i) const {
    if (!is_given) {
      return 0;
    }
    const auto& [length, inner, block, inner_block, shared] = layout;
    const std::size_t height = block_of(block, length);
    const std::size_t width = block_of(inner_block, inner);
    const std::size_t matrix = shared != 0 ? 0 : i / (length * inner);
    const std::size_t down = (length - 1) / height + 1;
    const std::size_t across = (inner - 1) / width + 1;
    return (matrix * down + i / inner % length / height) * across + i % inner / width;
  }
};

// The groups of an array of n elements in a valid layout.
inline Groups groups_of(std::size_t n, const sc_layout& layout) {
  const auto& [length, inner, block, inner_block, shared] = layout;
  const std::size_t outer = shared != 0 ? 1 : n / (length * inner);
  const std::size_t down = (length - 1) / Groups::block_of(block, length) + 1;
  const std::size_t across = (inner - 1) / Groups::block_of(inner_block, inner) + 1;
  return {n, outer * down * across, layout, true};
}

inline std::size_t draw_block(Draw& draw, std::size_t axis) {
  if (draw.once_in(9)) {
    return draw.one_of<std::size_t>({SIZE_MAX, SIZE_MAX / 2, axis});
  }
  return draw.coin() ? draw.in<std::size_t>(0, axis + 2)
                     : draw.one_of<std::size_t>({0, 1, 1, 2, 8, 16, 32, 64, 128});
}

inline Groups draw_groups(Draw& draw) {
  Groups groups;
  groups.n = draw.size();
  if (draw.once_in(3)) {
    return groups;
  }
  const std::size_t inner = draw.coin() ? draw.one_of<std::size_t>({1, 1, 2, 5, 16, 64, 100, 128})
                                        : draw.in<std::size_t>(1, 300);
  const std::size_t length = draw.once_in(3) ? groups.n / inner : draw.in<std::size_t>(1, 80);
  if (length == 0 || groups.n / (length * inner) == 0) {
    return groups;
  }
  const std::size_t block = draw_block(draw, length);
  const std::size_t inner_block = draw_block(draw, inner);
  return groups_of(groups.n / (length * inner) * (length * inner),
                   {length, inner, block, inner_block, draw.coin() ? 1 : 0});
}

// ---- Formats ---------------------------------------------------------------------------------

struct Range {
  long double least, most;
};

inline Range range_of(int bits, bool is_signed) {
  const long double codes = std::ldexp(1.0L, bits);
  return is_signed ? Range{-codes / 2, codes / 2 - 1} : Range{0, codes - 1};
}

// A format, and what its pointers refer to.
struct Format {
  sc_format fmt;
  Groups groups;
  std::vector<std::int32_t> frac_bits, group_bits;  // group_bits: empty if all have fmt.bits
  Bytes scales;
  std::vector<std::int32_t> zeros;
  bool has_zeros;
  bool is_wide;  // the compute type of affine formats is float64

  [[nodiscard]] bool is_affine() const { return fmt.kind == SC_FORMAT_KIND_AFFINE; }
  [[nodiscard]] sc_format argument() const {
    sc_format argument = fmt;
    argument.layout = groups.argument();
    if (is_affine()) {
      argument.scale = scales.data();
      argument.zero_point = has_zeros ? zeros.data() : nullptr;
    } else {
      argument.frac_bits = frac_bits.data();
      argument.group_bits = group_bits.empty() ? nullptr : group_bits.data();
    }
    return argument;
  }
  [[nodiscard]] Range range() const {
    const bool is_whole = !is_affine() || (fmt.qmin == 0 && fmt.qmax == 0);
    return is_whole ? range_of(fmt.bits, fmt.is_signed != 0)
                    : Range{static_cast<long double>(fmt.qmin), static_cast<long double>(fmt.qmax)};
  }
  // The range of element i.
  [[nodiscard]] Range range(std::size_t i) const {
    return group_bits.empty() ? range() : range_of(group_bits[groups.index(i)], fmt.is_signed != 0);
  }
  [[nodiscard]] bool uses_all_integers() const {
    const Range whole = range_of(fmt.bits, fmt.is_signed != 0);
    return range().least == whole.least && range().most == whole.most;
  }
  [[nodiscard]] double scale(std::size_t i) const {
    const std::size_t at = groups.index(i);
    return is_wide ? scales.get<double>(at) : static_cast<double>(scales.get<float>(at));
  }
  [[nodiscard]] std::int64_t zero(std::size_t i) const {
    return is_affine() && has_zeros ? zeros[groups.index(i)] : 0;
  }
  // value / step, before it is rounded to an integer.
  [[nodiscard]] long double scaled(double value, std::size_t i) const {
    if (!is_affine()) {
      return std::ldexp(static_cast<long double>(value), frac_bits[groups.index(i)]);
    }
    return is_wide ? value / scale(i) : static_cast<float>(value) / static_cast<float>(scale(i));
  }
  // The value of an integer, before it is rounded to the dtype of the result.
  [[nodiscard]] long double value(std::int64_t q, std::size_t i) const {
    if (!is_affine()) {
      return std::ldexp(static_cast<long double>(q), -frac_bits[groups.index(i)]);
    }
    const std::int64_t difference = q - zero(i);
    return is_wide ? static_cast<double>(difference) * scale(i)
                   : static_cast<float>(difference) * static_cast<float>(scale(i));
  }
};

// The number of groups that have parameters of their own; those of the others repeat.
inline constexpr std::size_t kOwnParameters = 32;

inline Format draw_fixed_point(Draw& draw, const Groups& groups) {
  Format format{{}, groups, {}, {}, {}, {}, false, false};
  const int bits = draw.coin() ? draw.in<int>(2, 8) : draw.in<int>(2, 32);
  const bool is_wild = draw.once_in(4);
  format.frac_bits.resize(groups.count);
  for (std::size_t i = 0; i < groups.count; ++i) {
    format.frac_bits[i] = i >= kOwnParameters ? format.frac_bits[i - kOwnParameters]
                          : is_wild           ? draw.in<int>(-256, 256)
                                              : draw.in<int>(-3, bits + 3);
  }
  if (draw.once_in(3)) {
    format.group_bits.resize(groups.count);
    for (std::size_t i = 0; i < groups.count; ++i) {
      format.group_bits[i] =
          i >= kOwnParameters ? format.group_bits[i - kOwnParameters] : draw.in<int>(2, bits);
    }
  }
  format.fmt.kind = SC_FORMAT_KIND_FIXED_POINT;
  format.fmt.bits = bits;
  format.fmt.is_signed = draw.coin() ? 1 : 0;
  return format;
}

// takes_any_scale: the scales may have any sign, and may be subnormal or 0.
inline Format draw_affine(Draw& draw, const Groups& groups, bool is_wide, bool takes_any_scale) {
  Format format{{}, groups, {}, {}, {}, {}, draw.coin(), is_wide};
  sc_format& fmt = format.fmt;
  fmt.kind = SC_FORMAT_KIND_AFFINE;
  fmt.bits = draw.coin() ? draw.in<int>(1, 8) : draw.in<int>(1, 32);
  fmt.is_signed = draw.coin() ? 1 : 0;
  const Range whole = format.range();
  const auto least = static_cast<std::int64_t>(whole.least);
  const auto most = static_cast<std::int64_t>(whole.most);
  if (draw.once_in(3)) {
    fmt.qmin = draw.coin() ? least : draw.in<std::int64_t>(least, 0);
    fmt.qmax = draw.coin() ? most : draw.in<std::int64_t>(0, most);
  }
  const Range range = format.range();
  const auto zero_least = static_cast<std::int32_t>(std::max<long double>(range.least, INT32_MIN));
  const auto zero_most = static_cast<std::int32_t>(std::min<long double>(range.most, INT32_MAX));
  const FloatType& type = is_wide ? kFloat64 : kFloat32;
  const std::uint64_t normal = std::uint64_t{1} << type.fraction_bits;
  const auto style = draw.in<int>(0, 2);
  const bool is_wild = draw.once_in(4);
  format.scales = Bytes(groups.count * type.bytes);
  format.zeros.resize(groups.count);
  for (std::size_t i = 0; i < groups.count; ++i) {
    if (i >= kOwnParameters) {
      set_bits(format.scales, i, type.bytes,
               bits_at(format.scales, i - kOwnParameters, type.bytes));
      format.zeros[i] = format.zeros[i - kOwnParameters];
      continue;
    }
    std::uint64_t scale = draw.in<std::uint64_t>(normal, type.infinity() - 1);
    if (!is_wild) {  // 2^-6 to 2^2
      scale = type.infinity() / 2 / normal * normal - 6 * normal + scale % (8 * normal);
    }
    if (style != 0) {  // a power of two, or a number that has exact multiples
      const std::uint64_t unit = style == 1 ? normal : normal / 8;
      scale = scale / unit * unit;
    }
    if (takes_any_scale && draw.once_in(4)) {
      scale = draw.one_of<std::uint64_t>({0, 1, normal - 1, scale}) | type.sign();
    }
    set_bits(format.scales, i, type.bytes, scale);
    format.zeros[i] = draw.once_in(4) ? draw.one_of({zero_least, zero_most})
                                      : draw.in<std::int32_t>(zero_least, zero_most);
  }
  return format;
}

// ---- Rounding ---------------------------------------------------------------------------------

inline std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

inline std::uint32_t random_of(std::uint64_t seed, std::uint64_t i) {
  const std::uint64_t key = mixed(mixed(seed + 0x9e3779b97f4a7c15u) ^ (i >> 32));
  auto x = static_cast<std::uint32_t>(i ^ key);
  x = (x ^ x >> 16) * 0x7feb352du;
  x ^= x >> 15;
  x = (x ^ static_cast<std::uint32_t>(key >> 32)) * 0x846ca68bu;
  return (x ^ x >> 16) >> 1;
}

inline long double rounded(long double x, sc_rounding rounding, std::uint64_t seed,
                           std::uint64_t i) {
  const long double whole = std::trunc(std::abs(x));
  const long double rest = std::abs(x) - whole;
  const bool negative = std::signbit(x);
  const bool is_odd = std::fmod(whole, 2.0L) != 0;
  bool away = false;
  switch (rounding) {
    case SC_ROUNDING_NEAREST_EVEN:
      away = rest > 0.5L || (rest == 0.5L && is_odd);
      break;
    case SC_ROUNDING_NEAREST_AWAY:
      away = rest >= 0.5L;
      break;
    case SC_ROUNDING_NEAREST_ZERO:
      away = rest > 0.5L;
      break;
    case SC_ROUNDING_NEAREST_UP:
      away = rest > 0.5L || (rest == 0.5L && !negative);
      break;
    case SC_ROUNDING_NEAREST_DOWN:
      away = rest > 0.5L || (rest == 0.5L && negative);
      break;
    case SC_ROUNDING_FLOOR:
      away = rest != 0 && negative;
      break;
    case SC_ROUNDING_CEIL:
      away = rest != 0 && !negative;
      break;
    case SC_ROUNDING_TRUNC:
      break;
    case SC_ROUNDING_AWAY:
      away = rest != 0;
      break;
    case SC_ROUNDING_STOCHASTIC: {
      constexpr long double kDraws = std::uint64_t{1} << 31;
      away = rest >= (kDraws - random_of(seed, i)) / kDraws;
    }
  }
  const long double size = whole + (away ? 1 : 0);
  return negative ? -size : size;
}

}  // namespace fuzz
