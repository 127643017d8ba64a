// Compares selection and pruning with a stable sort.
#include <numeric>

#include "fuzz.hpp"

namespace {

using namespace fuzz;

// Keys that order as the elements rank; the largest rank first. NaN is above infinity, or below all
// others.
using Keys = std::vector<std::int64_t>;

std::int64_t key_of(std::uint64_t bits, const FloatType& type, sc_nan nan, bool by_value) {
  const std::uint64_t wide = widened(bits, type, kFloat64);
  const auto magnitude = static_cast<std::int64_t>(wide & (kFloat64.sign() - 1));
  const bool negative = (wide & kFloat64.sign()) != 0;
  if (is_nan(bits, type)) {
    if (nan != SC_NAN_PRUNE) {
      return magnitude;
    }
    // Below all magnitudes, or below the key of minus infinity; a larger payload ranks higher.
    const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    return lowest + magnitude - (by_value ? static_cast<std::int64_t>(kFloat64.infinity()) : 0);
  }
  return by_value && negative ? -magnitude : magnitude;
}

// The magnitudes or scores that rank elements, and the arguments that specify them.
struct Ranking {
  FloatType type;  // of `bits`
  bool by_value = false;
  std::vector<std::uint64_t> bits{};
  Bytes data{};
  sc_scores scores{};
  bool is_given = false;

  [[nodiscard]] const sc_scores* argument() const { return is_given ? &scores : nullptr; }
  [[nodiscard]] bool has_nan() const {
    return std::any_of(bits.begin(), bits.end(), [&](std::uint64_t x) { return is_nan(x, type); });
  }
  [[nodiscard]] Keys keys(sc_nan nan, bool by) const {
    Keys keys(bits.size());
    std::transform(bits.begin(), bits.end(), keys.begin(),
                   [&](std::uint64_t x) { return key_of(x, type, nan, by); });
    return keys;
  }
  [[nodiscard]] Keys keys(sc_nan nan) const { return keys(nan, by_value); }
};

std::uint64_t quiet(std::uint64_t bits, const FloatType& type) {
  return bits | std::uint64_t{1} << (type.fraction_bits - 1);
}

// w times a factor, computed in a type that represents both. If either is NaN, the result is the
// first NaN, made quiet.
std::uint64_t product(std::uint64_t w, const FloatType& type, std::uint64_t factor,
                      const FloatType& factor_type, const FloatType& as) {
  const std::uint64_t a = widened(w, type, as);
  const std::uint64_t b = widened(factor, factor_type, as);
  if (is_nan(a, as) || is_nan(b, as)) {
    return quiet(is_nan(a, as) ? a : b, as);
  }
  if (as.bytes == 8) {
    return std::bit_cast<std::uint64_t>(std::bit_cast<double>(a) * std::bit_cast<double>(b));
  }
  return std::bit_cast<std::uint32_t>(std::bit_cast<float>(static_cast<std::uint32_t>(a)) *
                                      std::bit_cast<float>(static_cast<std::uint32_t>(b)));
}

Ranking draw_ranking(Draw& draw, const Bytes& w, const FloatType& type, std::size_t n) {
  Ranking ranking{type};
  ranking.bits.resize(n);
  const int kind = draw.in<int>(0, 3);
  const FloatType& other = kind < 2 ? type : draw.float_type();
  ranking.is_given = kind >= 2;
  ranking.by_value = kind == 2;
  if (kind < 2) {
    for (std::size_t i = 0; i < n; ++i) {
      ranking.bits[i] = bits_at(w, i, type.bytes);
    }
  } else if (kind == 2) {
    ranking.data = draw.floats(other, n);
    ranking.type = other;
    ranking.scores = {SC_SCORING_VALUES, other.dtype, ranking.data.data(), 0, 0};
    for (std::size_t i = 0; i < n; ++i) {
      ranking.bits[i] = bits_at(ranking.data, i, other.bytes);
    }
  } else {
    const auto period = draw.in<std::size_t>(1, draw.once_in(3) ? n + 3 : 9);
    const auto repeat = draw.in<std::size_t>(1, draw.once_in(3) ? n + 3 : 9);
    ranking.data = draw.floats(other, period);
    ranking.type = type.bytes == 8 || other.bytes == 8 ? kFloat64 : kFloat32;
    ranking.scores = {SC_SCORING_PRODUCTS, other.dtype, ranking.data.data(), period, repeat};
    for (std::size_t i = 0; i < n; ++i) {
      ranking.bits[i] =
          product(bits_at(w, i, type.bytes), type,
                  bits_at(ranking.data, i / repeat % period, other.bytes), other, ranking.type);
    }
  }
  return ranking;
}

// The indices of the k largest keys; ties go to the index that comes first in `of`.
std::vector<std::size_t> largest(const Keys& keys, std::span<const std::size_t> of, std::size_t k) {
  std::vector<std::size_t> order(of.begin(), of.end());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return keys[a] > keys[b]; });
  order.resize(k);
  return order;
}

