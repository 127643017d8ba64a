// Calls every function of secateur.h with arrays that have no elements and are null. Each call
// succeeds and writes nothing, whatever the lengths of the other dimensions are. Groups that have a
// result without elements get it. Built with sanitizers (preset asan-ubsan), the test also detects
// a division by zero and null pointers passed to functions of the C library.
#include <secateur/secateur.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "require.hpp"

namespace {

constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kSizes[] = {0, 1, 3, std::size_t{1} << 32, std::size_t{1} << 63, kMax};
constexpr sc_dtype kFloats[] = {SC_DTYPE_FLOAT16, SC_DTYPE_BFLOAT16, SC_DTYPE_FLOAT32,
                                SC_DTYPE_FLOAT64};
constexpr sc_choice_method kMethods[] = {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_PERCENTILE,
                                         SC_CHOICE_METHOD_MSE};
constexpr sc_nan kPolicies[] = {SC_NAN_RAISE, SC_NAN_KEEP, SC_NAN_PRUNE};
constexpr sc_mask_format kMaskFormats[] = {SC_MASK_FORMAT_BOOLS, SC_MASK_FORMAT_BITS_LITTLE,
                                           SC_MASK_FORMAT_BITS_BIG};
constexpr std::int32_t kFracBits = 2;
constexpr sc_format kFormat{
    SC_FORMAT_KIND_FIXED_POINT, 4, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};

void require_ok(sc_status status, const std::string& what) {
  require(status == SC_OK, (what + ": " + sc_last_error()).c_str());
}

void require_refused(sc_status status, const std::string& message) {
  require(status == SC_ERROR_ARGUMENT, ("must be refused with: " + message).c_str());
  require(sc_last_error() == message, (message + ", but is: " + sc_last_error()).c_str());
}

// ---- Selection and pruning -------------------------------------------------------------------

void select_of_slices(sc_dtype dtype, sc_nan nan, const sc_layout* slices,
                      const sc_scores* scores) {
  const std::size_t length = slices == nullptr ? 0 : slices->length;
  if (length != 0) {
    require_ok(sc_kth_magnitude(nullptr, dtype, 0, 1, slices, nan, nullptr), "kth_magnitude");
  }
  for (const std::size_t k : {std::size_t{0}, length / 2, length}) {
    for (const sc_order order : {SC_ORDER_INDEX, SC_ORDER_RANK}) {
      require_ok(sc_topk(nullptr, dtype, 0, k, slices, scores, nan, order, nullptr, nullptr),
                 "topk");
      require_ok(sc_topk_with_residual(nullptr, nullptr, dtype, 0, k, slices, nan, order, nullptr,
                                       nullptr),
                 "topk_with_residual");
    }
    for (const sc_mask_format format : kMaskFormats) {
      require_ok(sc_prune_mask(nullptr, dtype, 0, k, slices, scores, nan, nullptr, format),
                 "prune_mask");
    }
    require_ok(sc_prune(nullptr, dtype, 0, k, slices, scores, nan, nullptr), "prune");
  }
  for (const std::size_t of : {std::size_t{1}, std::size_t{3}, std::size_t{32}}) {
    const sc_remainder remainder = length % of == 0 ? SC_REMAINDER_RAISE : SC_REMAINDER_PAD;
    require_ok(sc_prune_pattern(nullptr, dtype, 0, 1, of, remainder, slices, scores, nan, nullptr),
               "prune_pattern");
    for (const sc_mask_format format : kMaskFormats) {
      require_ok(sc_prune_mask_pattern(nullptr, dtype, 0, 1, of, remainder, slices, scores, nan,
                                       nullptr, format),
                 "prune_mask_pattern");
    }
  }
}

void select(sc_dtype dtype, sc_nan nan) {
  std::array<sc_scores, 6> all{{{SC_SCORING_VALUES, dtype, nullptr, 0, 0},
                                {SC_SCORING_VALUES, SC_DTYPE_FLOAT64, nullptr, kMax, kMax},
                                {SC_SCORING_PRODUCTS, dtype, nullptr, 0, 0},
                                {SC_SCORING_PRODUCTS, dtype, nullptr, 1, 1},
                                {SC_SCORING_PRODUCTS, SC_DTYPE_FLOAT64, nullptr, 7, kMax},
                                {SC_SCORING_PRODUCTS, dtype, nullptr, kMax, 0}}};
  select_of_slices(dtype, nan, nullptr, nullptr);
  for (const sc_scores& scores : all) {
    select_of_slices(dtype, nan, nullptr, &scores);
  }
  for (const std::size_t length : kSizes) {
    for (const std::size_t inner : kSizes) {
      const sc_layout slices{length, inner, 0, 1, 0};
      select_of_slices(dtype, nan, &slices, nullptr);
      for (const sc_scores& scores : all) {
        select_of_slices(dtype, nan, &slices, &scores);
      }
    }
  }
  std::size_t k = 5;
  require_ok(sc_keep_count(0, 0.5, &k), "keep_count");
  require(k == 0, "none of none is kept");
  for (const double threshold : {0.0, 1.5, std::numeric_limits<double>::infinity()}) {
    require_ok(sc_prune_threshold(nullptr, dtype, 0, threshold, nullptr, nan, nullptr),
               "prune_threshold");
    for (const sc_scores& scores : all) {
      require_ok(sc_prune_threshold(nullptr, dtype, 0, threshold, &scores, nan, nullptr),
                 "prune_threshold by scores");
    }
    for (const sc_mask_format format : kMaskFormats) {
      require_ok(
          sc_prune_mask_threshold(nullptr, dtype, 0, threshold, nullptr, nan, nullptr, format),
          "prune_mask_threshold");
    }
    require_ok(sc_soft_threshold(nullptr, dtype, 0, threshold, nullptr), "soft_threshold");
  }
  for (const sc_mask_format format : kMaskFormats) {
    require_ok(sc_apply_mask(nullptr, dtype, 0, nullptr, format, nullptr), "apply_mask");
  }
  require_ok(sc_prune_global(nullptr, 0, 0, nan), "prune_global of no arrays");
  std::array<sc_member, 7> members{};
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i] = {nullptr, kFloats[i % 4], 0, i == 0 ? nullptr : &all[i - 1], nullptr, nullptr, 0};
  }
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, members.size()}) {
    require_ok(sc_prune_global(members.data(), count, 0, nan), "prune_global");
    for (const sc_mask_format format : kMaskFormats) {
      require_ok(sc_prune_mask_global(members.data(), count, 0, nan, format), "prune_mask_global");
      require_ok(sc_prune_mask_global_blocks(members.data(), count, SC_NORM_L1, 0, nan, format),
                 "prune_mask_global_blocks");
    }
    require_ok(sc_prune_global_blocks(members.data(), count, SC_NORM_L1, 0, nan),
               "prune_global_blocks");
    require_refused(sc_prune_global_blocks(members.data(), count, SC_NORM_L1, 1, nan),
                    "k must be 0 to 0, got 1");
  }
  float w = 3;
  members[3] = {&w, SC_DTYPE_FLOAT32, 1, nullptr, &w, nullptr, 1};
  for (const std::size_t count : {std::size_t{4}, members.size()}) {
    require_ok(sc_prune_global(members.data(), count, 1, nan), "prune_global of one element");
    require_ok(sc_prune_global_blocks(members.data(), count, SC_NORM_L1, 1, nan),
               "prune_global_blocks of one block");
  }
  require(w == 3, "the element is kept");
}

