// The C++ header compiles by itself, and its functions give the results of the C functions.
#include <secateur/secateur.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(EXIT_FAILURE);
  }
}

// The sum of two NaN depends on the instruction: some return the first NaN, others the second.
void sums_of_nan_are_the_same_on_every_isa() {
  std::array<float, 96> w{};
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = std::bit_cast<float>(static_cast<std::uint32_t>((i % 2 << 31) + 0x7fc00000 + i));
  }
  const char* isas[8] = {};
  const std::size_t count = sc_isas(isas, std::size(isas));
  std::vector<sc_error_sums> found(count);
  for (std::size_t i = 0; i < count; ++i) {
    require(sc_set_isa(isas[i]) == SC_OK, "an ISA");
    require(sc_compare(w.data(), SC_DTYPE_FLOAT32, w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr,
                       nullptr, SC_ROUNDING_NEAREST_EVEN, &found[i]) == SC_OK,
            "sc_compare of NaN");
    require(std::memcmp(&found[i], &found[0], sizeof(sc_error_sums)) == 0, "NaN of another ISA");
  }
  require(std::isnan(found[0].squared_error), "a sum with NaN");
}

// Passes values that are not enumerators, as callers in C or another language can.
void refuses_undeclared_enum_values(const float* w, float* out, std::int8_t* q) {
  for (const int value : {-1, 99}) {
    const auto dtype = static_cast<sc_dtype>(value);
    const auto nan = static_cast<sc_nan>(value);
    const auto mask_format = static_cast<sc_mask_format>(value);
    require(sc_prune(w, dtype, 4, 1, nullptr, nullptr, SC_NAN_RAISE, out) == SC_ERROR_UNSUPPORTED,
            "a dtype");
    require(sc_prune(w, SC_DTYPE_FLOAT32, 4, 1, nullptr, nullptr, nan, out) == SC_ERROR_ARGUMENT,
            "a NaN policy");
    require(sc_prune_mask(w, SC_DTYPE_FLOAT32, 4, 1, nullptr, nullptr, SC_NAN_RAISE, q,
                          mask_format) == SC_ERROR_ARGUMENT,
            "a mask format");
    const std::int32_t frac_bits = 2;
    const sc_format format = secateur::fixed_point(8, frac_bits);
    const sc_quantize_options options{.rounding = static_cast<sc_rounding>(value),
                                      .overflow = SC_OVERFLOW_SATURATE,
                                      .nan = SC_NAN_RAISE,
                                      .seed = 0,
                                      .index_offset = 0};
    require(sc_quantize(w, SC_DTYPE_FLOAT32, 4, &format, &options, q, SC_DTYPE_INT8) ==
                SC_ERROR_ARGUMENT,
            "a rounding");
    require(sc_prune_blocks(w, SC_DTYPE_FLOAT32, 4, nullptr, static_cast<sc_norm>(value), 1,
                            nullptr, nullptr, SC_NAN_RAISE, out) == SC_ERROR_ARGUMENT,
            "a norm");
    require(sc_pack_ints(q, dtype, 4, 4, SC_BITORDER_LITTLE, 0, 0, out) == SC_ERROR_UNSUPPORTED,
            "a dtype of integers");
    require(sc_pack_ints(q, SC_DTYPE_INT8, 4, 4, static_cast<sc_bitorder>(value), 0, 0, out) ==
                SC_ERROR_ARGUMENT,
            "an order of bits");
    require(sc_unpack_ints(out, 4, value, SC_BITORDER_LITTLE, 0, 0, q, SC_DTYPE_INT8) ==
                SC_ERROR_ARGUMENT,
            "a number of bits");
    sc_format sign = format;
    sign.is_signed = value;
    require(
        sc_quantize(w, SC_DTYPE_FLOAT32, 4, &sign, nullptr, q, SC_DTYPE_INT8) == SC_ERROR_ARGUMENT,
        "a sign");
    sc_format kind = format;
    kind.kind = static_cast<sc_format_kind>(value);
    require(
        sc_quantize(w, SC_DTYPE_FLOAT32, 4, &kind, nullptr, q, SC_DTYPE_INT8) == SC_ERROR_ARGUMENT,
        "a kind of format");
  }
  require(sc_isas(nullptr, 4) >= 1, "isas without names");
}

// The key of the k-th largest magnitude of all parts together, found as secateur.h describes.
std::uint64_t kth_key(const std::vector<std::vector<float>>& parts, std::uint64_t k) {
  sc_key_range range{.first = 0, .last = 0x7fffffff};
  std::uint64_t checksum = 0;
  for (const int shift : {15, 0}) {
    std::vector<std::uint64_t> counts(SC_MAX_BINS);
    sc_key_totals totals{};
    for (const auto& part : parts) {
      secateur::count_magnitudes(part, range, counts, totals);
    }
    require(shift == 15 || totals.checksum == checksum, "the same data in both passes");
    checksum = totals.checksum;
    std::uint64_t bin = (range.last - range.first) >> shift;
    for (std::uint64_t reached = totals.above + counts[bin]; reached < k; reached += counts[bin]) {
      --bin;
    }
    range.first += bin << shift;
    range.last = range.first + (std::uint64_t{1} << shift) - 1;
  }
  return range.first;
}

sc_quantize_options with(sc_rounding rounding, sc_overflow overflow = SC_OVERFLOW_SATURATE) {
  return {.rounding = rounding,
          .overflow = overflow,
          .nan = SC_NAN_RAISE,
          .seed = 1,
          .index_offset = 0};
}

