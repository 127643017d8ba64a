// Compares the sums of errors and the ranges of groups with sums in long double.
#include "formats.hpp"

namespace {

using namespace fuzz;

// Whether a sum of n terms is within the rounding error of the exact sum. `size` is the sum of the
// magnitudes of the terms.
bool is_near(double sum, long double exact, long double size, std::size_t n) {
  if (std::isnan(exact) || std::isinf(exact) || size > std::numeric_limits<double>::max() / 4) {
    return true;  // partial sums may overflow in double, but not in long double
  }
  const long double most =
      (static_cast<long double>(n) + 4) * std::numeric_limits<double>::epsilon() * size +
      static_cast<long double>(n) * std::numeric_limits<double>::min();
  return std::abs(static_cast<long double>(sum) - exact) <= most;
}

void fuzz_ranges(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Groups groups = draw_groups(draw);
  const Bytes w = draw.floats(type, groups.n);
  std::vector<double> expected(2 * groups.count, 0.0);
  bool is_finite = true;
  for (std::size_t i = 0; i < groups.n; ++i) {
    const double x = value_of(bits_at(w, i, type.bytes), type);
    is_finite = is_finite && std::isfinite(x);
    double& lowest = expected[groups.index(i)];
    double& highest = expected[groups.count + groups.index(i)];
    lowest = x < lowest ? x : lowest;
    highest = x > highest ? x : highest;
  }
  const Outcome outcome =
      on_every_isa(draw, 2 * groups.count * sizeof(double), draw.offset(sizeof(double)), nullptr,
                   [&](const void*, void* out) {
    auto* const lowest = static_cast<double*>(out);
    return sc_find_ranges(w.data(), type.dtype, groups.n, groups.argument(), lowest,
                          lowest + groups.count);
  });
  require(outcome.status == (is_finite ? SC_OK : SC_ERROR_NAN), "only finite elements are taken");
  for (std::size_t i = 0; is_finite && i < expected.size(); ++i) {
    require(outcome.out.get<std::uint64_t>(i) == std::bit_cast<std::uint64_t>(expected[i]),
            "the lowest and the highest");
  }
}

struct Sums {
  long double error = 0, w = 0, w_hat = 0, products = 0, product_sizes = 0;
  double largest = 0;
  std::uint64_t saturated = 0;
  std::size_t n = 0;
};

// A format with the same groups, or with one group for all.
Format draw_format(Draw& draw, const FloatType& type, Groups groups) {
  if (draw.coin()) {
    groups = Groups{.n = groups.n};
  }
  return draw.coin() ? draw_affine(draw, groups, type.bytes == 8, false)
                     : draw_fixed_point(draw, groups);
}

void fuzz_compare(Draw& draw) {
  const FloatType& type = draw.float_type();
  const FloatType& hat_type = draw.coin() ? type : draw.float_type();
  const Groups groups = draw_groups(draw);
  const Bytes w = draw.floats(type, groups.n);
  const Bytes w_hat =
      draw.coin() && hat_type.dtype == type.dtype ? w : draw.floats(hat_type, groups.n);
  const bool has_fmt = draw.coin();
  const Format format = draw_format(draw, type, groups);
  const sc_format fmt = format.argument();
  const Range range = format.range();
  std::vector<Sums> expected(groups.count);
  bool is_finite = true;
  for (std::size_t i = 0; i < groups.n; ++i) {
    const std::size_t group = groups.index(i);
    Sums& sums = expected[group];
    const double x = value_of(bits_at(w, i, type.bytes), type);
    const double y = value_of(bits_at(w_hat, i, hat_type.bytes), hat_type);
    is_finite = is_finite && std::isfinite(x) && std::isfinite(y);
    const double e = x - y;
    sums.error += static_cast<long double>(e) * e;
    sums.w += static_cast<long double>(x) * x;
    sums.w_hat += static_cast<long double>(y) * y;
    sums.products += static_cast<long double>(x) * y;
    sums.product_sizes += std::abs(static_cast<long double>(x) * y);
    sums.largest = std::abs(e) > sums.largest ? std::abs(e) : sums.largest;
    const long double q =
        std::nearbyint(format.scaled(x, i)) + static_cast<long double>(format.zero(i));
    sums.saturated += has_fmt && (q < range.least || q > range.most) ? 1 : 0;
    ++sums.n;
  }
  const Outcome outcome = on_every_isa(draw, groups.count * sizeof(sc_error_sums), draw.offset(8),
                                       nullptr, [&](const void*, void* out) {
    return sc_compare(w.data(), type.dtype, w_hat.data(), hat_type.dtype, groups.n,
                      groups.argument(), has_fmt ? &fmt : nullptr,
                      static_cast<sc_error_sums*>(out));
  });
  require(outcome.status == SC_OK, "arrays are compared");
  for (std::size_t i = 0; i < groups.count; ++i) {
    const auto sums = outcome.out.get<sc_error_sums>(i);
    const Sums& exact = expected[i];
    require(sums.saturated == exact.saturated, "elements out of range are counted");
    require(sums.max_error == exact.largest, "the largest error");
    if (is_finite) {
      require(is_near(sums.squared_error, exact.error, exact.error, exact.n), "squared errors");
      require(is_near(sums.squared_w, exact.w, exact.w, exact.n), "squares of w");
      require(is_near(sums.squared_w_hat, exact.w_hat, exact.w_hat, exact.n), "squares of w_hat");
      require(is_near(sums.products, exact.products, exact.product_sizes, exact.n), "products");
    }
  }
}

void fuzz_rounding_errors(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Groups groups = draw_groups(draw);
  Bytes w = draw.floats(type, groups.n);
  for (std::size_t i = 0; i < groups.n; ++i) {  // the function requires finite elements
    const std::uint64_t bits = bits_at(w, i, type.bytes);
    if ((bits & (type.sign() - 1)) >= type.infinity()) {
      set_bits(w, i, type.bytes, bits ^ type.infinity());
    }
  }
  const bool is_wild = draw.once_in(4);
  std::vector<sc_grid> grids(groups.count);
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (i >= 16) {
      grids[i] = grids[i - 16];
    } else {
      const int exponent = is_wild ? draw.in<int>(-300, 300) : draw.in<int>(-8, 8);
      grids[i] = {draw.once_in(8) ? 0.0 : std::ldexp(draw.in<int>(4, 7), exponent),
                  -draw.in<int>(0, 300) * 1.0, draw.in<int>(0, 300) * 1.0};
    }
  }
  const double ratio = 1 + draw.in<int>(0, 16) / 16.0;
  const Outcome outcome = on_every_isa(draw, groups.count * sizeof(sc_rounding_sums),
                                       draw.offset(8), nullptr, [&](const void*, void* out) {
    return sc_sum_rounding_errors(w.data(), type.dtype, groups.n, groups.argument(), grids.data(),
                                  ratio, static_cast<sc_rounding_sums*>(out));
  });
  require(outcome.status == SC_OK, "rounding errors are summed up");
  for (std::size_t i = 0; i < groups.count; ++i) {
    const auto sums = outcome.out.get<sc_rounding_sums>(i);
    const bool is_skipped = grids[i].multiplier == 0;
    require(!is_skipped || (sums.coarser == 0 && sums.error == 0 && sums.finer == 0),
            "a multiplier of 0 adds nothing");
    require(!(sums.coarser < 0 || sums.error < 0 || sums.finer < 0), "sums of squares");
  }
}

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const Bytes w = draw.floats(type, n);
  const void* from = w.data();
  sc_dtype dtype = type.dtype;
  sc_layout layout{1, n, 0, 0, 0};
  sc_grid grid{1, -1, 1};
  double ratio = 1;
  Bytes memory(sizeof(sc_error_sums), 8);
  const Bytes before = memory;
  unsigned char* out = memory.data();
  std::int32_t frac_bits = 0;
  const sc_format fmt{
      SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &frac_bits, nullptr, nullptr, 0, 0};
  const char* what = "";
  switch (draw.in<int>(0, 4)) {
    case 0:
      what = "a null pointer or a misaligned one is refused";
      from = draw.coin() ? nullptr : w.data() + 1;
      break;
    case 1:
      what = "another dtype is refused";
      dtype = static_cast<sc_dtype>(draw.one_of<int>({0, SC_DTYPE_INT8, 99, -1}));
      break;
    case 2:
      what = "a layout of another size is refused";
      layout = {draw.one_of<std::size_t>({0, n + 1, SIZE_MAX}),
                draw.one_of<std::size_t>({1, 2, SIZE_MAX, SIZE_MAX / 2 + 1}),
                draw.one_of<std::size_t>({0, 1, SIZE_MAX}),
                draw.one_of<std::size_t>({0, 1, SIZE_MAX}), draw.one_of<std::int32_t>({0, 1, 2})};
      break;
    case 3:
      what = "a misaligned result is refused";
      out += draw.in<std::size_t>(1, 7);
      break;
    default:
      what = "a number out of range is refused";
      ratio = draw.one_of({0.99, 2.01, std::numeric_limits<double>::quiet_NaN()});
      grid.multiplier = draw.coin() ? -1 : std::numeric_limits<double>::quiet_NaN();
      frac_bits = draw.one_of({257, -257, INT32_MAX, INT32_MIN});
  }
  const sc_status status = draw.coin()
                               ? sc_sum_rounding_errors(from, dtype, n, &layout, &grid, ratio,
                                                        reinterpret_cast<sc_rounding_sums*>(out))
                               : sc_compare(from, dtype, from, dtype, n, &layout, &fmt,
                                            reinterpret_cast<sc_error_sums*>(out));
  require(is_refusal(status), what);
  require(memory == before, "nothing is written when an argument is refused");
}

