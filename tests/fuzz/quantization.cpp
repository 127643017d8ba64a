// Compares quantization and dequantization with arithmetic in long double, which represents every
// product exactly.
#include "fuzz.hpp"

namespace {

using namespace fuzz;

static_assert(std::numeric_limits<long double>::digits >= 64 &&
              std::numeric_limits<long double>::max_exponent >= 16384);

// ---- Codes -----------------------------------------------------------------------------------

struct Codes {
  sc_dtype dtype;
  int bits;  // of the format
  bool is_signed;

  [[nodiscard]] bool are_packed() const {
    return dtype == SC_DTYPE_PACKED_LITTLE || dtype == SC_DTYPE_PACKED_BIG;
  }
  // The number of bits of a code that count; codes of the 4- and 2-bit dtypes still take a byte
  // each.
  [[nodiscard]] int stored_bits() const {
    switch (dtype) {
      case SC_DTYPE_INT8:
      case SC_DTYPE_UINT8:
        return 8;
      case SC_DTYPE_INT16:
      case SC_DTYPE_UINT16:
        return 16;
      case SC_DTYPE_INT32:
      case SC_DTYPE_UINT32:
        return 32;
      case SC_DTYPE_INT4:
      case SC_DTYPE_UINT4:
        return 4;
      case SC_DTYPE_INT2:
      case SC_DTYPE_UINT2:
        return 2;
      default:
        return bits;
    }
  }
  [[nodiscard]] std::size_t bytes_each() const {
    return are_packed() ? 1 : static_cast<std::size_t>(stored_bits() + 7) / 8;
  }
  [[nodiscard]] std::size_t bytes(std::size_t n) const {
    return are_packed() ? (n * static_cast<std::size_t>(bits) + 7) / 8 : n * bytes_each();
  }
  [[nodiscard]] std::int64_t get(const Bytes& q, std::size_t i) const {
    std::uint64_t code = 0;
    if (are_packed()) {
      for (int bit = 0; bit < bits; ++bit) {
        const std::size_t position =
            i * static_cast<std::size_t>(bits) + static_cast<std::size_t>(bit);
        const bool low_first = dtype == SC_DTYPE_PACKED_LITTLE;
        const std::uint64_t one =
            q.data()[position / 8] >> (low_first ? position % 8 : 7 - position % 8) & 1u;
        code |= one << (low_first ? bit : bits - 1 - bit);
      }
    } else {
      code = bits_at(q, i, bytes_each());
    }
    const int width = stored_bits();
    code &= ~std::uint64_t{0} >> (64 - width);
    const bool negative = is_signed && (code >> (width - 1) & 1) != 0;
    return static_cast<std::int64_t>(negative ? code | ~std::uint64_t{0} << width : code);
  }
};

Codes draw_codes(Draw& draw, int bits, bool is_signed) {
  if (bits <= 8 && draw.coin()) {
    if (bits <= 2 && draw.coin()) {
      return {is_signed ? SC_DTYPE_INT2 : SC_DTYPE_UINT2, bits, is_signed};
    }
    if (bits <= 4 && draw.coin()) {
      return {is_signed ? SC_DTYPE_INT4 : SC_DTYPE_UINT4, bits, is_signed};
    }
    return {draw.coin() ? SC_DTYPE_PACKED_LITTLE : SC_DTYPE_PACKED_BIG, bits, is_signed};
  }
  if (bits <= 8) {
    return {is_signed ? SC_DTYPE_INT8 : SC_DTYPE_UINT8, bits, is_signed};
  }
  if (bits <= 16) {
    return {is_signed ? SC_DTYPE_INT16 : SC_DTYPE_UINT16, bits, is_signed};
  }
  return {is_signed ? SC_DTYPE_INT32 : SC_DTYPE_UINT32, bits, is_signed};
}

// Whether all bits of an array that belong to no code are 0.
bool spare_bits_are_zero(const Codes& codes, const Bytes& q, std::size_t n) {
  if (codes.are_packed()) {
    const std::size_t used = n * static_cast<std::size_t>(codes.bits) % 8;
    const unsigned last = used == 0 ? 0 : q.data()[q.size() - 1];
    return used == 0 ||
           (codes.dtype == SC_DTYPE_PACKED_LITTLE ? last >> used == 0 : (last << used & 0xff) == 0);
  }
  return codes.stored_bits() >= 8 || std::all_of(q.data(), q.data() + q.size(), [&](unsigned byte) {
    return byte >> codes.stored_bits() == 0;
  });
}

// ---- Granularities ---------------------------------------------------------------------------

struct Sharing {
  std::size_t n = 0;
  std::size_t count = 1;
  sc_granularity granularity{};

