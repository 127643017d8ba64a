// Messages of refused calls: numbers can be read back as what was received, in any locale, and both
// arguments of an overlap are named. bad_arguments_test overlaps all other pairs of arguments.
#include <secateur/secateur.h>

#include <array>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "require.hpp"

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kLeast = std::numeric_limits<double>::denorm_min();

void require_message(sc_status status, const std::string& message) {
  require(status == SC_ERROR_ARGUMENT, ("must be refused with: " + message).c_str());
  require(sc_last_error() == message, (message + ", but is: " + sc_last_error()).c_str());
}

struct Refused {
  double number;
  const char* text;
};

const std::array<float, 4> w{1, -2, 3, -4};
std::array<float, 4> out;
const sc_scores kValues{SC_SCORING_VALUES, SC_DTYPE_FLOAT32, w.data(), 0, 0};

void thresholds() {
  const sc_layout blocks{2, 2, 1, 1, 0};
  for (const auto& [threshold, text] :
       {Refused{-1, "-1"}, Refused{-0.25, "-0.25"}, Refused{-1e-10, "-1e-10"},
        Refused{-kLeast, "-5e-324"}, Refused{-1e300, "-1e+300"},
        Refused{-kMax, "-1.7976931348623157e+308"}, Refused{-kInfinity, "-inf"},
        Refused{kNaN, "nan"}, Refused{-kNaN, "nan"}}) {
    const std::string message = std::string("threshold must be a number, at least 0, got ") + text;
    require_message(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, nullptr,
                                       SC_NAN_RAISE, out.data()),
                    message);
    require_message(
        sc_prune_blocks_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), &blocks, SC_NORM_L1,
                                  threshold, nullptr, SC_NAN_RAISE, out.data()),
        message);
    require_message(sc_soft_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, out.data()),
                    message);
  }
  require_message(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), kNaN, &kValues,
                                     SC_NAN_RAISE, out.data()),
                  "threshold must be a number, got nan");
}

// Infinite thresholds are valid, and negative ones where values rank.
void thresholds_at_the_limits() {
  constexpr std::array<float, 4> kNone{};
  for (const double threshold : {kInfinity, kMax}) {
    require(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, nullptr,
                               SC_NAN_RAISE, out.data()));
    require(out == kNone, "nothing is above the largest number");
    require(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, &kValues,
                               SC_NAN_RAISE, out.data()));
    require(out == kNone, "no score is above the largest number");
    require(sc_soft_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, out.data()));
    require(out == kNone, "all are shrunk to zero");
  }
  for (const double threshold : {-kInfinity, -kMax, -1e300}) {
    require(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, &kValues,
                               SC_NAN_RAISE, out.data()));
    require(out == w, "all scores are above a hugely negative number");
  }
  for (const double threshold : {0.0, -0.0}) {
    require(sc_prune_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, nullptr,
                               SC_NAN_RAISE, out.data()));
    require(out == w, "all magnitudes are above 0");
    require(sc_soft_threshold(w.data(), SC_DTYPE_FLOAT32, w.size(), threshold, out.data()));
    require(out == w, "nothing is subtracted");
  }
}