struct Shape {
  std::size_t outer, length, inner;
  sc_layout slices;
  bool is_given;

  [[nodiscard]] std::size_t n() const { return outer * length * inner; }
  [[nodiscard]] const sc_layout* argument() const { return is_given ? &slices : nullptr; }

  // Calls body(indices of the elements, outer index, inner index) for each slice.
  template <class Body>
  void for_each(const Body& body) const {
    std::vector<std::size_t> of(length);
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t i = 0; i < inner; ++i) {
        for (std::size_t a = 0; a < length; ++a) {
          of[a] = (o * length + a) * inner + i;
        }
        body(of, o, i);
      }
    }
  }
};

Shape draw_shape(Draw& draw) {
  const std::size_t n = draw.size();
  if (draw.coin()) {
    return {1, n, 1, {}, false};
  }
  const std::size_t inner = draw.one_of<std::size_t>({1, 1, 2, 7, 16, 33, 64, 130});
  const auto outer = draw.in<std::size_t>(1, 9);
  std::size_t length = n / (outer * inner);
  std::size_t times = outer;
  if (draw.coin()) {  // many short slices
    length = draw.in<std::size_t>(1, 40);
    times = n / (length * inner);
  }
  return {times, length, inner, {length, inner, draw.coin() ? 0 : length, 1, 0}, true};
}

// The array with +0.0 in place of the elements that are not kept.
Bytes kept_only(const Bytes& w, std::size_t bytes_each, const std::vector<bool>& kept) {
  Bytes out(w.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    set_bits(out, i, bytes_each, kept[i] ? bits_at(w, i, bytes_each) : 0);
  }
  return out;
}

void check(const Outcome& outcome, bool refuses_nan, const Bytes& expected, const char* what) {
  require(outcome.status == (refuses_nan ? SC_ERROR_NAN : SC_OK), what);
  require(refuses_nan || outcome.out == expected, what);
}

// Checks that call(mask, format) writes the mask of the kept elements, in any format.
template <class Call>
void check_mask(Draw& draw, const std::vector<bool>& kept, bool refuses_nan, const Call& call) {
  const auto format =
      draw.one_of({SC_MASK_FORMAT_BOOLS, SC_MASK_FORMAT_BITS_LITTLE, SC_MASK_FORMAT_BITS_BIG});
  const bool bools = format == SC_MASK_FORMAT_BOOLS;
  Bytes expected(bools ? kept.size() : (kept.size() + 7) / 8);
  std::fill_n(expected.data(), expected.size(), static_cast<unsigned char>(0));
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const std::size_t bit = bools ? 0 : format == SC_MASK_FORMAT_BITS_BIG ? 7 - i % 8 : i % 8;
    expected.data()[bools ? i : i / 8] |= static_cast<unsigned char>((kept[i] ? 1u : 0u) << bit);
  }
  const Outcome outcome = on_every_isa(draw, expected.size(), draw.in<std::size_t>(0, 9), nullptr,
                                       [&](const void*, void* out) { return call(out, format); });
  check(outcome, refuses_nan, expected, "a mask as by a sort");
}