  [[nodiscard]] std::size_t index(std::size_t i) const {
    const auto [length, inner, block, shared] = granularity;
    if (length == 0) {
      return 0;
    }
    const std::size_t a = i / inner % length;
    if (shared != 0) {
      return a;
    }
    const std::size_t groups = (length - 1) / block + 1;
    return (i / (length * inner) * groups + a / block) * inner + i % inner;
  }
};

Sharing draw_sharing(Draw& draw) {
  Sharing sharing;
  sharing.n = draw.size();
  if (draw.coin()) {
    return sharing;
  }
  const std::size_t inner = draw.one_of<std::size_t>({1, 1, 1, 2, 5, 16, 64, 100});
  const std::size_t length = draw.once_in(3) ? sharing.n / inner : draw.in<std::size_t>(1, 80);
  if (length == 0 || sharing.n / (length * inner) == 0) {
    return sharing;
  }
  const std::size_t outer = sharing.n / (length * inner);
  sharing.n = outer * length * inner;
  const bool shared = draw.coin();
  const std::size_t block = shared            ? 1
                            : draw.once_in(9) ? draw.one_of<std::size_t>({SIZE_MAX, SIZE_MAX / 2})
                                              : draw.in<std::size_t>(1, length + 2);
  sharing.granularity = {length, inner, block, shared ? 1 : 0};
  sharing.count = shared ? length : outer * ((length - 1) / block + 1) * inner;
  return sharing;
}

// ---- Arithmetic ------------------------------------------------------------------------------

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

std::uint32_t random_of(std::uint64_t seed, std::size_t i) {
  const std::uint64_t key = mixed(mixed(seed + 0x9e3779b97f4a7c15u) ^ (i >> 32));
  auto x = static_cast<std::uint32_t>(i ^ key);
  x = (x ^ x >> 16) * 0x7feb352du;
  x ^= x >> 15;
  x = (x ^ static_cast<std::uint32_t>(key >> 32)) * 0x846ca68bu;
  return (x ^ x >> 16) >> 1;
}

long double rounded(long double x, sc_rounding rounding, std::uint64_t seed, std::size_t i) {
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
    case SC_ROUNDING_STOCHASTIC: {
      constexpr long double kDraws = std::uint64_t{1} << 31;
      away = rest >= (kDraws - random_of(seed, i)) / kDraws;
    }
  }
  const long double size = whole + (away ? 1 : 0);
  return negative ? -size : size;
}

// The bits of a value that is rounded once, half to even, to a float type.
std::uint64_t narrowed(long double value, const FloatType& type) {
  if (type.bytes == 8) {
    return std::bit_cast<std::uint64_t>(static_cast<double>(value));
  }
  if (type.bytes == 4) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  }
  const std::uint64_t sign = std::signbit(value) ? type.sign() : 0;
  const long double size = std::abs(value);
  if (std::isnan(value) || std::isinf(value) || value == 0) {
    return sign | (value == 0 ? 0 : type.infinity()) | (std::isnan(value) ? 1 : 0);
  }
  const int bias = (1 << (type.exponent_bits - 1)) - 1;
  const int exponent = std::max(std::ilogb(size), 1 - bias);
  // Consecutive floats have consecutive bits, so adding the mantissa to the exponent field also
  // handles a carry into the exponent.
  const auto units =
      static_cast<std::uint64_t>(std::nearbyint(std::ldexp(size, type.fraction_bits - exponent)));
  const auto base = static_cast<std::uint64_t>(exponent + bias - 1) << type.fraction_bits;
  return sign | std::min(base + units, type.infinity());
}

