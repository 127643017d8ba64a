// Calls of every function of secateur.h with valid arguments, each of which a test can replace by
// an invalid one.
#pragma once

#include <secateur/secateur.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace calls {

constexpr std::size_t kN = 16;  // elements

// ---- Arguments -------------------------------------------------------------------------------

// The arguments of all functions. Those before kPointers are pointers to structs and arrays,
// including the pointers inside structs.
enum Field {
  w,
  w_hat,
  slice_layout,
  scores,
  scores_data,
  values,
  indices,
  residual,
  mask,
  out,
  kept,
  range,
  counts,
  totals,
  members,
  member_w,
  member_out,
  mask_members,
  block_members,
  mask_block_members,
  first_mask,
  second_mask,
  block_layout,
  norm_slices,
  format_layout,
  fixed_point,
  frac_bits,
  affine,
  scale,
  zero_point,
  group_bits,
  compared_layout,
  compared_fixed_point,
  compared_affine,
  options,
  q,
  packed,
  keep_mask,
  bitmask,
  value_count,
  gaps,
  row_offsets,
  group_layout,
  error_sums,
  chosen_frac_bits,
  chosen_scale,
  chosen_zero_point,
  chosen_codes,
  name,
  num_threads,
  previous_threads,
  previous_check,
  previous_context,
  kPointers,
  dtype,
  w_hat_dtype,
  q_dtype,
  n,
  k,
  nan_policy,
  norm,
  format,
  order,
  bit_order,
  bits,
  row_length,
  row_align,
  keep,
  of,
  remainder,
  threshold,
  sparsity,
  fixed_bits,
  affine_bits,
  is_signed,
  is_symmetric,
  sign_extend,
  method,
  percentile,
  rounding,
  count,
  threads,
};

// The name of a pointer in error messages, the size and alignment of its target, and whether it may
// be null.
struct Pointer {
  const char* name;
  std::size_t bytes;
  std::size_t alignment;
  bool optional;
};

template <class T>
constexpr Pointer pointer_to(const char* label, std::size_t elements, bool optional = false) {
  return {label, elements * sizeof(T), alignof(T), optional};
}

// In the order of Field.
constexpr std::array<Pointer, kPointers> kPointerInfo{
    pointer_to<double>("w", kN),
    pointer_to<double>("w_hat", kN),
    pointer_to<sc_layout>("layout", 1, true),
    pointer_to<sc_scores>("scores", 1, true),
    pointer_to<double>("scores.data", kN),
    pointer_to<double>("values", kN),
    pointer_to<std::int64_t>("indices", kN),
    pointer_to<double>("residual", kN),
    pointer_to<char>("mask", kN + 1),  // misaligning it by a byte is valid
    pointer_to<double>("out", kN),
    pointer_to<std::size_t>("k", 1),
    pointer_to<sc_key_range>("range", 1),
    pointer_to<std::uint64_t>("counts", kN),
    pointer_to<sc_key_totals>("totals", 1),
    pointer_to<sc_member>("members", 2),
    pointer_to<double>("w", kN),
    pointer_to<double>("out", kN),
    pointer_to<sc_member>("members", 2),
    pointer_to<sc_member>("members", 2),
    pointer_to<sc_member>("members", 2),
    pointer_to<char>("out", 4 * kN + 1),  // also codes of up to 32 bits
    pointer_to<char>("out", kN + 1),
    pointer_to<sc_layout>("layout", 1, true),
    pointer_to<sc_layout>("slices", 1, true),
    pointer_to<sc_layout>("fmt.layout", 1, true),
    pointer_to<sc_format>("fmt", 1),
    pointer_to<std::int32_t>("fmt.frac_bits", kN),
    pointer_to<sc_format>("fmt", 1),
    pointer_to<double>("fmt.scale", kN),
    pointer_to<std::int32_t>("fmt.zero_point", kN, true),
    pointer_to<std::int32_t>("fmt.group_bits", kN, true),
    pointer_to<sc_layout>("fmt.layout", 1, true),
    pointer_to<sc_format>("fmt", 1, true),
    pointer_to<sc_format>("fmt", 1, true),
    pointer_to<sc_quantize_options>("options", 1, true),
    Pointer{"q", kN * sizeof(std::int32_t), 1, false},
    pointer_to<char>("packed", 4 * kN + 1),  // also rows of one integer, aligned to 32 bits
    pointer_to<char>("mask", kN + 1, true),
    pointer_to<char>("bitmask", kN + 1),  // also rows of one element
    pointer_to<std::size_t>("count", 1),
    pointer_to<char>("gaps", kN + 1),
    pointer_to<std::int64_t>("row_offsets", kN, true),
    pointer_to<sc_layout>("layout", 1, true),
    pointer_to<sc_error_sums>("sums", kN),
    pointer_to<std::int32_t>("frac_bits", kN),
    pointer_to<double>("scale", kN),
    pointer_to<std::int32_t>("zero_point", kN),
    Pointer{"q", kN * sizeof(std::int32_t), 1, true},
    pointer_to<const char*>("name", 1),
    pointer_to<std::size_t>("num_threads", 1),
    pointer_to<std::size_t>("previous", 1, true),
    pointer_to<sc_interrupt>("previous_check", 1, true),
    pointer_to<void*>("previous_context", 1, true),
};