// Prunes to k elements, by a pattern, or by a threshold.
void fuzz_prune(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Shape shape = draw_shape(draw);
  const std::size_t n = shape.n();
  const Bytes w = draw.floats(type, n);
  const sc_nan nan = draw.selection_nan();
  const Ranking ranking = draw_ranking(draw, w, type, n);
  const Keys keys = ranking.keys(nan);
  std::vector<bool> kept(n);
  const int how = draw.in<int>(0, 2);
  std::size_t k = 0;
  std::size_t of = 1;
  sc_remainder remainder = SC_REMAINDER_RAISE;
  double threshold = 0;
  if (how == 0) {
    k = draw.in<std::size_t>(0, shape.length);
    shape.for_each([&](const std::vector<std::size_t>& slice, std::size_t, std::size_t) {
      for (const std::size_t i : largest(keys, slice, k)) {
        kept[i] = true;
      }
    });
  } else if (how == 1) {
    of = draw.in<std::size_t>(1, 32);
    k = draw.in<std::size_t>(1, of);
    remainder = static_cast<sc_remainder>(draw.in<int>(SC_REMAINDER_RAISE, SC_REMAINDER_PAD));
    if (shape.length % of != 0 && remainder == SC_REMAINDER_RAISE) {
      return;
    }
    shape.for_each([&](const std::vector<std::size_t>& slice, std::size_t, std::size_t) {
      for (std::size_t begin = 0; begin < slice.size(); begin += of) {
        const std::size_t members = std::min(of, slice.size() - begin);
        const bool keeps_all = members < of && remainder == SC_REMAINDER_KEEP;
        for (const std::size_t i : largest(keys, std::span(slice).subspan(begin, members),
                                           keeps_all ? members : std::min(k, members))) {
          kept[i] = true;
        }
      }
    });
  } else {
    threshold = n != 0 && draw.coin()
                    ? value_of(ranking.bits[draw.in<std::size_t>(0, n - 1)], ranking.type)
                    : std::bit_cast<double>(draw.any<std::uint64_t>());
    threshold = ranking.by_value ? threshold : std::abs(threshold);
    if (std::isnan(threshold)) {
      threshold = 1;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double value = value_of(ranking.bits[i], ranking.type);
      kept[i] = std::isnan(value) ? nan == SC_NAN_KEEP
                                  : (ranking.by_value ? value : std::abs(value)) > threshold;
    }
  }
  const bool refuses = nan == SC_NAN_RAISE && ranking.has_nan();
  const auto call = [&](const void* in, void* out) {
    const void* const from = in == nullptr ? w.data() : in;
    switch (how) {
      case 0:
        return sc_prune(from, type.dtype, n, k, shape.argument(), ranking.argument(), nan, out);
      case 1:
        return sc_prune_pattern(from, type.dtype, n, k, of, remainder, shape.argument(),
                                ranking.argument(), nan, out);
      default:
        return sc_prune_threshold(from, type.dtype, n, threshold, ranking.argument(), nan, out);
    }
  };
  const Outcome outcome = on_every_isa(draw, w.size(), draw.offset(type.bytes), &w, call);
  check(outcome, refuses, kept_only(w, type.bytes, kept), "pruned as by a sort");
  check_mask(draw, kept, refuses, [&](void* mask, sc_mask_format format) {
    switch (how) {
      case 0:
        return sc_prune_mask(w.data(), type.dtype, n, k, shape.argument(), ranking.argument(), nan,
                             mask, format);
      case 1:
        return sc_prune_mask_pattern(w.data(), type.dtype, n, k, of, remainder, shape.argument(),
                                     ranking.argument(), nan, mask, format);
      default:
        return sc_prune_mask_threshold(w.data(), type.dtype, n, threshold, ranking.argument(), nan,
                                       mask, format);
    }
  });
}

void fuzz_apply_mask(Draw& draw) {
  const FloatType& type = draw.float_type();
  const std::size_t n = draw.size();
  const Bytes w = draw.floats(type, n);
  const auto format =
      draw.one_of({SC_MASK_FORMAT_BOOLS, SC_MASK_FORMAT_BITS_LITTLE, SC_MASK_FORMAT_BITS_BIG});
  Bytes mask(format == SC_MASK_FORMAT_BOOLS ? n : (n + 7) / 8);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    mask.data()[i] = draw.any<unsigned char>();
  }
  std::vector<bool> kept(n);
  for (std::size_t i = 0; i < n; ++i) {
    kept[i] = format == SC_MASK_FORMAT_BOOLS         ? mask.data()[i] != 0
              : format == SC_MASK_FORMAT_BITS_LITTLE ? (mask.data()[i / 8] >> (i % 8) & 1) != 0
                                                     : (mask.data()[i / 8] << (i % 8) & 0x80) != 0;
  }
  const Outcome outcome =
      on_every_isa(draw, w.size(), draw.offset(type.bytes), &w, [&](const void* in, void* out) {
    return sc_apply_mask(in == nullptr ? w.data() : in, type.dtype, n, mask.data(), format, out);
  });
  check(outcome, false, kept_only(w, type.bytes, kept), "the mask keeps what it says");
}

