// The stages of quantization and dequantization. A plan holds what all threads share; a Quantizer,
// Dequantizer or CodeStorage holds the buffers of one thread, and processes a chunk of at most
// kChunk elements per call.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/float_state.hpp"
#include "core/scratch.hpp"
#include "quantize/parameters.hpp"
#include "quantize/quantize.hpp"

namespace secateur {

// Calls body(zero of the compute type), which is float or double.
//   Fixed point: it represents the floats of `type`, and the integers times any step, exactly.
//   Affine: it is the type whose rounding secateur.h prescribes, or double if scheme.in_double.
template <class Body>
auto with_compute_type(FloatType type, const Scheme& scheme, const Body& body) {
  // A float has 24 significant bits: enough for any 16-bit integer plus a half.
  const bool float_suffices = scheme.has_scales() || (scheme.bits <= 16 && scheme.powers_fit_float);
  const bool computes_in_float = type.kind != Float::float64 && !scheme.in_double && float_suffices;
  return computes_in_float ? body(float{}) : body(double{});
}

// Calls body(chunk, index of its first element) for the chunks of a part. `first` is the index of
// the first element of the part. The `head` elements before the first aligned one are a chunk by
// themselves. Otherwise a kernel would split them off, and its vectors would not begin where runs
// of parameters do.
template <class Body>
void for_chunks(const Part& part, std::size_t first, std::size_t head, const Body& body) {
  std::size_t length = head != 0 ? head : kChunk;
  for (std::size_t begin = part.begin, end = 0; begin < part.end; begin = end) {
    end = std::min(part.end, begin + length);
    body(Part{part.array, begin, end, part.n}, first + (begin - part.begin));
    length = kChunk;
  }
}

// Calls body(state, chunk) for all chunks of an array, on as many threads as `bytes` justify. Each
// thread rounds in `direction` and has a state of its own, the result of make_state().
template <class MakeState, class Body>
void share_chunks(const Blocks& blocks, std::size_t bytes, Direction direction,
                  const MakeState& make_state, const Body& body) {
  Tasks tasks(blocks.count());
  share(tasks, bytes, [&] {
    const FloatState float_state(direction);
    auto state = make_state();
    for (std::size_t block = 0; tasks.take(block);) {
      const Part part = blocks[block];
      const std::size_t head = part.begin == 0 ? blocks.head() : 0;
      for_chunks(part, part.begin, head,
                 [&](const Part& chunk, std::size_t) { body(state, chunk); });
    }
  });
}

// Kernels convert codes from int32. Dequantization therefore subtracts kWideOffset from unsigned
// codes of 17 to 32 bits, and adds it to the offsets, which are the negated zero points.
inline bool is_wide_unsigned(const Scheme& scheme) { return !scheme.is_signed && scheme.bits > 16; }
inline constexpr double kWideOffset = 0x1p31;

// What StageParameters are for. Quantization multiplies by 1 / step or divides by the step, and
// adds zero points. Dequantization adds negated zero points, and multiplies by the step.
enum class ParametersFor { quantize, dequantize };

// The parameters of a scheme in the compute type: the factors that elements are multiplied or
// divided by, and the zero points.
template <class C>
class StageParameters {
 public:
  StageParameters(const Scheme& scheme, ParametersFor use)
      : dequantizes_(use == ParametersFor::dequantize),
        scaling_(!scheme.has_scales() || dequantizes_ ? Scaling::multiply
                 : scheme.in_double                   ? Scaling::divide_as_float
                                                      : Scaling::divide),
        powers_(scheme.has_scales() ? 0 : round_up_to_words(scheme.layout.groups())),
        converted_zero_points_(
            scheme.zero_points == nullptr ? 0 : round_up_to_words(scheme.layout.groups())),
        factors_(factors(scheme), scheme.layout) {
    if (scheme.zero_points != nullptr) {
      convert_all(scheme.zero_points, scheme, stage_kernels<C>().integers, converted_zero_points_);
      if (dequantizes_ && is_wide_unsigned(scheme)) {
        std::for_each_n(converted_zero_points_.data(), scheme.layout.groups(),
                        [](C& offset) { offset += static_cast<C>(kWideOffset); });
      }
      zero_points_.emplace(converted_zero_points_.data(), scheme.layout);
    }
  }