struct Range {
  long double least, most;
};

Range range_of(int bits, bool is_signed) {
  const long double codes = std::ldexp(1.0L, bits);
  return is_signed ? Range{-codes / 2, codes / 2 - 1} : Range{0, codes - 1};
}

// The expected result of a call that quantizes.
struct Expected {
  bool refuses_nan = false, refuses_overflow = false;
  std::vector<std::int64_t> q;

  [[nodiscard]] sc_status status() const {
    return refuses_nan ? SC_ERROR_NAN : refuses_overflow ? SC_ERROR_OVERFLOW : SC_OK;
  }
};

struct Fixed {
  sc_fixed_point fmt;
  Sharing sharing;
  std::vector<std::int32_t> frac_bits;

  [[nodiscard]] int at(std::size_t i) const { return frac_bits[sharing.index(i)]; }
};

Expected quantized(const Bytes& w, const FloatType& type, const Fixed& fixed,
                   const sc_quantize_options& options, const std::vector<bool>* kept = nullptr) {
  const Range range = range_of(fixed.fmt.bits, fixed.fmt.is_signed != 0);
  const bool symmetric =
      fixed.fmt.is_signed != 0 && options.overflow == SC_OVERFLOW_SATURATE_SYMMETRIC;
  const long double least = symmetric ? -range.most : range.least;
  Expected expected;
  expected.q.resize(fixed.sharing.n);
  for (std::size_t i = 0; i < fixed.sharing.n; ++i) {
    const long double value = value_of(bits_at(w, i, type.bytes), type);
    const bool is_pruned = kept != nullptr && !(*kept)[i];
    if (std::isnan(value) || (std::isinf(value) && options.overflow == SC_OVERFLOW_WRAP)) {
      expected.refuses_nan = expected.refuses_nan ||
                             (options.nan == SC_NAN_RAISE && (std::isnan(value) || !is_pruned));
      continue;
    }
    if (is_pruned) {
      continue;
    }
    long double r = std::isinf(value) ? value
                                      : rounded(std::ldexp(value, fixed.at(i)), options.rounding,
                                                options.seed, i);
    if (r < least || r > range.most) {
      switch (options.overflow) {
        case SC_OVERFLOW_SATURATE:
        case SC_OVERFLOW_SATURATE_SYMMETRIC:
          r = std::clamp(r, least, range.most);
          break;
        case SC_OVERFLOW_WRAP: {
          const long double codes = std::ldexp(1.0L, fixed.fmt.bits);
          r = std::fmod(r, codes);
          r += r < range.least ? codes : 0;
          r -= r > range.most ? codes : 0;
          break;
        }
        case SC_OVERFLOW_RAISE:
          expected.refuses_overflow = true;
          [[fallthrough]];
        case SC_OVERFLOW_SATURATE_ZERO:
          r = 0;
      }
    }
    expected.q[i] = static_cast<std::int64_t>(r);
  }
  return expected;
}

// ---- Fixed point -----------------------------------------------------------------------------

Fixed draw_fixed(Draw& draw) {
  Fixed fixed;
  fixed.sharing = draw_sharing(draw);
  const int bits = draw.coin() ? draw.in<int>(2, 8) : draw.in<int>(2, 32);
  const bool is_wild = draw.once_in(4);
  fixed.frac_bits.resize(fixed.sharing.count);
  for (std::size_t i = 0; i < fixed.frac_bits.size(); ++i) {
    fixed.frac_bits[i] = i >= 32   ? fixed.frac_bits[i - 32]
                         : is_wild ? draw.in<int>(-256, 256)
                                   : draw.in<int>(-3, bits + 3);
  }
  fixed.fmt = {bits, fixed.frac_bits.empty() ? 0 : fixed.frac_bits[0], draw.coin() ? 1 : 0, nullptr,
               fixed.sharing.granularity};
  return fixed;
}