// Quantizes to integers of every width and back, for both float types.
template <class F>
void quantizes() {
  namespace sc = secateur;
  const std::array<F, 4> w{F{0.5}, F{-2}, F{0.25}, F{1.5}};
  std::array<F, 4> out{};
  std::array<std::int8_t, 4> q{};
  std::array<std::uint8_t, 4> of_8_unsigned{};
  std::array<std::uint16_t, 4> of_16{};
  std::array<std::int32_t, 4> of_32{};
  std::array<std::uint32_t, 4> of_32_unsigned{};

  const std::int32_t two = 2;
  const sc_format format = sc::fixed_point(8, two);
  sc::quantize(w, format, q);
  require(q == std::array<std::int8_t, 4>{2, -8, 1, 6}, "quantize");
  sc::dequantize(std::vector<std::int8_t>(q.begin(), q.end()), format, out);
  require(out == w, "dequantize");
  const std::int32_t one = 1;
  sc::fake_quantize(w, sc::fixed_point(4, one), out, with(SC_ROUNDING_CEIL));
  require(out == std::array<F, 4>{F{0.5}, F{-2}, F{0.5}, F{1.5}}, "fake_quantize");
  sc::prune_quantize(w, 1, format, std::span<std::int8_t>(q));
  require(q == std::array<std::int8_t, 4>{0, -8, 0, 0}, "prune_quantize");

  const std::int32_t four = 4;
  std::array<std::int8_t, 4> converted{};
  sc::requantize(std::vector<std::int64_t>{12, -12, 20, 4000}, sc::fixed_point(64, four),
                 sc::fixed_point(8, one), std::span<std::int8_t>(converted));
  require(converted == std::array<std::int8_t, 4>{2, -2, 2, 127}, "requantize");

  const std::int32_t fifteen = 15;
  sc::quantize(w, sc::fixed_point(16, fifteen, false), of_16,
               with(SC_ROUNDING_FLOOR, SC_OVERFLOW_WRAP));
  require(of_16 == std::array<std::uint16_t, 4>{0x4000, 0, 0x2000, 0xc000}, "wrap");
  const std::int32_t thirty = 30;
  const sc_format wide = sc::fixed_point(32, thirty);
  sc::quantize(w, wide, of_32);
  require(of_32 == std::array<std::int32_t, 4>{1 << 29, INT32_MIN, 1 << 28, 3 << 29}, "int32");
  sc::dequantize(of_32, wide, std::span<F>(out));
  require(out == w, "floats of int32");
  const std::int32_t all = 31;
  const sc_format wide_unsigned = sc::fixed_point(32, all, false);
  sc::quantize(w, wide_unsigned, of_32_unsigned);
  require(of_32_unsigned == std::array<std::uint32_t, 4>{1u << 30, 0, 1u << 29, 3u << 30},
          "uint32");
  sc::dequantize(std::vector<std::int8_t>{1, -3, 4, 5}, sc::fixed_point(3, one), out, true);
  require(out == std::array<F, 4>{F{0.5}, F{-1.5}, F{-2}, F{-1.5}}, "the lowest three bits");
  sc::dequantize(of_32_unsigned, wide_unsigned, out);
  require(out == std::array<F, 4>{F{0.5}, F{0}, F{0.25}, F{1.5}}, "floats of uint32");
  sc::prune_quantize(w, 2, wide, of_32, with(SC_ROUNDING_STOCHASTIC));
  require(of_32 == std::array<std::int32_t, 4>{0, INT32_MIN, 0, 3 << 29}, "int32 of the largest");

  // w as a matrix of two rows, each with its own format.
  const std::array<std::int32_t, 2> frac_bits{2, 3};
  const sc_layout rows{.length = 2, .inner = 2, .block = 1, .inner_block = 0, .shared = 0};
  sc_format by_row = sc::fixed_point(8, frac_bits[0]);
  by_row.layout = &rows;
  sc::quantize(w, by_row, q);
  require(q == std::array<std::int8_t, 4>{2, -8, 2, 12}, "quantize by row");

  const F scale{0.75};
  sc::quantize(w, sc::affine(8, scale), q);
  require(q == std::array<std::int8_t, 4>{1, -3, 0, 2}, "quantize to affine");
  sc::prune_quantize(w, 2, sc::affine(8, scale), q);
  require(q == std::array<std::int8_t, 4>{0, -3, 0, 2}, "prune_quantize to affine");
  const std::int32_t zero_point = 3;
  sc::prune_quantize(w, 1, sc::affine(8, scale, &zero_point, false), of_8_unsigned);
  require(of_8_unsigned == std::array<std::uint8_t, 4>{3, 0, 3, 3},
          "prune_quantize with a zero point");
  sc::fake_quantize(w, sc::affine(2, scale), out, with(SC_ROUNDING_TRUNC));
  require(out == std::array<F, 4>{F{0}, F{-1.5}, F{0}, F{0.75}}, "fake_quantize by affine");

  const std::array<F, 2> scales{F{0.5}, F{0.75}};
  const std::array<std::int32_t, 2> zero_points{10, -1};
  sc_format affine_by_row = sc::affine(8, scales[0], zero_points.data());
  affine_by_row.layout = &rows;
  sc::quantize(w, affine_by_row, q);
  require(q == std::array<std::int8_t, 4>{11, 6, -1, 1}, "quantize to affine by row");
  sc::dequantize(q, affine_by_row, out);
  require(out == std::array<F, 4>{F{0.5}, F{-2}, F{0}, F{1.5}}, "dequantize from affine by row");
  affine_by_row.qmin = -2;
  affine_by_row.qmax = 10;
  sc::quantize(w, affine_by_row, q);
  require(q == std::array<std::int8_t, 4>{10, 6, -1, 1}, "a range of integers");
  sc::quantize(w, sc::affine(32, scales[0]), of_32);
  require(of_32 == std::array<std::int32_t, 4>{1, -4, 0, 3}, "quantize to affine int32");

  const std::int32_t seven = 7;
  try {
    sc::quantize(w, sc::fixed_point(8, seven), q,
                 with(SC_ROUNDING_NEAREST_AWAY, SC_OVERFLOW_RAISE));
    require(false, "an error for what is out of range");
  } catch (const sc::error& error) {
    require(error.status() == SC_ERROR_OVERFLOW, "the status of an overflow");
  }
}

// prune_quantize of an array that does not fit the caches gives what prune and quantize give.
template <class F>
void prunes_and_quantizes_large_arrays() {
  namespace sc = secateur;
  constexpr std::size_t kSize = (std::size_t{1} << 19) + 3;
  std::vector<F> w(kSize);
  std::uint32_t state = 1;
  for (F& x : w) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<F>(static_cast<std::int32_t>(state)) / F{0x1p24};
  }
  std::vector<F> pruned(kSize);
  sc::prune(w, kSize / 10, pruned);
  std::vector<std::int8_t> q(kSize);
  std::vector<std::int8_t> expected(kSize);
  const F scale{1.25};
  const std::int32_t zero_point = -7;
  for (const sc_format& fmt : {sc::affine(8, scale), sc::affine(8, scale, &zero_point)}) {
    for (const sc_rounding rounding : {SC_ROUNDING_NEAREST_EVEN, SC_ROUNDING_FLOOR}) {
      sc::quantize(pruned, fmt, expected, with(rounding));
      sc::prune_quantize(w, kSize / 10, fmt, q, with(rounding));
      require(q == expected, "prune_quantize of a large array");
    }
  }
}