  [[nodiscard]] Scaling scaling() const { return scaling_; }
  [[nodiscard]] const Parameters<C>& factors() const { return factors_; }
  // Null if the scheme has none, which means that all are 0.
  [[nodiscard]] const Parameters<C>* zero_points() const {
    return zero_points_ ? &*zero_points_ : nullptr;
  }

 private:
  using Convert = void (*)(const std::int32_t* from, std::size_t count, bool inverse, C* to);

  // Runs a kernel that converts whole words on an array of any length; inversely for
  // dequantization.
  void convert_all(const std::int32_t* from, const Scheme& scheme, Convert convert,
                   Buffer<C>& to) const {
    const std::size_t count = scheme.layout.groups();
    const std::size_t whole = count / kWord * kWord;
    std::int32_t last[kWord] = {};
    std::copy(from + whole, from + count, last);
    convert(from, whole, dequantizes_, to.data());
    convert(last, round_up_to_words(count - whole), dequantizes_, to.data() + whole);
  }
  const C* factors(const Scheme& scheme) {
    if (scheme.has_scales()) {
      return static_cast<const C*>(scheme.scales);
    }
    convert_all(scheme.frac_bits, scheme, stage_kernels<C>().powers_of_two, powers_);
    return powers_.data();
  }

  bool dequantizes_;
  Scaling scaling_;
  Buffer<C> powers_, converted_zero_points_;
  Parameters<C> factors_;
  std::optional<Parameters<C>> zero_points_;
};

// Gives the zero points of consecutive elements, or a constant if there are none.
template <class C>
class OffsetCursor {
 public:
  OffsetCursor(const Parameters<C>* zero_points, C constant) : constant_(constant) {
    if (zero_points != nullptr) {
      cursor_.emplace(*zero_points);
    }
  }
  ParameterView<C> operator()(std::size_t begin, std::size_t count) {
    return cursor_ ? (*cursor_)(begin, count) : same_for_all(&constant_);
  }

 private:
  std::optional<ParameterCursor<C>> cursor_;
  C constant_;
};

// How integers are rounded, as in RescaleRule. In stochastic rounding, draws replace the bias.
struct BiasRule {
  bool nearest, invert, invert_if_negative, invert_if_odd;
};
BiasRule bias_rule_of(sc_rounding rounding);

Overflow overflow_of(sc_overflow overflow);

// The lowest integer that saturation returns.
std::int64_t lowest_of(const Scheme& scheme, sc_overflow overflow);

// The key of stochastic rounding that a seed gives.
std::uint64_t hash_seed(std::uint64_t seed);

// The accumulated status of the elements that a thread has quantized.
struct QuantizeStatus {
  bool nan = false;
  std::size_t out_of_range = 0;
  // The index of the first element out of range, if the options refuse such elements.
  std::size_t first = std::numeric_limits<std::size_t>::max();
};

// The combined status of all threads. It has no lock: a thread adds its status in a destructor,
// also in the child of a fork() by the interrupt callback, where a helper may have left a lock
// locked.
class SharedStatus {
 public:
  void add(const QuantizeStatus& status) {
    if (status.nan) {
      nan_.store(true, std::memory_order_relaxed);
    }
    out_of_range_.fetch_add(status.out_of_range, std::memory_order_relaxed);
    set_least(first_, status.first);
  }
  // Notes that the code at this index is one that the format does not have.
  void add_invalid(std::size_t index) { set_least(first_invalid_, index); }
  // Throws Error if an array of n codes has one that the format does not have.
  void check_codes(const Codes& q, std::size_t n, const Scheme& scheme, const char* format) const;
  // Throws Error if the options refuse elements out of range and there are any. `array` and
  // `format` are the names of the arguments.
  void check_range(const char* array, const char* format, sc_overflow overflow) const;
  // Throws Error if the options refuse NaN in w, or elements out of range. All n elements have been
  // quantized or, of those, the `kept` ones of largest magnitude, with ties to the lowest index.
  void check(const void* w, FloatType type, std::size_t n, std::size_t kept,
             const sc_quantize_options& options) const;

 private:
  static void set_least(std::atomic<std::size_t>& least, std::size_t x) {
    for (std::size_t now = least.load(std::memory_order_relaxed); x < now;) {
      least.compare_exchange_weak(now, x, std::memory_order_relaxed);
    }
  }