// The gap before each block of memory. An output that a test moves onto a block reaches no other
// block.
constexpr std::size_t kGap = 1024;

// The arguments of a call, initially valid. Every pointer has a separate heap block that ends with
// its target, so that sanitizers detect accesses past the end.
struct Arguments {
  std::array<void*, kPointers> pointers{};
  sc_dtype dtype, w_hat_dtype, q_dtype;
  std::size_t n, k, keep, of, count, threads, row_length;
  sc_nan nan;
  sc_norm norm;
  sc_mask_format format;
  sc_order order;
  sc_bitorder bit_order;
  sc_remainder remainder;
  sc_choice_method method;
  sc_rounding rounding;
  std::int32_t bits, row_align, fixed_bits, affine_bits, is_signed, is_symmetric, sign_extend;
  double threshold, sparsity, percentile;

  Arguments() {
    for (std::size_t i = 0; i < kPointers; ++i) {
      blocks_[i] = std::make_unique<unsigned char[]>(kGap + kPointerInfo[i].bytes);
    }
    reset();
  }

  void reset() {
    for (std::size_t i = 0; i < kPointers; ++i) {
      pointers[i] = blocks_[i].get() + kGap;
      std::memset(pointers[i], 0, kPointerInfo[i].bytes);
    }
    for (std::size_t i = 0; i < kN; ++i) {
      block<double>(w)[i] = static_cast<double>(i) - 7.5;
      block<double>(w_hat)[i] = static_cast<double>(i) - 7;
      block<double>(member_w)[i] = static_cast<double>(i) / 2;
      block<double>(scores_data)[i] = static_cast<double>(i % 5) + 1;
      block<char>(mask)[i] = i % 3 == 0 ? 1 : 0;
      block<char>(keep_mask)[i] = i % 3 == 0 ? 1 : 0;
      block<std::int32_t>(frac_bits)[i] = static_cast<std::int32_t>(i % 4);
      block<double>(scale)[i] = 0.3;
      block<std::int32_t>(zero_point)[i] = 3;
      block<std::int32_t>(group_bits)[i] = static_cast<std::int32_t>(8 - i % 3);
    }
    *block<char>(bitmask) = 3;  // the first two elements
    *block<char>(gaps) = 1;     // the second element and the third
    *block<sc_layout>(slice_layout) = {4, 2, 0, 1, 0};
    *block<sc_scores>(scores) = {SC_SCORING_PRODUCTS, SC_DTYPE_FLOAT64, nullptr, kN, 2};
    *block<sc_key_range>(range) = {0, kN - 1};
    *block<sc_layout>(block_layout) = {4, 2, 3, 2, 0};  // 2 x 2 x 1 groups
    *block<sc_layout>(norm_slices) = {4, 1, 0, 1, 0};
    *block<sc_layout>(format_layout) = {4, 2, 2, 2, 0};  // 2 x 2 x 1 groups
    *block<sc_layout>(group_layout) = {4, 2, 3, 1, 0};   // 2 x 2 x 2 groups
    *block<sc_layout>(compared_layout) = {4, 2, 3, 1, 0};
    for (const Field field : {fixed_point, compared_fixed_point}) {
      block<sc_format>(field)->kind = SC_FORMAT_KIND_FIXED_POINT;
    }
    for (const Field field : {affine, compared_affine}) {
      block<sc_format>(field)->kind = SC_FORMAT_KIND_AFFINE;
      block<sc_format>(field)->qmin = -100;
      block<sc_format>(field)->qmax = 100;
    }
    for (const Field field : {fixed_point, affine, compared_fixed_point, compared_affine}) {
      block<sc_format>(field)->bits = 8;
      block<sc_format>(field)->is_signed = 1;
    }
    dtype = w_hat_dtype = SC_DTYPE_FLOAT64;
    q_dtype = SC_DTYPE_INT8;
    n = kN;
    k = 3;
    keep = 1;
    of = 2;
    count = 2;
    threads = 2;
    nan = SC_NAN_RAISE;
    norm = SC_NORM_L2;
    format = SC_MASK_FORMAT_BOOLS;
    order = SC_ORDER_RANK;
    bit_order = SC_BITORDER_LITTLE;
    remainder = SC_REMAINDER_RAISE;
    method = SC_CHOICE_METHOD_PERCENTILE;
    rounding = SC_ROUNDING_NEAREST_EVEN;
    bits = 4;
    row_length = 4;
    row_align = 0;
    fixed_bits = affine_bits = 8;
    is_signed = is_symmetric = 1;
    sign_extend = 0;
    threshold = 1;
    sparsity = 0.5;
    percentile = 99.99;
  }

