// Tests of conversions between types.
#pragma once

#include "floats.hpp"
#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class To, class From>
void check_bit_cast() {
  check_lanes<To>([](auto v) { return BitCast<To>(v); },
                  [](From x) { return from_bits<To>(bits_of(x)); }, values_of<From>());
}

void test_BitCast() {
  check_bit_cast<int32_t, float>();
  check_bit_cast<float, int32_t>();
  check_bit_cast<int64_t, double>();
  check_bit_cast<double, int64_t>();
}

void test_RintToInt() {
  std::vector<float> values = values_to_round<float>();
  for (float& x : values) {
    if (!(std::fabs(x) < 0x1p31f)) {
      x = 0x1.fffffep30f;
    }
  }
  in_every_direction([&](int direction) {
    check_lanes<int32_t>([](auto v) { return RintToInt(v); }, [=](float x) {
      return static_cast<int32_t>(rounded(static_cast<double>(x), direction));
    }, values);
  });
}

void test_ConvertTo() {
  const std::vector<int32_t> values = values_of<int32_t>();
  in_every_direction([&](int) {
    check_lanes<float>([](auto v) { return ConvertTo(v); }, [](int32_t x) {
      return static_cast<float>(static_cast<double>(x));
    }, values);
  });
}

// Checks that load(p) gives definition(element) for kLanes<To> elements at p, and reads nothing
// after them.
template <class To, class From, class Load, class Definition>
void check_converting_load(Load load, Definition definition, const std::vector<From>& values) {
  constexpr std::size_t kBytes = kLanes<To> * sizeof(From);
  const GuardedBytes memory(kBytes);
  auto* const p = reinterpret_cast<From*>(memory.begin());
  for (std::size_t i = 0; i + kLanes<To> <= values.size(); i += kLanes<To>) {
    std::memcpy(p, &values[i], kBytes);
    const Lanes<To> got = lanes_of<To>(load(p));
    for (std::size_t lane = 0; lane < kLanes<To>; ++lane) {
      const Allowed<To> expected = definition(values[i + lane]);
      if (!expected.has(got[lane])) {
        fail("lane", sizeof(From), i + lane, bits_of(got[lane]), bits_of(expected.value));
      }
    }
  }
}

void test_PromoteLoad() {
  for_types<int8_t, uint8_t, int16_t, uint16_t, int32_t>([]<class Q>() {
    check_converting_load<int32_t>([](const Q* p) { return PromoteLoad(p); },
                                   [](Q x) { return static_cast<int32_t>(x); }, values_of<Q>());
  });
}

void test_ConvertLoad() {
  const std::vector<int32_t> values = values_of<int32_t>();
  in_every_direction([&](int) {
    for_floats([&]<class To>() {
      check_converting_load<To>([](const int32_t* p) { return ConvertLoad<To>(p); }, [](int32_t x) {
        return static_cast<To>(static_cast<double>(x));
      }, values);
    });
  });
}

// The formats of 16-bit floats.
template <class F>
struct Format;
template <>
struct Format<Float16> {
  static constexpr int kMantissa = 10, kMinExponent = -14;
};
template <>
struct Format<BFloat16> {
  static constexpr int kMantissa = 7, kMinExponent = -126;
};
template <class F>
inline constexpr int kInfinity = 0x7fff >> Format<F>::kMantissa << Format<F>::kMantissa;