  std::atomic<bool> nan_{false};
  std::atomic<std::size_t> out_of_range_{0};
  std::atomic<std::size_t> first_{std::numeric_limits<std::size_t>::max()};
  std::atomic<std::size_t> first_invalid_{std::numeric_limits<std::size_t>::max()};
};

// The kernels for integers of type T.
template <class T>
const RescaleKernels<T>& rescale_kernels() {
  if constexpr (sizeof(T) == sizeof(std::int32_t)) {
    return kernels().quantize.rescale_int32;
  } else {
    return kernels().quantize.rescale_int64;
  }
}

// Finds codes outside the width of a format whose storage dtype is wider.
class CodeRange {
 public:
  CodeRange(const Scheme& scheme, const Codes& codes, SharedStatus& shared_status)
      : codes_(codes),
        shared_status_(shared_status),
        is_signed_(scheme.is_signed),
        invalid_bits_(invalid_bits(scheme, codes)) {}
  ~CodeRange() { shared_status_.add_invalid(first_invalid_); }
  CodeRange(const CodeRange&) = delete;
  CodeRange& operator=(const CodeRange&) = delete;

  // Whether the storage dtype holds codes that the format does not have.
  [[nodiscard]] bool can_exclude() const { return invalid_bits_ != 0; }
  // Notes the first invalid code of `count` codes from `index` on.
  void check(std::size_t index, std::size_t count) {
    if (can_exclude()) {
      check(index, count, bits_of(index, count));
    }
  }
  // The same where `bits` are those of the codes, as the kernel code_bits returns them.
  void check(std::size_t index, std::size_t count, std::uint64_t bits) {
    if (index >= first_invalid_ || (bits & invalid_bits_) == 0) {
      return;
    }
    const std::size_t end = index + count;
    while (index < end && (bits_of(index, 1) & invalid_bits_) == 0) {
      ++index;
    }
    if (index < end) {  // else another thread has changed the codes
      first_invalid_ = index;
    }
  }

 private:
  // The bits above the width of a format, in each code of a 64-bit word. No valid code of a format
  // without signs has any of them. With signs, the sign bit and all bits above it are equal: none
  // of them but the highest differs from the next.
  static std::uint64_t invalid_bits(const Scheme& scheme, const Codes& codes) {
    const int sign = scheme.is_signed ? 1 : 0;
    const int unused = codes.stored_bits(scheme) - scheme.bits;
    if (unused == 0) {
      return 0;
    }
    const std::uint64_t of_one = ~std::uint64_t{0} >> (64 - unused) << (scheme.bits - sign);
    std::uint64_t all = 0;
    for (std::size_t shift = 0; shift < 64; shift += codes.bits_each(scheme)) {
      all |= of_one << shift;
    }
    return all;
  }

  [[nodiscard]] std::uint64_t bits_of(std::size_t index, std::size_t count) const {
    const std::size_t bytes_each = dtype_info(codes_.dtype).bytes();
    const auto* const first = static_cast<const unsigned char*>(codes_.data) + index * bytes_each;
    return kernels().quantize.code_bits[is_signed_ ? 1 : 0](first, count * bytes_each);
  }

  Codes codes_;
  SharedStatus& shared_status_;
  bool is_signed_;
  std::uint64_t invalid_bits_;
  std::size_t first_invalid_ = std::numeric_limits<std::size_t>::max();
};

// Extends the lowest bits of codes, if only these count: by the sign, or by 0 in formats without
// signs.
class CodeExtension {
 public:
  CodeExtension(const Scheme& scheme, const Codes& codes)
      : applies_(codes.have_unused_bits(scheme)),
        bit_mask_(~std::uint64_t{0} >> (64 - scheme.bits)),
        sign_mask_(scheme.is_signed ? std::uint64_t{1} << (scheme.bits - 1) : 0) {}

  [[nodiscard]] bool applies() const { return applies_; }
  template <class T>
  void operator()(T* q, std::size_t count) const {
    if (applies_) {
      rescale_kernels<T>().extend(q, count, static_cast<T>(bit_mask_), static_cast<T>(sign_mask_));
    }
  }