// Outputs that overlap inputs and parameters.
void fuzz_overlaps(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 40);
  OverlapArena arena(draw, 8192, 0);
  const OverlapArena::Region w = arena.take(n * type.bytes);
  const OverlapArena::Region w_hat = arena.take(n * type.bytes);
  const sc_layout layout{n, 1, 1, 0, 1};
  switch (draw.in<int>(0, 2)) {
    case 0: {
      const OverlapArena::Region lowest = arena.take(n * sizeof(double));
      const OverlapArena::Region highest = arena.take(n * sizeof(double));
      arena.check(
          sc_find_ranges(w.data, type.dtype, n, &layout, reinterpret_cast<double*>(lowest.data),
                         reinterpret_cast<double*>(highest.data)),
          lowest.overlaps(w) || highest.overlaps(w) || lowest.overlaps(highest));
      break;
    }
    case 1: {
      const OverlapArena::Region frac_bits = arena.take(n * sizeof(std::int32_t));
      const sc_layout layout{n, 1, 1, 0, 1};
      const sc_format fmt{SC_FORMAT_KIND_FIXED_POINT,
                          8,
                          1,
                          &layout,
                          reinterpret_cast<const std::int32_t*>(frac_bits.data),
                          nullptr,
                          nullptr,
                          0,
                          0};
      const OverlapArena::Region sums = arena.take(n * sizeof(sc_error_sums));
      arena.check(sc_compare(w.data, type.dtype, w_hat.data, type.dtype, n, &layout, &fmt,
                             reinterpret_cast<sc_error_sums*>(sums.data)),
                  sums.overlaps(w) || sums.overlaps(w_hat) || sums.overlaps(frac_bits));
      break;
    }
    default: {
      const OverlapArena::Region grids = arena.take(n * sizeof(sc_grid));
      const OverlapArena::Region sums = arena.take(n * sizeof(sc_rounding_sums));
      arena.check(sc_sum_rounding_errors(w.data, type.dtype, n, &layout,
                                         reinterpret_cast<const sc_grid*>(grids.data), 1.5,
                                         reinterpret_cast<sc_rounding_sums*>(sums.data)),
                  sums.overlaps(w) || sums.overlaps(grids));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 4)) {
    case 0:
      fuzz_ranges(draw);
      break;
    case 1:
      fuzz_compare(draw);
      break;
    case 2:
      fuzz_rounding_errors(draw);
      break;
    case 3:
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