// Stochastic rounding depends on the index of an element, however an array is divided into chunks.
void index_offset_continues_an_array() {
  namespace sc = secateur;
  constexpr std::size_t kSize = 1500;
  std::array<float, kSize> w{};
  for (std::size_t i = 0; i < kSize; ++i) {
    w[i] = 0.3f * static_cast<float>(i % 20);
  }
  const float scale = 0.8f;
  const std::int32_t zero_point = -4;
  const sc_format fmt = sc::affine(4, scale, &zero_point);
  // In some arrays, the upper half of the index changes, or the index wraps after the last one.
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;
  for (const std::uint64_t offset : {std::uint64_t{0}, kHalf - 3, kHalf - 1027, 5 * kHalf - 64,
                                     std::numeric_limits<std::uint64_t>::max() - 700}) {
    sc_quantize_options options = with(SC_ROUNDING_STOCHASTIC);
    options.index_offset = offset;
    std::array<std::int8_t, kSize> q{};
    sc::quantize(w, fmt, q, options);
    std::array<std::int8_t, kSize> by_chunks{};
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      for (std::size_t i = 0; i < kSize; i += size) {
        const std::size_t count = std::min(size, kSize - i);
        options.index_offset = offset + i;
        sc::quantize(std::span(&w[i], count), fmt, std::span(&by_chunks[i], count), options);
      }
      require(by_chunks == q, "index_offset");
    }
    options.index_offset = offset;
    std::array<std::uint8_t, sc::packed_bytes(kSize, 4)> packed{};
    std::array<std::uint8_t, packed.size()> expected{};
    sc::pack_ints(q, 4, expected);
    require(sc_quantize(w.data(), SC_DTYPE_FLOAT32, kSize, &fmt, &options, packed.data(),
                        SC_DTYPE_PACKED_LITTLE) == SC_OK &&
                packed == expected,
            "index_offset of packed integers");
    sc::prune_quantize(w, kSize, fmt, by_chunks, options);
    require(by_chunks == q, "index_offset of prune_quantize");
  }
}

// Requires that a call is refused with a message that begins with the name of a span.
template <class F>
void require_refused(const char* argument, const F& call) {
  try {
    call();
    require(false, argument);
  } catch (const secateur::error& error) {
    require(error.status() == SC_ERROR_ARGUMENT, "the status of a span that does not fit");
    require(std::string(error.what()).starts_with(std::string(argument) + " must have "),
            error.what());
  }
}

// Makes each span of each function one element too short.
void refuses_spans_that_do_not_fit() {
  namespace sc = secateur;
  const std::vector<float> w{0.5f, -2.0f, 0.25f, 1.5f};
  const std::array<float, 3> short_w{};
  const std::array<bool, 4> kept{};
  const std::int32_t frac_bits = 2;
  const sc_format format = sc::fixed_point(8, frac_bits);
  const sc_layout blocks{.length = 2, .inner = 2, .block = 1, .inner_block = 1, .shared = 0};
  const sc_layout rows{.length = 2, .inner = 1, .block = 0, .inner_block = 1, .shared = 0};
  std::array<float, 4> out{};
  std::array<bool, 3> short_mask{};
  std::array<float, 3> short_out{};
  std::array<std::int8_t, 4> q{};
  std::array<std::int8_t, 3> short_q{};
  std::array<std::uint8_t, 1> short_packed{};

  require_refused("mask", [&] { sc::prune_mask(w, 1, short_mask); });
  require_refused("out", [&] { sc::prune(w, 1, short_out); });
  require_refused("out", [&] { sc::prune_threshold(w, 1, short_out); });
  require_refused("out", [&] { sc::prune_pattern(w, 1, 2, rows, short_out); });
  require_refused("mask", [&] { sc::prune_mask_threshold(w, 1, short_mask); });
  require_refused("mask", [&] { sc::prune_mask_pattern(w, 1, 2, rows, short_mask); });
  require_refused("out", [&] { sc::apply_mask(w, kept, short_out); });
  require_refused("mask", [&] { sc::apply_mask(w, short_mask, out); });
  require_refused("out", [&] { sc::prune_blocks(w, blocks, SC_NORM_L1, 1, short_out); });
  require_refused("out", [&] { sc::prune_blocks_threshold(w, blocks, SC_NORM_L1, 1, short_out); });
  require_refused("mask", [&] { sc::prune_mask_blocks(w, blocks, SC_NORM_L1, 1, short_mask); });
  require_refused("mask",
                  [&] { sc::prune_mask_blocks_threshold(w, blocks, SC_NORM_L1, 1, short_mask); });
  std::array<std::int64_t, 4> indices{};
  std::array<std::int64_t, 3> short_indices{};
  require_refused("values", [&] { sc::kth_magnitude(w, 1, rows, short_out); });
  require_refused("values", [&] { sc::topk(w, 4, short_out, indices); });
  require_refused("residual", [&] { sc::topk_with_residual(w, short_out, 2, out, indices); });
  require_refused("indices", [&] { sc::topk(w, 4, out, short_indices); });
  require_refused("indices",
                  [&] { sc::topk(w, 2, out, short_indices, SC_ORDER_RANK, SC_NAN_RAISE, &rows); });
  std::array<sc_error_sums, 3> short_sums{};
  std::array<std::int32_t, 4> zero_points{};
  std::array<std::int32_t, 3> short_zero_points{};
  require_refused("sums", [&] { sc::compare(w, w, blocks, short_sums); });
  require_refused("frac_bits", [&] { sc::choose_format(w, blocks, 8, short_zero_points); });
  require_refused("scale", [&] { sc::choose_affine(w, blocks, 8, short_out, zero_points); });
  require_refused("zero_point", [&] { sc::choose_affine(w, blocks, 8, out, short_zero_points); });
  require_refused("q", [&] {
    sc::choose_affine(w, 8, true, false, SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_FLOOR, short_q);
  });
  require_refused("out", [&] { sc::soft_threshold(w, 1, short_out); });
  require_refused("q", [&] { sc::quantize(w, format, short_q); });
  require_refused("out", [&] { sc::dequantize(q, format, short_out); });
  require_refused("out", [&] { sc::fake_quantize(w, format, short_out); });
  require_refused("q", [&] { sc::prune_quantize(w, 1, format, short_q); });
  require_refused("packed", [&] { sc::pack_ints(q, 4, short_packed); });
  require_refused("packed", [&] { sc::unpack_ints(short_packed, 4, q); });
  require_refused("bitmask", [&] { sc::encode_bitmask(w, 2, short_packed, out); });
  require_refused("bitmask", [&] { sc::decode_bitmask(short_packed, w, 2, out); });
  require_refused("bitmask", [&] { sc::encode_gaps(short_packed, 4, 2, short_packed); });
  require_refused("bitmask", [&] { sc::decode_gaps(short_packed, 4, 2, short_packed); });
  require_refused(
      "mask", [&] { sc::encode_bitmask(w, 4, short_packed, out, std::array<std::uint8_t, 3>{}); });
  require_refused("w_hat", [&] { sc::compare(w, short_w); });
  require(out == std::array<float, 4>{} && q == std::array<std::int8_t, 4>{} &&
              zero_points == std::array<std::int32_t, 4>{},
          "nothing written");
}