 private:
  bool applies_;
  std::uint64_t bit_mask_, sign_mask_;
};

// The ranges of groups that have widths of their own; shared by all threads. An element is
// quantized with the largest width, and the overflow rule is then applied with the width of its
// group. The result is that of the second step alone. The range of the largest width contains that
// of the group, so a number that the first step saturates or sets to 0 is out of the group's range
// too, on the same side. Wrapping subtracts a multiple of 2^b for the larger b, which is one for
// the smaller b too.
class GroupRanges {
 public:
  GroupRanges(const Scheme& scheme, sc_overflow overflow)
      : apply_overflow_(
            kernels().quantize.apply_overflow[scheme.is_signed ? 1 : 0]
                                             [static_cast<std::size_t>(overflow_of(overflow))]),
        is_symmetric_(scheme.is_signed && overflow == SC_OVERFLOW_SATURATE_SYMMETRIC),
        highest_(scheme.group_bits == nullptr ? 0 : scheme.layout.groups()) {
    if (scheme.group_bits == nullptr) {
      return;
    }
    const std::size_t count = scheme.layout.groups();
    for (std::size_t i = 0; i < count; ++i) {
      const auto highest = static_cast<std::uint32_t>(scheme.range_of(i).highest);
      highest_[i] = std::bit_cast<float>(highest);  // cursors are of floats and doubles only
    }
    parameters_.emplace(highest_.data(), scheme.layout);
  }
  GroupRanges(const GroupRanges&) = delete;
  GroupRanges& operator=(const GroupRanges&) = delete;

  [[nodiscard]] bool exist() const { return parameters_.has_value(); }

 private:
  friend class GroupOverflow;

  QuantizeKernels::ApplyOverflow apply_overflow_;
  bool is_symmetric_;
  Buffer<float> highest_;
  std::optional<Parameters<float>> parameters_;
};

// Applies the overflow rule to codes, for the ranges of their groups.
class GroupOverflow {
 public:
  explicit GroupOverflow(const GroupRanges& ranges) : ranges_(ranges) {
    if (ranges.parameters_) {
      highest_.emplace(*ranges.parameters_);
    }
  }

  // `index` is the index in the array of the first code. Returns the number of codes out of range,
  // if the overflow rule counts them.
  std::size_t operator()(std::int32_t* q, std::size_t count, std::size_t index) {
    return highest_
               ? ranges_.apply_overflow_(q, count, (*highest_)(index, count), ranges_.is_symmetric_)
               : 0;
  }

 private:
  const GroupRanges& ranges_;
  std::optional<ParameterCursor<float>> highest_;
};

// A buffer that avoids 4K aliasing with the input of the same kernel. A load that follows a store
// waits for the store if the lower 12 bits of both addresses agree; loads that cross cache lines
// suffer most. The buffer therefore begins half a page away from the input.
template <class T>
class AliasSafeBuffer {
 public:
  T* away_from(const void* input) {
    const auto begin = reinterpret_cast<std::uintptr_t>(buffer_);
    const auto wanted = reinterpret_cast<std::uintptr_t>(input) + kPage / 2 + kLine - 1;
    return buffer_ + (wanted - begin) % kPage / kLine * (kLine / sizeof(T));
  }

 private:
  static constexpr std::size_t kPage = 4096;
  alignas(kLine) T buffer_[kChunkCapacity + kPage / sizeof(T)];
};

// How to quantize an array; shared by all threads.
template <class C>
struct QuantizePlan {
  StageParameters<C> parameters;
  GroupRanges group_ranges;
  QuantizeRule<C> rule;
  Key largest_valid;  // larger magnitudes count as NaN
  bool nan_is_zero, refuses_overflow;
  // The fused kernel gives the same codes: they saturate in one range, and the direction of the
  // thread decides the rounding.
  bool is_fusible;
  Direction direction;
  std::uint64_t index_offset;  // the index of the first element, for stochastic rounding
  void (*widen)(const Part& floats, C* to);  // null if the floats are of type C
  // If not null: elements are divided by their scales before quantize_chunk. Rounding in the
  // direction of the thread would also affect a quotient that quantize_chunk computes.
  Key (*divide)(const Part& w, ParameterView<C> divisors, C* quotients);
  typename StageKernels<C>::QuantizeChunk quantize_chunk;

