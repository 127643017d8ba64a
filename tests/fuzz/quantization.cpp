// Compares quantization and dequantization with arithmetic in long double, which represents every
// product exactly.
#include "formats.hpp"

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
    return extended(stored(q, i), stored_bits());
  }
  // The integer that the lowest bits of a code represent, as many as the format has.
  [[nodiscard]] std::int64_t lowest_bits(const Bytes& q, std::size_t i) const {
    return extended(stored(q, i), bits);
  }

 private:
  [[nodiscard]] std::uint64_t stored(const Bytes& q, std::size_t i) const {
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
    return code;
  }
  [[nodiscard]] std::int64_t extended(std::uint64_t code, int width) const {
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

// ---- Arithmetic ------------------------------------------------------------------------------

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

// The expected result of a call that quantizes.
struct Expected {
  bool refuses_options = false, refuses_nan = false, refuses_overflow = false;
  std::vector<std::int64_t> q;

  [[nodiscard]] sc_status status() const {
    return refuses_options    ? SC_ERROR_ARGUMENT
           : refuses_nan      ? SC_ERROR_NAN
           : refuses_overflow ? SC_ERROR_OVERFLOW
                              : SC_OK;
  }
};

// The integer modulo 2^bits in the range of the format.
long double wrapped(long double integer, std::int64_t zero, const Range& range) {
  const long double codes = range.most - range.least + 1;
  long double r = std::isinf(integer) ? 0 : std::fmod(integer, codes);
  r = std::fmod(r + static_cast<long double>(zero), codes);
  r += r < range.least ? codes : 0;
  return r - (r > range.most ? codes : 0);
}

Expected quantized(const Bytes& w, const FloatType& type, const Format& format,
                   const sc_quantize_options& options, const std::vector<bool>* kept = nullptr) {
  const bool symmetric =
      format.fmt.is_signed != 0 && options.overflow == SC_OVERFLOW_SATURATE_SYMMETRIC;
  Expected expected;
  expected.refuses_options = options.overflow == SC_OVERFLOW_WRAP && !format.uses_all_integers();
  expected.q.resize(format.groups.n);
  for (std::size_t i = 0; i < format.groups.n; ++i) {
    double value = value_of(bits_at(w, i, type.bytes), type);
    const bool is_pruned = kept != nullptr && !(*kept)[i];
    if (std::isnan(value) || (std::isinf(value) && options.overflow == SC_OVERFLOW_WRAP)) {
      expected.refuses_nan = expected.refuses_nan ||
                             (options.nan == SC_NAN_RAISE && (std::isnan(value) || !is_pruned));
      value = 0;
    }
    value = is_pruned ? 0 : value;
    const long double scaled = format.scaled(value, i);
    const long double integer = std::isinf(scaled) ? scaled
                                                   : rounded(scaled, options.rounding, options.seed,
                                                             options.index_offset + i);
    const Range range = format.range(i);
    const long double least = symmetric ? std::max(range.least, -range.most) : range.least;
    long double r = integer + static_cast<long double>(format.zero(i));
    if (r < least || r > range.most) {
      switch (options.overflow) {
        case SC_OVERFLOW_SATURATE:
        case SC_OVERFLOW_SATURATE_SYMMETRIC:
          r = std::clamp(r, least, range.most);
          break;
        case SC_OVERFLOW_WRAP:
          r = wrapped(integer, format.zero(i), range);
          break;
        case SC_OVERFLOW_RAISE:
          expected.refuses_overflow = true;
          [[fallthrough]];
        case SC_OVERFLOW_SATURATE_ZERO:
          r = static_cast<long double>(format.zero(i));
      }
    }
    expected.q[i] = static_cast<std::int64_t>(r);
  }
  return expected;
}

std::uint64_t dequantized(std::int64_t q, std::size_t i, const Format& format,
                          const FloatType& type) {
  return !format.is_affine() && q == 0 ? 0 : narrowed(format.value(q, i), type);
}

// ---- Calls -----------------------------------------------------------------------------------

// takes_any_scale: the call dequantizes.
Format draw_format(Draw& draw, const FloatType& type, bool takes_any_scale = false) {
  const Groups groups = draw_groups(draw);
  return draw.coin() ? draw_affine(draw, groups, type.bytes == 8, takes_any_scale)
                     : draw_fixed_point(draw, groups);
}

// Elements to quantize. Half of the arrays consist of multiples of half a step, where modes of
// rounding differ, many of them near the ends of the range.
Bytes draw_elements(Draw& draw, const FloatType& type, const Format& format) {
  Bytes w = draw.floats(type, format.groups.n);
  if (draw.coin()) {
    return w;
  }
  const Range range = format.range();
  std::uint64_t state = draw.any<std::uint32_t>();
  for (std::size_t i = 0; i < format.groups.n; ++i) {
    state = mixed(state + i);
    const long double near[] = {range.least, range.most, static_cast<long double>(format.zero(i)),
                                static_cast<long double>(state >> 32)};
    const long double q = near[state % 4] + static_cast<long double>(state >> 8 & 15) / 2 - 4 -
                          static_cast<long double>(format.zero(i));
    const long double value = format.is_affine()
                                  ? q * static_cast<long double>(format.scale(i))
                                  : std::ldexp(q, -format.frac_bits[format.groups.index(i)]);
    const std::uint64_t bits = narrowed(value, type);
    if ((bits & (type.sign() - 1)) < type.infinity()) {
      set_bits(w, i, type.bytes, bits);
    }
  }
  return w;
}

sc_quantize_options draw_options(Draw& draw) {
  const std::uint64_t offset =
      draw.once_in(3) ? draw.one_of<std::uint64_t>(
                            {0xffffff00, 0x1fffffff5, UINT64_MAX - 100, draw.any<std::uint64_t>()})
                      : 0;
  const bool is_default = draw.once_in(3);  // the fast paths
  return {static_cast<sc_rounding>(is_default ? 0 : draw.in<int>(0, SC_ROUNDING_STOCHASTIC)),
          static_cast<sc_overflow>(is_default ? 0 : draw.in<int>(0, 4)),
          draw.coin() ? SC_NAN_ZERO : SC_NAN_RAISE, draw.any<std::uint64_t>(), offset};
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

void fuzz_quantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Format format = draw_format(draw, type);
  const sc_format fmt = format.argument();
  const std::size_t n = format.groups.n;
  const Bytes w = draw_elements(draw, type, format);
  const sc_quantize_options options = draw_options(draw);
  const sc_quantize_options* const how = draw.once_in(8) ? nullptr : &options;
  const sc_quantize_options effective = how == nullptr ? sc_quantize_options{} : options;
  const Codes codes = draw_codes(draw, fmt.bits, fmt.is_signed != 0);
  const Expected expected = quantized(w, type, format, effective);
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
    require_same(bits_at(fake.out, i, type.bytes), dequantized(expected.q[i], i, format, type), i,
                 "fake_quantize is quantize and dequantize");
  }
}

