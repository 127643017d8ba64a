#include "quantize/stages.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "core/nan.hpp"
#include "quantize/rounding_table.hpp"

namespace secateur {
namespace {

std::string code_text(const Codes& q, std::size_t index, std::size_t n, const Scheme& scheme) {
  if (q.dtype == SC_DTYPE_INT64) {
    return std::to_string(static_cast<const std::int64_t*>(q.data)[index]);
  }
  if (q.dtype == SC_DTYPE_UINT64) {
    return std::to_string(static_cast<const std::uint64_t*>(q.data)[index]);
  }
  CodeStorage storage(q, scheme);
  const std::int32_t code = *storage.load_codes(index, 1, n, nullptr);
  return scheme.is_signed ? std::to_string(code) : std::to_string(static_cast<std::uint32_t>(code));
}

}  // namespace

void SharedStatus::check(const void* w, FloatType type, std::size_t n, std::size_t kept,
                         const sc_quantize_options& options) const {
  if (nan_.load() && options.nan == SC_NAN_RAISE) {
    if (options.overflow == SC_OVERFLOW_WRAP) {
      type.infinity = type.largest_number();  // find_nan() then counts infinities as NaN
      NaNs found = find_nan(w, n, type);
      // Where elements are pruned, the selection has refused NaN. Infinities rank first, so that
      // either all of them are kept, or all kept elements are the first infinities.
      found.count = std::min(found.count, kept);
      refuse_nan(found, "w", "NaN or infinities, which do not wrap");
    }
    refuse_nan(w, n, type);
  }
  check_range("w", "fmt", options.overflow);
}

void SharedStatus::check_range(const char* array, const char* format, sc_overflow overflow) const {
  const std::size_t out_of_range = out_of_range_.load();
  if (out_of_range != 0 && overflow == SC_OVERFLOW_RAISE) {
    throw Error(SC_ERROR_OVERFLOW, std::string(array) + " has " + std::to_string(out_of_range) +
                                       (out_of_range == 1 ? " element" : " elements") +
                                       " out of range of " + format + ", the first at flat index " +
                                       std::to_string(first_.load()));
  }
}

void SharedStatus::check_codes(const Codes& q, std::size_t n, const Scheme& scheme,
                               const char* format) const {
  const std::size_t index = first_invalid_.load();
  if (index < n) {
    const IntegerRange range = integer_range(scheme.bits, scheme.is_signed);
    throw Error(SC_ERROR_ARGUMENT, "q must have integers from " + std::to_string(range.lowest) +
                                       " to " + std::to_string(range.highest) + " for this " +
                                       format + ", got " + code_text(q, index, n, scheme) +
                                       " at flat index " + std::to_string(index) +
                                       "; set sign_extend to take the lowest " +
                                       std::to_string(scheme.bits) + " bits of each");
  }
}

namespace {

struct RoundingMode {
  RoundingKernel rounding;
  Direction direction;
  double tie;
  bool tie_has_sign;
};

// The rounding of a kernel, and the direction of the thread, that together give a rounding mode.
RoundingMode rounding_mode_of(sc_rounding rounding) {
  // Without a default: with SECATEUR_WERROR, the compiler refuses a table that lacks a constant.
  switch (rounding) {
#define SECATEUR_CASE(name, constant, kernel, direction, tie, tie_has_sign) \
  case SC_ROUNDING_##constant:                                              \
    return {RoundingKernel::kernel, Direction::direction, tie, tie_has_sign};
    SECATEUR_ROUNDINGS(SECATEUR_CASE)
#undef SECATEUR_CASE
  }
  return {};  // not reached: the C API refuses other numbers
}

}  // namespace

BiasRule bias_rule_of(sc_rounding rounding) {
  const RoundingMode mode = rounding_mode_of(rounding);
  const bool is_tied = mode.rounding == RoundingKernel::tied;
  const bool is_even =
      mode.rounding == RoundingKernel::directed && mode.direction == Direction::nearest;
  const bool is_of_magnitudes = mode.direction == Direction::zero ||
                                mode.rounding == RoundingKernel::away || mode.tie_has_sign;
  return {is_tied || is_even, mode.direction == Direction::up || mode.tie > 0, is_of_magnitudes,
          is_even};
}

Overflow overflow_of(sc_overflow overflow) {
  switch (overflow) {
    case SC_OVERFLOW_SATURATE_ZERO:
    case SC_OVERFLOW_RAISE:
      return Overflow::zero;
    case SC_OVERFLOW_WRAP:
      return Overflow::wrap;
    default:
      return Overflow::saturate;
  }
}

// The first output of SplitMix64 with this seed (Steele, Lea and Flood 2014).
std::uint64_t hash_seed(std::uint64_t seed) {
  std::uint64_t z = seed + 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

std::int64_t lowest_of(const Scheme& scheme, sc_overflow overflow) {
  const bool is_symmetric =
      scheme.is_signed && scheme.highest >= 0 && overflow == SC_OVERFLOW_SATURATE_SYMMETRIC;
  return is_symmetric ? std::max(scheme.lowest, -scheme.highest) : scheme.lowest;
}

namespace {

template <class C>
QuantizeRule<C> quantize_rule_of(const Scheme& scheme, const sc_quantize_options& options,
                                 const RoundingMode& mode) {
  QuantizeRule<C> rule{};
  rule.lowest = static_cast<C>(lowest_of(scheme, options.overflow));
  rule.highest = static_cast<C>(scheme.highest);
  rule.tie = static_cast<C>(mode.tie);
  rule.tie_has_sign = mode.tie_has_sign;
  rule.bit_mask = static_cast<std::int32_t>(0xffffffffu >> (32 - scheme.bits));
  rule.sign_mask = scheme.is_signed ? static_cast<std::int32_t>(1u << (scheme.bits - 1)) : 0;
  rule.seed = hash_seed(options.seed);
  return rule;
}

template <class C>
auto widening_kernel(FloatType type) -> void (*)(const Part&, C*) {
  const ConvertKernels& floats = kernels().core.convert[type.kind];
  if constexpr (sizeof(C) == sizeof(float)) {
    return type.bytes == sizeof(C) ? nullptr : floats.to_float32;
  } else {
    return type.bytes == sizeof(C) ? nullptr : floats.to_float64;
  }
}

}  // namespace

template <class C>
QuantizePlan<C>::QuantizePlan(FloatType type, const Scheme& scheme,
                              const sc_quantize_options& options)
    : parameters(scheme, ParametersFor::quantize), group_ranges(scheme, options.overflow) {
  const RoundingMode mode = rounding_mode_of(options.rounding);
  const Overflow overflow = overflow_of(options.overflow);
  rule = quantize_rule_of<C>(scheme, options, mode);
  // Infinity has no residue modulo 2^bits, so it counts as NaN.
  const Key infinity = sizeof(C) == sizeof(float) ? kFloat32.infinity : kFloat64.infinity;
  largest_valid = infinity - (overflow == Overflow::wrap ? 1 : 0);
  nan_is_zero = options.nan == SC_NAN_ZERO;
  refuses_overflow = options.overflow == SC_OVERFLOW_RAISE;
  direction = mode.direction;
  index_offset = options.index_offset;
  widen = widening_kernel<C>(type);

  const StageKernels<C>& stages = stage_kernels<C>();
  const Scaling scaling = parameters.scaling();
  const auto scaling_index = static_cast<std::size_t>(scaling);
  const bool divides_or_has_zero_points =
      parameters.zero_points() != nullptr || scaling != Scaling::multiply;
  const bool is_default = mode.rounding == RoundingKernel::directed &&
                          overflow == Overflow::saturate &&
                          (!divides_or_has_zero_points || direction == Direction::nearest);
  is_fusible = is_default && scaling != Scaling::divide_as_float && !group_ranges.exist();
  divide = divides_or_has_zero_points && !is_default ? stages.divide[scaling_index] : nullptr;
  if (divides_or_has_zero_points && is_default) {
    quantize_chunk = stages.quantize_chunk_affine[scaling_index];
    return;
  }
  const auto& by_mode =
      divides_or_has_zero_points ? stages.quantize_chunk_with_zero_points : stages.quantize_chunk;
  quantize_chunk =
      by_mode[static_cast<std::size_t>(mode.rounding)][static_cast<std::size_t>(overflow)];
}

template struct QuantizePlan<float>;
template struct QuantizePlan<double>;

namespace {

// The index of a type of stored integers in QuantizeKernels::store_codes and load_codes.
std::size_t storage_index(std::size_t bytes, bool is_signed) {
  return (bytes == 4 ? 4u : bytes == 2 ? 2u : 0u) + (is_signed ? 0 : 1);
}

}  // namespace

CodeStorage::CodeStorage(const Codes& codes, const Scheme& scheme)
    : codes_(codes),
      extend_(scheme, codes),
      packing_{scheme.bits, scheme.is_signed, codes.dtype == SC_DTYPE_PACKED_BIG,
               integer_dtype(scheme.bits, scheme.is_signed).bytes()},
      type_(storage_index(packing_.code_bytes, scheme.is_signed)),
      bits_each_(codes.bits_each(scheme)),
      is_sub_byte_(is_integer(codes.dtype) && dtype_info(codes.dtype).bits < 8) {
  if (is_sub_byte_) {
    packing_.bits = dtype_info(codes.dtype).bits;
  }
}

void CodeStorage::extend_sub_byte(const unsigned char* from, std::size_t count, bool is_signed,
                                  unsigned char* to) {
  kernels().pack.pack({from, 0, count, count}, packing_, false, packed_);
  kernels().pack.unpack({packed_, 0, count, count}, {packing_.bits, is_signed, false}, false, to);
}

void CodeStorage::store_codes(const std::int32_t* q, std::size_t count, std::size_t index,
                              bool stream) {
  auto* const destination =
      static_cast<unsigned char*>(codes_.data) + packed_bytes(index, bits_each_);
  const bool packed = codes_.are_packed();
  Output to{};
  to.data = packed || is_sub_byte_ ? bytes_ : destination;
  to.stream = stream && !packed && !is_sub_byte_;
  kernels().quantize.store_codes[type_]({q, 0, count, count}, to);
  if (packed) {
    kernels().pack.pack({bytes_, 0, count, count}, packing_, stream, destination);
  } else if (is_sub_byte_) {
    extend_sub_byte(bytes_, count, false, destination);
  }
}

std::int32_t* CodeStorage::load_codes(std::size_t index, std::size_t count, std::size_t n,
                                      CodeRange* range) {
  const auto* const data = static_cast<const unsigned char*>(codes_.data);
  const auto load = kernels().quantize.load_codes[type_];
  if (codes_.are_packed()) {
    const std::size_t before = index % 8;  // unpacking begins at a byte
    kernels().pack.unpack({data, index - before, index + count, n}, packing_, false, bytes_);
    load({bytes_, before, before + count, before + count}, q_);
  } else if (is_sub_byte_) {
    extend_sub_byte(data + index, count, packing_.is_signed, bytes_);
    load({bytes_, 0, count, count}, q_);
    if (range != nullptr) {
      range->check(index, count);
    }
  } else {
    const Part part{data, index, index + count, n};
    if (range != nullptr && range->can_exclude()) {
      range->check(index, count, kernels().quantize.load_checked_codes[type_](part, q_));
    } else {
      load(part, q_);
    }
  }
  extend_(q_, count);
  return q_;
}

}  // namespace secateur