  QuantizePlan(FloatType type, const Scheme& scheme, const sc_quantize_options& options);
};

template <class C>
class Quantizer {
 public:
  Quantizer(const QuantizePlan<C>& plan, SharedStatus& shared_status)
      : plan_(plan),
        shared_status_(shared_status),
        factors_(plan.parameters.factors()),
        zero_points_(plan.parameters.zero_points(), 0),
        apply_overflow_(plan.group_ranges),
        rule_(plan.rule) {}
  ~Quantizer() { shared_status_.add(status_); }
  Quantizer(const Quantizer&) = delete;
  Quantizer& operator=(const Quantizer&) = delete;

  // Returns the codes of a part of at most kChunk elements. `index` is the index in the array of
  // its first element.
  std::int32_t* operator()(const Part& floats, std::size_t index) {
    const std::size_t count = floats.end - floats.begin;
    const ParameterView<C> factors = factors_(index, count);
    rule_.zero_points = zero_points_(index, count);
    std::int32_t* const q = q_.away_from(static_cast<const C*>(floats.array) + floats.begin);
    const Part widened{x_, 0, count, count};
    const Part* w = &floats;
    if (plan_.widen != nullptr) {
      plan_.widen(floats, x_);
      w = &widened;
    }
    ChunkStatus chunk_status = quantize_chunk(*w, factors, index, q);
    if (chunk_status.largest > plan_.largest_valid) [[unlikely]] {
      status_.nan = true;
      if (plan_.nan_is_zero) {
        remove_nan(*w);
        w = &widened;
        chunk_status = quantize_chunk(*w, factors, index, q);
      }
    }
    chunk_status.out_of_range += apply_overflow_(q, count, index);
    status_.out_of_range += chunk_status.out_of_range;
    if (chunk_status.out_of_range != 0 && plan_.refuses_overflow && index < status_.first) {
      status_.first = first_out_of_range(*w, factors, index);
    }
    return q;
  }

 private:
  using Bits = std::conditional_t<sizeof(C) == sizeof(float), std::int32_t, std::int64_t>;

  ChunkStatus quantize_chunk(const Part& w, ParameterView<C> factors, std::size_t index,
                             std::int32_t* q) {
    const std::uint64_t first = index + plan_.index_offset;
    const std::uint64_t last = first + (w.end - w.begin - 1);
    if (first >> 32 == last >> 32) {
      return run_kernels(w, factors, first, q);
    }
    // Kernels need indices with the same upper half. At most one chunk in 2^32 elements has others.
    ChunkStatus status{};
    for (std::size_t i = 0; i < w.end - w.begin; ++i) {
      alignas(kLine) std::int32_t word[kWord];
      const ChunkStatus of_one = quantize_one(w, factors, index, i, word);
      q[i] = word[0];
      status.largest = std::max(status.largest, of_one.largest);
      status.out_of_range += of_one.out_of_range;
    }
    return status;
  }

  // Quantizes element i of a part by itself, to the first element of a word.
  ChunkStatus quantize_one(const Part& w, ParameterView<C> factors, std::size_t index,
                           std::size_t i, std::int32_t* word) {
    const ParameterView<C> zero_points = rule_.zero_points;
    rule_.zero_points = same_for_all(zero_points.values + zero_points.index(i));
    const ChunkStatus status = run_kernels({w.array, w.begin + i, w.begin + i + 1, w.n},
                                           same_for_all(factors.values + factors.index(i)),
                                           index + i + plan_.index_offset, word);
    rule_.zero_points = zero_points;
    return status;
  }

  ChunkStatus run_kernels(const Part& w, ParameterView<C> factors, std::uint64_t index,
                          std::int32_t* q) {
    if (plan_.divide == nullptr) {
      return plan_.quantize_chunk(w, factors, rule_, index, q);
    }
    Key largest = 0;
    {
      const FloatState to_nearest;
      largest = plan_.divide(w, factors, quotients_);
    }
    static constexpr C kOne = 1;
    const std::size_t count = w.end - w.begin;
    const ChunkStatus of_quotients =
        plan_.quantize_chunk({quotients_, 0, count, count}, same_for_all(&kOne), rule_, index, q);
    return {largest, of_quotients.out_of_range};
  }