void other_numbers() {
  std::size_t k = 0;
  for (const auto& [sparsity, text] :
       {Refused{-kLeast, "-5e-324"}, Refused{1.0000000000000002, "1.0000000000000002"},
        Refused{kMax, "1.7976931348623157e+308"}, Refused{kNaN, "nan"}, Refused{-kInfinity, "-inf"},
        Refused{kInfinity, "inf"}}) {
    require_message(sc_keep_count(4, sparsity, &k),
                    std::string("sparsity must be a number from 0 to 1, got ") + text);
  }
  require(sc_keep_count(4, -0.0, &k));
  require(k == 4, "a sparsity of -0 keeps all");

  std::int32_t frac_bits = 0;
  float scale_of_all = 0;
  for (const auto& [percentile, text] :
       {Refused{-kLeast, "-5e-324"}, Refused{100.00000000000001, "100.00000000000001"},
        Refused{1e22, "1e+22"}, Refused{kNaN, "nan"}, Refused{kInfinity, "inf"}}) {
    const std::string message =
        std::string("percentile must be a number from 0 to 100, got ") + text;
    require_message(sc_choose_format(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, 8, 1,
                                     SC_CHOICE_METHOD_PERCENTILE, percentile,
                                     SC_ROUNDING_NEAREST_EVEN, &frac_bits, nullptr, SC_DTYPE_INT8),
                    message);
    require_message(
        sc_choose_affine(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, 8, 1, 0,
                         SC_CHOICE_METHOD_PERCENTILE, percentile, SC_ROUNDING_NEAREST_EVEN,
                         &scale_of_all, &frac_bits, nullptr, SC_DTYPE_INT8),
        message);
    for (const sc_choice_method method : {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_MSE}) {
      require(sc_choose_format(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, 8, 1, method,
                               percentile, SC_ROUNDING_NEAREST_EVEN, &frac_bits, nullptr,
                               SC_DTYPE_INT8));
      require(frac_bits == 5, "other methods ignore the percentile");
    }
  }
  for (const auto& [negative, text] :
       {Refused{-3.5, "-3.5"}, Refused{-0.1, "-0.1"}, Refused{-1e300, "-1e+300"}}) {
    const std::array<double, 4> with_negative{1, 2, negative, 0};
    for (const sc_choice_method method :
         {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE, SC_CHOICE_METHOD_MSE}) {
      require_message(
          sc_choose_format(with_negative.data(), SC_DTYPE_FLOAT64, with_negative.size(), nullptr, 8,
                           0, method, 0, SC_ROUNDING_NEAREST_EVEN, &frac_bits, nullptr,
                           SC_DTYPE_INT8),
          std::string(
              "w must be at least 0 for an unsigned format, except where it rounds to 0, got ") +
              text);
    }
  }

  const std::array<double, 4> doubles{};
  std::array<double, 4> quantized;
  std::array<std::int8_t, 4> q;
  for (const auto& [scale, text] :
       {Refused{-0.1, "-0.1"}, Refused{0, "0"}, Refused{kLeast, "5e-324"},
        Refused{kInfinity, "inf"}, Refused{2.2250738585072009e-308, "2.225073858507201e-308"},
        Refused{-kNaN, "nan"}}) {
    const sc_format fmt{
        SC_FORMAT_KIND_AFFINE, 8, 1, nullptr, nullptr, &scale, nullptr, 0, 0, nullptr};
    const std::string message = std::string("fmt.scale must be positive and normal, got ") + text;
    require_message(
        sc_quantize(doubles.data(), SC_DTYPE_FLOAT64, 4, &fmt, nullptr, q.data(), SC_DTYPE_INT8),
        message);
    require_message(
        sc_fake_quantize(doubles.data(), SC_DTYPE_FLOAT64, 4, &fmt, nullptr, quantized.data()),
        message);
    require_message(sc_prune_quantize(doubles.data(), SC_DTYPE_FLOAT64, 4, 2, &fmt, nullptr,
                                      q.data(), SC_DTYPE_INT8),
                    message);
    if (std::isfinite(scale)) {
      q = {-2, 0, 1, 127};
      require(
          sc_dequantize(q.data(), SC_DTYPE_INT8, 4, &fmt, 0, quantized.data(), SC_DTYPE_FLOAT64));
      require(quantized == std::array{-2 * scale, 0 * scale, scale, 127 * scale}, "any scale");
    } else {
      require_message(
          sc_dequantize(q.data(), SC_DTYPE_INT8, 4, &fmt, 0, quantized.data(), SC_DTYPE_FLOAT64),
          std::string("fmt.scale must be finite, got ") + text);
    }
  }
}

