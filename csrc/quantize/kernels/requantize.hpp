// Multiplication of integers by powers of two, rounded to integers of another width.
#pragma once

#include "quantize/kernels/quantize.hpp"
#include "quantize/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Integers of which kSigned tells whether they have a sign, as signed ones in the same order.
template <bool kSigned, class E>
SECATEUR_INLINE Vec<E> in_signed_order(Vec<E> v) {
  return kSigned ? v : Xor(v, Set(static_cast<E>(~kMagnitudeMask<E>)));
}

template <class E>
SECATEUR_INLINE Mask<E> is_negative(Vec<E> v) {
  return Gt(Set(E{0}), v);
}

// ---- Overflow --------------------------------------------------------------------------------

// Each of these structs brings rounded integers into the range of a rule.

template <class E, bool kSigned>
struct SaturatedIntegers {
  static constexpr bool kWraps = false;
  static constexpr size_t out_of_range = 0;
  Vec<E> lowest, highest;

  explicit SaturatedIntegers(const RescaleRule<E>& rule)
      : lowest(in_signed_order<kSigned>(Set(rule.lowest))),
        highest(in_signed_order<kSigned>(Set(rule.highest))) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> r) {
    return in_signed_order<kSigned>(Min(Max(in_signed_order<kSigned>(r), lowest), highest));
  }
};

// Replaces integers out of range by 0, and counts them.
template <class E, bool kSigned>
struct ZeroedIntegers {
  static constexpr bool kWraps = false;
  Vec<E> lowest, highest;
  size_t out_of_range = 0;

  explicit ZeroedIntegers(const RescaleRule<E>& rule)
      : lowest(in_signed_order<kSigned>(Set(rule.lowest))),
        highest(in_signed_order<kSigned>(Set(rule.highest))) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> r) {
    const Vec<E> ordered = in_signed_order<kSigned>(r);
    const Mask<E> beyond = Or(Gt(lowest, ordered), Gt(ordered, highest));
    out_of_range += PopCount(BitsFromMask(beyond));
    return IfThenElse(beyond, Set(E{0}), r);
  }
};

template <class E, bool kSigned>
struct WrappedIntegers {
  static constexpr bool kWraps = true;
  static constexpr size_t out_of_range = 0;
  Vec<E> bits, sign;

  explicit WrappedIntegers(const RescaleRule<E>& rule)
      : bits(Set(rule.bit_mask)), sign(Set(rule.sign_mask)) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> r) const { return Sub(Xor(And(r, bits), sign), sign); }
};

// ---- rescale ---------------------------------------------------------------------------------

// x * 2^count. Where that may be too large for 64 bits, the result is a number that is out of range
// too, or (kWraps) equal modulo 2^32.
template <bool kSigned, bool kWraps, class E>
SECATEUR_INLINE Vec<E> shifted_left(Vec<E> x, Vec<E> count) {
  if constexpr (sizeof(E) == sizeof(int64_t) && !kWraps) {
    const Vec<E> all = Set(kSigned ? kMagnitudeMask<E> : E{-1});
    const Vec<E> most = ShrLogical(all, count);
    const Vec<E> least = kSigned ? Xor(most, Set(E{-1})) : Set(E{0});
    x = in_signed_order<kSigned>(
        Min(Max(in_signed_order<kSigned>(x), in_signed_order<kSigned>(least)),
            in_signed_order<kSigned>(most)));
  }
  return Shl(x, count);
}

// Rounds x * 2^-count. Rounding up is adding a bias before the shift that drops the fraction: 0
// never rounds up, 2^count - 1 rounds up every fraction, and numbers in between round up the larger
// ones. The bias 2^(count - 1) - 1 rounds up what is above one half. Inverting its bits gives
// 2^(count - 1), which rounds up ties too, and likewise swaps rounding down and up. Inverting the
// bits of the bias for negative integers therefore turns a rule for numbers into one for
// magnitudes.
template <class E, bool kSigned, bool kStochastic>
struct BiasedShift {
  Vec<E> nearest, invert, invert_if_negative, invert_if_odd;