// The format as an argument; `each` points to its frac_bits if it has several.
sc_fixed_point argument_of(const Fixed& fixed) {
  sc_fixed_point fmt = fixed.fmt;
  fmt.each = fixed.sharing.granularity.length != 0 ? fixed.frac_bits.data() : nullptr;
  return fmt;
}

sc_quantize_options draw_options(Draw& draw) {
  return {static_cast<sc_rounding>(draw.in<int>(0, 8)),
          static_cast<sc_overflow>(draw.in<int>(0, 4)), draw.coin() ? SC_NAN_ZERO : SC_NAN_RAISE,
          draw.any<std::uint64_t>()};
}

void check_codes(const Outcome& outcome, const Codes& codes, const Expected& expected,
                 const char* what) {
  require(outcome.status == expected.status(), what);
  if (outcome.status == SC_OK) {
    const std::size_t n = expected.q.size();
    for (std::size_t i = 0; i < n; ++i) {
      require_same(static_cast<std::uint64_t>(codes.get(outcome.out, i)),
                   static_cast<std::uint64_t>(expected.q[i]), i, what);
    }
    require(spare_bits_are_zero(codes, outcome.out, n), "spare bits are 0");
  }
}

std::uint64_t dequantized(std::int64_t q, int frac_bits, const FloatType& type) {
  return q == 0 ? 0 : narrowed(std::ldexp(static_cast<long double>(q), -frac_bits), type);
}

void fuzz_quantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Fixed fixed = draw_fixed(draw);
  const sc_fixed_point fmt = argument_of(fixed);
  const std::size_t n = fixed.sharing.n;
  const Bytes w = draw.floats(type, n);
  const sc_quantize_options options = draw_options(draw);
  const sc_quantize_options* const how = draw.once_in(8) ? nullptr : &options;
  const sc_quantize_options effective = how == nullptr ? sc_quantize_options{} : options;
  const Codes codes = draw_codes(draw, fmt.bits, fmt.is_signed != 0);
  const Expected expected = quantized(w, type, fixed, effective);
  const std::size_t offset = draw.offset(codes.bytes_each());
  const Outcome outcome =
      on_every_isa(draw, codes.bytes(n), offset, nullptr, [&](const void*, void* out) {
    return sc_quantize(w.data(), type.dtype, n, &fmt, how, out, codes.dtype);
  });
  check_codes(outcome, codes, expected, "quantized as by long double");

  const Outcome fake =
      on_every_isa(draw, w.size(), draw.offset(type.bytes), &w, [&](const void* in, void* out) {
    return sc_fake_quantize(in == nullptr ? w.data() : in, type.dtype, n, &fmt, how, out);
  });
  require(fake.status == expected.status(), "fake_quantize refuses what quantize refuses");
  for (std::size_t i = 0; fake.status == SC_OK && i < n; ++i) {
    require_same(bits_at(fake.out, i, type.bytes), dequantized(expected.q[i], fixed.at(i), type), i,
                 "fake_quantize is quantize and dequantize");
  }
}

void fuzz_prune_quantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Fixed fixed = draw_fixed(draw);
  const sc_fixed_point fmt = argument_of(fixed);
  const std::size_t n = fixed.sharing.n;
  const Bytes w = draw.floats(type, n);
  const sc_quantize_options options = draw_options(draw);
  const Codes codes = draw_codes(draw, fmt.bits, fmt.is_signed != 0);
  const auto k = draw.in<std::size_t>(0, n);
  // Selection is tested elsewhere, so a mask of the library gives the elements that are kept.
  std::vector<unsigned char> mask(n);
  std::vector<bool> kept(n);
  require(sc_prune_mask(w.data(), type.dtype, n, k, nullptr, nullptr, SC_NAN_PRUNE, mask.data(),
                        SC_MASK_FORMAT_BOOLS) == SC_OK,
          "a mask");
  std::copy(mask.begin(), mask.end(), kept.begin());
  const Expected expected = quantized(w, type, fixed, options, &kept);
  const std::size_t offset = draw.offset(codes.bytes_each());
  const Outcome outcome =
      on_every_isa(draw, codes.bytes(n), offset, nullptr, [&](const void*, void* out) {
    return sc_prune_quantize(w.data(), type.dtype, n, k, &fmt, &options, out, codes.dtype);
  });
  check_codes(outcome, codes, expected, "prune_quantize is prune and quantize");
}