// Integers that a format cannot hold, in a dtype that can.
void wider_codes() {
  const std::int32_t frac_bits = 0;
  sc_format fmt{
      SC_FORMAT_KIND_FIXED_POINT, 24, 1, nullptr, &frac_bits, nullptr, nullptr, 0, 0, nullptr};
  const std::array<std::int32_t, 4> q{1, 0x7fffff, 0xfffe2f, -0x800001};
  std::array<std::int32_t, 4> requantized{};
  require_message(
      sc_dequantize(q.data(), SC_DTYPE_INT32, 4, &fmt, 0, out.data(), SC_DTYPE_FLOAT32),
      "q must have integers from -8388608 to 8388607 for this fmt, got 16776751 at flat index 2; "
      "set sign_extend to take the lowest 24 bits of each");
  require_message(
      sc_requantize(q.data(), SC_DTYPE_INT32, 4, &fmt, 0, &fmt, nullptr, requantized.data(),
                    SC_DTYPE_INT32),
      "q must have integers from -8388608 to 8388607 for this from_fmt, got 16776751 at flat index "
      "2; set sign_extend to take the lowest 24 bits of each");
  require(sc_dequantize(q.data(), SC_DTYPE_INT32, 4, &fmt, 1, out.data(), SC_DTYPE_FLOAT32));
  require(out == std::array<float, 4>{1, 0x7fffff, -465, 0x7fffff}, "the lowest bits");
  require(sc_requantize(q.data(), SC_DTYPE_INT32, 4, &fmt, 1, &fmt, nullptr, requantized.data(),
                        SC_DTYPE_INT32));
  require(requantized == std::array<std::int32_t, 4>{1, 0x7fffff, -465, 0x7fffff},
          "the lowest bits, requantized");

  fmt.bits = 3;
  fmt.is_signed = 0;
  const std::array<std::uint8_t, 4> bytes{7, 0, 8, 255};
  require_message(
      sc_dequantize(bytes.data(), SC_DTYPE_UINT8, 4, &fmt, 0, out.data(), SC_DTYPE_FLOAT32),
      "q must have integers from 0 to 7 for this fmt, got 8 at flat index 2; set sign_extend to "
      "take the lowest 3 bits of each");
  require(sc_dequantize(bytes.data(), SC_DTYPE_UINT8, 4, &fmt, 1, out.data(), SC_DTYPE_FLOAT32));
  require(out == std::array<float, 4>{7, 0, 0, 7}, "the lowest bits, without signs");
}

void packing() {
  const std::array<std::int8_t, 6> q{};
  std::array<std::uint8_t, 6> packed{};
  const auto refused = [&](sc_dtype dtype, std::int32_t bits, std::size_t row_length,
                           std::int32_t row_align, const std::string& message) {
    require_message(sc_pack_ints(q.data(), dtype, 6, bits, SC_BITORDER_LITTLE, row_length,
                                 row_align, packed.data()),
                    message);
  };
  refused(SC_DTYPE_INT8, 9, 0, 0, "bits must be 1 to 8 for int8, got 9");
  refused(SC_DTYPE_UINT16, 17, 0, 0, "bits must be 1 to 16 for uint16, got 17");
  refused(SC_DTYPE_INT4, 3, 0, 0, "bits must be 4 for int4, got 3");
  refused(SC_DTYPE_INT8, 4, 0, 16, "row_align must be 0, 8 or 32, got 16");
  refused(SC_DTYPE_INT8, 4, 4, 8, "row_length must be a divisor of 6, got 4");
  refused(SC_DTYPE_INT8, 4, 0, 8, "row_length must be a divisor of 6, got 0");
}