  explicit BiasedShift(const RescaleRule<E>& rule)
      : nearest(Set(rule.nearest)),
        invert(Set(rule.invert)),
        invert_if_negative(Set(rule.invert_if_negative)),
        invert_if_odd(Set(rule.invert_if_odd)) {}

  SECATEUR_INLINE Vec<E> operator()(Vec<E> x, Vec<E> count, Vec<E> draw) const {
    const Vec<E> zero = Set(E{0}), one = Set(E{1});
    const Vec<E> fraction_mask = Sub(Shl(one, count), one);
    const Vec<E> sign = kSigned ? IfThenElseZero(is_negative(x), Set(E{-1})) : zero;
    const Vec<E> whole = Xor(ShrLogical(Xor(x, sign), count), sign);  // rounded down
    Vec<E> bias;
    if constexpr (kStochastic) {  // the lowest of the 31 bits has the weight 2^(count - 31)
      bias = ShrLogical(ShiftLeft<32>(draw), Sub(Set(E{63}), count));
    } else {
      bias = And(ShiftRightLogical<1>(fraction_mask), nearest);
    }
    const Vec<E> odd = Sub(zero, And(whole, one));
    const Vec<E> inverts = Xor(Xor(invert, And(sign, invert_if_negative)), And(odd, invert_if_odd));
    bias = Xor(bias, And(fraction_mask, inverts));
    return Add(whole, ShrLogical(Add(And(x, fraction_mask), bias), count));
  }
};

SECATEUR_INLINE Vec<int32_t> low_halves(const Vec<int32_t>* r) { return r[0]; }
SECATEUR_INLINE Vec<int32_t> low_halves(const Vec<int64_t>* r) { return LowHalves(r); }

template <class E, bool kSigned, bool kStochastic, template <class, bool> class OverflowHandler>
size_t rescale(const Part& q, const E* left, const E* right, const int64_t* draws,
               const RescaleRule<E>& rule, int32_t* to) {
  using Handler = OverflowHandler<E, kSigned>;
  constexpr size_t kVectors = kLanes<int32_t> / kLanes<E>;
  const BiasedShift<E, kSigned, kStochastic> shift(rule);
  Handler overflow(rule);
  Output output{};
  output.data = to;
  map_words<E>(q, FromBegin<int32_t>(output, q.begin),
               [&](const E* from, unsigned char* results, size_t index)
                   __attribute__((always_inline)) {
    const size_t i = index - q.begin;
    SECATEUR_ROLLED
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      Vec<E> r[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        const size_t first = lane + v * kLanes<E>;
        Vec<E> x = LoadU(from + first);
        if (left != nullptr) {
          x = shifted_left<kSigned, Handler::kWraps>(x, LoadU(left + i + first));
        }
        Vec<E> draw = x;
        if constexpr (kStochastic) {
          draw = LoadU(draws + i + first);
        }
        r[v] = overflow(shift(x, LoadU(right + i + first), draw));
      }
      StoreU(low_halves(r), reinterpret_cast<int32_t*>(results) + lane);
    }
  });
  return overflow.out_of_range;
}

// ---- Other stages ----------------------------------------------------------------------------

SECATEUR_INLINE void store_lanes(const Vec<int64_t>* v, int32_t* to) { StoreU(LowHalves(v), to); }
SECATEUR_INLINE void store_lanes(const Vec<int64_t>* v, int64_t* to) {
  for (size_t i = 0; i < kVectorsPerInt<double>; ++i) {
    StoreU(v[i], to + i * kLanes<int64_t>);
  }
}