// The value of 16 bits. A NaN keeps its payload, in the highest bits of the mantissa.
template <class F>
double value_of(uint16_t bits) {
  using Of = Format<F>;
  const int exponent = (bits & 0x7fff) >> Of::kMantissa;
  const int mantissa = bits & ((1 << Of::kMantissa) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if ((bits & 0x7fff) > kInfinity<F>) {
    const uint64_t payload = static_cast<uint64_t>(mantissa) << (52 - Of::kMantissa);
    return std::copysign(from_bits<double>(uint64_t{0x7ff} << 52 | payload), sign);
  }
  if ((bits & 0x7fff) == kInfinity<F>) {
    return sign * HUGE_VAL;
  }
  const int implicit = exponent == 0 ? 0 : 1 << Of::kMantissa;
  const int power = (exponent == 0 ? 1 : exponent) - 1 + Of::kMinExponent - Of::kMantissa;
  return sign * std::ldexp(mantissa + implicit, power);
}

// The converted value. For a NaN: a NaN of the same sign and the highest bits of the same payload,
// quiet or not.
template <class To>
Allowed<To> widened(double x) {
  if (!is_nan(x)) {
    return static_cast<To>(x);
  }
  constexpr int kMantissa = std::numeric_limits<To>::digits - 1;
  const uint64_t payload = (bits_of(x) & ((uint64_t{1} << 52) - 1)) >> (52 - kMantissa);
  const auto nan =
      std::copysign(from_bits<To>(bits_of(std::numeric_limits<To>::infinity()) | payload),
                    std::signbit(x) ? To{-1} : To{1});
  return {nan, made_quiet(nan)};
}
// The value of a float as a double. A conversion by the CPU would make a NaN quiet.
double exact_double(float x) {
  const uint64_t payload = bits_of(x) & 0x7fffff;
  return is_nan(x) ? std::copysign(from_bits<double>(uint64_t{0x7ff} << 52 | payload << 29),
                                   std::signbit(x) ? -1.0 : 1.0)
                   : static_cast<double>(x);
}

void test_WidenLoad() {
  for_floats([]<class To>() {
    for_types<Float16, BFloat16>([]<class F>() {
      std::vector<F> all;
      for (unsigned bits = 0; bits < 0x10000; ++bits) {
        all.push_back(static_cast<F>(bits));
      }
      check_converting_load<To>([](const F* p) { return WidenLoad<To>(p); }, [](F x) {
        return widened<To>(value_of<F>(static_cast<uint16_t>(x)));
      }, all);
    });
    check_converting_load<To>([](const float* p) { return WidenLoad<To>(p); }, [](float x) {
      return widened<To>(exact_double(x));
    }, values_of<float>());
  });
  check_converting_load<double>([](const double* p) { return WidenLoad<double>(p); },
                                [](double x) { return widened<double>(x); }, values_of<double>());
}

template <class From>
double as_double(From x) {
  if constexpr (sizeof(From) == sizeof(float)) {
    return exact_double(x);
  } else {
    return x;
  }
}

void test_Widen() {
  for_floats([]<class T>() {
    const std::vector<T> values = values_of<T>();
    for (std::size_t i = 0; i < values.size(); i += kLanes<T>) {
      Vec<double> out[kWidened<T>];
      Widen(LoadU(&values[i]), out);
      for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
        const Allowed<double> expected = widened<double>(as_double(values[i + lane]));
        const double got = lanes_of<double>(out[lane / kLanes<double>])[lane % kLanes<double>];
        if (!expected.has(got)) {
          fail("lane", sizeof(T), i + lane, bits_of(got), bits_of(expected.value));
        }
      }
    }
  });
}

// Checks that demote(vectors of From) is a vector of R whose lanes are definition(value).
template <class R, class From, class Demote, class Definition>
void check_demote(Demote demote, Definition definition, const std::vector<From>& values) {
  constexpr std::size_t kInputs = kLanes<R> / kLanes<From>;
  for (std::size_t i = 0; i + kLanes<R> <= values.size(); i += kLanes<R>) {
    Vec<From> inputs[kInputs];
    for (std::size_t v = 0; v < kInputs; ++v) {
      inputs[v] = LoadU(&values[i + v * kLanes<From>]);
    }
    const Lanes<R> got = lanes_of<R>(demote(inputs));
    for (std::size_t lane = 0; lane < kLanes<R>; ++lane) {
      const Allowed<R> expected = definition(values[i + lane]);
      if (!expected.has(got[lane])) {
        fail("lane", sizeof(R), i + lane, bits_of(got[lane]), bits_of(expected.value));
      }
    }
  }
}