void prune_blocks() {
  for (const std::size_t rows : kSizes) {
    for (const std::size_t columns : kSizes) {
      for (const std::size_t height : kSizes) {
        for (const std::size_t width : kSizes) {
          const sc_layout blocks{rows, columns, height, width, 0};
          const auto prune = [&](std::size_t k) {
            return sc_prune_blocks(nullptr, SC_DTYPE_FLOAT32, 0, &blocks, SC_NORM_L2, k, nullptr,
                                   nullptr, SC_NAN_RAISE, nullptr);
          };
          require_ok(prune(0), "prune_blocks");
          require_refused(prune(1), "k must be 0 to 0, got 1");
          for (const sc_mask_format format : kMaskFormats) {
            require_ok(sc_prune_mask_blocks(nullptr, SC_DTYPE_FLOAT32, 0, &blocks, SC_NORM_L2, 0,
                                            nullptr, nullptr, SC_NAN_RAISE, nullptr, format),
                       "prune_mask_blocks");
            require_ok(
                sc_prune_mask_blocks_threshold(nullptr, SC_DTYPE_FLOAT32, 0, &blocks, SC_NORM_L2, 0,
                                               nullptr, SC_NAN_RAISE, nullptr, format),
                "prune_mask_blocks_threshold");
          }
          require_ok(sc_prune_blocks_threshold(nullptr, SC_DTYPE_FLOAT32, 0, &blocks, SC_NORM_L2, 0,
                                               nullptr, SC_NAN_RAISE, nullptr),
                     "prune_blocks_threshold");
        }
      }
    }
  }
  const auto prune_whole = [](std::size_t k) {
    return sc_prune_blocks(nullptr, SC_DTYPE_FLOAT32, 0, nullptr, SC_NORM_L2, k, nullptr, nullptr,
                           SC_NAN_RAISE, nullptr);
  };
  require_ok(prune_whole(0), "prune_blocks of the whole array");
  require_refused(prune_whole(1), "k must be 0 to 0, got 1");
}