void refuses_counts_that_are_short() {
  namespace sc = secateur;
  const std::vector<float> w{1.0f};
  constexpr std::uint64_t kLast = 0x7fffffff;
  struct Case {
    sc_key_range range;
    std::size_t bins;
  };
  for (const Case& of : {Case{{0, kLast}, 1 << 16}, Case{{kLast - 65535, kLast}, 1 << 16},
                         Case{{0, 65536}, 32769}, Case{{5, 5}, 1}}) {
    require(sc::count_bins(of.range) == of.bins, "count_bins");
    std::vector<std::uint64_t> counts(of.bins - 1);
    sc_key_totals totals{};
    require_refused("counts", [&] { sc::count_magnitudes(w, of.range, counts, totals); });
    counts.resize(of.bins);
    sc::count_magnitudes(w, of.range, counts, totals);
  }
  static_assert(sc::count_bins({0, std::numeric_limits<std::uint64_t>::max()}) == SC_MAX_BINS);
}

// A group, or a block of elements that share a parameter, may be longer than its axis. It is then
// the whole axis.
void takes_groups_of_any_size() {
  const std::vector<float> w{0.5f, -2.0f, 0.25f, 1.5f, 3.0f, -4.0f, 1.0f, 0.0f};
  const std::vector<float> w_hat(w.size());
  struct Results {
    std::vector<double> errors;
    std::vector<float> scale = std::vector<float>(8);
    std::vector<std::int32_t> frac_bits = std::vector<std::int32_t>(8), zero_point = frac_bits;
    std::vector<std::int8_t> q = std::vector<std::int8_t>(8);
    bool operator==(const Results&) const = default;
  };
  const auto compute = [&](std::size_t length, std::size_t inner, std::size_t group) {
    Results r;
    const sc_layout layout{length, inner, group, 1, 0};
    const std::size_t n = w.size();
    std::vector<sc_error_sums> errors(n);
    const std::array<std::int32_t, 8> each{1, 2, 3, 4, 5, 6, 7, 8};
    sc_format format = secateur::fixed_point(8, each[0]);
    format.layout = &layout;
    require(sc_choose_format(w.data(), SC_DTYPE_FLOAT32, n, &layout, 4, 1,
                             SC_CHOICE_METHOD_PERCENTILE, 80, SC_ROUNDING_NEAREST_EVEN,
                             r.frac_bits.data(), nullptr, SC_DTYPE_INT8) == SC_OK &&
                sc_choose_affine(w.data(), SC_DTYPE_FLOAT32, n, &layout, 4, 1, 0,
                                 SC_CHOICE_METHOD_MSE, 0, SC_ROUNDING_NEAREST_EVEN, r.scale.data(),
                                 r.zero_point.data(), nullptr, SC_DTYPE_INT8) == SC_OK &&
                sc_compare(w.data(), SC_DTYPE_FLOAT32, w_hat.data(), SC_DTYPE_FLOAT32, n, &layout,
                           nullptr, SC_ROUNDING_NEAREST_EVEN, errors.data()) == SC_OK &&
                sc_quantize(w.data(), SC_DTYPE_FLOAT32, n, &format, nullptr, r.q.data(),
                            SC_DTYPE_INT8) == SC_OK,
            "groups of any size");
    for (std::size_t i = 0; i < n; ++i) {
      r.errors.push_back(errors[i].squared_error);
    }
    return r;
  };
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  for (const auto& [length, inner] : {std::pair<std::size_t, std::size_t>{8, 1}, {4, 2}, {4, 1}}) {
    const Results expected = compute(length, inner, length);
    for (const std::size_t group : {length + 1, kMost / 2 + 1, kMost - 1, kMost}) {
      require(compute(length, inner, group) == expected, "a group that is longer than its axis");
    }
  }
}

void encodes_bitmasks() {
  namespace sc = secateur;
  const std::array<double, 6> w{0, 2, 0, -0.0, 0, 5};
  std::array<std::uint8_t, sc::bitmask_bytes(6, 3)> bitmask{};
  std::array<double, 6> values{};
  require(sc::encode_bitmask(w, 3, bitmask, values) == 3, "the number of values");
  require(bitmask == std::array<std::uint8_t, 2>{2, 5}, "the bits of rows");
  require(values[0] == 2 && std::signbit(values[1]) && values[2] == 5, "the values");
  std::array<double, 6> decoded{};
  sc::decode_bitmask(bitmask, std::span(values).first(3), 3, decoded);
  require(std::memcmp(decoded.data(), w.data(), sizeof w) == 0, "decode_bitmask");
  const std::array<std::uint8_t, 6> keep{1, 0, 0, 0, 0, 7};
  require(sc::encode_bitmask(w, 3, bitmask, values, keep) == 2 && values[0] == 0 && values[1] == 5,
          "a zero that a mask keeps");
  std::size_t count = 0;
  std::array<std::int64_t, 2> offsets{};
  require(sc_count_bitmask(bitmask.data(), 6, 3, &count, offsets.data()) == SC_OK && count == 2 &&
              offsets == std::array<std::int64_t, 2>{0, 1},
          "the offsets of rows");
  std::array<std::uint8_t, 2> gaps{};
  require(sc::encode_gaps(bitmask, 6, 3, gaps) == 2 && gaps == std::array<std::uint8_t, 2>{0, 4},
          "the gaps");
  std::array<std::uint8_t, 2> from_gaps{9, 9};
  sc::decode_gaps(gaps, 6, 3, from_gaps);
  require(from_gaps == bitmask, "the bitmask of gaps");
  require(sc_encode_gaps(bitmask.data(), 6, 3, from_gaps.data(), 1, &count) == SC_ERROR_ARGUMENT &&
              count == 2 && from_gaps[0] == 0 && from_gaps[1] == bitmask[1],
          "a small buffer for gaps");
  // A buffer that is too small: what fits is written, and the number that is needed.
  values = {};
  require(sc_encode_bitmask(w.data(), 8, 6, 3, nullptr, bitmask.data(), values.data(), 1, &count) ==
                  SC_ERROR_ARGUMENT &&
              count == 3 && values[0] == 2 && values[1] == 0 && !std::signbit(values[1]),
          "a small buffer");
  bitmask[1] = 8;
  require(sc_count_bitmask(bitmask.data(), 6, 3, &count, nullptr) == SC_ERROR_ARGUMENT,
          "a spare bit");
}