// Fields of a format out of their range.
void formats() {
  const float scale = 1;
  const std::int32_t zero_point = 3;
  const sc_layout rows{2, 1, 0, 0, 0};
  const std::array<std::int32_t, 2> frac_bits{0, 300};
  const sc_format fixed{
      SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &zero_point, nullptr, nullptr, 0, 0, nullptr};
  const sc_format affine{SC_FORMAT_KIND_AFFINE, 8, 1, nullptr, nullptr, &scale,
                         &zero_point,           0, 0, nullptr};
  const auto refused = [](const sc_format& fmt, const std::string& message,
                          const sc_quantize_options* options = nullptr) {
    std::array<std::int8_t, 4> q;
    require_message(
        sc_quantize(w.data(), SC_DTYPE_FLOAT32, 4, &fmt, options, q.data(), SC_DTYPE_INT8),
        message);
  };
  sc_format fmt = fixed;
  fmt.kind = sc_format_kind{};
  refused(fmt, "fmt.kind must be fixed point or affine, got 0");
  fmt = fixed;
  fmt.bits = 1;
  refused(fmt, "fmt.bits must be 2 to 32, got 1");
  fmt = affine;
  fmt.bits = 0;
  refused(fmt, "fmt.bits must be 1 to 32, got 0");
  fmt = affine;
  fmt.bits = 9;
  refused(fmt, "q must be int16 or packed for this fmt, got int8");
  fmt = fixed;
  fmt.bits = 2;
  fmt.is_signed = 0;
  refused(fmt, "q must be uint8, uint4, uint2 or packed for this fmt, got int8");
  fmt = fixed;
  fmt.layout = &rows;
  fmt.frac_bits = frac_bits.data();
  refused(fmt, "fmt.frac_bits must be -256 to 256, got 300");
  fmt = affine;
  fmt.qmin = -129;
  refused(fmt, "fmt.qmin must be -128 to 126, got -129");
  fmt.qmin = 127;
  refused(fmt, "fmt.qmin must be -128 to 126, got 127");
  fmt.qmin = -5;
  fmt.qmax = 128;
  refused(fmt, "fmt.qmax must be -4 to 127, got 128");
  fmt.qmax = -5;
  refused(fmt, "fmt.qmax must be -4 to 127, got -5");
  fmt.qmax = 2;
  refused(fmt, "fmt.zero_point must be -5 to 2, got 3");
  fmt.qmax = 3;
  const sc_quantize_options wrap{SC_ROUNDING_FLOOR, SC_OVERFLOW_WRAP, SC_NAN_ZERO, 0, 0};
  refused(fmt,
          "overflow must be another policy than wrap, which needs all integers of 8 bits, got wrap "
          "with -5 to 3",
          &wrap);
  sc_layout layout{3, 1, 0, 0, 0};
  fmt.layout = &layout;
  refused(fmt,
          "fmt.layout must be one whose length * inner divides n = 4, got length 3 and inner 1");
  layout = {2, 1, 0, 0, 2};
  refused(fmt, "fmt.layout.shared must be 0 or 1, got 2");
}

// The dtypes of the integers of a format to choose, which are not packed.
void chosen_codes() {
  const auto refused = [](sc_dtype dtype, int bits, bool is_signed, const std::string& message) {
    std::array<std::int32_t, w.size()> q{};
    std::int32_t parameter = 0;
    float scale = 0;
    require_message(sc_choose_format(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, bits, is_signed,
                                     SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_NEAREST_EVEN, &parameter,
                                     q.data(), dtype),
                    message);
    require_message(sc_choose_affine(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, bits, is_signed,
                                     0, SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_NEAREST_EVEN, &scale,
                                     &parameter, q.data(), dtype),
                    message);
  };
  refused(SC_DTYPE_FLOAT32, 8, true, "q must be int8 for this format, got float32");
  refused(SC_DTYPE_INT8, 16, true, "q must be int16 for this format, got int8");
  refused(SC_DTYPE_PACKED_LITTLE, 8, true, "q must be int8 for this format, got packed little");
  refused(SC_DTYPE_PACKED_BIG, 4, false,
          "q must be uint8 or uint4 for this format, got packed big");
}