void fuzz_prune_quantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Format format = draw_format(draw, type);
  const sc_format fmt = format.argument();
  const std::size_t n = format.groups.n;
  const Bytes w = draw_elements(draw, type, format);
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
  const Expected expected = quantized(w, type, format, options, &kept);
  const std::size_t offset = draw.offset(codes.bytes_each());
  const Outcome outcome =
      on_every_isa(draw, codes.bytes(n), offset, nullptr, [&](const void*, void* out) {
    return sc_prune_quantize(w.data(), type.dtype, n, k, &fmt, &options, out, codes.dtype);
  });
  check_codes(outcome, codes, expected, "prune_quantize is prune and quantize");
}

void fuzz_dequantize(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Format format = draw_format(draw, type, true);
  const sc_format fmt = format.argument();
  const std::size_t n = format.groups.n;
  const Codes codes = draw_codes(draw, fmt.bits, fmt.is_signed != 0);
  const Bytes q = draw.bytes(codes.bytes(n), draw.offset(codes.bytes_each()));
  const bool sign_extend = draw.coin();
  const Outcome outcome = on_every_isa(draw, n * type.bytes, draw.offset(type.bytes), nullptr,
                                       [&](const void*, void* out) {
    return sc_dequantize(q.data(), codes.dtype, n, &fmt, sign_extend ? 1 : 0, out, type.dtype);
  });
  bool has_wider = false;
  for (std::size_t i = 0; i < n; ++i) {
    has_wider = has_wider || codes.get(q, i) != codes.lowest_bits(q, i);
  }
  require(outcome.status == (has_wider && !sign_extend ? SC_ERROR_ARGUMENT : SC_OK),
          "integers that the format cannot hold are refused");
  for (std::size_t i = 0; outcome.status == SC_OK && i < n; ++i) {
    require_same(bits_at(outcome.out, i, type.bytes),
                 dequantized(codes.lowest_bits(q, i), i, format, type), i,
                 "dequantized as by long double");
  }
}

