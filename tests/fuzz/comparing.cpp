// Compares the sums of errors of groups with sums in long double, and the formats chosen for groups
// with those that satisfy the definition of each method.
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

sc_rounding draw_rounding(Draw& draw) {
  return draw.coin() ? SC_ROUNDING_NEAREST_EVEN
                     : static_cast<sc_rounding>(draw.in<int>(0, SC_ROUNDING_AWAY));
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
  const sc_rounding rounding = draw_rounding(draw);
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
    const Range range = format.range(i);
    const long double q =
        rounded(format.scaled(x, i), rounding, 0, 0) + static_cast<long double>(format.zero(i));
    sums.saturated += has_fmt && (q < range.least || q > range.most) ? 1 : 0;
    ++sums.n;
  }
  const Outcome outcome = on_every_isa(draw, groups.count * sizeof(sc_error_sums), draw.offset(8),
                                       nullptr, [&](const void*, void* out) {
    return sc_compare(w.data(), type.dtype, w_hat.data(), hat_type.dtype, groups.n,
                      groups.argument(), has_fmt ? &fmt : nullptr, rounding,
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

// ---- Choosing formats ------------------------------------------------------------------------

// An array and the arguments of a choice.
struct Task {
  FloatType type;
  Groups groups;
  Bytes w;
  int bits;
  bool is_signed;
  sc_choice_method method;
  double percentile;
  sc_rounding rounding;
  bool is_finite = true;
  std::vector<std::vector<double>> elements{};  // of each group

  [[nodiscard]] Range range() const { return range_of(bits, is_signed); }
  // The scales are double.
  [[nodiscard]] bool is_wide() const { return type.bytes == 8; }
};

Task draw_task(Draw& draw, int most_bits) {
  const FloatType& type = draw.float_type();
  const Groups groups = draw_groups(draw);
  Task task{.type = type,
            .groups = groups,
            .w = draw.floats(type, groups.n),
            .bits = draw.coin() ? draw.in<int>(2, 8) : draw.in<int>(2, most_bits),
            .is_signed = draw.coin(),
            .method = draw.one_of(
                {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE, SC_CHOICE_METHOD_MSE}),
            .percentile =
                draw.coin() ? draw.one_of({0.0, 50.0, 99.99, 100.0}) : draw.in<int>(0, 1000) / 10.0,
            .rounding = draw_rounding(draw)};
  if (!task.is_signed && !draw.once_in(4)) {  // few arrays with negative elements are accepted
    for (std::size_t i = 0; i < groups.n; ++i) {
      set_bits(task.w, i, type.bytes, bits_at(task.w, i, type.bytes) & (type.sign() - 1));
    }
  }
  task.elements.resize(groups.count);
  for (std::size_t i = 0; i < groups.n; ++i) {
    const double x = value_of(bits_at(task.w, i, type.bytes), type);
    task.is_finite = task.is_finite && std::isfinite(x);
    task.elements[groups.index(i)].push_back(x);
  }
  return task;
}

// The range of some elements and 0.
struct Extremes {
  double lowest = 0, highest = 0;

  [[nodiscard]] bool are_zeros() const { return lowest == 0 && highest == 0; }
};

Extremes extremes_of(const std::vector<double>& elements) {
  Extremes extremes;
  for (const double x : elements) {
    extremes.lowest = x < extremes.lowest ? x : extremes.lowest;
    extremes.highest = x > extremes.highest ? x : extremes.highest;
  }
  return extremes;
}

// The extremes of the elements after they are clipped to the percentile of their magnitudes.
Extremes clipped_extremes_of(const std::vector<double>& elements, double percentile) {
  if (elements.empty()) {
    return {};
  }
  std::vector<double> magnitudes;
  for (const double x : elements) {
    magnitudes.push_back(std::abs(x));
  }
  std::sort(magnitudes.begin(), magnitudes.end());
  const double rank =
      std::max(1.0, std::ceil(static_cast<double>(elements.size()) * percentile / 100));
  const double most = magnitudes[static_cast<std::size_t>(rank) - 1];
  const Extremes extremes = extremes_of(elements);
  return {std::max(extremes.lowest, -most), std::min(extremes.highest, most)};
}

// The rounding is exact: long double has the exponents for any double times any step.
long double rounded_at(double x, int frac_bits, sc_rounding rounding) {
  return rounded(std::ldexp(static_cast<long double>(x), frac_bits), rounding, 0, 0);
}

// The largest frac_bits with which no element saturates. Negative elements of unsigned formats do
// not count; is_too_low() decides whether they are refused.
int largest_frac_bits(const Extremes& extremes, const Range& range, sc_rounding rounding) {
  const double lowest = range.least == 0 ? 0 : extremes.lowest;
  if (lowest == 0 && extremes.highest == 0) {
    return static_cast<int>(std::log2(range.most + 1));  // bits - is_signed
  }
  int low = -256;
  int high = 256;
  while (low < high) {
    const int middle = low + (high - low + 1) / 2;
    const bool saturates = rounded_at(lowest, middle, rounding) < range.least ||
                           rounded_at(extremes.highest, middle, rounding) > range.most;
    saturates ? high = middle - 1 : low = middle;
  }
  return low;
}

// Whether an unsigned format rounds a negative element to less than 0.
bool is_too_low(const Extremes& extremes, const Range& range, int frac_bits, sc_rounding rounding) {
  return range.least == 0 && rounded_at(extremes.lowest, frac_bits, rounding) < 0;
}

// A sum of squared errors, and bounds of the one that the library computes.
struct SquaredErrors {
  long double exact, low, high;
};

// The errors of a step, in units of `first` squared. The library computes them in float for
// elements of at most 32 bits. If the step is not a power of two, the quotient of an element and
// the step is rounded twice. The distance to the nearest integer of a range changes by no more than
// the quotient, so the rounding error of the quotient bounds the error of the distance.
SquaredErrors squared_errors(const std::vector<double>& elements, long double step,
                             long double first, const Range& range, bool is_power_of_two,
                             const Task& task) {
  const bool is_wide = task.is_wide();
  const long double precision = is_wide ? 0x1p-50L : 0x1p-21L;
  const long double least = is_wide ? 0x1p-1060L : 0x1p-270L;  // squares below it may underflow
  const auto n = static_cast<long double>(elements.size());
  const long double ratio = step / first;
  long double sum = 0;
  long double deviation = n * (least + 0x1p-1060L / (ratio * ratio));
  for (const double x : elements) {
    const long double y = x / step;
    const long double e = y - rounded(std::clamp(y, range.least, range.most), task.rounding, 0, 0);
    const long double of_y = is_power_of_two ? 0 : precision * std::abs(y);
    sum += e * e;
    deviation += 2 * std::abs(e) * of_y + of_y * of_y;
  }
  deviation += sum * (precision + n * 0x1p-50L);
  const long double square = ratio * ratio;
  return {sum * square, (sum - deviation) * square, (sum + deviation) * square};
}

void require_least_error_frac_bits(const Task& task, const std::vector<double>& elements,
                                   int largest, int chosen) {
  require(chosen >= largest && chosen <= 256, "frac_bits of the least error are in their range");
  const Extremes extremes = extremes_of(elements);
  if (extremes.are_zeros() || (!task.is_signed && extremes.highest <= 0)) {
    require(chosen == largest, "frac_bits of a group of zeros");
    return;
  }
  const long double first = std::ldexp(1.0L, -largest);
  const auto errors = [&](int frac_bits) {
    return squared_errors(elements, std::ldexp(1.0L, -frac_bits), first, task.range(), true, task);
  };
  const long double error = errors(chosen).low;
  for (const int other : {largest, std::max(chosen - 1, largest), std::min(chosen + 1, 256)}) {
    const SquaredErrors of_other = errors(other);
    require(error <= of_other.high, "other frac_bits have no smaller error");
    require(other <= chosen || of_other.exact > 0, "of frac_bits without errors, the largest");
  }
}

void fuzz_choose_format(Draw& draw) {
  const Task task = draw_task(draw, 32);
  const Groups& groups = task.groups;
  const Range range = task.range();
  std::vector<int> expected(groups.count);
  bool is_refused = false;
  for (std::size_t i = 0; task.is_finite && i < groups.count; ++i) {
    const Extremes extremes = extremes_of(task.elements[i]);
    expected[i] = largest_frac_bits(extremes, range, task.rounding);
    is_refused = is_refused || is_too_low(extremes, range, expected[i], task.rounding);
    if (task.method == SC_CHOICE_METHOD_PERCENTILE) {
      expected[i] = largest_frac_bits(clipped_extremes_of(task.elements[i], task.percentile), range,
                                      task.rounding);
    }
  }
  const Outcome outcome =
      on_every_isa(draw, groups.count * sizeof(std::int32_t), draw.offset(sizeof(std::int32_t)),
                   nullptr, [&](const void*, void* out) {
    return sc_choose_format(task.w.data(), task.type.dtype, groups.n, groups.argument(), task.bits,
                            task.is_signed ? 1 : 0, task.method, task.percentile, task.rounding,
                            static_cast<std::int32_t*>(out), nullptr, SC_DTYPE_INT8);
  });
  require(outcome.status == (!task.is_finite ? SC_ERROR_NAN
                             : is_refused    ? SC_ERROR_ARGUMENT
                                             : SC_OK),
          "elements must be finite, and those of unsigned formats at least 0");
  for (std::size_t i = 0; outcome.status == SC_OK && i < groups.count; ++i) {
    const auto chosen = outcome.out.get<std::int32_t>(i);
    if (task.method == SC_CHOICE_METHOD_MSE) {
      require_least_error_frac_bits(task, task.elements[i], expected[i], chosen);
    } else {
      require(chosen == expected[i], "the largest frac_bits with which no element saturates");
    }
  }
}

template <class T>
struct Parameters {
  T scale;
  std::int32_t zero_point;
};

// The scale and the zero point with which the integers of a range represent the extremes.
template <class T>
Parameters<T> parameters_of(const Extremes& extremes, const Range& range, bool is_symmetric,
                            sc_rounding rounding) {
  const auto& [lowest, highest] = extremes;
  const auto least = static_cast<double>(range.least);
  const auto most = static_cast<double>(range.most);
  const double middle = least < 0 ? 0 : (most + 1) / 2;
  if (extremes.are_zeros()) {
    return {1, is_symmetric ? static_cast<std::int32_t>(middle) : 0};
  }
  const bool loses_step = rounding == SC_ROUNDING_AWAY && lowest < 0 && highest > 0;
  const double steps = most - least - (loses_step ? 1 : 0);
  const double exact = is_symmetric ? std::max(-lowest, highest) / (most - middle)
                                    : highest / steps - lowest / steps;
  const sc_rounding of_zero_point = rounding == SC_ROUNDING_FLOOR || rounding == SC_ROUNDING_AWAY
                                        ? SC_ROUNDING_CEIL
                                    : rounding == SC_ROUNDING_CEIL ? SC_ROUNDING_FLOOR
                                                                   : SC_ROUNDING_NEAREST_EVEN;
  T scale = std::max(static_cast<T>(exact), std::numeric_limits<T>::min());
  for (;; scale = std::nextafter(scale, std::numeric_limits<T>::infinity())) {
    const double below = -lowest / static_cast<double>(scale);
    // Directed modes round before the sum, in which a tiny number would be lost.
    const long double exact_zero_point = of_zero_point == SC_ROUNDING_NEAREST_EVEN
                                             ? rounded(least + below, of_zero_point, 0, 0)
                                             : least + rounded(below, of_zero_point, 0, 0);
    const long double zero_point =
        is_symmetric ? middle : std::clamp<long double>(exact_zero_point, least, most);
    const auto code = [&](double x) {
      return zero_point + rounded(static_cast<T>(x) / scale, rounding, 0, 0);
    };
    if (code(lowest) >= range.least && code(highest) <= range.most) {
      return {scale, static_cast<std::int32_t>(zero_point)};
    }
  }
}

// `of_max` are the parameters with which no element saturates.
template <class T>
void require_least_error_scale(const Task& task, const std::vector<double>& elements,
                               const Parameters<T>& of_max, T chosen) {
  if (extremes_of(elements).are_zeros()) {
    require(chosen == 1, "the scale of a group of zeros");
    return;
  }
  require(chosen <= of_max.scale && chosen >= std::numeric_limits<T>::min() &&
              chosen >= of_max.scale / 65536 * (1 - 2 * std::numeric_limits<T>::epsilon()),
          "the scale is that of max, or smaller by at most 2^16");
  const auto first = static_cast<long double>(of_max.scale);
  const Range whole = task.range();
  const Range range{whole.least - of_max.zero_point, whole.most - of_max.zero_point};
  const auto errors = [&](T step) {
    return squared_errors(elements, static_cast<long double>(step), first, range, false, task);
  };
  // Other modes have errors that jump at integers, so that the bounds do not hold.
  if (task.rounding <= SC_ROUNDING_NEAREST_DOWN) {
    require(errors(chosen).low <= errors(of_max.scale).high, "the scale of max is no better");
  }
}

template <class T>
void fuzz_choose_affine(Draw& draw, const Task& task) {
  const Groups& groups = task.groups;
  const bool is_symmetric = draw.coin();
  const Outcome outcome =
      on_every_isa(draw, groups.count * (sizeof(T) + sizeof(std::int32_t)), draw.offset(sizeof(T)),
                   nullptr, [&](const void*, void* out) {
    auto* const scale = static_cast<T*>(out);
    return sc_choose_affine(
        task.w.data(), task.type.dtype, groups.n, groups.argument(), task.bits,
        task.is_signed ? 1 : 0, is_symmetric ? 1 : 0, task.method, task.percentile, task.rounding,
        scale, reinterpret_cast<std::int32_t*>(scale + groups.count), nullptr, SC_DTYPE_INT8);
  });
  require(outcome.status == (task.is_finite ? SC_OK : SC_ERROR_NAN),
          "only finite elements are taken");
  for (std::size_t i = 0; task.is_finite && i < groups.count; ++i) {
    const Extremes extremes = task.method == SC_CHOICE_METHOD_PERCENTILE
                                  ? clipped_extremes_of(task.elements[i], task.percentile)
                                  : extremes_of(task.elements[i]);
    const auto expected = parameters_of<T>(extremes, task.range(), is_symmetric, task.rounding);
    const T scale = outcome.out.get<T>(i);
    const auto zero_point =
        outcome.out.get<std::int32_t>(groups.count * sizeof(T) / sizeof(std::int32_t) + i);
    require(zero_point == expected.zero_point, "the zero point");
    if (task.method == SC_CHOICE_METHOD_MSE) {
      require_least_error_scale(task, task.elements[i], expected, scale);
    } else {
      require(scale == expected.scale, "the scale of the range");
    }
  }
}

void fuzz_choose_affine(Draw& draw) {
  const Task task = draw_task(draw, 16);
  task.is_wide() ? fuzz_choose_affine<double>(draw, task) : fuzz_choose_affine<float>(draw, task);
}

// ---- Refusals and overlaps -------------------------------------------------------------------

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  enum { compare, choose_format, choose_affine };
  const auto function = draw.one_of({compare, choose_format, choose_affine});
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const Bytes w = draw.floats(type, n);
  const void* from = w.data();
  sc_dtype dtype = type.dtype;
  sc_layout layout{1, n, 0, 0, 0};
  Bytes memory(sizeof(sc_error_sums) + 8, 8);
  const Bytes before = memory;
  unsigned char* out = memory.data();
  unsigned char* second_out = memory.data() + 16;
  std::int32_t frac_bits = 0;
  std::int32_t bits = 8;
  std::int32_t is_signed = 1;
  std::int32_t is_symmetric = 0;
  auto method =
      draw.one_of({SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE, SC_CHOICE_METHOD_MSE});
  double percentile = 50;
  sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN;
  const char* what = "";
  switch (draw.in<int>(0, 5)) {
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
      (function == choose_affine && draw.coin() ? second_out : out) += draw.in<std::size_t>(1, 3);
      break;
    case 4:
      what = "other roundings are refused";
      rounding = static_cast<sc_rounding>(draw.one_of<int>({-1, SC_ROUNDING_STOCHASTIC, 10}));
      break;
    default:
      what = "a number out of range is refused";
      frac_bits = draw.one_of({257, -257, INT32_MAX, INT32_MIN});
      switch (draw.in<int>(0, function == choose_affine ? 4 : 3)) {
        case 0:
          bits = draw.one_of({1, 0, -1, function == choose_affine ? 17 : 33, INT32_MAX, INT32_MIN});
          break;
        case 1:
          is_signed = draw.one_of({-1, 2, INT32_MAX, INT32_MIN});
          break;
        case 2:
          method = static_cast<sc_choice_method>(draw.one_of({-1, 3, INT32_MAX, INT32_MIN}));
          break;
        case 3:
          method = SC_CHOICE_METHOD_PERCENTILE;
          percentile = draw.one_of({-0.1, 100.1, std::numeric_limits<double>::infinity(),
                                    std::numeric_limits<double>::quiet_NaN()});
          break;
        default:
          is_symmetric = draw.one_of({-1, 2, INT32_MAX, INT32_MIN});
      }
  }
  const sc_format fmt{
      SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &frac_bits, nullptr, nullptr, 0, 0, nullptr};
  const sc_status status =
      function == compare ? sc_compare(from, dtype, from, dtype, n, &layout, &fmt, rounding,
                                       reinterpret_cast<sc_error_sums*>(out))
      : function == choose_format
          ? sc_choose_format(from, dtype, n, &layout, bits, is_signed, method, percentile, rounding,
                             reinterpret_cast<std::int32_t*>(out), nullptr, SC_DTYPE_INT8)
          : sc_choose_affine(from, dtype, n, &layout, bits, is_signed, is_symmetric, method,
                             percentile, rounding, out, reinterpret_cast<std::int32_t*>(second_out),
                             nullptr, SC_DTYPE_INT8);
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
  const auto method =
      draw.one_of({SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE, SC_CHOICE_METHOD_MSE});
  switch (draw.in<int>(0, 2)) {
    case 0: {
      const OverlapArena::Region frac_bits = arena.take(n * sizeof(std::int32_t));
      arena.check(sc_choose_format(
                      w.data, type.dtype, n, &layout, 8, 1, method, 50, SC_ROUNDING_NEAREST_EVEN,
                      reinterpret_cast<std::int32_t*>(frac_bits.data), nullptr, SC_DTYPE_INT8),
                  frac_bits.overlaps(w));
      break;
    }
    case 1: {
      const OverlapArena::Region frac_bits = arena.take(n * sizeof(std::int32_t));
      const sc_format fmt{SC_FORMAT_KIND_FIXED_POINT,
                          8,
                          1,
                          &layout,
                          reinterpret_cast<const std::int32_t*>(frac_bits.data),
                          nullptr,
                          nullptr,
                          0,
                          0,
                          nullptr};
      const OverlapArena::Region sums = arena.take(n * sizeof(sc_error_sums));
      arena.check(sc_compare(w.data, type.dtype, w_hat.data, type.dtype, n, &layout, &fmt,
                             SC_ROUNDING_NEAREST_EVEN, reinterpret_cast<sc_error_sums*>(sums.data)),
                  sums.overlaps(w) || sums.overlaps(w_hat) || sums.overlaps(frac_bits));
      break;
    }
    default: {
      const std::size_t scale_bytes = type.bytes == 8 ? sizeof(double) : sizeof(float);
      const OverlapArena::Region scale = arena.take(n * scale_bytes);
      const OverlapArena::Region zero_point = arena.take(n * sizeof(std::int32_t));
      arena.check(sc_choose_affine(w.data, type.dtype, n, &layout, 8, 1, 0, method, 50,
                                   SC_ROUNDING_NEAREST_EVEN, scale.data,
                                   reinterpret_cast<std::int32_t*>(zero_point.data), nullptr,
                                   SC_DTYPE_INT8),
                  scale.overlaps(w) || zero_point.overlaps(w) || scale.overlaps(zero_point));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 4)) {
    case 0:
      fuzz_choose_format(draw);
      break;
    case 1:
      fuzz_compare(draw);
      break;
    case 2:
      fuzz_choose_affine(draw);
      break;
    case 3:
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