// w as a matrix of two rows, whose columns are the slices; and as two arrays.
void selects_in_slices() {
  namespace sc = secateur;
  const std::vector<double> w{0.5, -2.0, 0.25, 1.5};
  const sc_layout columns{.length = 2, .inner = 2, .block = 0, .inner_block = 1, .shared = 0};
  const std::array<double, 4> importance{1, 2, 3, 0};
  const sc_scores scores{SC_SCORING_VALUES, SC_DTYPE_FLOAT64, importance.data(), 0, 0};
  std::array<double, 2> values{};
  std::array<std::int64_t, 2> indices{};
  std::array<bool, 4> mask{};
  std::vector<double> out(4);
  sc::kth_magnitude(w, 2, columns, values);
  require(values == std::array<double, 2>{0.25, 1.5}, "kth_magnitude of columns");
  sc::topk(w, 2, values, indices, SC_ORDER_RANK);
  require(values == std::array<double, 2>{-2, 1.5} && indices == std::array<std::int64_t, 2>{1, 3},
          "topk by rank");
  sc::topk(w, 1, values, indices, SC_ORDER_INDEX, SC_NAN_KEEP, &columns, &scores);
  require(values == std::array<double, 2>{0.25, -2} && indices == std::array<std::int64_t, 2>{1, 0},
          "topk of columns by scores");
  std::vector<double> residual{1, 3, 0, 0};
  sc::topk_with_residual(w, residual, 1, values, indices, SC_ORDER_INDEX, SC_NAN_RAISE, &columns);
  require(values == std::array<double, 2>{1.5, 1.5} && indices == std::array<std::int64_t, 2>{0, 1},
          "topk of columns with a residual");
  require(residual == std::vector<double>{0, 1, 0.25, 0}, "the residual of topk");
  sc::prune(w, 1, out, SC_NAN_RAISE, &columns);
  require(out == std::vector<double>{0.5, -2, 0, 0}, "prune of columns");
  sc::prune(w, 1, out, SC_NAN_RAISE, nullptr, &scores);
  require(out == std::vector<double>{0, 0, 0.25, 0}, "prune by scores");
  sc::prune_threshold(w, 1, out, SC_NAN_RAISE, &scores);
  require(out == std::vector<double>{0, -2, 0.25, 0}, "prune_threshold by scores");
  sc::prune_pattern(w, 1, 2, columns, out, SC_NAN_RAISE, &scores);
  require(out == std::vector<double>{0, -2, 0.25, 0}, "prune_pattern by scores");
  std::vector<double> rest(5);
  sc::prune_pattern(std::vector<double>{1, 3, -2, 4, 5}, 1, 3, sc_layout{5, 1, 0, 1, 0}, rest,
                    SC_NAN_RAISE, nullptr, SC_REMAINDER_PAD);
  require(rest == std::vector<double>{0, 3, 0, 0, 5}, "prune_pattern with a rest");
  sc::prune_mask(w, 1, mask, SC_NAN_RAISE, &columns);
  require(mask == std::array<bool, 4>{true, true, false, false}, "prune_mask of columns");
  sc::prune_mask_threshold(w, 0.5, mask);
  require(mask == std::array<bool, 4>{false, true, false, true}, "prune_mask_threshold");
  sc::prune_mask_pattern(w, 1, 2, columns, mask);
  require(mask == std::array<bool, 4>{true, true, false, false}, "prune_mask_pattern");

  std::array<float, 2> small{1, -3};
  const std::array<sc_member, 2> members{
      sc_member{w.data(), SC_DTYPE_FLOAT64, 4, nullptr, out.data(), nullptr, 0},
      sc_member{small.data(), SC_DTYPE_FLOAT32, 2, nullptr, small.data(), nullptr, 0}};
  sc::prune_global(members, 2);
  require(out == std::vector<double>{0, -2, 0, 0} && small == std::array<float, 2>{0, -3},
          "prune_global");
  std::array<std::uint8_t, 1> first{};
  std::array<std::uint8_t, 1> second{};
  std::array<sc_member, 2> masks = members;
  masks[0].out = first.data();
  masks[1].out = second.data();
  sc::prune_mask_global(masks, 2, SC_NAN_RAISE, SC_MASK_FORMAT_BITS_LITTLE);
  require(first[0] == 2 && second[0] == 2, "prune_mask_global");
}

// The sum of squared errors of the integers from `lowest` to `highest`. It is exact if the elements
// and the step are multiples of a common power of two.
double squared_error(const std::vector<double>& group, double step, double lowest, double highest) {
  double sum = 0;
  for (const double x : group) {
    const double error = x - step * std::clamp(std::nearbyint(x / step), lowest, highest);
    sum += error * error;
  }
  return sum;
}

// The largest frac_bits with which no element of a group of integers saturates as an int4; or, if
// `is_mse`, those of the least error.
std::int32_t int4_frac_bits(const std::vector<double>& group, bool is_mse) {
  constexpr std::int32_t kMost = 3;
  if (std::ranges::all_of(group, [](double x) { return x == 0; })) {
    return kMost;
  }
  std::int32_t chosen = kMost + 1;
  bool saturates = true;
  while (saturates) {
    --chosen;
    saturates = std::ranges::any_of(group, [&](double x) {
      const double integer = std::nearbyint(std::ldexp(x, chosen));
      return integer < -8 || integer > 7;
    });
  }
  if (is_mse) {
    const auto error = [&](int frac_bits) {
      return squared_error(group, std::ldexp(1.0, -frac_bits), -8, 7);
    };
    for (std::int32_t finer = chosen + 1; finer <= kMost + 3; ++finer) {
      chosen = error(finer) <= error(chosen) ? finer : chosen;
    }
  }
  return chosen;
}