void fuzz_topk(Draw& draw) {
  const FloatType& type = draw.float_type();
  const Shape shape = draw_shape(draw);
  const std::size_t n = shape.n();
  const Bytes w = draw.floats(type, n);
  const sc_nan nan = draw.selection_nan();
  const Ranking ranking = draw_ranking(draw, w, type, n);
  const Keys keys = ranking.keys(nan);
  const bool refuses = nan == SC_NAN_RAISE && ranking.has_nan();
  const auto k = draw.in<std::size_t>(0, shape.length);
  const std::size_t count = shape.outer * shape.inner;
  if (k != 0 && !ranking.is_given && draw.coin()) {
    Bytes expected(count * type.bytes);
    shape.for_each([&](const std::vector<std::size_t>& slice, std::size_t o, std::size_t i) {
      const std::uint64_t kth = ranking.bits[largest(keys, slice, k).back()];
      set_bits(expected, o * shape.inner + i, type.bytes, kth & (type.sign() - 1));
    });
    const Outcome outcome = on_every_isa(draw, expected.size(), draw.offset(type.bytes), nullptr,
                                         [&](const void*, void* out) {
      return sc_kth_magnitude(w.data(), type.dtype, n, k, shape.argument(), nan, out);
    });
    check(outcome, refuses, expected, "the k-th as by a sort");
    return;
  }
  const sc_order order = draw.one_of({SC_ORDER_INDEX, SC_ORDER_RANK});
  Bytes values(count * k * type.bytes);
  Bytes indices(count * k * sizeof(std::int64_t));
  shape.for_each([&](const std::vector<std::size_t>& slice, std::size_t o, std::size_t i) {
    std::vector<std::size_t> found = largest(keys, slice, k);
    if (order == SC_ORDER_INDEX) {
      std::sort(found.begin(), found.end());
    }
    for (std::size_t rank = 0; rank < k; ++rank) {
      const std::size_t index = (o * k + rank) * shape.inner + i;
      set_bits(values, index, type.bytes, bits_at(w, found[rank], type.bytes));
      indices.set(index, static_cast<std::int64_t>(found[rank] / shape.inner % shape.length));
    }
  });
  // Checks values and indices in separate runs.
  const auto topk = [&](void* to_values, void* to_indices) {
    return sc_topk(w.data(), type.dtype, n, k, shape.argument(), ranking.argument(), nan, order,
                   to_values, static_cast<std::int64_t*>(to_indices));
  };
  Bytes other_values(values.size());
  Bytes other_indices(indices.size());
  check(on_every_isa(draw, values.size(), draw.offset(type.bytes), nullptr,
                     [&](const void*, void* out) { return topk(out, other_indices.data()); }),
        refuses, values, "values as by a sort");
  check(on_every_isa(draw, indices.size(), draw.offset(sizeof(std::int64_t)), nullptr,
                     [&](const void*, void* out) { return topk(other_values.data(), out); }),
        refuses, indices, "indices as by a sort");
}

// The bits of a + b of float32 or float64. The second rounding of float32 gives the same as one.
std::uint64_t sum(std::uint64_t a, std::uint64_t b, const FloatType& type) {
  const double exact = value_of(a, type) + value_of(b, type);
  if (std::isnan(exact)) {
    return type.infinity() | std::uint64_t{1} << (type.fraction_bits - 1);
  }
  return type.bytes == 8 ? std::bit_cast<std::uint64_t>(exact)
                         : std::bit_cast<std::uint32_t>(static_cast<float>(exact));
}

void fuzz_topk_with_residual(Draw& draw) {
  const FloatType& type = draw.coin() ? kFloat32 : kFloat64;
  const Shape shape = draw_shape(draw);
  const std::size_t n = shape.n();
  const Bytes w = draw.floats(type, n);
  const Bytes residual = draw.floats(type, n);
  Ranking ranking{type};
  ranking.bits.resize(n);
  Bytes rest(residual.size());
  for (std::size_t i = 0; i < n; ++i) {
    ranking.bits[i] = sum(bits_at(w, i, type.bytes), bits_at(residual, i, type.bytes), type);
    set_bits(rest, i, type.bytes, ranking.bits[i]);
  }
  const sc_nan nan = draw.selection_nan();
  const Keys keys = ranking.keys(nan);
  const auto k = draw.in<std::size_t>(0, shape.length);
  shape.for_each([&](const std::vector<std::size_t>& slice, std::size_t, std::size_t) {
    for (const std::size_t i : largest(keys, slice, k)) {
      set_bits(rest, i, type.bytes, 0);
    }
  });
  Bytes values(shape.outer * shape.inner * k * type.bytes);
  Bytes indices(shape.outer * shape.inner * k * sizeof(std::int64_t));
  const Outcome outcome = on_every_isa(draw, rest.size(), draw.offset(type.bytes), &residual,
                                       [&](const void* in, void* out) {
    if (in == nullptr) {
      std::copy_n(residual.data(), residual.size(), static_cast<unsigned char*>(out));
    }
    return sc_topk_with_residual(w.data(), out, type.dtype, n, k, shape.argument(), nan,
                                 SC_ORDER_RANK, values.data(),
                                 reinterpret_cast<std::int64_t*>(indices.data()));
  });
  check(outcome, nan == SC_NAN_RAISE && ranking.has_nan(), rest, "the rest as by a sort");
}