// ---- Refusals --------------------------------------------------------------------------------

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const bool is_wide = type.bytes == 8;
  const Bytes w(n * type.bytes + type.bytes);
  const void* from = w.data();
  const auto any = draw.in<std::size_t>(0, n - 1);
  std::vector<std::int32_t> frac_bits(n, 0);
  std::vector<std::int32_t> zero_points(n, 3);
  std::vector<double> wide_scales(n, 1.0);
  std::vector<float> scales(n, 1.0f);
  sc_layout layout{n, 1, 1, 1, 0};
  const bool is_affine = draw.coin();
  sc_format fmt{is_affine ? SC_FORMAT_KIND_AFFINE : SC_FORMAT_KIND_FIXED_POINT,
                8,
                1,
                &layout,
                nullptr,
                nullptr,
                nullptr,
                -5,
                5,
                nullptr};
  if (is_affine) {
    fmt.scale = is_wide ? static_cast<const void*>(wide_scales.data())
                        : static_cast<const void*>(scales.data());
    fmt.zero_point = zero_points.data();
  } else {
    fmt.frac_bits = frac_bits.data();
  }
  sc_quantize_options options{};
  sc_dtype q_dtype = SC_DTYPE_INT8;
  const char* what = "";
  switch (draw.in<int>(0, 10)) {
    case 0:
      what = "a misaligned input is refused";
      from = w.data() + draw.in<std::size_t>(1, type.bytes - 1);
      break;
    case 1:
      what = "another number of bits is refused";
      fmt.bits = draw.one_of({0, 33, -1, INT32_MAX, INT32_MIN});
      break;
    case 2:
      what = "another sign is refused";
      fmt.is_signed = draw.one_of({2, -1, INT32_MIN});
      break;
    case 3:
      what = "a parameter out of range is refused";
      frac_bits[any] = draw.one_of({257, -257, INT32_MAX, INT32_MIN});
      wide_scales[any] = draw.one_of({0.0, -1.0, std::numeric_limits<double>::denorm_min(),
                                      std::numeric_limits<double>::infinity(),
                                      std::numeric_limits<double>::quiet_NaN()});
      scales[any] = static_cast<float>(wide_scales[any]);
      break;
    case 4:
      what = "a zero point out of range is refused";
      zero_points[any] = draw.one_of({6, -6, INT32_MAX, INT32_MIN});
      frac_bits[any] = 1000;
      break;
    case 5:
      what = "missing parameters are refused";
      fmt.frac_bits = nullptr;
      fmt.scale = nullptr;
      break;
    case 6:
      what = "another layout is refused";
      if (draw.coin()) {
        layout.shared = draw.one_of({2, -1, INT32_MIN});
      } else {
        layout.length = draw.one_of<std::size_t>({0, n + 1, SIZE_MAX, n});
        layout.inner = layout.length == n ? draw.one_of<std::size_t>({0, n + 1, SIZE_MAX})
                                          : draw.one_of<std::size_t>({1, SIZE_MAX, n + 1});
      }
      break;
    case 7:
      what = "another kind is refused";
      fmt.kind = static_cast<sc_format_kind>(draw.one_of<int>({0, 3, -1, 99}));
      break;
    case 8:
      what = "a range out of range is refused";
      if (draw.coin()) {
        fmt.qmin = draw.one_of<std::int64_t>({-129, 127, 128, INT64_MIN, INT64_MAX});
      } else {
        fmt.qmax = draw.one_of<std::int64_t>({128, -5, 2, INT64_MIN, INT64_MAX});
      }
      frac_bits[any] = 1000;
      break;
    case 9:
      what = "another option is refused";
      switch (draw.in<int>(0, 2)) {
        case 0:
          options.rounding =
              static_cast<sc_rounding>(draw.one_of({-1, SC_ROUNDING_STOCHASTIC + 1, 99}));
          break;
        case 1:
          options.overflow = static_cast<sc_overflow>(draw.one_of({-1, 5, 99}));
          break;
        default:
          options.nan = static_cast<sc_nan>(draw.one_of({1, 2, 4, 99}));
      }
      break;
    default:
      what = "a wrong dtype of integers is refused";
      q_dtype = static_cast<sc_dtype>(draw.one_of<int>(
          {0, SC_DTYPE_FLOAT32, SC_DTYPE_UINT8, SC_DTYPE_INT16, SC_DTYPE_INT32, 34, 99, -1}));
  }
  const bool has_codes = q_dtype != SC_DTYPE_INT8 || draw.coin();
  Bytes out(n * 8, 8);
  const Bytes before = out;
  const sc_status status =
      !has_codes ? sc_fake_quantize(from, type.dtype, n, &fmt, &options, out.data())
      : draw.coin()
          ? sc_quantize(from, type.dtype, n, &fmt, &options, out.data(), q_dtype)
          : sc_prune_quantize(from, type.dtype, n, n / 2, &fmt, &options, out.data(), q_dtype);
  require(is_refusal(status), what);
  require(out == before, "nothing is written when an argument is refused");
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
  const sc_layout layout{n, 1, 1, 0, 0};
  sc_format fmt{is_affine ? SC_FORMAT_KIND_AFFINE : SC_FORMAT_KIND_FIXED_POINT,
                8,
                1,
                &layout,
                nullptr,
                nullptr,
                nullptr,
                0,
                0,
                nullptr};
  if (is_affine) {
    fmt.scale = parameters.data;
  } else {
    fmt.frac_bits = reinterpret_cast<const std::int32_t*>(parameters.data);
  }
  const bool over_input = codes.overlaps(floats);
  switch (draw.in<int>(0, 3)) {
    case 0:
      arena.check(sc_quantize(floats.data, type.dtype, n, &fmt, nullptr, codes.data, SC_DTYPE_INT8),
                  over_input || codes.overlaps(parameters));
      break;
    case 1:
      arena.check(sc_dequantize(codes.data, SC_DTYPE_INT8, n, &fmt, 0, floats.data, type.dtype),
                  over_input || floats.overlaps(parameters));
      break;
    case 2:
      arena.check(sc_fake_quantize(floats.data, type.dtype, n, &fmt, nullptr, out.data),
                  (out.overlaps(floats) && out.data != floats.data) || out.overlaps(parameters));
      break;
    default:
      arena.check(sc_prune_quantize(floats.data, type.dtype, n, n / 2, &fmt, nullptr, codes.data,
                                    SC_DTYPE_INT8),
                  over_input || codes.overlaps(parameters));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 4)) {
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
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