  // The initial target of a pointer.
  template <class T>
  T* block(Field field) {
    return reinterpret_cast<T*>(blocks_[field].get() + kGap);
  }
  template <class T>
  T* get(Field field) {
    return static_cast<T*>(pointers[field]);
  }

  // Stores pointers in the structs that contain them. A test must run this before each call.
  void link() {
    block<sc_scores>(scores)->data = pointers[scores_data];
    for (const auto& [field, its_layout] :
         {std::pair{fixed_point, format_layout}, std::pair{affine, format_layout},
          std::pair{compared_fixed_point, compared_layout},
          std::pair{compared_affine, compared_layout}}) {
      sc_format* const fmt = block<sc_format>(field);
      const bool is_affine = field == affine || field == compared_affine;
      // The fields that the kind ignores have an address that must not be read.
      void* const ignored = reinterpret_cast<void*>(std::uintptr_t{1});
      fmt->layout = get<sc_layout>(its_layout);
      fmt->frac_bits = static_cast<std::int32_t*>(is_affine ? ignored : pointers[frac_bits]);
      fmt->scale = is_affine ? pointers[scale] : ignored;
      fmt->zero_point = static_cast<std::int32_t*>(is_affine ? pointers[zero_point] : ignored);
      fmt->group_bits = static_cast<std::int32_t*>(is_affine ? ignored : pointers[group_bits]);
    }
    link_members(members, out, member_out);
    link_members(mask_members, first_mask, second_mask);
    link_members(block_members, out, member_out);
    link_members(mask_block_members, first_mask, second_mask);
    block<sc_member>(block_members)->layout = get<sc_layout>(block_layout);
    block<sc_member>(mask_block_members)->layout = get<sc_layout>(block_layout);
  }

  [[nodiscard]] std::vector<unsigned char> contents() const {
    std::vector<unsigned char> all;
    for (std::size_t i = 0; i < kPointers; ++i) {
      all.insert(all.end(), blocks_[i].get(), blocks_[i].get() + kGap + kPointerInfo[i].bytes);
    }
    return all;
  }

 private:
  // Sets the members field by field, so that padding bytes do not change.
  void link_members(Field field, Field first_out, Field second_out) {
    sc_member* const two = block<sc_member>(field);
    two[0].w = pointers[w];
    two[0].dtype = dtype;
    two[0].n = n;
    two[0].scores = get<sc_scores>(scores);
    two[0].out = pointers[first_out];
    two[1].w = pointers[member_w];
    two[1].dtype = w_hat_dtype;
    two[1].n = kN;
    two[1].out = pointers[second_out];
    two[1].min_kept = 1;
  }

  std::array<std::unique_ptr<unsigned char[]>, kPointers> blocks_;
};

// ---- Functions -------------------------------------------------------------------------------