// The norm of a block, summed in the order that secateur.h documents. Elements are scaled by
// 2^-exponent.
double norm_of(const Bytes& w, const FloatType& type, const sc_layout& b, sc_norm norm,
               std::size_t first, std::size_t rows, std::size_t columns, int exponent = 0) {
  std::array<double, 8> partial{};
  double most = 0;
  bool has_nan = false;
  for (std::size_t c = 0; c < columns; ++c) {
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      const double x = std::ldexp(
          std::abs(value_of(bits_at(w, first + r * b.inner + c, type.bytes), type)), -exponent);
      has_nan = has_nan || std::isnan(x);
      most = std::max(most, x);
      const double term = norm == SC_NORM_L2 ? x * x : x;
      sum = r == 0 ? term : sum + term;
    }
    partial[c % 8] = c < 8 ? sum : partial[c % 8] + sum;
  }
  if (has_nan) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (norm == SC_NORM_MAX) {
    return most;
  }
  const double sum = std::accumulate(partial.begin(), partial.end(), 0.0);
  if (norm == SC_NORM_L1) {
    return sum;
  }
  const double result =
      norm == SC_NORM_L2 ? std::sqrt(sum) : sum / static_cast<double>(rows * columns);
  const bool may_be_wrong = std::isinf(result) || (norm == SC_NORM_L2 && result < 0x1p-484);
  if (exponent == 0 && may_be_wrong && most > 0 && !std::isinf(most) && std::ilogb(most) != 0) {
    return norm_of(w, type, b, norm, first, rows, columns, std::ilogb(most));
  }
  return std::ldexp(result, exponent);
}

void fuzz_blocks(Draw& draw) {
  const FloatType& type = draw.float_type();
  const std::size_t size = draw.size();
  const auto matrices = draw.in<std::size_t>(0, 3);
  sc_layout b{0, draw.in<std::size_t>(1, 150), 1, 1, 0};
  const sc_norm norm = draw.one_of({SC_NORM_L1, SC_NORM_L2, SC_NORM_MAX, SC_NORM_MEAN});
  b.length = size / (std::max<std::size_t>(matrices, 1) * b.inner);
  b.block = draw.in<std::size_t>(1, std::max<std::size_t>(std::min<std::size_t>(b.length, 70), 1));
  b.inner_block = draw.in<std::size_t>(1, b.inner);
  const std::size_t n = matrices * b.length * b.inner;
  const Bytes w = draw.floats(type, n);
  const sc_nan nan = draw.selection_nan();
  const std::size_t bands = (b.length + b.block - 1) / b.block;
  const std::size_t across = (b.inner + b.inner_block - 1) / b.inner_block;
  const std::size_t count = n == 0 ? 0 : matrices * bands * across;
  const auto block_of = [&](std::size_t i) {
    const std::size_t row = i / b.inner;
    return (row / b.length * bands + row % b.length / b.block) * across +
           i % b.inner / b.inner_block;
  };
  std::vector<double> norms(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t matrix = i / (bands * across);
    const std::size_t row = i / across % bands * b.block;
    const std::size_t column = i % across * b.inner_block;
    norms[i] =
        norm_of(w, type, b, norm, (matrix * b.length + row) * b.inner + column,
                std::min(b.block, b.length - row), std::min(b.inner_block, b.inner - column));
  }
  const bool has_nan = std::any_of(norms.begin(), norms.end(), [](double x) { return x != x; });
  const auto k = draw.in<std::size_t>(0, count);
  const bool by_threshold = draw.coin();
  const double threshold =
      count != 0 && draw.coin() ? std::abs(norms[draw.in<std::size_t>(0, count - 1)]) : 1.0;
  if (std::isnan(threshold)) {
    return;
  }
  std::vector<bool> block_kept(count);
  if (by_threshold) {
    for (std::size_t i = 0; i < count; ++i) {
      block_kept[i] = std::isnan(norms[i]) ? nan == SC_NAN_KEEP : norms[i] > threshold;
    }
  } else {
    Keys keys(count);
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::transform(norms.begin(), norms.end(), keys.begin(), [&](double x) {
      const double same = std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x;
      return key_of(std::bit_cast<std::uint64_t>(same), kFloat64, nan, false);
    });
    for (const std::size_t i : largest(keys, all, k)) {
      block_kept[i] = true;
    }
  }
  std::vector<bool> kept(n);
  for (std::size_t i = 0; i < n; ++i) {
    kept[i] = block_kept[block_of(i)];
  }
  const Outcome outcome =
      on_every_isa(draw, w.size(), draw.offset(type.bytes), &w, [&](const void* in, void* out) {
    const void* const from = in == nullptr ? w.data() : in;
    return by_threshold
               ? sc_prune_blocks_threshold(from, type.dtype, n, &b, norm, threshold, nullptr, nan,
                                           out)
               : sc_prune_blocks(from, type.dtype, n, &b, norm, k, nullptr, nullptr, nan, out);
  });
  check(outcome, nan == SC_NAN_RAISE && has_nan, kept_only(w, type.bytes, kept),
        "blocks as by a sort");
  check_mask(draw, kept, nan == SC_NAN_RAISE && has_nan, [&](void* mask, sc_mask_format format) {
    return by_threshold ? sc_prune_mask_blocks_threshold(w.data(), type.dtype, n, &b, norm,
                                                         threshold, nullptr, nan, mask, format)
                        : sc_prune_mask_blocks(w.data(), type.dtype, n, &b, norm, k, nullptr,
                                               nullptr, nan, mask, format);
  });
}