// Requires that the formats chosen for the groups of w are those of their elements.
void require_choices(const std::vector<float>& w, const sc_layout& layout,
                     const std::vector<std::vector<double>>& groups) {
  namespace sc = secateur;
  const std::size_t count = groups.size();
  constexpr double kPercentile = 70;
  for (const sc_choice_method method :
       {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE, SC_CHOICE_METHOD_MSE}) {
    std::vector<std::int32_t> frac_bits(count);
    std::vector<float> scale(count);
    std::vector<std::int32_t> zero_point(count);
    std::vector<float> of_symmetric(count);
    std::vector<std::int32_t> middle(count);
    sc::choose_format(w, layout, 4, frac_bits, true, method, kPercentile);
    sc::choose_affine(w, layout, 4, scale, zero_point, false, false, method, kPercentile);
    sc::choose_affine(w, layout, 4, of_symmetric, middle, false, true, method, kPercentile);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<double> group = groups[i];
      if (method == SC_CHOICE_METHOD_PERCENTILE) {
        std::vector<double> magnitudes = group;
        std::ranges::for_each(magnitudes, [](double& x) { x = std::abs(x); });
        std::ranges::sort(magnitudes);
        const std::size_t rank = (group.size() * 70 + 99) / 100;
        const double most = magnitudes[rank - 1];
        std::ranges::for_each(group, [&](double& x) { x = std::clamp(x, -most, most); });
      }
      const bool is_mse = method == SC_CHOICE_METHOD_MSE;
      require(frac_bits[i] == int4_frac_bits(group, is_mse), "choose_format of groups");
      const double low = std::min(0.0, std::ranges::min(group));
      const double high = std::max(0.0, std::ranges::max(group));
      const bool is_zero = low == 0 && high == 0;
      float step = is_zero ? 1 : static_cast<float>(high / 15 - low / 15);
      double zero = 0;
      const auto integer = [&](double x) {
        return zero + static_cast<double>(std::nearbyint(static_cast<float>(x) / step));
      };
      for (bool fits = is_zero; !fits;) {  // if the zero point is a tie, the next larger step does
        zero = std::nearbyint(-low / static_cast<double>(step));
        fits = integer(low) >= 0 && integer(high) <= 15;
        step = fits ? step : std::nextafter(step, 100.0F);
      }
      const float most = is_zero ? 1 : static_cast<float>(std::max(high, -low) / 7);
      require(zero_point[i] == zero, "zero points of groups");
      require(middle[i] == 8, "zero points of symmetric groups");
      if (is_mse) {
        // Rounding of the multiplier and the product decides between scales of nearly the same
        // error.
        const auto is_no_worse = [&](float chosen, float of_max, double lowest, double highest) {
          return chosen <= of_max &&
                 squared_error(group, static_cast<double>(chosen), lowest, highest) <=
                     squared_error(group, static_cast<double>(of_max), lowest, highest) + 0.1;
        };
        require(is_no_worse(scale[i], step, -zero, 15 - zero), "scales of groups by mse");
        require(is_no_worse(of_symmetric[i], most, -8, 7), "scales of symmetric groups by mse");
      } else {
        require(scale[i] == step, "scales of groups");
        require(of_symmetric[i] == most, "scales of symmetric groups");
      }
    }
  }
}

// The groups of every kind of layout, against a loop over their elements. The elements are small
// integers, so that all sums are exact.
void gathers_statistics_of_groups() {
  namespace sc = secateur;
  constexpr std::size_t kN = 420;
  std::vector<float> w(kN);
  std::vector<float> w_hat(kN);
  for (std::size_t i = 0; i < kN; ++i) {
    w[i] = static_cast<float>(i * 37 % 61) - 30;
    w_hat[i] = static_cast<float>(i * 11 % 41) - 20;
  }
  for (const auto& [length, inner] :
       {std::pair<std::size_t, std::size_t>{420, 1}, {1, 420}, {60, 7}, {7, 60}, {12, 5}, {5, 1}}) {
    for (const std::size_t block : std::initializer_list<std::size_t>{0, 1, 2, 3, 5, 12, 1000}) {
      for (const std::size_t inner_block :
           std::initializer_list<std::size_t>{0, 1, 2, 7, 30, 1000}) {
        for (const std::int32_t shared : {0, 1}) {
          const sc_layout layout{length, inner, block, inner_block, shared};
          const std::size_t height = block == 0 ? length : std::min(block, length);
          const std::size_t width = inner_block == 0 ? inner : std::min(inner_block, inner);
          const std::size_t along = (length - 1) / height + 1;
          const std::size_t across = (inner - 1) / width + 1;
          const std::size_t count = along * across * (shared != 0 ? 1 : kN / (length * inner));
          require(sc::count_groups(kN, &layout) == count, "count_groups");
          std::vector<sc_error_sums> expected(count);
          std::vector<std::vector<double>> elements(count);
          for (std::size_t i = 0; i < kN; ++i) {
            const std::size_t matrix = shared != 0 ? 0 : i / (length * inner);
            const std::size_t group =
                (matrix * along + i / inner % length / height) * across + i % inner / width;
            const double a = static_cast<double>(w[i]);
            const double b = static_cast<double>(w_hat[i]);
            expected[group].squared_error += (a - b) * (a - b);
            expected[group].products += a * b;
            elements[group].push_back(a);
          }
          std::vector<sc_error_sums> sums(count);
          sc::compare(w, w_hat, layout, sums);
          for (std::size_t i = 0; i < count; ++i) {
            require(sums[i].squared_error == expected[i].squared_error &&
                        sums[i].products == expected[i].products,
                    "compare of groups");
          }
          require_choices(w, layout, elements);
        }
      }
    }
  }
}

// Each row has its own frac_bits, and so its own range: -4 to 3.97, and -128 to 127.
void counts_saturated_in_groups() {
  namespace sc = secateur;
  const std::vector<float> w{4, -5, 3, 100, 128, -200};
  const std::array<std::int32_t, 2> frac_bits{5, 0};
  const sc_layout rows{2, 3, 1, 3, 0};
  sc_format format = sc::fixed_point(8, frac_bits[0]);
  format.layout = &rows;
  std::array<sc_error_sums, 2> sums{};
  sc::compare(w, w, rows, sums, &format);
  require(sums[0].saturated == 2 && sums[1].saturated == 2, "saturated elements of each row");
  const std::array<float, 6> other{100, 100, 100, 100, 100, 100};
  sc::compare(other, other, rows, sums, &format);
  require(sums[0].saturated == 3 && sums[1].saturated == 0, "the frac_bits of each row");
}