// Memory that a call with valid arguments reads or writes. An output may equal the input `same_as`.
struct Memory {
  Field field;
  std::size_t bytes;
  Field same_as = kPointers;
};

struct Function {
  const char* name;
  sc_status (*call)(Arguments& a);
  std::vector<Field> scalars;
  std::vector<Memory> inputs, outputs;

  [[nodiscard]] bool takes(Field field) const {
    const auto matches = [&](const Memory& memory) { return memory.field == field; };
    return std::find(scalars.begin(), scalars.end(), field) != scalars.end() ||
           std::any_of(inputs.begin(), inputs.end(), matches) ||
           std::any_of(outputs.begin(), outputs.end(), matches);
  }
};

// The whole target of a pointer.
constexpr Memory all_of(Field field) { return {field, kPointerInfo[field].bytes}; }

constexpr std::size_t kDoubles = kN * sizeof(double);
constexpr std::size_t kParameters = 4;
constexpr std::size_t kGroups = 8;

const std::vector<Function>& functions() {
  static const Memory frac_bits_read{frac_bits, kParameters * sizeof(std::int32_t)};
  static const Memory group_bits_read{group_bits, kParameters * sizeof(std::int32_t)};
  static const Memory scale_read{scale, kParameters * sizeof(double)};
  static const Memory zeros_read{zero_point, kParameters * sizeof(std::int32_t)};
  static const Memory out_for_w{out, kDoubles, w};
  static const std::vector<Function> all{
      {"sc_kth_magnitude",
       [](Arguments& a) {
    return sc_kth_magnitude(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_layout>(slice_layout), a.nan,
                            a.pointers[values]);
  },
       {dtype, n, k, nan_policy},
       {all_of(w), all_of(slice_layout)},
       {{values, 4 * sizeof(double)}}},
      {"sc_topk",
       [](Arguments& a) {
    return sc_topk(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_layout>(slice_layout),
                   a.get<sc_scores>(scores), a.nan, a.order, a.pointers[values],
                   a.get<std::int64_t>(indices));
  },
       {dtype, n, k, nan_policy, order},
       {all_of(w), all_of(slice_layout), all_of(scores), all_of(scores_data)},
       {{values, 12 * sizeof(double)}, {indices, 12 * sizeof(std::int64_t)}}},
      {"sc_topk_with_residual",
       [](Arguments& a) {
    return sc_topk_with_residual(a.pointers[w], a.pointers[residual], a.dtype, a.n, a.k,
                                 a.get<sc_layout>(slice_layout), a.nan, a.order, a.pointers[values],
                                 a.get<std::int64_t>(indices));
  },
       {dtype, n, k, nan_policy, order},
       {all_of(w), all_of(slice_layout)},
       {{values, 12 * sizeof(double)}, {indices, 12 * sizeof(std::int64_t)}, all_of(residual)}},
      {"sc_keep_count",
       [](Arguments& a) { return sc_keep_count(a.n, a.sparsity, a.get<std::size_t>(kept)); },
       {sparsity},
       {},
       {all_of(kept)}},
      {"sc_count_magnitudes",
       [](Arguments& a) {
    return sc_count_magnitudes(a.pointers[w], a.dtype, a.n, a.get<sc_key_range>(range), a.nan,
                               a.get<std::uint64_t>(counts), a.get<sc_key_totals>(totals));
  },
       {dtype, n, nan_policy},
       {all_of(w), all_of(range)},
       {all_of(counts), all_of(totals)}},
      {"sc_prune",
       [](Arguments& a) {
    return sc_prune(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_layout>(slice_layout),
                    a.get<sc_scores>(scores), a.nan, a.pointers[out]);
  },
       {dtype, n, k, nan_policy},
       {all_of(w), all_of(slice_layout), all_of(scores), all_of(scores_data)},
       {out_for_w}},
      {"sc_prune_threshold",
       [](Arguments& a) {
    return sc_prune_threshold(a.pointers[w], a.dtype, a.n, a.threshold, a.get<sc_scores>(scores),
                              a.nan, a.pointers[out]);
  },
       {dtype, n, threshold, nan_policy},
       {all_of(w), all_of(scores), all_of(scores_data)},
       {out_for_w}},
      {"sc_prune_global",
       [](Arguments& a) { return sc_prune_global(a.get<sc_member>(members), a.count, a.k, a.nan); },
       {dtype, w_hat_dtype, n, count, k, nan_policy},
       {all_of(w), all_of(scores), all_of(scores_data), all_of(member_w), all_of(members)},
       {out_for_w, {member_out, kDoubles, member_w}}},
      {"sc_prune_pattern",
       [](Arguments& a) {
    return sc_prune_pattern(a.pointers[w], a.dtype, a.n, a.keep, a.of, a.remainder,
                            a.get<sc_layout>(slice_layout), a.get<sc_scores>(scores), a.nan,
                            a.pointers[out]);
  },
       {dtype, n, keep, of, remainder, nan_policy},
       {all_of(w), all_of(slice_layout), all_of(scores), all_of(scores_data)},
       {out_for_w}},
      {"sc_apply_mask",
       [](Arguments& a) {
    return sc_apply_mask(a.pointers[w], a.dtype, a.n, a.pointers[mask], a.format, a.pointers[out]);
  },
       {dtype, n, format},
       {all_of(w), {mask, kN}},
       {out_for_w}},
      {"sc_prune_blocks",
       [](Arguments& a) {
    return sc_prune_blocks(a.pointers[w], a.dtype, a.n, a.get<sc_layout>(block_layout), a.norm, a.k,
                           a.get<sc_layout>(norm_slices), a.get<sc_scores>(scores), a.nan,
                           a.pointers[out]);
  },
       {dtype, n, norm, k, nan_policy},
       {all_of(w), all_of(block_layout), all_of(norm_slices), all_of(scores), all_of(scores_data)},
       {out_for_w}},
      {"sc_prune_blocks_threshold",
       [](Arguments& a) {
    return sc_prune_blocks_threshold(a.pointers[w], a.dtype, a.n, a.get<sc_layout>(block_layout),
                                     a.norm, a.threshold, a.get<sc_scores>(scores), a.nan,
                                     a.pointers[out]);
  },
       {dtype, n, norm, threshold, nan_policy},
       {all_of(w), all_of(block_layout), all_of(scores), all_of(scores_data)},
       {out_for_w}},
      {"sc_prune_global_blocks",
       [](Arguments& a) {
    return sc_prune_global_blocks(a.get<sc_member>(block_members), a.count, a.norm, a.k, a.nan);
  },
       {dtype, w_hat_dtype, n, count, norm, k, nan_policy},
       {all_of(w), all_of(scores), all_of(scores_data), all_of(member_w), all_of(block_members),
        all_of(block_layout)},
       {out_for_w, {member_out, kDoubles, member_w}}},
      {"sc_prune_mask",
       [](Arguments& a) {
    return sc_prune_mask(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_layout>(slice_layout),
                         a.get<sc_scores>(scores), a.nan, a.pointers[mask], a.format);
  },
       {dtype, n, k, nan_policy, format},
       {all_of(w), all_of(slice_layout), all_of(scores), all_of(scores_data)},
       {{mask, kN}}},
      {"sc_prune_mask_threshold",
       [](Arguments& a) {
    return sc_prune_mask_threshold(a.pointers[w], a.dtype, a.n, a.threshold,
                                   a.get<sc_scores>(scores), a.nan, a.pointers[mask], a.format);
  },
       {dtype, n, threshold, nan_policy, format},
       {all_of(w), all_of(scores), all_of(scores_data)},
       {{mask, kN}}},
      {"sc_prune_mask_global",
       [](Arguments& a) {
    return sc_prune_mask_global(a.get<sc_member>(mask_members), a.count, a.k, a.nan, a.format);
  },
       {dtype, w_hat_dtype, n, count, k, nan_policy, format},
       {all_of(w), all_of(scores), all_of(scores_data), all_of(member_w), all_of(mask_members)},
       {{first_mask, kN}, {second_mask, kN}}},
      {"sc_prune_mask_pattern",
       [](Arguments& a) {
    return sc_prune_mask_pattern(a.pointers[w], a.dtype, a.n, a.keep, a.of, a.remainder,
                                 a.get<sc_layout>(slice_layout), a.get<sc_scores>(scores), a.nan,
                                 a.pointers[mask], a.format);
  },
       {dtype, n, keep, of, remainder, nan_policy, format},
       {all_of(w), all_of(slice_layout), all_of(scores), all_of(scores_data)},
       {{mask, kN}}},
      {"sc_prune_mask_blocks",
       [](Arguments& a) {
    return sc_prune_mask_blocks(a.pointers[w], a.dtype, a.n, a.get<sc_layout>(block_layout), a.norm,
                                a.k, a.get<sc_layout>(norm_slices), a.get<sc_scores>(scores), a.nan,
                                a.pointers[mask], a.format);
  },
       {dtype, n, norm, k, nan_policy, format},
       {all_of(w), all_of(block_layout), all_of(norm_slices), all_of(scores), all_of(scores_data)},
       {{mask, kN}}},
      {"sc_prune_mask_blocks_threshold",
       [](Arguments& a) {
    return sc_prune_mask_blocks_threshold(
        a.pointers[w], a.dtype, a.n, a.get<sc_layout>(block_layout), a.norm, a.threshold,
        a.get<sc_scores>(scores), a.nan, a.pointers[mask], a.format);
  },
       {dtype, n, norm, threshold, nan_policy, format},
       {all_of(w), all_of(block_layout), all_of(scores), all_of(scores_data)},
       {{mask, kN}}},
      {"sc_prune_mask_global_blocks",
       [](Arguments& a) {
    return sc_prune_mask_global_blocks(a.get<sc_member>(mask_block_members), a.count, a.norm, a.k,
                                       a.nan, a.format);
  },
       {dtype, w_hat_dtype, n, count, norm, k, nan_policy, format},
       {all_of(w), all_of(scores), all_of(scores_data), all_of(member_w),
        all_of(mask_block_members), all_of(block_layout)},
       {{first_mask, kN}, {second_mask, kN}}},
      {"sc_soft_threshold",
       [](Arguments& a) {
    return sc_soft_threshold(a.pointers[w], a.dtype, a.n, a.threshold, a.pointers[out]);
  },
       {dtype, n, threshold},
       {all_of(w)},
       {out_for_w}},
      {"sc_quantize",
       [](Arguments& a) {
    return sc_quantize(a.pointers[w], a.dtype, a.n, a.get<sc_format>(fixed_point),
                       a.get<sc_quantize_options>(options), a.pointers[q], a.q_dtype);
  },
       {dtype, n, q_dtype},
       {all_of(w), all_of(fixed_point), all_of(format_layout), frac_bits_read, group_bits_read,
        all_of(options)},
       {{q, kN}}},
      {"sc_dequantize",
       [](Arguments& a) {
    return sc_dequantize(a.pointers[q], a.q_dtype, a.n, a.get<sc_format>(fixed_point),
                         a.sign_extend, a.pointers[out], a.dtype);
  },
       {q_dtype, n, sign_extend, dtype},
       {{q, kN}, all_of(fixed_point), all_of(format_layout), frac_bits_read, group_bits_read},
       {all_of(out)}},
      {"sc_fake_quantize",
       [](Arguments& a) {
    return sc_fake_quantize(a.pointers[w], a.dtype, a.n, a.get<sc_format>(fixed_point),
                            a.get<sc_quantize_options>(options), a.pointers[out]);
  },
       {dtype, n},
       {all_of(w), all_of(fixed_point), all_of(format_layout), frac_bits_read, group_bits_read,
        all_of(options)},
       {out_for_w}},
      {"sc_prune_quantize",
       [](Arguments& a) {
    return sc_prune_quantize(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_format>(fixed_point),
                             a.get<sc_quantize_options>(options), a.pointers[q], a.q_dtype);
  },
       {dtype, n, k, q_dtype},
       {all_of(w), all_of(fixed_point), all_of(format_layout), frac_bits_read, group_bits_read,
        all_of(options)},
       {{q, kN}}},
      {"sc_quantize, affine",
       [](Arguments& a) {
    return sc_quantize(a.pointers[w], a.dtype, a.n, a.get<sc_format>(affine),
                       a.get<sc_quantize_options>(options), a.pointers[q], a.q_dtype);
  },
       {dtype, n, q_dtype},
       {all_of(w), all_of(affine), all_of(format_layout), scale_read, zeros_read, all_of(options)},
       {{q, kN}}},
      {"sc_dequantize, affine",
       [](Arguments& a) {
    return sc_dequantize(a.pointers[q], a.q_dtype, a.n, a.get<sc_format>(affine), a.sign_extend,
                         a.pointers[out], a.dtype);
  },
       {q_dtype, n, sign_extend, dtype},
       {{q, kN}, all_of(affine), all_of(format_layout), scale_read, zeros_read},
       {all_of(out)}},
      {"sc_fake_quantize, affine",
       [](Arguments& a) {
    return sc_fake_quantize(a.pointers[w], a.dtype, a.n, a.get<sc_format>(affine),
                            a.get<sc_quantize_options>(options), a.pointers[out]);
  },
       {dtype, n},
       {all_of(w), all_of(affine), all_of(format_layout), scale_read, zeros_read, all_of(options)},
       {out_for_w}},
      {"sc_prune_quantize, affine",
       [](Arguments& a) {
    return sc_prune_quantize(a.pointers[w], a.dtype, a.n, a.k, a.get<sc_format>(affine),
                             a.get<sc_quantize_options>(options), a.pointers[q], a.q_dtype);
  },
       {dtype, n, k, q_dtype},
       {all_of(w), all_of(affine), all_of(format_layout), scale_read, zeros_read, all_of(options)},
       {{q, kN}}},
      {"sc_requantize",
       [](Arguments& a) {
    return sc_requantize(a.pointers[q], a.q_dtype, a.n, a.get<sc_format>(fixed_point),
                         a.sign_extend, a.get<sc_format>(affine),
                         a.get<sc_quantize_options>(options), a.pointers[first_mask], a.q_dtype);
  },
       {q_dtype, n, sign_extend},
       {{q, kN},
        all_of(fixed_point),
        all_of(affine),
        all_of(format_layout),
        frac_bits_read,
        group_bits_read,
        scale_read,
        zeros_read,
        all_of(options)},
       {{first_mask, kN}}},
      {"sc_pack_ints",
       [](Arguments& a) {
    return sc_pack_ints(a.pointers[q], a.q_dtype, a.n, a.bits, a.bit_order, a.row_length,
                        a.row_align, a.pointers[packed]);
  },
       {q_dtype, n, bits, bit_order, row_length, row_align},
       {{q, kN}},
       {{packed, kN / 2}}},
      {"sc_unpack_ints",
       [](Arguments& a) {
    return sc_unpack_ints(a.pointers[packed], a.n, a.bits, a.bit_order, a.row_length, a.row_align,
                          a.pointers[q], a.q_dtype);
  },
       {q_dtype, n, bits, bit_order, row_length, row_align},
       {{packed, kN / 2}},
       {{q, kN}}},
      {"sc_encode_bitmask",
       [](Arguments& a) {
    return sc_encode_bitmask(a.pointers[w], sizeof(double), a.n, a.row_length,
                             a.pointers[keep_mask], a.pointers[bitmask], a.pointers[values], kN,
                             a.get<std::size_t>(value_count));
  },
       {n, row_length},
       {all_of(w), {keep_mask, kN}},
       {{bitmask, kN / 4}, all_of(values), all_of(value_count)}},
      {"sc_decode_bitmask",
       [](Arguments& a) {
    return sc_decode_bitmask(a.pointers[bitmask], a.pointers[values], a.count, sizeof(double), a.n,
                             a.row_length, a.pointers[out]);
  },
       {n, row_length, count},
       {{bitmask, kN / 4}, {values, 2 * sizeof(double)}},
       {all_of(out)}},
      {"sc_count_bitmask",
       [](Arguments& a) {
    return sc_count_bitmask(a.pointers[bitmask], a.n, a.row_length, a.get<std::size_t>(value_count),
                            a.get<std::int64_t>(row_offsets));
  },
       {n, row_length},
       {{bitmask, kN / 4}},
       {all_of(value_count), {row_offsets, kN / 4 * sizeof(std::int64_t)}}},
      {"sc_encode_gaps",
       [](Arguments& a) {
    return sc_encode_gaps(a.pointers[bitmask], a.n, a.row_length, a.pointers[gaps], kN,
                          a.get<std::size_t>(value_count));
  },
       {n, row_length},
       {{bitmask, kN / 4}},
       {{gaps, kN}, all_of(value_count)}},
      {"sc_decode_gaps",
       [](Arguments& a) {
    return sc_decode_gaps(a.pointers[gaps], a.count, a.n, a.row_length, a.pointers[bitmask]);
  },
       {n, row_length, count},
       {{gaps, 2}},
       {{bitmask, kN / 4}}},
      {"sc_compare",
       [](Arguments& a) {
    return sc_compare(a.pointers[w], a.dtype, a.pointers[w_hat], a.w_hat_dtype, a.n,
                      a.get<sc_layout>(group_layout), a.get<sc_format>(compared_fixed_point),
                      a.rounding, a.get<sc_error_sums>(error_sums));
  },
       {dtype, w_hat_dtype, n, rounding},
       {all_of(w),
        all_of(w_hat),
        all_of(group_layout),
        all_of(compared_fixed_point),
        all_of(compared_layout),
        {frac_bits, kGroups * sizeof(std::int32_t)},
        {group_bits, kGroups * sizeof(std::int32_t)}},
       {{error_sums, kGroups * sizeof(sc_error_sums)}}},
      {"sc_compare, affine",
       [](Arguments& a) {
    return sc_compare(a.pointers[w], a.dtype, a.pointers[w_hat], a.w_hat_dtype, a.n,
                      a.get<sc_layout>(group_layout), a.get<sc_format>(compared_affine), a.rounding,
                      a.get<sc_error_sums>(error_sums));
  },
       {dtype, w_hat_dtype, n, rounding},
       {all_of(w),
        all_of(w_hat),
        all_of(group_layout),
        all_of(compared_affine),
        all_of(compared_layout),
        {scale, kGroups * sizeof(double)},
        {zero_point, kGroups * sizeof(std::int32_t)}},
       {{error_sums, kGroups * sizeof(sc_error_sums)}}},
      {"sc_choose_format",
       [](Arguments& a) {
    return sc_choose_format(a.pointers[w], a.dtype, a.n, a.get<sc_layout>(group_layout),
                            a.fixed_bits, a.is_signed, a.method, a.percentile, a.rounding,
                            a.get<std::int32_t>(chosen_frac_bits), a.pointers[chosen_codes],
                            a.q_dtype);
  },
       {dtype, n, q_dtype, fixed_bits, is_signed, method, percentile, rounding},
       {all_of(w), all_of(group_layout)},
       {{chosen_frac_bits, kGroups * sizeof(std::int32_t)}, {chosen_codes, kN}}},
      {"sc_choose_affine",
       [](Arguments& a) {
    return sc_choose_affine(
        a.pointers[w], a.dtype, a.n, a.get<sc_layout>(group_layout), a.affine_bits, a.is_signed,
        a.is_symmetric, a.method, a.percentile, a.rounding, a.pointers[chosen_scale],
        a.get<std::int32_t>(chosen_zero_point), a.pointers[chosen_codes], a.q_dtype);
  },
       {dtype, n, q_dtype, affine_bits, is_signed, is_symmetric, method, percentile, rounding},
       {all_of(w), all_of(group_layout)},
       {{chosen_scale, kGroups * sizeof(double)},
        {chosen_zero_point, kGroups * sizeof(std::int32_t)},
        {chosen_codes, kN}}},
      {"sc_isa",
       [](Arguments& a) { return sc_isa(a.get<const char*>(name)); },
       {},
       {},
       {all_of(name)}},
      {"sc_set_num_threads",
       [](Arguments& a) { return sc_set_num_threads(a.threads); },
       {threads},
       {},
       {}},
      {"sc_get_num_threads",
       [](Arguments& a) { return sc_get_num_threads(a.get<std::size_t>(num_threads)); },
       {},
       {},
       {all_of(num_threads)}},
      {"sc_set_thread_num_threads",
       [](Arguments& a) {
    return sc_set_thread_num_threads(a.threads, a.get<std::size_t>(previous_threads));
  },
       {threads},
       {},
       {all_of(previous_threads)}},
      {"sc_set_thread_interrupt",
       [](Arguments& a) {
    return sc_set_thread_interrupt(nullptr, nullptr, a.get<sc_interrupt>(previous_check),
                                   a.get<void*>(previous_context));
  },
       {},
       {},
       {all_of(previous_check), all_of(previous_context)}},
  };
  return all;
}

}  // namespace calls