// The members are stored one after another in a single array, each aligned, so that they can be
// pruned in place.
void fuzz_global(Draw& draw) {
  struct Member {
    FloatType type;
    std::size_t n, offset;
    Ranking ranking;
    std::size_t min_kept;
  };
  std::vector<Member> members(draw.in<std::size_t>(0, 4));
  std::size_t bytes = 0;
  std::vector<Bytes> drawn;
  for (Member& member : members) {
    member.type = draw.float_type();
    member.n = draw.size();
    member.offset = bytes;
    bytes += (member.n * member.type.bytes + 7) / 8 * 8;
    drawn.push_back(draw.floats(member.type, member.n));
    member.ranking = draw_ranking(draw, drawn.back(), member.type, member.n);
    member.min_kept = draw.coin() ? 0 : draw.in<std::size_t>(0, member.n);
  }
  Bytes w(bytes);
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::copy_n(drawn[i].data(), drawn[i].size(), w.data() + members[i].offset);
  }
  const sc_nan nan = draw.selection_nan();
  const bool by_value = std::any_of(members.begin(), members.end(),
                                    [](const Member& m) { return m.ranking.by_value; });
  bool has_nan = false;
  Keys keys;
  for (const Member& member : members) {
    Ranking ranking{member.ranking.type, by_value, member.ranking.bits};
    has_nan = has_nan || ranking.has_nan();
    // Other members rank by value, so this one ranks by the value of |w|.
    if (by_value && !member.ranking.by_value) {
      for (std::uint64_t& bits : ranking.bits) {
        bits &= ranking.type.sign() - 1;
      }
    }
    const Keys own = ranking.keys(nan);
    keys.insert(keys.end(), own.begin(), own.end());
  }
  // The largest of each member are kept in any case, and then the largest of all others.
  std::vector<bool> kept(keys.size());
  std::vector<std::size_t> others;
  std::size_t least = 0;
  std::size_t first = 0;
  for (const Member& member : members) {
    std::vector<std::size_t> own(member.n);
    std::iota(own.begin(), own.end(), first);
    for (const std::size_t i : largest(keys, own, member.min_kept)) {
      kept[i] = true;
    }
    std::copy_if(own.begin(), own.end(), std::back_inserter(others),
                 [&](std::size_t i) { return !kept[i]; });
    least += member.min_kept;
    first += member.n;
  }
  const auto k = draw.in<std::size_t>(least, keys.size());
  for (const std::size_t i : largest(keys, others, k - least)) {
    kept[i] = true;
  }
  Bytes expected(bytes);
  first = 0;
  for (const Member& member : members) {
    for (std::size_t i = 0; i < member.n; ++i) {
      const std::uint64_t zero = 0;
      std::memcpy(expected.data() + member.offset + i * member.type.bytes,
                  kept[first + i] ? w.data() + member.offset + i * member.type.bytes
                                  : reinterpret_cast<const unsigned char*>(&zero),
                  member.type.bytes);
    }
    first += member.n;
  }
  const Outcome outcome = on_every_isa(draw, bytes, 0, nullptr, [&](const void*, void* out) {
    std::vector<sc_member> arguments;
    for (const Member& member : members) {
      arguments.push_back(
          {w.data() + member.offset, member.type.dtype, member.n, member.ranking.argument(),
           static_cast<unsigned char*>(out) + member.offset, nullptr, member.min_kept});
    }
    return sc_prune_global(arguments.data(), arguments.size(), k, nan);
  });
  check(outcome, nan == SC_NAN_RAISE && has_nan, expected, "several arrays as by a sort");
  Bytes in_place = w;
  std::vector<sc_member> arguments;
  for (const Member& member : members) {
    arguments.push_back({in_place.data() + member.offset, member.type.dtype, member.n,
                         member.ranking.argument(), in_place.data() + member.offset, nullptr,
                         member.min_kept});
  }
  const sc_status status = sc_prune_global(arguments.data(), arguments.size(), k, nan);
  require(status == outcome.status, "in place the status is the same");
  require(in_place == (status == SC_OK ? expected : w), "in place the result is the same, or none");
}