// Choosing and quantizing in one call gives what two calls do.
template <class W>
void quantizes_chosen(const W& w) {
  namespace sc = secateur;
  using T = std::ranges::range_value_t<W>;
  const std::size_t n = std::ranges::size(w);
  const std::size_t count = (n + 1) / 2;  // groups
  const sc_layout pairs{n, 1, 2, 0, 1};
  std::vector<std::int8_t> q(n), expected(n);
  std::vector<std::int32_t> frac_bits(count), zero_point(count);
  std::vector<T> scale(count);
  constexpr auto kMax = SC_CHOICE_METHOD_MAX;
  constexpr auto kFloor = SC_ROUNDING_FLOOR;
  sc_quantize_options options{};
  options.rounding = kFloor;
  const auto check = [&](sc_format fmt, const sc_layout* layout, const char* what) {
    fmt.layout = layout;
    sc::quantize(w, fmt, expected, options);
    require(q == expected, what);
    q.assign(n, 77);
  };
  const std::int32_t for_all = sc::choose_format(w, 8, true, kMax, 0, kFloor, q);
  check(sc::fixed_point(8, for_all), nullptr, "choose_format and quantize");
  sc::choose_format(w, pairs, 8, frac_bits, true, kMax, 0, kFloor, q);
  check(sc::fixed_point(8, frac_bits[0]), &pairs, "choose_format of groups and quantize");
  const auto chosen = sc::choose_affine(w, 8, true, false, kMax, 0, kFloor, q);
  check(sc::affine(8, chosen.scale, &chosen.zero_point), nullptr, "choose_affine and quantize");
  sc::choose_affine(w, pairs, 8, scale, zero_point, true, false, kMax, 0, kFloor, q);
  check(sc::affine(8, scale[0], zero_point.data()), &pairs, "choose_affine of groups and quantize");
}

// Formats of a whole array, against expected constants.
template <class T>
void chooses_formats() {
  namespace sc = secateur;
  const std::array<T, 4> w{T{0.5}, T{-2}, T{0.25}, T{1.5}};
  const auto is = [](const sc::affine_parameters<T>& chosen, double scale, std::int32_t zero) {
    return chosen.scale == static_cast<T>(scale) && chosen.zero_point == zero;
  };
  require(sc::choose_format(w, 8) == 6, "-2 is -128 * 2^-6");
  require(sc::choose_format(w, 3) == 1, "-2 is -4 / 2");
  quantizes_chosen(w);
  require(sc::choose_format(w, 8, true, SC_CHOICE_METHOD_PERCENTILE, 75) == 6,
          "1.5 is 96 * 2^-6, and -1.5 is -96 * 2^-6");
  require(sc::choose_format(w, 8, true, SC_CHOICE_METHOD_PERCENTILE, 50) == 7, "-0.5 is -64 / 128");
  require(sc::choose_format(w, 8, true, SC_CHOICE_METHOD_PERCENTILE, 0) == 8, "0.25 is 64 / 256");
  require(sc::choose_format(w, 2, true, SC_CHOICE_METHOD_MSE) == 0,
          "the steps 2 and 1 have the same error, 0.5625, and the step 0.5 has 2.0625");
  const std::array<T, 4> positive{T{0.5}, T{2}, T{0.25}, T{-0.001953125}};  // the last is -2^-9
  require(sc::choose_format(positive, 8, false) == 6, "2 is 128 * 2^-6, and -2^-9 is -2^-3 * 2^-6");
  const std::array<T, 3> half{T{2}, T{-0.0078125}, T{0}};  // -2^-7 * 2^6 is rounded to 0
  require(sc::choose_format(half, 8, false) == 6, "half an integer below 0");
  require(is(sc::choose_affine(w), 1.5 / 255 + 2.0 / 255, 18), "-128 + 2 / scale is 17.7");
  require(is(sc::choose_affine(w, 4, false), 1.5 / 15 + 2.0 / 15, 9), "2 / scale is 8.6");
  require(is(sc::choose_affine(w, 4, true, true), 2.0 / 7, 0), "a symmetric range");
  require(is(sc::choose_affine(w, 4, false, true), 2.0 / 7, 8), "a symmetric range of unsigned");
  require(is(sc::choose_affine(w, 4, true, true, SC_CHOICE_METHOD_PERCENTILE, 60), 1.5 / 7, 0),
          "a percentile");
  // In 2 bits, the scale 8 rounds all elements of 0.5 to 0. Scales around 0.5 only saturate the 8.
  std::array<T, 1024> many;
  many.fill(T{0.5});
  many[5] = T{8};
  const auto of_mse = sc::choose_affine(many, 2, true, true, SC_CHOICE_METHOD_MSE);
  require(of_mse.scale >= T{0.5} && of_mse.scale < T{0.515625} && of_mse.zero_point == 0, "mse");
  require(is(sc::choose_affine(many, 2, true, true), 8, 0), "max");
  require(sc::choose_format(w, 2, true, SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_FLOOR) == 0 &&
              sc::choose_format(w, 2, true, SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_CEIL) == -1,
          "1.5 is rounded down to 1, and up to 2");
  require(is(sc::choose_affine(w, 4, false, false, SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_CEIL),
             1.5 / 15 + 2.0 / 15, 8),
          "the zero point is rounded down");
  const std::array<T, 3> zeros{};
  require(sc::choose_format(zeros, 8) == 7 && sc::choose_format(zeros, 8, false) == 8,
          "fraction bits of zeros");
  require(is(sc::choose_affine(zeros), 1, 0), "a scale of zeros");
  require(is(sc::choose_affine(zeros, 8, false, true), 1, 128), "a symmetric range of zeros");
  try {
    sc::choose_format(w, 8, false);
    require(false, "an error for negative elements");
  } catch (const sc::error& error) {
    require(error.status() == SC_ERROR_ARGUMENT, "the status of negative elements");
  }
}

void keep_count_takes_any_n() {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  for (const std::size_t n : {kMost, kMost - 1, kMost / 2 + 1, (std::size_t{1} << 53) + 1}) {
    std::size_t k = 7;
    require(sc_keep_count(n, 1, &k) == SC_OK && k == 0, "nothing is kept at a sparsity of 1");
    require(sc_keep_count(n, 0, &k) == SC_OK && k == n, "all is kept at a sparsity of 0");
  }
}