// Formats to choose.
void choices() {
  std::array<std::int32_t, 2> frac_bits{};
  std::array<std::int32_t, 2> zero_point{};
  std::array<float, 2> scale{};
  const auto choose_format = [&](std::int32_t bits, std::int32_t is_signed, int method,
                                 int rounding = 0) {
    return sc_choose_format(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, bits, is_signed,
                            static_cast<sc_choice_method>(method), 50,
                            static_cast<sc_rounding>(rounding), frac_bits.data(), nullptr,
                            SC_DTYPE_INT8);
  };
  const auto choose_affine = [&](std::int32_t bits, std::int32_t is_signed,
                                 std::int32_t is_symmetric, int method, int rounding = 0) {
    return sc_choose_affine(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, bits, is_signed,
                            is_symmetric, static_cast<sc_choice_method>(method), 50,
                            static_cast<sc_rounding>(rounding), scale.data(), zero_point.data(),
                            nullptr, SC_DTYPE_INT8);
  };
  for (const std::int32_t bits : {1, 33, 0, -1, INT32_MIN, INT32_MAX}) {
    require_message(choose_format(bits, 1, 0), "bits must be 2 to 32, got " + std::to_string(bits));
    require_message(choose_affine(bits, 1, 0, 0),
                    "bits must be 2 to 16, got " + std::to_string(bits));
  }
  require_message(choose_affine(17, 1, 0, 0), "bits must be 2 to 16, got 17");
  for (const std::int32_t flag : {-1, 2, INT32_MIN, INT32_MAX}) {
    const std::string message = " must be 0 or 1, got " + std::to_string(flag);
    require_message(choose_format(8, flag, 0), "is_signed" + message);
    require_message(choose_affine(8, flag, 0, 0), "is_signed" + message);
    require_message(choose_affine(8, 1, flag, 0), "is_symmetric" + message);
  }
  for (const int method : {-1, 3, INT32_MIN, INT32_MAX}) {
    const std::string message =
        "method must be max, percentile or mse, got " + std::to_string(method);
    require_message(choose_format(8, 1, method), message);
    require_message(choose_affine(8, 1, 0, method), message);
  }
  for (const int rounding :
       {-1, 10, INT32_MIN, INT32_MAX, static_cast<int>(SC_ROUNDING_STOCHASTIC)}) {
    const std::string message = rounding == SC_ROUNDING_STOCHASTIC
                                    ? "rounding must be deterministic (choose with away for "
                                      "stochastic), got stochastic"
                                    : "rounding must be 0 to 9, got " + std::to_string(rounding);
    require_message(choose_format(8, 1, 0, rounding), message);
    require_message(choose_affine(8, 1, 0, 0, rounding), message);
    sc_error_sums sums{};
    require_message(sc_compare(w.data(), SC_DTYPE_FLOAT32, w.data(), SC_DTYPE_FLOAT32, w.size(),
                               nullptr, nullptr, static_cast<sc_rounding>(rounding), &sums),
                    message);
  }
  const std::array<std::int32_t, 2> none{};
  require(frac_bits == none && zero_point == none && scale == std::array<float, 2>{},
          "nothing is written");

  // The least of the negative elements of all groups is named.
  const sc_layout rows{2, 2, 1, 0, 0};
  require_message(
      sc_choose_format(w.data(), SC_DTYPE_FLOAT32, w.size(), &rows, 8, 0, SC_CHOICE_METHOD_MAX, 0,
                       SC_ROUNDING_NEAREST_EVEN, frac_bits.data(), nullptr, SC_DTYPE_INT8),
      "w must be at least 0 for an unsigned format, except where it rounds to 0, got "
      "-4");

  const std::array<double, 4> not_finite{1, kNaN, 2, -kInfinity};
  require(sc_choose_format(not_finite.data(), SC_DTYPE_FLOAT64, not_finite.size(), nullptr, 8, 1,
                           SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_NEAREST_EVEN, frac_bits.data(),
                           nullptr, SC_DTYPE_INT8) == SC_ERROR_NAN,
          "elements that are not finite");
  require(std::string(sc_last_error()) ==
              "w has 2 elements that are NaN or infinite, the first at flat index 1",
          sc_last_error());

  require_message(
      sc_choose_affine(w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, 8, 1, 0, SC_CHOICE_METHOD_MAX,
                       0, SC_ROUNDING_NEAREST_EVEN, scale.data(),
                       reinterpret_cast<std::int32_t*>(scale.data()), nullptr, SC_DTYPE_INT8),
      "zero_point must not overlap scale");
}

