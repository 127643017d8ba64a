// Calls of every operation, with each float type and with each option that changes its allocations.
#pragma once

#include <sys/mman.h>
#include <secateur/secateur.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

// ---- Inputs ------------------------------------------------------------------------------------

// Sizes: small, in cache, and so large that several threads share the work for every dtype.
constexpr std::size_t kLarge = 1'200'000;
constexpr std::array<std::size_t, 3> kSizes{960, 48'000, kLarge};

// Memory that becomes read-only when it is sealed.
class Arena {
 public:
  template <class T>
  T* take(std::size_t count) {
    T* const data = reinterpret_cast<T*>(base_ + used_);
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return data;
  }
  void seal() { mprotect(base_, kBytes, PROT_READ); }

 private:
  static constexpr std::size_t kBytes = std::size_t{160} << 20;
  unsigned char* base_ = static_cast<unsigned char*>(
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::size_t used_ = 0;
};

struct Float {
  sc_dtype dtype;
  const char* name;
  std::size_t bytes;
  std::uint64_t least, most;  // the bits of 2^-6 and of 2.0
  std::uint64_t nan;
  const void* w = nullptr;         // kLarge finite elements of both signs
  const void* with_nan = nullptr;  // the same, but the last of each size is NaN
};

constexpr std::size_t kParameters = 65536;

struct Inputs {
  std::array<Float, 4> floats{
      Float{SC_DTYPE_FLOAT32, "float32", 4, 121u << 23, 128u << 23, 0x7fc00000},
      Float{SC_DTYPE_FLOAT64, "float64", 8, 1017ull << 52, 1024ull << 52, 0x7ff8000000000000},
      Float{SC_DTYPE_FLOAT16, "float16", 2, 9u << 10, 16u << 10, 0x7e00},
      Float{SC_DTYPE_BFLOAT16, "bfloat16", 2, 121u << 7, 128u << 7, 0x7fc0}};
  // For each size: an array of each float type, of a quarter of that size, one after another.
  std::array<const void*, kSizes.size()> members;
  const std::uint8_t* mask;           // kLarge bools
  const std::uint8_t* codes;          // kLarge integers of up to 32 bits; each byte is 0 or 1
  const std::int32_t* frac_bits;      // kParameters of them
  const std::int32_t* zero_points;    // 0 or 1
  const float* scales;                // 0.01 to 0.02
  const double* wide_scales;          // the same in double
  const std::uint64_t* empty_counts;  // of SC_MAX_BINS bins, then a totals
};

std::uint64_t random_bits(std::uint64_t i) {
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return i ^ (i >> 31);
}

void put_float(const Float& type, void* array, std::size_t i, bool is_nan) {
  const std::uint64_t random = random_bits(i + 1);
  const std::uint64_t magnitude =
      is_nan ? type.nan : type.least + random % (type.most - type.least);
  const std::uint64_t bits = magnitude | (random >> 63) << (8 * type.bytes - 1);
  std::memcpy(static_cast<unsigned char*>(array) + i * type.bytes, &bits, type.bytes);
}

Inputs make_inputs(Arena& arena) {
  Inputs inputs{};
  for (Float& type : inputs.floats) {
    auto* const w = arena.take<unsigned char>(kLarge * type.bytes);
    auto* const with_nan = arena.take<unsigned char>(kLarge * type.bytes);
    for (std::size_t i = 0; i < kLarge; ++i) {
      put_float(type, w, i, false);
      put_float(type, with_nan, i, std::find(kSizes.begin(), kSizes.end(), i + 1) != kSizes.end());
    }
    type.w = w;
    type.with_nan = with_nan;
  }
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    auto* members = arena.take<unsigned char>(kSizes[i] / 4 * (4 + 8 + 2 + 2));
    inputs.members[i] = members;
    for (const Float& type : inputs.floats) {
      std::memcpy(members, type.w, kSizes[i] / 4 * type.bytes);
      members += kSizes[i] / 4 * type.bytes;
    }
  }
  const auto fill = [&]<class T>(const T*& array, std::size_t count, const auto& value) {
    T* const data = arena.take<T>(count);
    for (std::size_t i = 0; i < count; ++i) {
      data[i] = value(i);
    }
    array = data;
  };
  fill(inputs.mask, kLarge, [](std::size_t i) { return static_cast<std::uint8_t>(i % 3 == 0); });
  fill(inputs.codes, kLarge * 4,
       [](std::size_t i) { return static_cast<std::uint8_t>(random_bits(i) & 1); });
  fill(inputs.frac_bits, kParameters,
       [](std::size_t i) { return static_cast<std::int32_t>(3 + i % 3); });
  fill(inputs.zero_points, kParameters,
       [](std::size_t i) { return static_cast<std::int32_t>(i % 2); });
  fill(inputs.scales, kParameters,
       [](std::size_t i) { return 0.01f + 0.0001f * static_cast<float>(i % 100); });
  fill(inputs.wide_scales, kParameters,
       [](std::size_t i) { return 0.01 + 0.0001 * static_cast<double>(i % 100); });
  fill(inputs.empty_counts, SC_MAX_BINS + 3, [](std::size_t) { return std::uint64_t{1}; });
  arena.seal();
  return inputs;
}

// ---- Cases -------------------------------------------------------------------------------------

struct Case {
  std::string name;
  const void* input;      // `in`; in place, the initial contents of `out`
  std::size_t out_bytes;  // of all outputs together
  enum { apart, in_place, both } where;
  std::function<sc_status(const void* in, void* out)> call;
};

class Cases {
 public:
  // Small cases run for all float types. To save time, larger ones run for one type each.
  explicit Cases(const Inputs& inputs) : inputs_(inputs) {
    for (const std::size_t n : kSizes) {
      n_ = n;
      std::vector<std::vector<Case>> of_types;
      for (const Float& type : inputs.floats) {
        type_ = &type;
        add_selections();
        add_pruning();
        add_masks();
        add_patterns_and_blocks();
        add_elementwise();
        add_fixed_point();
        add_affine();
        add_comparing();
        add_refusals();
        of_types.push_back(std::move(added_));
        added_.clear();
      }
      const std::size_t types = of_types.size();
      for (std::size_t i = 0; i < of_types[0].size(); ++i) {
        for (std::size_t type = 0; type < types; ++type) {
          if (n == kSizes[0] || type == (i + i / types) % types) {
            all_.push_back(std::move(of_types[type].at(i)));
          }
        }
      }
      type_ = inputs.floats.data();
      add_global();
      add_packing();
      add_bitmasks();
      std::move(added_.begin(), added_.end(), std::back_inserter(all_));
      added_.clear();
    }
  }
  [[nodiscard]] const std::vector<Case>& all() const { return all_; }

 private:
  struct Shape {
    const char* name;
    sc_layout slices;
  };
  static sc_layout slices_of(std::size_t length, std::size_t inner) {
    return {length, inner, 0, 1, 0};
  }
  // Long slices, slices of a few hundred elements, and slices of eight; contiguous and strided.
  [[nodiscard]] std::array<Shape, 6> shapes() const {
    return {Shape{"long rows", slices_of(n_ / 3, 1)},   Shape{"rows", slices_of(240, 1)},
            Shape{"short rows", slices_of(8, 1)},       Shape{"long columns", slices_of(n_ / 3, 3)},
            Shape{"columns", slices_of(n_ / 240, 240)}, Shape{"few columns", slices_of(n_ / 8, 8)}};
  }

  // Scores as values and as products.
  struct Ranking {
    const char* name;
    sc_scores scores;
  };
  [[nodiscard]] std::vector<Ranking> rankings() const {
    std::vector<Ranking> all;
    for (const Float& type : inputs_.floats) {
      // Scores of the dtype of w, and of one other dtype.
      if (&type == type_ ||
          type.dtype == (type_->dtype == SC_DTYPE_FLOAT64 ? SC_DTYPE_FLOAT32 : SC_DTYPE_FLOAT64)) {
        const char* const values = &type == type_ ? "own values" : "other values";
        const char* const products = &type == type_ ? "own products" : "other products";
        all.push_back({values, {SC_SCORING_VALUES, type.dtype, type.w, 0, 0}});
        all.push_back({products, {SC_SCORING_PRODUCTS, type.dtype, type.w, n_ / 8, 4}});
      }
    }
    return all;
  }

  template <class Call>
  void add(const std::string& name, std::size_t out_bytes, decltype(Case::where) where,
           const Call& call) {
    const std::string size = n_ == kLarge ? "large " : n_ == kSizes[0] ? "small " : "medium ";
    added_.push_back({size + type_->name + " " + name, type_->w, out_bytes, where, call});
  }

  void add_selections() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t k = n / 10;
    add("kth_magnitude", type_->bytes, Case::apart, [=](const void* in, void* out) {
      return sc_kth_magnitude(in, dtype, n, k, nullptr, SC_NAN_KEEP, out);
    });
    const auto add_topk = [&](const std::string& name, const Shape* shape, sc_order order,
                              const sc_scores* by = nullptr) {
      const sc_scores scores = by == nullptr ? sc_scores{} : *by;
      const bool has_scores = by != nullptr;
      const sc_layout slices = shape == nullptr ? slices_of(n, 1) : shape->slices;
      const std::size_t kept = slices.length / 3 + 1;
      const std::size_t values = n / slices.length * kept * type_->bytes;
      const std::size_t indices = (values + 7) / 8 * 8;
      add(name, indices + n / slices.length * kept * 8, Case::apart,
          [=](const void* in, void* out) {
        return sc_topk(in, dtype, n, kept, shape == nullptr ? nullptr : &slices,
                       has_scores ? &scores : nullptr, SC_NAN_RAISE, order, out,
                       reinterpret_cast<std::int64_t*>(static_cast<unsigned char*>(out) + indices));
      });
    };
    add_topk("topk by index", nullptr, SC_ORDER_INDEX);
    add_topk("topk by rank", nullptr, SC_ORDER_RANK);
    for (const Ranking& ranking : rankings()) {
      add_topk("topk by rank of " + std::string(ranking.name), nullptr, SC_ORDER_RANK,
               &ranking.scores);
    }
    for (const Shape& shape : shapes()) {
      const sc_layout slices = shape.slices;
      const std::string name = shape.name;
      const std::size_t kept = slices.length / 3 + 1;
      add("kth_magnitude " + name, n / slices.length * type_->bytes, Case::apart,
          [=](const void* in, void* out) {
        return sc_kth_magnitude(in, dtype, n, kept, &slices, SC_NAN_RAISE, out);
      });
      add_topk("topk by index " + name, &shape, SC_ORDER_INDEX);
      add_topk("topk by rank " + name, &shape, SC_ORDER_RANK);
    }
    add_topk_with_residual();
    const sc_key_range range{0, (std::uint64_t{1} << (8 * type_->bytes - 1)) - 1};
    const void* const w = type_->w;
    add("count_magnitudes", (SC_MAX_BINS + 3) * 8, Case::in_place, [=](const void*, void* out) {
      auto* const counts = static_cast<std::uint64_t*>(out);
      return sc_count_magnitudes(w, dtype, n, &range, SC_NAN_KEEP, counts,
                                 reinterpret_cast<sc_key_totals*>(counts + SC_MAX_BINS));
    });
    added_.back().input = inputs_.empty_counts;
  }

  void add_topk_with_residual() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const void* const w = type_->w;
    const auto values = std::make_shared<std::vector<double>>(n);
    const auto indices = std::make_shared<std::vector<std::int64_t>>(n);
    const auto add_case = [&](const std::string& name, const sc_layout& slices, bool is_whole) {
      add("topk_with_residual " + name, n * type_->bytes, Case::in_place,
          [=](const void*, void* residual) {
        return sc_topk_with_residual(w, residual, dtype, n, slices.length / 3 + 1,
                                     is_whole ? nullptr : &slices, SC_NAN_RAISE, SC_ORDER_RANK,
                                     values->data(), indices->data());
      });
    };
    add_case("of the array", slices_of(n, 1), true);
    for (const Shape& shape : shapes()) {
      add_case(shape.name, shape.slices, false);
    }
  }

  void add_pruning() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t bytes = n * type_->bytes;
    for (const sc_nan nan : {SC_NAN_RAISE, SC_NAN_PRUNE}) {
      add(nan == SC_NAN_RAISE ? "prune" : "prune NaN first", bytes, Case::both,
          [=](const void* in, void* out) {
        return sc_prune(in, dtype, n, n / 10, nullptr, nullptr, nan, out);
      });
    }
    for (const Shape& shape : shapes()) {
      const sc_layout slices = shape.slices;
      add(std::string("prune ") + shape.name, bytes, Case::both, [=](const void* in, void* out) {
        return sc_prune(in, dtype, n, slices.length / 3 + 1, &slices, nullptr, SC_NAN_RAISE, out);
      });
    }
    add("prune_threshold", bytes, Case::both, [=](const void* in, void* out) {
      return sc_prune_threshold(in, dtype, n, 0.5, nullptr, SC_NAN_RAISE, out);
    });
    for (const Ranking& ranking : rankings()) {
      const sc_scores scores = ranking.scores;
      const std::string by = std::string(" by ") + ranking.name;
      add("prune" + by, bytes, Case::both, [=](const void* in, void* out) {
        return sc_prune(in, dtype, n, n / 10, nullptr, &scores, SC_NAN_RAISE, out);
      });
      // If NaN is refused, a pass that looks for NaN precedes the pass that writes.
      for (const sc_nan nan : {SC_NAN_RAISE, SC_NAN_KEEP}) {
        add("prune_threshold" + by + (nan == SC_NAN_KEEP ? " NaN kept" : ""), bytes, Case::both,
            [=](const void* in, void* out) {
          return sc_prune_threshold(in, dtype, n, 0.5, &scores, nan, out);
        });
      }
      for (const Shape& shape : shapes()) {
        const sc_layout slices = shape.slices;
        const std::size_t k = slices.length / 3 + 1;
        add("prune " + std::string(shape.name) + by, bytes, Case::both,
            [=](const void* in, void* out) {
          return sc_prune(in, dtype, n, k, &slices, &scores, SC_NAN_RAISE, out);
        });
        add("prune_mask " + std::string(shape.name) + by, n, Case::apart,
            [=](const void* in, void* out) {
          return sc_prune_mask(in, dtype, n, k, &slices, &scores, SC_NAN_RAISE, out,
                               SC_MASK_FORMAT_BOOLS);
        });
      }
    }
  }

  void add_masks() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t k = n / 10;
    for (const sc_mask_format format :
         {SC_MASK_FORMAT_BOOLS, SC_MASK_FORMAT_BITS_LITTLE, SC_MASK_FORMAT_BITS_BIG}) {
      const std::size_t bytes = format == SC_MASK_FORMAT_BOOLS ? n : (n + 7) / 8;
      const std::string form = format == SC_MASK_FORMAT_BOOLS         ? " bools"
                               : format == SC_MASK_FORMAT_BITS_LITTLE ? " little"
                                                                      : " big";
      add("prune_mask" + form, bytes, Case::apart, [=](const void* in, void* out) {
        return sc_prune_mask(in, dtype, n, k, nullptr, nullptr, SC_NAN_PRUNE, out, format);
      });
      add("prune_mask_threshold" + form, bytes, Case::apart, [=](const void* in, void* out) {
        return sc_prune_mask_threshold(in, dtype, n, 0.5, nullptr, SC_NAN_KEEP, out, format);
      });
      add("prune_mask_global" + form, bytes, Case::apart, [=](const void* in, void* out) {
        const sc_member member{in, dtype, n, nullptr, out, nullptr, 0};
        return sc_prune_mask_global(&member, 1, k, SC_NAN_RAISE, format);
      });
      const sc_layout blocks{40, n / 80, 4, 3, 0};
      const std::size_t in_blocks = 80 * (n / 80);
      add("prune_mask_blocks" + form,
          format == SC_MASK_FORMAT_BOOLS ? in_blocks : (in_blocks + 7) / 8, Case::apart,
          [=](const void* in, void* out) {
        return sc_prune_mask_blocks(in, dtype, in_blocks, &blocks, SC_NORM_L1, n / 48, nullptr,
                                    nullptr, SC_NAN_RAISE, out, format);
      });
      for (const Shape& shape : shapes()) {
        const sc_layout slices = shape.slices;
        add("prune_mask " + std::string(shape.name) + form, bytes, Case::apart,
            [=](const void* in, void* out) {
          return sc_prune_mask(in, dtype, n, slices.length / 3 + 1, &slices, nullptr, SC_NAN_RAISE,
                               out, format);
        });
      }
      for (const sc_layout slices : {slices_of(8, 1), slices_of(8, n / 8)}) {
        add("prune_mask_pattern" + form + (slices.inner == 1 ? " rows" : " columns"), bytes,
            Case::apart, [=](const void* in, void* out) {
          return sc_prune_mask_pattern(in, dtype, n, 2, 4, SC_REMAINDER_RAISE, &slices, nullptr,
                                       SC_NAN_RAISE, out, format);
        });
      }
    }
  }

  void add_patterns_and_blocks() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t bytes = n * type_->bytes;
    const auto add_pattern = [&](const std::string& name, sc_nan nan, const sc_scores* by) {
      const sc_scores scores = by == nullptr ? sc_scores{} : *by;
      const bool has_scores = by != nullptr;
      for (const sc_layout slices : {slices_of(240, 1), slices_of(n / 240 / 4 * 4, 240)}) {
        if (slices.length == 0 || n % (slices.length * slices.inner) != 0) {
          continue;
        }
        add(name + (slices.inner == 1 ? " rows" : " columns"), bytes, Case::both,
            [=](const void* in, void* out) {
          return sc_prune_pattern(in, dtype, n, 2, 4, SC_REMAINDER_RAISE, &slices,
                                  has_scores ? &scores : nullptr, nan, out);
        });
        add(name + (slices.inner == 1 ? " rows with a rest" : " columns with a rest"), bytes,
            Case::both, [=](const void* in, void* out) {
          return sc_prune_pattern(in, dtype, n, 2, 7, SC_REMAINDER_PAD, &slices,
                                  has_scores ? &scores : nullptr, nan, out);
        });
      }
    };
    add_pattern("prune_pattern", SC_NAN_RAISE, nullptr);
    for (const Ranking& ranking : rankings()) {
      const std::string name = std::string("prune_pattern by ") + ranking.name;
      add_pattern(name, SC_NAN_RAISE, &ranking.scores);
      add_pattern(name + " NaN kept", SC_NAN_KEEP, &ranking.scores);
    }
    const std::size_t in_blocks = 80 * (n / 80);
    for (const sc_norm norm : {SC_NORM_L1, SC_NORM_L2, SC_NORM_MAX}) {
      const sc_layout blocks{40, n / 80, 4, 3, 0};
      add("prune_blocks " + std::to_string(norm), bytes, Case::both,
          [=](const void* in, void* out) {
        return sc_prune_blocks(in, dtype, in_blocks, &blocks, norm, n / 48, nullptr, nullptr,
                               SC_NAN_RAISE, out);
      });
    }
    for (const Ranking& ranking : rankings()) {
      const sc_layout blocks{40, n / 80, 4, 3, 0};
      add(std::string("prune_blocks by ") + ranking.name, bytes, Case::both,
          [=, scores = ranking.scores](const void* in, void* out) {
        return sc_prune_blocks(in, dtype, in_blocks, &blocks, SC_NORM_L2, n / 48, nullptr, &scores,
                               SC_NAN_RAISE, out);
      });
    }
    const sc_layout wide{3, n / 3, 3, n / 6, 0};
    add("prune_blocks wide", bytes, Case::both, [=](const void* in, void* out) {
      return sc_prune_blocks(in, dtype, n / 3 * 3, &wide, SC_NORM_L1, 1, nullptr, nullptr,
                             SC_NAN_RAISE, out);
    });
    const sc_layout blocks{40, n / 40, 2, 2, 0};
    add("prune_blocks_threshold", bytes, Case::both, [=](const void* in, void* out) {
      return sc_prune_blocks_threshold(in, dtype, n / 40 * 40, &blocks, SC_NORM_L1, 1.5, nullptr,
                                       SC_NAN_RAISE, out);
    });
  }

  void add_elementwise() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t bytes = n * type_->bytes;
    const std::uint8_t* const mask = inputs_.mask;
    for (const sc_mask_format format :
         {SC_MASK_FORMAT_BOOLS, SC_MASK_FORMAT_BITS_LITTLE, SC_MASK_FORMAT_BITS_BIG}) {
      add("apply_mask " + std::to_string(format), bytes, Case::both,
          [=](const void* in, void* out) {
        return sc_apply_mask(in, dtype, n, mask, format, out);
      });
    }
    add("soft_threshold", bytes, Case::both,
        [=](const void* in, void* out) { return sc_soft_threshold(in, dtype, n, 0.25, out); });
  }

  // Layouts of parameters.
  struct NamedLayout {
    const char* name;
    sc_layout layout;
  };
  [[nodiscard]] std::vector<NamedLayout> layouts() const {
    return {{"channels", {8, n_ / 8, 1, 0, 1}},
            {"last channels", {240, 1, 1, 0, 1}},
            {"groups", {240, 1, 32, 0, 0}},
            {"uneven groups", {240, 1, 28, 0, 0}},
            {"groups apart", {n_ / 240, 240, 0, 1, 0}},
            {"tiles", {n_ / 240, 240, 40, 32, 0}},
            {"shared tiles", {2, 240, 1, 28, 1}}};
  }

  struct Codes {
    const char* name;
    int bits;
    int is_signed;
    sc_dtype dtype;
  };
  static constexpr std::array<Codes, 6> kCodes{Codes{"int8", 8, 1, SC_DTYPE_INT8},
                                               Codes{"uint16", 16, 0, SC_DTYPE_UINT16},
                                               Codes{"int32", 32, 1, SC_DTYPE_INT32},
                                               Codes{"int4", 4, 1, SC_DTYPE_INT4},
                                               Codes{"packed", 3, 0, SC_DTYPE_PACKED_LITTLE},
                                               Codes{"packed big", 5, 1, SC_DTYPE_PACKED_BIG}};

  static std::size_t bytes_of(const Codes& codes, std::size_t n) {
    switch (codes.dtype) {
      case SC_DTYPE_PACKED_LITTLE:
      case SC_DTYPE_PACKED_BIG:
        return (n * static_cast<std::size_t>(codes.bits) + 7) / 8;
      case SC_DTYPE_INT32:
        return 4 * n;
      case SC_DTYPE_UINT16:
        return 2 * n;
      default:
        return n;
    }
  }

  void add_fixed_point() {
    const sc_quantize_options wrap{SC_ROUNDING_NEAREST_AWAY, SC_OVERFLOW_WRAP, SC_NAN_ZERO, 0, 0};
    const sc_quantize_options stochastic{SC_ROUNDING_STOCHASTIC, SC_OVERFLOW_SATURATE, SC_NAN_RAISE,
                                         7, 0};
    const auto format = [&](const Codes& codes) {
      return sc_format{SC_FORMAT_KIND_FIXED_POINT,
                       codes.bits,
                       codes.is_signed,
                       nullptr,
                       inputs_.frac_bits,
                       nullptr,
                       nullptr,
                       0,
                       0,
                       nullptr};
    };
    for (const Codes& codes : kCodes) {
      add_format(codes.name, codes, format(codes), {}, {});
      add_format(std::string(codes.name) + " wrapped", codes, format(codes), {}, wrap);
    }
    add_format("int8 stochastic", kCodes[0], format(kCodes[0]), {}, stochastic);
    for (const NamedLayout& by : layouts()) {
      for (const Codes& codes : {kCodes[0], kCodes[2], kCodes[4]}) {
        add_format(std::string(codes.name) + " by " + by.name, codes, format(codes), by.layout, {});
      }
    }
    sc_format of_widths = format(kCodes[0]);
    of_widths.group_bits = inputs_.frac_bits;
    add_format("int8 of several widths", kCodes[0], of_widths, layouts().front().layout, {});
  }

  void add_affine() {
    const void* const scales = type_->dtype == SC_DTYPE_FLOAT64
                                   ? static_cast<const void*>(inputs_.wide_scales)
                                   : static_cast<const void*>(inputs_.scales);
    const sc_quantize_options to_nearest{SC_ROUNDING_NEAREST_EVEN, SC_OVERFLOW_SATURATE,
                                         SC_NAN_ZERO, 0, 0};
    const sc_quantize_options stochastic{SC_ROUNDING_STOCHASTIC, SC_OVERFLOW_SATURATE_ZERO,
                                         SC_NAN_ZERO, 7, 0};
    for (const Codes& codes : kCodes) {
      const sc_format fmt{SC_FORMAT_KIND_AFFINE,
                          codes.bits,
                          codes.is_signed,
                          nullptr,
                          nullptr,
                          scales,
                          inputs_.zero_points,
                          0,
                          0,
                          nullptr};
      const std::string name = std::string("affine ") + codes.name;
      add_format(name, codes, fmt, {}, to_nearest);
      add_format(name + " stochastic", codes, fmt, {}, stochastic);
      for (const NamedLayout& by : layouts()) {
        add_format(name + " by " + by.name, codes, fmt, by.layout, to_nearest);
      }
    }
  }

  // The functions that take a format. A layout of length 0 stands for none.
  void add_format(const std::string& name, const Codes& codes, const sc_format& fmt,
                  const sc_layout& layout, const sc_quantize_options& options) {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t bytes = n * type_->bytes;
    const std::size_t q_bytes = bytes_of(codes, n);
    const sc_dtype q_dtype = codes.dtype;
    const void* const q = inputs_.codes;
    const auto with_layout = [=](const auto& call) {
      return [=](const void* in, void* out) {
        sc_format with = fmt;
        with.layout = layout.length != 0 ? &layout : nullptr;
        return call(&with, in, out);
      };
    };
    add("quantize " + name, q_bytes, Case::apart,
        with_layout([=](const sc_format* with, const void* in, void* out) {
      return sc_quantize(in, dtype, n, with, &options, out, q_dtype);
    }));
    add("prune_quantize " + name, q_bytes, Case::apart,
        with_layout([=](const sc_format* with, const void* in, void* out) {
      return sc_prune_quantize(in, dtype, n, n / 10, with, &options, out, q_dtype);
    }));
    add("dequantize " + name, bytes, Case::apart,
        with_layout([=](const sc_format* with, const void*, void* out) {
      return sc_dequantize(q, q_dtype, n, with, 1, out, dtype);
    }));
    if (dtype == SC_DTYPE_FLOAT64) {  // scales are double
      add("requantize " + name, q_bytes, Case::apart,
          with_layout([=](const sc_format* with, const void*, void* out) {
        return sc_requantize(q, q_dtype, n, with, 1, with, &options, out, q_dtype);
      }));
    }
    if (q_dtype == SC_DTYPE_INT8 || q_dtype == SC_DTYPE_INT32) {
      add("fake_quantize " + name, bytes, Case::both,
          with_layout([=](const sc_format* with, const void* in, void* out) {
        return sc_fake_quantize(in, dtype, n, with, &options, out);
      }));
    }
  }

  void add_comparing() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const Float& other = inputs_.floats[type_ == inputs_.floats.data() ? 2 : 0];
    static constexpr std::int32_t kFracBits = 6;
    const sc_format fmt{
        SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};
    struct Grouping {
      const char* name;
      sc_layout layout;
    };
    const std::array<Grouping, 8> groupings{Grouping{"", {1, n, 0, 0, 0}},
                                            Grouping{" by rows", {8, n / 8, 1, 0, 1}},
                                            Grouping{" by columns", {240, 1, 1, 0, 1}},
                                            Grouping{" by channels", {40, 4, 1, 0, 1}},
                                            Grouping{" by groups", {240, 1, 32, 0, 0}},
                                            Grouping{" by groups apart", {n / 40, 40, 24, 1, 0}},
                                            Grouping{" by tiles", {n / 240, 240, 24, 50, 0}},
                                            Grouping{" by shared tiles", {16, 15, 3, 4, 1}}};
    struct Method {
      const char* name;
      sc_choice_method method;
    };
    const std::array<Method, 3> methods{Method{"max", SC_CHOICE_METHOD_MAX},
                                        Method{"percentile", SC_CHOICE_METHOD_PERCENTILE},
                                        Method{"mse", SC_CHOICE_METHOD_MSE}};
    for (const Grouping& grouping : groupings) {
      const sc_layout layout = grouping.layout;
      const std::string name = grouping.name;
      const std::size_t count = secateur::count_groups(n, &layout);
      for (const Method& method : methods) {
        const sc_choice_method by = method.method;
        add("choose_format by " + std::string(method.name) + name, count * sizeof(std::int32_t),
            Case::apart, [=](const void* in, void* out) {
          return sc_choose_format(in, dtype, n, &layout, 4, 1, by, 99, SC_ROUNDING_NEAREST_EVEN,
                                  static_cast<std::int32_t*>(out), nullptr, SC_DTYPE_INT8);
        });
        const std::size_t scales = count * (dtype == SC_DTYPE_FLOAT64 ? 8 : 4);
        add("choose_affine by " + std::string(method.name) + name,
            scales + count * sizeof(std::int32_t), Case::apart, [=](const void* in, void* out) {
          return sc_choose_affine(
              in, dtype, n, &layout, 4, 1, 0, by, 99, SC_ROUNDING_NEAREST_EVEN, out,
              reinterpret_cast<std::int32_t*>(static_cast<unsigned char*>(out) + scales), nullptr,
              SC_DTYPE_INT8);
        });
      }
      for (const Float& w_hat : {other, *type_}) {
        add(std::string("compare") + (w_hat.dtype == dtype ? " own type" : "") + name,
            count * sizeof(sc_error_sums), Case::apart, [=](const void* in, void* out) {
          return sc_compare(in, dtype, w_hat.w, w_hat.dtype, n, &layout, &fmt,
                            SC_ROUNDING_NEAREST_EVEN, static_cast<sc_error_sums*>(out));
        });
      }
    }
  }

  // Calls that are refused. Their messages need memory.
  void add_refusals() {
    const sc_dtype dtype = type_->dtype;
    const std::size_t n = n_;
    const std::size_t bytes = n * type_->bytes;
    const sc_layout rows = slices_of(240, 1);
    static constexpr std::int32_t kFracBits = 9;
    const sc_format fmt{
        SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};
    const sc_quantize_options raise{SC_ROUNDING_FLOOR, SC_OVERFLOW_RAISE, SC_NAN_RAISE, 0, 0};
    const auto add_with_nan = [&](const char* name, const auto& call) {
      add(name, bytes, Case::both, call);
      added_.back().input = type_->with_nan;
    };
    add_with_nan("prune refuses NaN", [=](const void* in, void* out) {
      return sc_prune(in, dtype, n, n / 10, nullptr, nullptr, SC_NAN_RAISE, out);
    });
    add_with_nan("prune rows refuses NaN", [=](const void* in, void* out) {
      return sc_prune(in, dtype, n, 80, &rows, nullptr, SC_NAN_RAISE, out);
    });
    add_with_nan("prune_pattern refuses NaN", [=](const void* in, void* out) {
      return sc_prune_pattern(in, dtype, n, 2, 4, SC_REMAINDER_RAISE, &rows, nullptr, SC_NAN_RAISE,
                              out);
    });
    add_with_nan("fake_quantize refuses NaN", [=](const void* in, void* out) {
      return sc_fake_quantize(in, dtype, n, &fmt, nullptr, out);
    });
    add("fake_quantize refuses overflow", bytes, Case::both, [=](const void* in, void* out) {
      return sc_fake_quantize(in, dtype, n, &fmt, &raise, out);
    });
    add("choose_format refuses negative elements", sizeof(std::int32_t), Case::apart,
        [=](const void* in, void* out) {
      return sc_choose_format(in, dtype, n, nullptr, 8, 0, SC_CHOICE_METHOD_MSE, 0,
                              SC_ROUNDING_NEAREST_EVEN, static_cast<std::int32_t*>(out), nullptr,
                              SC_DTYPE_INT8);
    });
    for (const sc_choice_method method : {SC_CHOICE_METHOD_MAX, SC_CHOICE_METHOD_MSE}) {
      const std::string name = method == SC_CHOICE_METHOD_MAX ? "max" : "mse";
      add("choose_format refuses NaN by " + name, sizeof(std::int32_t), Case::apart,
          [=](const void* in, void* out) {
        return sc_choose_format(in, dtype, n, nullptr, 8, 1, method, 0, SC_ROUNDING_NEAREST_EVEN,
                                static_cast<std::int32_t*>(out), nullptr, SC_DTYPE_INT8);
      });
      added_.back().input = type_->with_nan;
    }
    add("prune refuses k", bytes, Case::both, [=](const void* in, void* out) {
      return sc_prune(in, dtype, n, n + 1, nullptr, nullptr, SC_NAN_RAISE, out);
    });
  }

  // Members of different dtypes, or of one; ranked by magnitude, and by scores of other dtypes.
  void add_global() {
    const std::size_t n = n_ / 4;
    for (const bool mixed : {false, true}) {
      for (const sc_scoring scoring : {sc_scoring{}, SC_SCORING_VALUES, SC_SCORING_PRODUCTS}) {
        std::vector<sc_member> members;
        std::vector<std::size_t> offsets;
        std::vector<sc_scores> scores;
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < inputs_.floats.size(); ++i) {
          const Float& type = inputs_.floats[mixed ? i : 0];
          const Float& other = inputs_.floats[mixed ? 3 - i : 0];
          offsets.push_back(bytes);
          members.push_back({nullptr, type.dtype, n, nullptr, nullptr, nullptr, 0});
          scores.push_back({scoring, other.dtype, other.w, n, 1});
          bytes += n * type.bytes;
        }
        const sc_layout blocks{n, 1, 4, 1, 0};
        const std::string name = scoring == SC_SCORING_VALUES     ? " by values"
                                 : scoring == SC_SCORING_PRODUCTS ? " by products"
                                                                  : "";
        // Elements, elements with a minimum of each member, and blocks.
        for (const char* const kind : {"", " min_kept", " blocks"}) {
          add((mixed ? "prune_global mixed" : "prune_global") + name + kind, bytes, Case::both,
              [=](const void* in, void* out) {
            const bool has_blocks = kind == std::string_view(" blocks");
            std::array<sc_member, 4> all{};
            for (std::size_t i = 0; i < all.size(); ++i) {
              all[i] = members[i];
              all[i].w = static_cast<const unsigned char*>(in) + offsets[i];
              all[i].out = static_cast<unsigned char*>(out) + offsets[i];
              all[i].scores = scoring == sc_scoring{} ? nullptr : &scores[i];
              all[i].layout = has_blocks ? &blocks : nullptr;
              all[i].min_kept = *kind == 0 ? 0 : n / 16 * i;
            }
            return has_blocks
                       ? sc_prune_global_blocks(all.data(), 4, SC_NORM_L1, n / 2, SC_NAN_RAISE)
                       : sc_prune_global(all.data(), 4, n, SC_NAN_RAISE);
          });
          if (mixed) {
            const auto size = std::find(kSizes.begin(), kSizes.end(), n_) - kSizes.begin();
            added_.back().input = inputs_.members[static_cast<std::size_t>(size)];
          }
        }
      }
    }
  }

  void add_packing() {
    const std::size_t n = n_;
    const std::uint8_t* const q = inputs_.codes;
    for (const sc_bitorder order : {SC_BITORDER_LITTLE, SC_BITORDER_BIG}) {
      const std::string name = order == SC_BITORDER_LITTLE ? " little" : " big";
      add("pack_ints" + name, (n * 3 + 7) / 8, Case::apart, [=](const void*, void* out) {
        return sc_pack_ints(q, SC_DTYPE_INT8, n, 3, order, 0, 0, out);
      });
      add("pack_ints refuses" + name, (n + 7) / 8, Case::apart, [=](const void*, void* out) {
        return sc_pack_ints(q, SC_DTYPE_INT8, n, 1, order, 0, 0,
                            out);  // 1 is not a signed 1-bit integer
      });
      add("unpack_ints" + name, n, Case::apart, [=](const void*, void* out) {
        return sc_unpack_ints(q, n, 5, order, 0, 0, out, SC_DTYPE_INT8);
      });
      add("pack_ints rows" + name, n * 4, Case::apart, [=](const void*, void* out) {
        return sc_pack_ints(q, SC_DTYPE_INT8, n, 3, order, 1, 32, out);
      });
    }
  }

  void add_bitmasks() {
    const std::size_t n = n_;
    const std::size_t element_bytes = type_->bytes;
    const std::size_t values_bytes = n * element_bytes;
    const void* const mask = inputs_.mask;
    for (const std::size_t row_length : {n, std::size_t{12}}) {
      const std::string name = row_length == n ? "" : " rows";
      const std::size_t bitmask_bytes = n / row_length * ((row_length + 7) / 8);
      add("encode_bitmask" + name, values_bytes + sizeof(std::size_t) + bitmask_bytes, Case::apart,
          [=](const void* in, void* out) {
        auto* const count = static_cast<unsigned char*>(out) + values_bytes;
        return sc_encode_bitmask(in, element_bytes, n, row_length, mask,
                                 count + sizeof(std::size_t), out, n,
                                 reinterpret_cast<std::size_t*>(count));
      });
    }
    // Every third byte of `mask` is 1, the others are 0.
    add("decode_bitmask", values_bytes, Case::apart, [=](const void* in, void* out) {
      return sc_decode_bitmask(mask, in, (n / 8 + 2) / 3, element_bytes, n, n, out);
    });
    add("encode_gaps", n + sizeof(std::size_t), Case::apart, [=](const void*, void* out) {
      auto* const count = static_cast<unsigned char*>(out) + n;
      return sc_encode_gaps(mask, n, n, out, n, reinterpret_cast<std::size_t*>(count));
    });
    add("decode_gaps", n / 8, Case::apart,
        [=](const void*, void* out) { return sc_decode_gaps(mask, n / 8, n, n, out); });
    add("count_bitmask", sizeof(std::size_t) + n / 8 * sizeof(std::int64_t), Case::apart,
        [=](const void*, void* out) {
      auto* const count = static_cast<std::size_t*>(out);
      return sc_count_bitmask(mask, n, 8, count, reinterpret_cast<std::int64_t*>(count + 1));
    });
  }

  const Inputs& inputs_;
  std::vector<Case> all_;
  std::vector<Case> added_;  // for the current type and size
  std::size_t n_ = 0;
  const Float* type_ = nullptr;
};

}  // namespace