void fuzz_dequantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Fixed fixed = draw_fixed(draw);
  const sc_fixed_point fmt = argument_of(fixed);
  const std::size_t n = fixed.sharing.n;
  const Codes codes = draw_codes(draw, fmt.bits, fmt.is_signed != 0);
  const Bytes q = draw.bytes(codes.bytes(n), draw.offset(codes.bytes_each()));
  const Outcome outcome = on_every_isa(draw, n * type.bytes, draw.offset(type.bytes), nullptr,
                                       [&](const void*, void* out) {
    return sc_dequantize(q.data(), codes.dtype, n, &fmt, out, type.dtype);
  });
  require(outcome.status == SC_OK, "no integer is refused");
  for (std::size_t i = 0; i < n; ++i) {
    require_same(bits_at(outcome.out, i, type.bytes),
                 dequantized(codes.get(q, i), fixed.at(i), type), i,
                 "dequantized as by long double");
  }
}

// ---- Affine ----------------------------------------------------------------------------------

struct Affine {
  sc_affine fmt;
  Sharing sharing;
  Bytes scales;
  std::vector<std::int32_t> zeros;
  bool is_wide;  // computed in float64

  [[nodiscard]] double scale(std::size_t i) const {
    const std::size_t at = sharing.index(i);
    return is_wide ? scales.get<double>(at) : static_cast<double>(scales.get<float>(at));
  }
  [[nodiscard]] std::int64_t zero(std::size_t i) const {
    return fmt.zero_point == nullptr ? 0 : zeros[sharing.index(i)];
  }
};

Affine draw_affine(Draw& draw, bool is_wide) {
  Affine affine{{}, draw_sharing(draw), {}, {}, is_wide};
  const std::size_t count = affine.sharing.count;
  const bool is_32_bits = draw.once_in(6);
  const int bits = is_32_bits ? 32 : draw.in<int>(1, 16);
  const bool is_signed = is_32_bits || draw.coin();
  const Range range = range_of(bits, is_signed);
  const FloatType& type = is_wide ? kFloat64 : kFloat32;
  affine.scales = Bytes(count * type.bytes);
  affine.zeros.resize(count);
  const bool are_powers = draw.once_in(3);
  const bool are_wild = draw.once_in(4);
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= 32) {
      set_bits(affine.scales, i, type.bytes, bits_at(affine.scales, i - 32, type.bytes));
      affine.zeros[i] = affine.zeros[i - 32];
      continue;
    }
    const std::uint64_t normal = std::uint64_t{1} << type.fraction_bits;
    std::uint64_t scale = draw.in<std::uint64_t>(normal, type.infinity() - 1);
    if (!are_wild) {  // 2^-6 to 2^2
      scale = type.infinity() / 2 / normal * normal - 6 * normal + scale % (8 * normal);
    }
    set_bits(affine.scales, i, type.bytes, are_powers ? scale / normal * normal : scale);
    affine.zeros[i] = is_32_bits ? 0
                                 : draw.in<std::int32_t>(static_cast<std::int32_t>(range.least),
                                                         static_cast<std::int32_t>(range.most));
  }
  affine.fmt = {bits, is_signed ? 1 : 0, nullptr, nullptr, affine.sharing.granularity};
  return affine;
}

void set_pointers(Affine& affine, bool has_zeros) {
  affine.fmt.scale = affine.scales.data();
  affine.fmt.zero_point = has_zeros && affine.fmt.bits != 32 ? affine.zeros.data() : nullptr;
}