// Programs may print numbers with a decimal comma. The messages do not.
void numbers_in_other_locales() {
  for (const char* const locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"}) {
    if (std::setlocale(LC_NUMERIC, locale) != nullptr) {
      thresholds();
      other_numbers();
    }
  }
  std::setlocale(LC_NUMERIC, "C");
}

// The struct of scores and the scores themselves are different arguments.
void overlaps_of_scores() {
  union Memory {
    std::array<float, 16> floats;
    sc_scores scores;
  } memory;
  memory.scores = kValues;
  memory.scores.data = out.data();
  const auto prune = [&](float* to) {
    return sc_prune(w.data(), SC_DTYPE_FLOAT32, w.size(), 2, nullptr, &memory.scores, SC_NAN_RAISE,
                    to);
  };
  require_message(prune(out.data()), "out must not overlap scores.data");
  require_message(prune(memory.floats.data()), "out must not overlap scores");

  const sc_scores factors{SC_SCORING_PRODUCTS, SC_DTYPE_FLOAT32, out.data(), 2, 1};
  require_message(sc_prune_mask(w.data(), SC_DTYPE_FLOAT32, w.size(), 2, nullptr, &factors,
                                SC_NAN_RAISE, out.data() + 1, SC_MASK_FORMAT_BOOLS),
                  "mask must not overlap scores.data");

  std::array<float, 4> other{};
  const std::array<sc_member, 2> members{
      {{w.data(), SC_DTYPE_FLOAT32, w.size(), &factors, other.data(), nullptr, 0},
       {w.data(), SC_DTYPE_FLOAT32, w.size(), nullptr, out.data(), nullptr, 0}}};
  require_message(sc_prune_global(members.data(), members.size(), 2, SC_NAN_RAISE),
                  "members[1].out must not overlap members[0].scores.data");
}

void members_of_global_pruning() {
  const auto prune = [](const sc_layout* layout, std::size_t min_kept, std::size_t k) {
    const sc_member member{w.data(),   SC_DTYPE_FLOAT32, w.size(), nullptr,
                           out.data(), layout,           min_kept};
    return layout == nullptr || k == 0
               ? sc_prune_global(&member, 1, k, SC_NAN_RAISE)
               : sc_prune_global_blocks(&member, 1, SC_NORM_L1, k, SC_NAN_RAISE);
  };
  const sc_layout pairs{4, 1, 2, 1, 0};
  require_message(prune(&pairs, 0, 0),
                  "members[0]: layout must be null where elements are pruned, got a layout");
  require_message(prune(nullptr, 5, 1), "members[0]: min_kept must be at most 4, got 5");
  require_message(prune(&pairs, 3, 1), "members[0]: min_kept must be at most 2, got 3");
  require_message(prune(nullptr, 2, 1), "k must be 2 to 4, got 1");
  require_message(prune(&pairs, 2, 1), "k must be 2 to 2, got 1");
}

}  // namespace

int main() {
  thresholds();
  thresholds_at_the_limits();
  other_numbers();
  formats();
  packing();
  wider_codes();
  chosen_codes();
  choices();
  numbers_in_other_locales();
  overlaps_of_scores();
  members_of_global_pruning();
  return EXIT_SUCCESS;
}