// Scopes of interrupt callbacks nest, and restore what was set before them.
void scopes_restore_interrupt_callbacks() {
  using secateur::scoped_interrupt;
  const auto never = [](void*) { return 0; };
  int outer = 0;
  int inner = 0;
  const auto context_now = [] {
    sc_interrupt check = nullptr;
    void* context = nullptr;
    require(sc_set_thread_interrupt(nullptr, nullptr, &check, &context) == SC_OK &&
                sc_set_thread_interrupt(check, context, nullptr, nullptr) == SC_OK,
            "the callback is read");
    require((check == nullptr) == (context == nullptr), "a callback and its context");
    return context;
  };
  {
    const scoped_interrupt of_outer(never, &outer);
    require(context_now() == &outer, "the outer scope");
    {
      const scoped_interrupt of_inner(never, &inner);
      require(context_now() == &inner, "the inner scope");
    }
    require(context_now() == &outer, "the outer scope again");
  }
  require(context_now() == nullptr, "no scope");
}

}  // namespace

int main() {
  namespace sc = secateur;
  const std::array<float, 4> w{0.5f, -2.0f, 0.25f, 1.5f};
  const std::int32_t frac_bits = 2;
  const sc_format format = sc::fixed_point(8, frac_bits);
  std::array<float, 4> out{};
  std::array<bool, 4> mask{};
  std::array<std::int8_t, 4> q{};

  require(sc::kth_magnitude(w, 2) == 1.5f, "kth_magnitude");
  require(kth_key({{0.5f, -2.0f}, {}, {0.25f, 1.5f}}, 2) == 0x3fc00000, "count_magnitudes");
  const std::vector<double> doubles{0.5, -2.0, 0.25, 1.5};
  std::vector<double> pruned(4);
  require(sc::kth_magnitude(doubles, 3) == 0.5, "kth_magnitude of doubles");
  sc::prune(doubles, 1, pruned);
  require(pruned == std::vector<double>{0, -2.0, 0, 0}, "prune of doubles");
  sc::prune(w, 2, out);
  require(out == std::array<float, 4>{0, -2.0f, 0, 1.5f}, "prune");
  sc::prune_threshold(w, 0.5, out);
  require(out == std::array<float, 4>{0, -2.0f, 0, 1.5f}, "prune_threshold");
  sc::prune_mask(w, 1, mask);
  require(mask == std::array<bool, 4>{false, true, false, false}, "prune_mask");
  sc::apply_mask(w, mask, out);
  require(out == std::array<float, 4>{0, -2.0f, 0, 0}, "apply_mask");
  const sc_layout columns{.length = 2, .inner = 2, .block = 2, .inner_block = 1, .shared = 0};
  sc::prune_blocks(w, columns, SC_NORM_MAX, 1, out);
  require(out == std::array<float, 4>{0, -2.0f, 0, 1.5f}, "prune_blocks");
  sc::prune_blocks_threshold(w, columns, SC_NORM_MAX, 2, out);
  require(out == std::array<float, 4>{}, "prune_blocks_threshold");
  sc::prune_mask_blocks(w, columns, SC_NORM_MAX, 1, mask);
  require(mask == std::array<bool, 4>{false, true, false, true}, "prune_mask_blocks");
  sc::prune_mask_blocks_threshold(w, columns, SC_NORM_MAX, 1, mask);
  require(mask == std::array<bool, 4>{false, true, false, true}, "prune_mask_blocks_threshold");
  selects_in_slices();
  gathers_statistics_of_groups();
  sc::soft_threshold(w, 0.5, out);
  require(out == std::array<float, 4>{0, -1.5f, 0, 1.0f}, "soft_threshold");
  quantizes<float>();
  quantizes<double>();
  encodes_bitmasks();
  std::array<std::uint8_t, 2> packed{};
  sc::pack_ints(std::vector<std::int8_t>{1, -8, 0, 7}, 4, packed);
  require(packed == std::array<std::uint8_t, 2>{0x81, 0x70}, "pack_ints");
  sc::unpack_ints(packed, 4, q, SC_BITORDER_BIG);
  require(q == std::array<std::int8_t, 4>{-8, 1, 7, 0}, "unpack_ints");
  const std::array<std::int16_t, 4> wide{1, -2, 3, -2048};
  std::array<std::uint8_t, 8> rows{};
  require(sc::packed_bytes(4, 12, 1, 32) == 16 && sc::packed_bytes(4, 12, 2, 32) == 8,
          "packed_bytes of rows");
  sc::pack_ints(wide, 12, rows, SC_BITORDER_LITTLE, 2, 32);
  require(rows == std::array<std::uint8_t, 8>{0x01, 0xe0, 0xff, 0, 0x03, 0x00, 0x80, 0},
          "pack_ints of rows");
  std::array<std::int16_t, 4> back{};
  sc::unpack_ints(rows, 12, back, SC_BITORDER_LITTLE, 2, 32);
  require(back == wide, "unpack_ints of rows");

  const std::vector<double> w_hat{0.5, -2.0, 0.75, 1.0};
  const sc_error_sums sums = sc::compare(w, w_hat, &format);
  require(sums.squared_error == 0.5 && sums.max_error == 0.5 && sums.saturated == 0, "compare");
  require(sums.squared_w == 6.5625 && sums.products == 5.9375, "the other sums");
  counts_saturated_in_groups();
  chooses_formats<float>();
  chooses_formats<double>();

  try {
    sc::kth_magnitude(w, 5);
    require(false, "an error for k = 5");
  } catch (const sc::error& error) {
    require(error.status() == SC_ERROR_ARGUMENT, "its status");
  }
  sums_of_nan_are_the_same_on_every_isa();
  prunes_and_quantizes_large_arrays<float>();
  prunes_and_quantizes_large_arrays<double>();
  index_offset_continues_an_array();
  refuses_spans_that_do_not_fit();
  refuses_counts_that_are_short();
  takes_groups_of_any_size();
  keep_count_takes_any_n();
  scopes_restore_interrupt_callbacks();
  require(sc_prune(reinterpret_cast<const char*>(w.data()) + 1, SC_DTYPE_FLOAT32, 3, 1, nullptr,
                   nullptr, SC_NAN_RAISE, out.data()) == SC_ERROR_ARGUMENT,
          "an error for an address that no float can have");
  refuses_undeclared_enum_values(w.data(), out.data(), q.data());
  return EXIT_SUCCESS;
}