// ---- Quantization and packing ----------------------------------------------------------------

void quantize(sc_dtype dtype, const sc_format& fmt, sc_dtype q_dtype) {
  for (const sc_nan nan : {SC_NAN_RAISE, SC_NAN_ZERO}) {
    for (const sc_overflow overflow : {SC_OVERFLOW_SATURATE, SC_OVERFLOW_WRAP, SC_OVERFLOW_RAISE}) {
      const sc_quantize_options options{SC_ROUNDING_STOCHASTIC, overflow, nan, 0, 0};
      require_ok(sc_quantize(nullptr, dtype, 0, &fmt, &options, nullptr, q_dtype), "quantize");
      require_ok(sc_prune_quantize(nullptr, dtype, 0, 0, &fmt, &options, nullptr, q_dtype),
                 "prune_quantize");
      require_ok(sc_fake_quantize(nullptr, dtype, 0, &fmt, &options, nullptr), "fake_quantize");
    }
  }
  require_ok(sc_dequantize(nullptr, q_dtype, 0, &fmt, 0, nullptr, dtype), "dequantize");
  require_ok(sc_requantize(nullptr, q_dtype, 0, &fmt, 0, &fmt, nullptr, nullptr, q_dtype),
             "requantize");
}

void quantize(sc_dtype dtype) {
  for (const sc_dtype q_dtype :
       {SC_DTYPE_INT8, SC_DTYPE_INT4, SC_DTYPE_PACKED_LITTLE, SC_DTYPE_PACKED_BIG}) {
    quantize(dtype, kFormat, q_dtype);
  }
  for (const std::size_t length : kSizes) {
    for (const std::size_t inner : kSizes) {
      for (const std::size_t block : kSizes) {
        for (const std::size_t inner_block : {std::size_t{0}, std::size_t{1}, kMax}) {
          const sc_layout layout{length, inner, block, inner_block, block == 1 ? 1 : 0};
          // No element needs a parameter.
          for (const sc_format_kind kind : {SC_FORMAT_KIND_FIXED_POINT, SC_FORMAT_KIND_AFFINE}) {
            quantize(dtype, {kind, 4, 1, &layout, nullptr, nullptr, nullptr, 0, 0, nullptr},
                     SC_DTYPE_INT8);
          }
        }
      }
    }
  }
}

