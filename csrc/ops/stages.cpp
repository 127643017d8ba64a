#include "ops/stages.hpp"

#include <string>

#include "ops/nan.hpp"
#include "runtime/error.hpp"

namespace secateur {

void Findings::check(const void* w, FloatType type, std::size_t n,
                     const sc_quantize_options& options) const {
  if (all_.nan && options.nan == SC_NAN_RAISE) {
    if (options.overflow == SC_OVERFLOW_WRAP) {
      --type.infinity;  // counts as NaN, then
      refuse_nan(find_nan(w, n, type), "w", "NaN or infinities, which do not wrap");
    }
    refuse_nan(w, n, type);
  }
  if (all_.out_of_range != 0 && options.overflow == SC_OVERFLOW_RAISE) {
    throw Error(SC_ERROR_OVERFLOW, "w has " + std::to_string(all_.out_of_range) +
                                       (all_.out_of_range == 1 ? " element" : " elements") +
                                       " out of range of fmt, the first at flat index " +
                                       std::to_string(all_.first));
  }
}

namespace {

struct Way {
  Rounding rounding;
  Direction direction;
  double tie;
  bool tie_has_sign;
};

Way way_of(sc_rounding rounding) {
  switch (rounding) {
    case SC_ROUND_NEAREST_AWAY:
      return {Rounding::tied, Direction::nearest, 0.5, true};
    case SC_ROUND_NEAREST_ZERO:
      return {Rounding::tied, Direction::nearest, -0.5, true};
    case SC_ROUND_NEAREST_UP:
      return {Rounding::tied, Direction::nearest, 0.5, false};
    case SC_ROUND_NEAREST_DOWN:
      return {Rounding::tied, Direction::nearest, -0.5, false};
    case SC_ROUND_FLOOR:
      return {Rounding::directed, Direction::down, 0, false};
    case SC_ROUND_CEIL:
      return {Rounding::directed, Direction::up, 0, false};
    case SC_ROUND_TRUNC:
      return {Rounding::directed, Direction::zero, 0, false};
    case SC_ROUND_STOCHASTIC:
      return {Rounding::stochastic, Direction::zero, 0, false};
    case SC_ROUND_NEAREST_EVEN:
      break;
  }
  return {Rounding::directed, Direction::nearest, 0, false};
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

// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
std::uint64_t mixed(std::uint64_t seed) {
  std::uint64_t z = seed + 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

template <class C>
Rule<C> rule_of(const Scheme& scheme, const sc_quantize_options& options, const Way& way) {
  const double codes = std::ldexp(1.0, scheme.bits);
  const double highest = (scheme.is_signed ? codes / 2 : codes) - 1;
  const double lowest = !scheme.is_signed                                    ? 0
                        : options.overflow == SC_OVERFLOW_SATURATE_SYMMETRIC ? -highest
                                                                             : -codes / 2;
  Rule<C> rule{};
  rule.lowest = static_cast<C>(lowest);
  rule.highest = static_cast<C>(highest);
  rule.tie = static_cast<C>(way.tie);
  rule.tie_has_sign = way.tie_has_sign;
  rule.bits = static_cast<std::int32_t>(0xffffffffu >> (32 - scheme.bits));
  rule.sign = scheme.is_signed ? static_cast<std::int32_t>(1u << (scheme.bits - 1)) : 0;
  rule.seed = mixed(options.seed);
  return rule;
}

template <class C>
auto widening(FloatType type) -> void (*)(const Part&, C*) {
  const FloatKernels& floats = kernels_of(kernels(), type.kind);
  if constexpr (sizeof(C) == sizeof(float)) {
    return type.bytes == sizeof(C) ? nullptr : floats.to_float32;
  } else {
    return type.bytes == sizeof(C) ? nullptr : floats.to_float64;
  }
}

}  // namespace

template <class C>
Quantizing<C>::Quantizing(FloatType type, std::size_t n, const Scheme& scheme,
                          const sc_quantize_options& options)
    : steps(scheme, n, false) {
  const Way way = way_of(options.rounding);
  const Overflow overflow = overflow_of(options.overflow);
  const StageKernels<C>& stages = stage_kernels<C>();
  rule = rule_of<C>(scheme, options, way);
  // An infinity does not wrap.
  const Key infinity = sizeof(C) == sizeof(float) ? kFloat32.infinity : kFloat64.infinity;
  most = infinity - (overflow == Overflow::wrap ? 1 : 0);
  nan_is_zero = options.nan == SC_NAN_ZERO;
  refuses_overflow = options.overflow == SC_OVERFLOW_RAISE;
  direction = way.direction;
  widen = widening<C>(type);
  const auto rounding = static_cast<std::size_t>(way.rounding);
  const bool is_shifted = steps.zero_points() != nullptr || steps.scaling() != Scaling::multiply;
  is_plain = is_shifted ? steps.scaling() != Scaling::divide_as_float
                        : way.rounding == Rounding::directed && overflow == Overflow::saturate;
  decide = is_shifted ? stages.decide_shifted[static_cast<std::size_t>(steps.scaling())]
                      : stages.decide[rounding][static_cast<std::size_t>(overflow)];
}

template struct Quantizing<float>;
template struct Quantizing<double>;

namespace {

// In the order in which kernels put and get them.
std::size_t stored_as(sc_dtype dtype, bool is_signed) {
  switch (dtype) {
    case SC_INT16:
      return 2;
    case SC_UINT16:
      return 3;
    case SC_INT32:
    case SC_UINT32:
      return 4;
    default:  // a byte each, or packed by way of one
      return is_signed ? 0 : 1;
  }
}

}  // namespace

Store::Store(const Codes& codes, const Scheme& scheme)
    : codes_(codes),
      packing_{scheme.bits, scheme.is_signed, codes.dtype == SC_PACKED_HIGH_FIRST},
      type_(stored_as(codes.dtype, scheme.is_signed)),
      bits_each_(codes.bits_each(scheme)),
      narrow_(codes.dtype >= SC_INT4 && codes.dtype <= SC_UINT2) {
  if (narrow_) {
    packing_.bits = codes.dtype <= SC_UINT4 ? 4 : 2;
  }
}

void Store::extend(const unsigned char* from, std::size_t count, bool is_signed,
                   unsigned char* to) {
  kernels().pack({from, 0, count, count}, packing_, false, packed_);
  kernels().unpack({packed_, 0, count, count}, {packing_.bits, is_signed, false}, false, to);
}

void Store::put(const std::int32_t* q, std::size_t count, std::size_t index, bool stream) {
  auto* const place = static_cast<unsigned char*>(codes_.data) + packed_bytes(index, bits_each_);
  const bool packed = codes_.are_packed();
  Output to{};
  to.data = packed || narrow_ ? bytes_ : place;
  to.stream = stream && !packed && !narrow_;
  kernels().put[type_]({q, 0, count, count}, to);
  if (packed) {
    kernels().pack({bytes_, 0, count, count}, packing_, stream, place);
  } else if (narrow_) {
    extend(bytes_, count, false, place);
  }
}

std::int32_t* Store::get(std::size_t index, std::size_t count, std::size_t n) {
  const auto* const data = static_cast<const unsigned char*>(codes_.data);
  const auto get = kernels().get[type_];
  if (codes_.are_packed()) {
    const std::size_t before = index % 8;  // what is unpacked begins with a byte
    kernels().unpack({data, index - before, index + count, n}, packing_, false, bytes_);
    get({bytes_, before, before + count, before + count}, q_);
  } else if (narrow_) {
    extend(data + index, count, packing_.is_signed, bytes_);
    get({bytes_, 0, count, count}, q_);
  } else {
    get({data, index, index + count, n}, q_);
  }
  return q_;
}

}  // namespace secateur