template <class E>
ShiftKinds set_shifts(ParameterView<double> from_steps, ParameterView<double> to_steps,
                      size_t count, const Shifts<E>& shifts) {
  const Vec<int64_t> zero = Set(int64_t{0});
  const Vec<int64_t> most_right = Set(int64_t{8 * sizeof(E) - 1});
  const Vec<int64_t> most_left = Set(int64_t{kMaxLeftShift});
  const auto exponent = [](Vec<double> x) __attribute__((always_inline)) {
    return ShiftRightLogical<52>(bits_of(x));
  };
  Vec<int64_t> largest_left = zero, largest_excess = zero;
  for (size_t i = 0; i < count; i += kLanes<int32_t>) {
    Vec<int64_t> left[kVectorsPerInt<double>], right[kVectorsPerInt<double>],
        excess[kVectorsPerInt<double>];
    for (size_t v = 0; v < kVectorsPerInt<double>; ++v) {
      const size_t first = i + v * kLanes<double>;
      const Vec<int64_t> shift = Sub(exponent(load_parameters(to_steps, first)),
                                     exponent(load_parameters(from_steps, first)));
      left[v] = Min(Max(Sub(zero, shift), zero), most_left);
      right[v] = Min(Max(shift, zero), most_right);
      excess[v] = Min(Max(Sub(shift, most_right), zero), most_right);
      largest_left = Max(largest_left, left[v]);
      largest_excess = Max(largest_excess, excess[v]);
    }
    store_lanes(left, shifts.left + i);
    store_lanes(right, shifts.right + i);
    store_lanes(excess, shifts.excess + i);
  }
  return {ReduceMax(largest_left) != 0, ReduceMax(largest_excess) != 0};
}

// Pseudorandom numbers of 31 bits, as RandomBits gives them.
void draw(uint64_t seed, size_t index, size_t count, int32_t* to) {
  RandomBits random_bits(seed, index);
  for (size_t i = 0; i < count; i += kLanes<int32_t>) {
    StoreU(random_bits.next(), to + i);
  }
}

// ---- The lowest bits ---------------------------------------------------------------------------

template <class E>
void extend(E* q, size_t count, E bit_mask, E sign_mask) {
  const Vec<E> bits = Set(bit_mask), sign = Set(sign_mask);
  for (size_t i = 0; i < count; i += kLanes<E>) {
    StoreU(Sub(Xor(And(LoadU(q + i), bits), sign), sign), q + i);
  }
}

// ---- Ranges of groups --------------------------------------------------------------------------

template <bool kSigned, Overflow kOverflow>
size_t apply_overflow(int32_t* q, size_t count, ParameterView<float> highest, bool is_symmetric) {
  const Vec<int32_t> zero = Set(0), one = Set(1), ones = Set(-1);
  const Vec<int32_t> omitted = Set(is_symmetric ? 1 : 0);
  size_t out_of_range = 0;
  for (size_t i = 0; i < count; i += kLanes<int32_t>) {
    const Vec<int32_t> x = LoadU(q + i);
    const Vec<int32_t> high = BitCast<int32_t>(load_parameters(highest, i));
    if constexpr (kOverflow == Overflow::wrap) {
      const Vec<int32_t> sign = kSigned ? Add(high, one) : zero;
      const Vec<int32_t> bits = kSigned ? Add(high, sign) : high;
      StoreU(Sub(Xor(And(x, bits), sign), sign), q + i);
      continue;
    }
    const Vec<int32_t> low = kSigned ? Add(Xor(high, ones), omitted) : zero;
    const Vec<int32_t> ordered = in_signed_order<kSigned>(x);
    const Vec<int32_t> least = in_signed_order<kSigned>(low);
    const Vec<int32_t> most = in_signed_order<kSigned>(high);
    if constexpr (kOverflow == Overflow::saturate) {
      StoreU(in_signed_order<kSigned>(Min(Max(ordered, least), most)), q + i);
    } else {
      const Mask<int32_t> beyond = Or(Gt(least, ordered), Gt(ordered, most));
      out_of_range += PopCount(BitsFromMask(beyond) & first_bits(count - i));
      StoreU(IfThenElse(beyond, zero, x), q + i);
    }
  }
  return out_of_range;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