// The bits of x rounded to F, half to even.
template <class F>
int16_t rounded_bits(float x) {
  using Of = Format<F>;
  const auto sign = static_cast<unsigned>(std::signbit(x)) << 15;
  unsigned magnitude = kInfinity<F>;
  if (std::isfinite(x)) {
    const double size = std::fabs(static_cast<double>(x));
    const int exponent =
        size == 0 ? Of::kMinExponent : std::max(std::ilogb(size), Of::kMinExponent);
    const double units = rounded(std::ldexp(size, Of::kMantissa - exponent), FE_TONEAREST);
    // The implicit bit of a normal number adds 1 to the exponent. So does a carry.
    const int bits = ((exponent - Of::kMinExponent) << Of::kMantissa) + static_cast<int>(units);
    magnitude = static_cast<unsigned>(std::min(bits, kInfinity<F>));
  }
  return from_bits<int16_t>(sign | magnitude);
}

// Floats without NaN: the 16-bit floats, the values halfway between two of them, and the neighbours
// of these.
template <class F>
std::vector<float> values_to_demote() {
  std::vector<float> values;
  for (unsigned bits = 0; bits < static_cast<unsigned>(kInfinity<F>); ++bits) {
    const auto value = static_cast<float>(value_of<F>(static_cast<uint16_t>(bits)));
    const auto next = static_cast<float>(value_of<F>(static_cast<uint16_t>(bits + 1)));
    const float tie = std::isinf(next)
                          ? value + (value - std::ldexp(1.0f, std::ilogb(value))) / 1024
                          : value / 2 + next / 2;
    for (const float x : {value, tie, std::nextafter(tie, 0.0f), std::nextafter(tie, HUGE_VALF)}) {
      values.push_back(x);
      values.push_back(-x);
    }
  }
  const std::vector<float> others = values_of<float>();
  for (const float x : others) {
    if (!is_nan(x)) {
      values.push_back(x);
    }
  }
  values.resize((values.size() + kMaxLanes) / kMaxLanes * kMaxLanes);
  return values;
}

template <class Q>
void check_demote_ints() {
  std::vector<int32_t> values;
  for (const Q x : values_of<Q>()) {
    values.push_back(x);
  }
  check_demote<Q>([](const Vec<int32_t>* v) { return DemoteTo<Q>(v); },
                  [](int32_t x) { return static_cast<Q>(x); }, values);
}

void test_DemoteTo() {
  for_types<int8_t, uint8_t, int16_t, uint16_t, int32_t>([]<class Q>() { check_demote_ints<Q>(); });
  for_types<Float16, BFloat16>([]<class F>() {
    check_demote<int16_t>([](const Vec<float>* v) { return DemoteTo<F>(v); },
                          [](float x) { return rounded_bits<F>(x); }, values_to_demote<F>());
  });
  std::vector<double> values = values_of<double>();
  for (const float x : values_of<float>()) {  // float32 values, and doubles near them
    values.push_back(static_cast<double>(x));
    values.push_back(std::nextafter(static_cast<double>(x), 0.0));
    values.push_back(static_cast<double>(x) * (1 + 0x1p-24));
    values.push_back(static_cast<double>(x) * (1 + 0x1p-40));
  }
  in_every_direction([&](int) {
    check_demote<float>([](const Vec<double>* v) { return DemoteTo(v); }, [](double x) {
      return is_nan(x) ? made_quiet(widened<float>(x).value) : static_cast<float>(x);
    }, values);
  });
}

void test_LowHalves() {
  check_demote<int32_t>([](const Vec<int64_t>* v) { return LowHalves(v); }, [](int64_t x) {
    return from_bits<int32_t>(bits_of(x));
  }, values_of<int64_t>());
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