void fuzz_affine(Draw& draw) {
  const FloatType& type = draw.float_type();
  const bool is_wide = type.bytes == 8;
  Affine affine = draw_affine(draw, is_wide);
  set_pointers(affine, draw.coin());
  const std::size_t n = affine.sharing.n;
  const Codes codes = draw_codes(draw, affine.fmt.bits, affine.fmt.is_signed != 0);
  if (draw.coin()) {
    const Bytes w = draw.floats(type, n);
    const sc_nan nan = draw.coin() ? SC_NAN_ZERO : SC_NAN_RAISE;
    const Range range = range_of(affine.fmt.bits, affine.fmt.is_signed != 0);
    Expected expected;
    expected.q.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double value = value_of(bits_at(w, i, type.bytes), type);
      if (std::isnan(value)) {
        expected.refuses_nan = expected.refuses_nan || nan == SC_NAN_RAISE;
        expected.q[i] = affine.zero(i);
        continue;
      }
      const long double quotient =
          is_wide ? value / affine.scale(i)
                  : static_cast<float>(value) / static_cast<float>(affine.scale(i));
      const long double sum = std::isinf(quotient)
                                  ? quotient
                                  : rounded(quotient, SC_ROUNDING_NEAREST_EVEN, 0, 0) +
                                        static_cast<long double>(affine.zero(i));
      expected.q[i] = static_cast<std::int64_t>(std::clamp(sum, range.least, range.most));
    }
    const std::size_t offset = draw.offset(codes.bytes_each());
    const Outcome outcome =
        on_every_isa(draw, codes.bytes(n), offset, nullptr, [&](const void*, void* out) {
      return sc_quantize_affine(w.data(), type.dtype, n, &affine.fmt, nan, out, codes.dtype);
    });
    check_codes(outcome, codes, expected, "affine codes as by their definition");
    return;
  }
  const Bytes q = draw.bytes(codes.bytes(n), draw.offset(codes.bytes_each()));
  const Outcome outcome = on_every_isa(draw, n * type.bytes, draw.offset(type.bytes), nullptr,
                                       [&](const void*, void* out) {
    return sc_dequantize_affine(q.data(), codes.dtype, n, &affine.fmt, out, type.dtype);
  });
  require(outcome.status == SC_OK, "no integer is refused");
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t difference = codes.get(q, i) - affine.zero(i);
    const long double value =
        is_wide ? static_cast<double>(difference) * affine.scale(i)
                : static_cast<float>(difference) * static_cast<float>(affine.scale(i));
    require_same(bits_at(outcome.out, i, type.bytes), narrowed(value, type), i,
                 "affine values as by their definition");
  }
}

// ---- Refusals --------------------------------------------------------------------------------

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const bool is_wide = type.bytes == 8;
  const Bytes w(n * type.bytes + type.bytes);
  const std::vector<std::int32_t> each(n, 0);
  const std::vector<double> wide_scales(n, 1.0);
  const std::vector<float> scales(n, 1.0f);
  const void* from = w.data();
  sc_granularity granularity{n, 1, 1, 0};
  sc_fixed_point fmt{8, 0, 1, each.data(), granularity};
  sc_affine affine{8, 1,
                   is_wide ? static_cast<const void*>(wide_scales.data())
                           : static_cast<const void*>(scales.data()),
                   each.data(), granularity};
  sc_quantize_options options{};
  sc_dtype q_dtype = SC_DTYPE_INT8;
  Bytes q(n);
  const Bytes before = q;
  const char* what = "";
  switch (draw.in<int>(0, 7)) {
    case 0:
      what = "a misaligned input is refused";
      from = w.data() + draw.in<std::size_t>(1, type.bytes - 1);
      break;
    case 1:
      what = "another number of bits is refused";
      fmt.bits = affine.bits = draw.one_of({0, 33, -1, 17, 9, INT32_MAX, INT32_MIN});
      break;
    case 2:
      what = "another sign is refused";
      fmt.is_signed = affine.is_signed = draw.one_of({2, -1, 0});
      break;
    case 3:
      what = "a number or a pointer out of range is refused";
      fmt.each = nullptr;
      fmt.frac_bits = draw.one_of({257, -257, INT32_MAX, INT32_MIN});
      affine.scale = nullptr;
      break;
    case 4:
      what = "a granularity of 0 is refused";
      (draw.coin() ? granularity.inner : granularity.block) = 0;
      fmt.granularity = affine.granularity = granularity;
      break;
    case 5:
      what = "another granularity is refused";
      granularity.length = draw.one_of<std::size_t>({n + 1, SIZE_MAX, n});
      granularity.shared = granularity.length == n ? draw.one_of({2, -1}) : 0;
      granularity.inner = draw.one_of<std::size_t>({1, SIZE_MAX, n + 1});
      fmt.granularity = affine.granularity = granularity;
      break;
    case 6:
      what = "another dtype of integers is refused";
      q_dtype = static_cast<sc_dtype>(draw.one_of<int>(
          {0, SC_DTYPE_FLOAT32, SC_DTYPE_UINT8, SC_DTYPE_INT16, SC_DTYPE_INT32, 34, 99, -1}));
      break;
    default:
      what = "another NaN policy is refused";
      options.nan = static_cast<sc_nan>(draw.one_of({1, 2, 99}));
  }
  const sc_status status =
      draw.once_in(3)
          ? sc_quantize_affine(from, type.dtype, n, &affine, options.nan, q.data(), q_dtype)
          : sc_quantize(from, type.dtype, n, &fmt, &options, q.data(), q_dtype);
  require(is_refusal(status), what);
  require(q == before, "nothing is written when an argument is refused");
}

