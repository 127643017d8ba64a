// Exact products of integers with the ratio of two doubles, rounded to integers.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "quantize/stages.hpp"

namespace secateur {

struct SignedMagnitude {
  std::uint64_t magnitude;
  bool is_negative;
};

// The ratio of two steps.
class StepRatio {
 public:
  // Any finite `from`; `to` is positive and normal.
  void set(double from, double to) {
    if (from != from_ || to != to_) {
      from_ = from;
      to_ = to;
      numerator_ = significand_of(std::abs(from), exponent_);
      int exponent = 0;
      denominator_ = significand_of(to, exponent);
      exponent_ -= exponent;
      is_negative_ = std::signbit(from);
      estimate_ = from / to;
      // No estimate underflows or overflows.
      most_twice_ = std::abs(estimate_) > 0x1p-900 && std::abs(estimate_) < 0x1p900 ? 0x1p40 : 0;
    }
  }

  // x * ratio, rounded. The magnitude of the result is exact below 2^kExactBits; from there on it
  // is only equal modulo 2^32, and is at least 2^kExactBits. x is less than 2^64 if the significand
  // of `from` is 1, else less than 2^34. `draw` is that of stochastic rounding, or null.
  [[nodiscard]] std::int64_t rounded(SignedMagnitude x, const BiasRule& rule,
                                     const std::int64_t* draw) const {
    const bool is_negative = x.is_negative != is_negative_;
    const Quotient quotient = multiplied(x.magnitude);
    const bool away =
        draw != nullptr ? rounds_away(quotient, *draw) : rounds_away(quotient, rule, is_negative);
    const auto magnitude = static_cast<std::int64_t>(quotient.whole + (away ? 1 : 0));
    return is_negative ? -magnitude : magnitude;
  }

  // Computes the same from x, rounded to double, if double is precise enough to tell; mostly it is.
  // It is if the exact result lies between the same two neighbouring multiples of one half as the
  // estimate. Returns whether it is. Without branches that depend on the sign, which would be
  // mispredicted.
  [[nodiscard]] bool estimate(double x, const BiasRule& rule, std::int64_t& rounded) const {
    // The relative error of `twice` is below 2^-51: those of x, of the ratio and of the product are
    // at most 2^-53. That of the bounds is 2^-53 too, so that the exact result lies between them.
    const double twice = 2 * (x * estimate_);
    const double error = std::abs(twice) * 0x1p-50;
    if (!(std::abs(twice) < most_twice_)) {
      return false;
    }
    const std::int64_t halves = floor_of(twice - error);
    const bool up =
        rule.nearest ? halves % 2 != 0 : rule.invert != (rule.invert_if_negative && halves < 0);
    rounded = (halves >> 1) + (up && x != 0 ? 1 : 0);
    return halves == floor_of(twice + error);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static constexpr int kExactBits = 40;

  // whole + remainder / divisor, where remainder < divisor < 2^127.
  struct Quotient {
    std::uint64_t whole;
    Wide remainder, divisor;
  };

  static std::int64_t floor_of(double x) {
    const auto truncated = static_cast<std::int64_t>(x);
    return truncated - (x < static_cast<double>(truncated) ? 1 : 0);
  }

  static int bit_width(Wide x) {
    const auto high = static_cast<std::uint64_t>(x >> 64);
    return high != 0 ? 64 + static_cast<int>(std::bit_width(high))
                     : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(x)));
  }

  // x = significand * 2^exponent, where the significand is odd, or 0.
  static std::uint64_t significand_of(double x, int& exponent) {
    const auto significand = static_cast<std::uint64_t>(std::ldexp(std::frexp(x, &exponent), 53));
    const int zeros = significand == 0 ? 0 : std::countr_zero(significand);
    exponent += zeros - 53;
    return significand >> zeros;
  }

  [[nodiscard]] Quotient multiplied(std::uint64_t x) const {
    Wide n = Wide{x} * numerator_;
    Wide d = denominator_;
    const int bits = bit_width(n) - bit_width(d) + exponent_;  // of the result, or one more
    if (n == 0) {
      return {0, 0, 1};
    }
    if (bits > kExactBits + 1) {
      return huge(n);
    }
    if (bits < -kExactBits) {  // not 0, but smaller than any fraction on which rounding depends
      return {0, 1, Wide{1} << kExactBits};
    }
    exponent_ >= 0 ? n <<= exponent_ : d <<= -exponent_;
    return {static_cast<std::uint64_t>(n / d), n % d, d};
  }

  // The whole of a quotient of at least 2^kExactBits is reduced modulo 2^32, with a higher bit set.
  [[nodiscard]] Quotient huge(Wide n) const {
    const Wide modulus = Wide{denominator_} << 32;  // less than 2^85
    constexpr int kMaxShift = 128 - 85;
    Wide d = denominator_;
    int left = exponent_;
    if (left < 0) {
      // The bits of n are those of the result and of d, and d * 2^-left is not larger than n.
      d <<= -left;
      left = 0;
    } else {
      n %= modulus;
    }
    for (; left > 0; left -= kMaxShift) {
      n = (n << std::min(left, kMaxShift)) % modulus;
    }
    const auto whole = static_cast<std::uint64_t>(n / d) & 0xffffffff;
    return {whole | std::uint64_t{1} << (kExactBits + 1), n % d, d};
  }

  // Stochastic rounding: away from 0 if the fraction, plus the draw as the first 31 bits of
  // another, is at least 1. Long division gives the first 31 bits of the fraction.
  static bool rounds_away(const Quotient& quotient, std::int64_t draw) {
    Wide remainder = quotient.remainder;
    std::uint64_t bits = 0;
    for (int i = 0; i < 31; ++i) {
      remainder <<= 1;
      const bool bit = remainder >= quotient.divisor;
      remainder -= bit ? quotient.divisor : 0;
      bits = bits << 1 | (bit ? 1 : 0);
    }
    return bits + static_cast<std::uint64_t>(draw) >= std::uint64_t{1} << 31;
  }

  static bool rounds_away(const Quotient& quotient, const BiasRule& rule, bool is_negative) {
    const auto& [whole, remainder, divisor] = quotient;
    if (remainder == 0) {
      return false;
    }
    // The next lower integer is whole, or -whole - 1.
    const bool is_odd = (whole % 2 != 0) != is_negative;
    bool up = rule.invert != (rule.invert_if_negative && is_negative);
    up = up != (rule.invert_if_odd && is_odd);
    const Wide rest = divisor - remainder;
    if (rule.nearest && remainder != rest) {
      return remainder > rest;
    }
    return up != is_negative;
  }

  double from_ = 0, to_ = 0;
  std::uint64_t numerator_ = 0, denominator_ = 1;
  int exponent_ = 0;
  bool is_negative_ = false;
  double estimate_ = 0;    // the ratio, rounded
  double most_twice_ = 0;  // twice the largest estimate; 0 if there are none
};

}  // namespace secateur