void fuzz_soft_threshold(Draw& draw) {
  const FloatType& type = draw.float_type();
  const std::size_t n = draw.size();
  const Bytes w = draw.floats(type, n);
  const double threshold = std::abs(value_of(draw.any<std::uint64_t>(), kFloat64));
  const Outcome outcome =
      on_every_isa(draw, w.size(), draw.offset(type.bytes), &w, [&](const void* in, void* out) {
    return sc_soft_threshold(in == nullptr ? w.data() : in, type.dtype, n, threshold, out);
  });
  if (std::isnan(threshold)) {
    require(outcome.status == SC_ERROR_ARGUMENT, "a threshold that is NaN is refused");
    return;
  }
  require(outcome.status == SC_OK, "nothing is refused");
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t before = bits_at(w, i, type.bytes);
    const std::uint64_t after = bits_at(outcome.out, i, type.bytes);
    if (is_nan(before, type)) {
      require(after == before, "NaN keep their bits");
    } else if (type.bytes == 4) {
      const float size = std::abs(static_cast<float>(value_of(before, type)));
      const auto least = static_cast<float>(threshold);
      const float moved = size > least ? size - least : 0.0f;
      const std::uint64_t sign = size > least ? before & type.sign() : 0;
      require(after == (std::bit_cast<std::uint32_t>(moved) | sign), "soft-thresholded");
    } else if (type.bytes == 8) {
      const double size = std::abs(value_of(before, type));
      const double moved = size > threshold ? size - threshold : 0.0;
      const std::uint64_t sign = size > threshold ? before & type.sign() : 0;
      require(after == (std::bit_cast<std::uint64_t>(moved) | sign), "soft-thresholded");
    }
  }
}

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 200);
  // The input, the scores and the output are stored one after another, without overlap.
  const std::size_t bytes = n * type.bytes;
  Bytes memory = draw.floats(type, 3 * n);
  const Bytes before = memory;
  const unsigned char* w = memory.data();
  unsigned char* out = memory.data() + 2 * bytes;
  sc_dtype dtype = type.dtype;
  std::size_t k = 1;
  sc_layout slices{n, 1, 0, 1, 0};
  sc_scores scores{SC_SCORING_PRODUCTS, type.dtype, memory.data() + bytes, n, 1};
  sc_nan nan = SC_NAN_KEEP;
  double threshold = 1;
  const std::size_t offset = draw.in<std::size_t>(1, type.bytes - 1);
  const int function = draw.in<int>(0, 2);
  const char* what = "";
  switch (draw.in<int>(0, 8)) {
    case 0:
      what = "a misaligned output is refused";
      out += offset;
      break;
    case 1:
      what = "a misaligned input is refused";
      w += offset;
      break;
    case 2:
      what = "another dtype is refused";
      dtype = static_cast<sc_dtype>(draw.one_of<int>({0, SC_DTYPE_INT8, SC_DTYPE_INT32, 99, -1}));
      break;
    case 3:
      what = "k or a threshold out of range is refused";
      k = draw.one_of<std::size_t>({n + 1, SIZE_MAX, SIZE_MAX / 2 + 1});
      threshold = draw.one_of({-1.0, std::numeric_limits<double>::quiet_NaN()});
      break;
    case 4:
      what = "slices of another size are refused";
      slices = {draw.one_of<std::size_t>({0, n + 1, SIZE_MAX, SIZE_MAX / 2 + 1}),
                draw.one_of<std::size_t>({0, 1, 2, SIZE_MAX, SIZE_MAX / 2 + 2}), 0, 1, 0};
      threshold = -1;  // sc_prune_threshold takes no slices, so its threshold must be invalid
      break;
    case 5:
      what = "another NaN policy is refused";
      nan = static_cast<sc_nan>(draw.one_of({3, 99, -1}));
      break;
    case 6:
      what = "scores that are null or misaligned are refused";
      scores.data = draw.coin() ? nullptr : memory.data() + bytes + offset;
      break;
    case 7:
      what = "another dtype of scores is refused";
      scores.dtype = static_cast<sc_dtype>(draw.one_of<int>({0, SC_DTYPE_INT8, 99}));
      break;
    default:
      what = "a period or a repeat of 0 is refused";
      (draw.coin() ? scores.period : scores.repeat) = 0;
  }
  const sc_status status =
      function == 0 ? sc_prune(w, dtype, n, k, &slices, &scores, nan, out)
      : function == 1
          ? sc_prune_pattern(w, dtype, n, k, 1, SC_REMAINDER_KEEP, &slices, &scores, nan, out)
          : sc_prune_threshold(w, dtype, n, threshold, &scores, nan, out);
  require(is_refusal(status), what);
  require(memory == before, "nothing is written when an argument is refused");
}