  // Copies a part to the buffer of widened floats, with 0 in place of NaN.
  void remove_nan(const Part& w) {
    const std::size_t count = w.end - w.begin;
    std::copy_n(static_cast<const C*>(w.array) + w.begin, count, x_);
    std::replace_if(x_, x_ + count, [&](C x) {
      return (std::bit_cast<Bits>(x) & kMagnitudeMask<Bits>) > plan_.largest_valid;
    }, C{0});
  }

  // The index of the first element out of range. The part must have one.
  std::size_t first_out_of_range(const Part& w, ParameterView<C> factors, std::size_t index) {
    alignas(kLine) std::int32_t word[kWord];
    for (std::size_t i = 0;; ++i) {
      if (quantize_one(w, factors, index, i, word).out_of_range != 0 ||
          apply_overflow_(word, 1, index + i) != 0) {
        return index + i;
      }
    }
  }

  const QuantizePlan<C>& plan_;
  SharedStatus& shared_status_;
  QuantizeStatus status_;
  ParameterCursor<C> factors_;
  OffsetCursor<C> zero_points_;
  GroupOverflow apply_overflow_;
  QuantizeRule<C> rule_;
  alignas(kLine) C x_[kChunkCapacity];
  alignas(kLine) C quotients_[kChunkCapacity];
  AliasSafeBuffer<std::int32_t> q_;
};

// How to dequantize an array; shared by all threads.
template <class C>
struct DequantizePlan {
  StageParameters<C> parameters;
  FloatType type;
  bool wide;  // unsigned integers of 17 to 32 bits
  typename StageKernels<C>::DequantizeChunk dequantize_chunk;

  DequantizePlan(const Scheme& scheme, FloatType to)
      : parameters(scheme, ParametersFor::dequantize),
        type(to),
        wide(is_wide_unsigned(scheme)),
        dequantize_chunk(
            (scheme.in_double
                 ? stage_kernels<C>().dequantize_chunk_as_float
                 : stage_kernels<C>().dequantize_chunk)[static_cast<std::size_t>(to.kind)]) {}
};

template <class C>
class Dequantizer {
 public:
  explicit Dequantizer(const DequantizePlan<C>& plan)
      : plan_(plan),
        factors_(plan.parameters.factors()),
        offsets_(plan.parameters.zero_points(), plan.wide ? static_cast<C>(kWideOffset) : C{0}) {}

  // Writes the floats of `count` codes. `index` is the index in the array of the first one.
  void operator()(std::int32_t* q, std::size_t count, std::size_t index, bool stream, void* out) {
    // Subtracts kWideOffset, which the offsets add again.
    if (plan_.wide) {
      std::for_each(q, q + count, [](std::int32_t& code) { code ^= std::int32_t{1} << 31; });
    }
    Output to{};
    to.data = static_cast<unsigned char*>(out) + index * plan_.type.bytes;
    to.stream = stream;
    plan_.dequantize_chunk({q, 0, count, count}, offsets_(index, count), factors_(index, count),
                           to);
  }

 private:
  const DequantizePlan<C>& plan_;
  ParameterCursor<C> factors_;
  OffsetCursor<C> offsets_;
};

// Stores codes from a buffer to the array of codes, and loads them back.
class CodeStorage {
 public:
  CodeStorage(const Codes& codes, const Scheme& scheme);

  // If codes are packed, code number `index` must begin a byte.
  void store_codes(const std::int32_t* q, std::size_t count, std::size_t index, bool stream);
  // Notes invalid codes in `range`, unless it is null.
  std::int32_t* load_codes(std::size_t index, std::size_t count, std::size_t n, CodeRange* range);

 private:
  // Sign-extends or zero-extends the low bits of each byte, by packing and unpacking them.
  void extend_sub_byte(const unsigned char* from, std::size_t count, bool is_signed,
                       unsigned char* to);

  Codes codes_;
  CodeExtension extend_;
  Packing packing_;
  std::size_t type_;  // the index of the code's type in the kernel table
  std::size_t bits_each_;
  bool is_sub_byte_;  // each code has a byte, of which only the low 4 or 2 bits count
  alignas(kLine) std::int32_t q_[kChunkCapacity];
  alignas(kLine) unsigned char bytes_[kChunkCapacity * sizeof(std::int16_t)];  // before packing
  alignas(kLine) unsigned char packed_[kChunkCapacity];
};

}  // namespace secateur