// Outputs that overlap inputs and parameters.
void fuzz_overlaps(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 60);
  const bool is_affine = draw.coin();
  // The repeated word is a valid parameter: a scale near 1, or a frac_bits of 0.
  OverlapArena arena(draw, 4096, is_affine ? 0x3f800000 : 0);
  const OverlapArena::Region floats = arena.take(n * type.bytes);
  const OverlapArena::Region codes = arena.take(n);
  const OverlapArena::Region out = draw.once_in(3) ? floats : arena.take(n * type.bytes);
  const std::size_t scale_bytes = type.bytes == 8 ? 8 : 4;
  const OverlapArena::Region parameters = arena.take(n * (is_affine ? scale_bytes : 4));
  const sc_granularity granularity{n, 1, 1, 0};
  const sc_affine affine{8, 1, parameters.data, nullptr, granularity};
  const sc_fixed_point fmt{8, 0, 1, reinterpret_cast<const std::int32_t*>(parameters.data),
                           granularity};
  const bool over_input = codes.overlaps(floats);
  switch (draw.in<int>(0, 3)) {
    case 0:
      arena.check(is_affine ? sc_quantize_affine(floats.data, type.dtype, n, &affine, SC_NAN_RAISE,
                                                 codes.data, SC_DTYPE_INT8)
                            : sc_quantize(floats.data, type.dtype, n, &fmt, nullptr, codes.data,
                                          SC_DTYPE_INT8),
                  over_input || codes.overlaps(parameters));
      break;
    case 1:
      arena.check(
          is_affine
              ? sc_dequantize_affine(codes.data, SC_DTYPE_INT8, n, &affine, floats.data, type.dtype)
              : sc_dequantize(codes.data, SC_DTYPE_INT8, n, &fmt, floats.data, type.dtype),
          over_input || floats.overlaps(parameters));
      break;
    case 2:
      if (!is_affine) {
        arena.check(sc_fake_quantize(floats.data, type.dtype, n, &fmt, nullptr, out.data),
                    (out.overlaps(floats) && out.data != floats.data) || out.overlaps(parameters));
      }
      break;
    default:
      if (!is_affine) {
        arena.check(sc_prune_quantize(floats.data, type.dtype, n, n / 2, &fmt, nullptr, codes.data,
                                      SC_DTYPE_INT8),
                    over_input || codes.overlaps(parameters));
      }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 5)) {
    case 0:
      fuzz_quantize(draw);
      break;
    case 1:
      fuzz_prune_quantize(draw);
      break;
    case 2:
      fuzz_dequantize(draw);
      break;
    case 3:
      fuzz_affine(draw);
      break;
    case 4:
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