// Outputs that overlap inputs, scores, masks and other outputs.
void fuzz_overlaps(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 60);
  const auto k = draw.in<std::size_t>(1, n);
  const std::size_t bytes = n * type.bytes;
  OverlapArena arena(draw, 4096, 0x3c003c00);
  const OverlapArena::Region w = arena.take(bytes);
  const OverlapArena::Region out = draw.once_in(3) ? w : arena.take(bytes);
  const OverlapArena::Region other = arena.take(bytes);  // scores, a mask, or another output
  const bool is_wrong = out.overlaps(w) && out.data != w.data;
  const sc_scores scores{SC_SCORING_VALUES, type.dtype, other.data, 0, 0};
  switch (draw.in<int>(0, 7)) {
    case 0:
      arena.check(sc_prune(w.data, type.dtype, n, k, nullptr, &scores, SC_NAN_KEEP, out.data),
                  is_wrong || out.overlaps(other));
      break;
    case 1:
      arena.check(sc_prune_pattern(w.data, type.dtype, n, 1, 1, SC_REMAINDER_PAD, nullptr, &scores,
                                   SC_NAN_KEEP, out.data),
                  is_wrong || out.overlaps(other));
      break;
    case 2: {
      const OverlapArena::Region mask{other.data, n};
      arena.check(sc_apply_mask(w.data, type.dtype, n, mask.data, SC_MASK_FORMAT_BOOLS, out.data),
                  is_wrong || out.overlaps(mask));
      break;
    }
    case 3:
      arena.check(sc_soft_threshold(w.data, type.dtype, n, 0.5, out.data), is_wrong);
      break;
    case 4: {
      const sc_layout blocks{1, n, 1, k, 0};
      arena.check(sc_prune_blocks(w.data, type.dtype, n, &blocks, SC_NORM_L1, 1, nullptr, &scores,
                                  SC_NAN_KEEP, out.data),
                  is_wrong || out.overlaps(other));
      break;
    }
    case 5: {
      const OverlapArena::Region values{out.data, k * type.bytes};
      const OverlapArena::Region indices = arena.take(k * sizeof(std::int64_t));
      arena.check(sc_topk(w.data, type.dtype, n, k, nullptr, &scores, SC_NAN_KEEP, SC_ORDER_INDEX,
                          values.data, reinterpret_cast<std::int64_t*>(indices.data)),
                  values.overlaps(w) || indices.overlaps(w) || indices.overlaps(values) ||
                      values.overlaps(other) || indices.overlaps(other));
      break;
    }
    case 6: {
      const OverlapArena::Region mask{out.data, n};
      arena.check(sc_prune_mask(w.data, type.dtype, n, k, nullptr, &scores, SC_NAN_KEEP, mask.data,
                                SC_MASK_FORMAT_BOOLS),
                  mask.overlaps(w) || mask.overlaps(other));
      break;
    }
    default: {
      const OverlapArena::Region second_out = draw.coin() ? other : arena.take(bytes);
      const std::array<sc_member, 2> members{
          sc_member{w.data, type.dtype, n, nullptr, out.data, nullptr, 0},
          sc_member{other.data, type.dtype, n, nullptr, second_out.data, nullptr, 0}};
      arena.check(sc_prune_global(members.data(), members.size(), k, SC_NAN_KEEP),
                  is_wrong || (second_out.overlaps(other) && second_out.data != other.data) ||
                      out.overlaps(other) || out.overlaps(second_out) || second_out.overlaps(w));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 7)) {
    case 0:
      fuzz_prune(draw);
      break;
    case 1:
      fuzz_apply_mask(draw);
      break;
    case 2:
      draw.coin() ? fuzz_topk(draw) : fuzz_topk_with_residual(draw);
      break;
    case 3:
      fuzz_blocks(draw);
      break;
    case 4:
      fuzz_global(draw);
      break;
    case 5:
      fuzz_soft_threshold(draw);
      break;
    case 6:
      fuzz_overlaps(draw);
      break;
    default:
      fuzz_refusals(draw);
  }
  return 0;
}