void pack() {
  for (std::int32_t bits = 1; bits <= SC_MAX_PACKED_BITS; ++bits) {
    for (const sc_bitorder order : {SC_BITORDER_LITTLE, SC_BITORDER_BIG}) {
      for (const sc_dtype dtype : {SC_DTYPE_INT8, SC_DTYPE_UINT16}) {
        if (bits > 8 && dtype == SC_DTYPE_INT8) {
          continue;
        }
        for (const std::int32_t row_align : {0, 8, 32}) {
          for (const std::size_t row_length : {std::size_t{0}, std::size_t{7}, kMax}) {
            require_ok(sc_pack_ints(nullptr, dtype, 0, bits, order, row_length, row_align, nullptr),
                       "pack_ints");
            require_ok(
                sc_unpack_ints(nullptr, 0, bits, order, row_length, row_align, nullptr, dtype),
                "unpack_ints");
          }
        }
      }
    }
  }
}

void encode() {
  for (std::size_t element_bytes = 1; element_bytes <= 8; element_bytes *= 2) {
    for (const std::size_t row_length : {std::size_t{0}, std::size_t{7}, kMax}) {
      std::size_t count = 1;
      require_ok(sc_encode_bitmask(nullptr, element_bytes, 0, row_length, nullptr, nullptr, nullptr,
                                   0, &count),
                 "encode_bitmask");
      require_ok(sc_decode_bitmask(nullptr, nullptr, count, element_bytes, 0, row_length, nullptr),
                 "decode_bitmask");
      require_ok(sc_count_bitmask(nullptr, 0, row_length, &count, nullptr), "count_bitmask");
      require_ok(sc_encode_gaps(nullptr, 0, row_length, nullptr, 0, &count), "encode_gaps");
      require_ok(sc_decode_gaps(nullptr, count, 0, row_length, nullptr), "decode_gaps");
    }
  }
}

// ---- Statistics and sketches -----------------------------------------------------------------

template <class T>
bool is_zero(const T& sums) {
  const T zero{};
  return std::memcmp(&sums, &zero, sizeof sums) == 0;
}

std::size_t count_blocks(std::size_t axis, std::size_t block) {
  return block == 0 ? 1 : axis / block + (axis % block != 0 ? 1 : 0);
}

// Requires that the groups have the parameters that are documented for groups without nonzero
// elements, and that nothing is written after them.
void choose_formats(sc_dtype dtype, const sc_layout* layout, std::size_t groups,
                    std::int32_t is_signed, sc_choice_method method) {
  constexpr std::size_t kCapacity = 3;
  constexpr std::int32_t kLeft = -77;
  constexpr std::int32_t kBits = 9;
  const auto is = [&](const std::array<std::int32_t, kCapacity>& chosen, std::int32_t expected) {
    for (std::size_t i = 0; i < kCapacity; ++i) {
      if (chosen[i] != (i < groups ? expected : kLeft)) {
        return false;
      }
    }
    return true;
  };
  std::array<std::int32_t, kCapacity> frac_bits;
  frac_bits.fill(kLeft);
  require_ok(sc_choose_format(nullptr, dtype, 0, layout, kBits, is_signed, method, 50,
                              SC_ROUNDING_NEAREST_EVEN, groups == 0 ? nullptr : frac_bits.data(),
                              nullptr, SC_DTYPE_INT8),
             "choose_format");
  require(is(frac_bits, kBits - is_signed), "frac_bits of groups without elements");
  for (const std::int32_t is_symmetric : {0, 1}) {
    const auto choose = [&]<class T>(T) {
      std::array<T, kCapacity> scale;
      std::array<std::int32_t, kCapacity> zero_point;
      scale.fill(T{kLeft});
      zero_point.fill(kLeft);
      require_ok(
          sc_choose_affine(nullptr, dtype, 0, layout, kBits, is_signed, is_symmetric, method, 50,
                           SC_ROUNDING_FLOOR, groups == 0 ? nullptr : scale.data(),
                           groups == 0 ? nullptr : zero_point.data(), nullptr, SC_DTYPE_INT8),
          "choose_affine");
      for (std::size_t i = 0; i < kCapacity; ++i) {
        require(scale[i] == (i < groups ? T{1} : T{kLeft}), "scales of groups without elements");
      }
      const bool is_middle = is_symmetric != 0 && is_signed == 0;
      require(is(zero_point, is_middle ? 1 << (kBits - 1) : 0),
              "zero points of groups without elements");
    };
    dtype == SC_DTYPE_FLOAT64 ? choose(double{}) : choose(float{});
  }
}

void gather_statistics(sc_dtype dtype) {
  // Without elements, there may still be groups: one, or one for each index of the axis.
  constexpr std::size_t kGroups = 3;
  const auto require_results = [&](const sc_layout* layout, std::size_t groups) {
    std::array<sc_error_sums, kGroups> errors{};
    for (sc_error_sums& sums : errors) {
      sums.products = 1;
    }
    require_ok(sc_compare(nullptr, dtype, nullptr, SC_DTYPE_FLOAT32, 0, layout, &kFormat,
                          SC_ROUNDING_CEIL, groups == 0 ? nullptr : errors.data()),
               "compare");
    for (std::size_t i = 0; i < kGroups; ++i) {
      require(i < groups ? is_zero(errors[i]) : errors[i].products == 1,
              "the sums of groups without elements");
    }
    for (const sc_choice_method method : kMethods) {
      for (const std::int32_t is_signed : {0, 1}) {
        choose_formats(dtype, layout, groups, is_signed, method);
      }
    }
  };
  require_results(nullptr, 1);
  for (const std::size_t length : kSizes) {
    for (const std::size_t inner : kSizes) {
      for (const std::size_t block : kSizes) {
        for (const std::size_t inner_block : kSizes) {
          for (const std::int32_t shared : {0, 1}) {
            const sc_layout layout{length, inner, block, inner_block, shared};
            const std::size_t groups = secateur::count_groups(0, &layout);
            // count_groups is also 0 if the number of groups is not a std::size_t.
            const bool is_none = count_blocks(length, block) == 0 ||
                                 count_blocks(inner, inner_block) == 0 || shared == 0;
            if (groups <= kGroups && is_none == (groups == 0)) {
              require_results(&layout, groups);
            } else if (groups == 0 || groups > SIZE_MAX / 512) {
              std::int32_t none = 0;
              require(sc_choose_format(nullptr, dtype, 0, &layout, 8, 1, SC_CHOICE_METHOD_MAX, 0,
                                       SC_ROUNDING_NEAREST_EVEN, &none, nullptr,
                                       SC_DTYPE_INT8) == SC_ERROR_ARGUMENT,
                      "too many groups");
            }
          }
        }
      }
    }
  }
}

void count(sc_dtype dtype, sc_nan nan) {
  const sc_key_range range{0, 1};
  std::array<std::uint64_t, 2> counts{7, 8};
  sc_key_totals totals{1, 2, 3};
  require_ok(sc_count_magnitudes(nullptr, dtype, 0, &range, nan, counts.data(), &totals),
             "count_magnitudes");
  require(counts[0] == 7 && counts[1] == 8 && totals.above == 1 && totals.below == 2 &&
              totals.checksum == 3,
          "nothing is counted");
}

void call_all() {
  for (const sc_dtype dtype : kFloats) {
    for (const sc_nan nan : kPolicies) {
      select(dtype, nan);
      count(dtype, nan);
    }
    quantize(dtype);
    gather_statistics(dtype);
  }
  prune_blocks();
  pack();
  encode();
}

}  // namespace

int main() {
  std::array<const char*, 8> isas{};
  const std::size_t found = sc_isas(isas.data(), isas.size());
  for (std::size_t i = 0; i < found; ++i) {
    require(sc_set_isa(isas[i]));
    call_all();
  }
  return EXIT_SUCCESS;
}
