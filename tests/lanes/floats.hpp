// Tests of arithmetic with floats, in every rounding direction.
#pragma once

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class T, class Operation, class Definition>
void check_arithmetic(Operation operation, Definition definition) {
  const Pairs<T> pairs = pairs_of<T>();
  in_every_direction([&](int) { check_lanes<T>(operation, definition, pairs.a, pairs.b); });
}

void test_float_Add() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Add(a, b); },
                        [](T a, T b) { return arithmetic<T>(a, b, a + b); });
  });
}

void test_float_Sub() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Sub(a, b); },
                        [](T a, T b) { return arithmetic<T>(a, b, a - b); });
  });
}

void test_Div() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Div(a, b); },
                        [](T a, T b) { return arithmetic<T>(a, b, a / b); });
  });
}

void test_float_Mul() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Mul(a, b); }, [](T a, T b) {
      return a != a ? made_quiet(a) : arithmetic<T>(a, b, a * b);
    });
  });
}

void test_Product() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Product(a, b); },
                        [](T a, T b) { return arithmetic<T>(a, b, a * b); });
  });
}

void test_Sqrt() {
  const std::vector<double> values = values_of<double>();
  in_every_direction([&](int) {
    check_lanes<double>([](auto v) { return Sqrt(v); },
                        [](double x) { return arithmetic(x, x, std::sqrt(x)); }, values);
  });
}

void test_float_Min() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Min(a, b); },
                        [](T a, T b) { return a < b ? a : b; });
  });
}

void test_float_Max() {
  for_floats([]<class T>() {
    check_arithmetic<T>([](auto a, auto b) { return Max(a, b); },
                        [](T a, T b) { return a > b ? a : b; });
  });
}

// An integer that orders as the float does. The float is not NaN.
template <class T>
int64_t order_of(T x) {
  const auto magnitude = static_cast<int64_t>(bits_of(std::fabs(x)));
  return std::signbit(x) ? -magnitude : magnitude;
}
template <class T>
bool is_nan(T x) {
  return bits_of(std::fabs(x)) > bits_of(std::numeric_limits<T>::infinity());
}

void test_Le() {
  for_floats([]<class T>() {
    const Pairs<T> pairs = pairs_of<T>();
    check_masks<T>([](auto a, auto b) { return Le(a, b); }, [](T a, T b) {
      return !is_nan(a) && !is_nan(b) && order_of(a) <= order_of(b);
    }, pairs.a, pairs.b);
  });
}

void test_Eq() {
  for_floats([]<class T>() {
    const Pairs<T> pairs = pairs_of<T>();
    check_masks<T>([](auto a, auto b) { return Eq(a, b); }, [](T a, T b) {
      return !is_nan(a) && !is_nan(b) && order_of(a) == order_of(b);
    }, pairs.a, pairs.b);
  });
}

void test_IsNumber() {
  for_floats([]<class T>() {
    const std::vector<T> values = values_of<T>();
    check_masks<T>([](auto v, auto) { return IsNumber(v); }, [](T x, T) { return !is_nan(x); },
                   values, values);
  });
}

// Values near integers of every exponent, and ties.
template <class T>
std::vector<T> values_to_round() {
  std::vector<T> values = values_of<T>();
  for (std::size_t i = hard_values<T>().size(); i < values.size(); ++i) {
    const int exponent = static_cast<int>(random_bits() % 56);
    const T integer =
        static_cast<T>(std::ldexp(1, exponent) + static_cast<double>(random_bits() % 16));
    const T fraction = static_cast<T>(random_bits() % 5) / 4;
    const T x = integer - 8 + fraction;
    values[i] = random_bits() % 2 == 0 ? x : -x;
    if (random_bits() % 4 == 0) {
      values[i] = std::nextafter(values[i], T{0});
    }
  }
  return values;
}

void test_Rint() {
  for_floats([]<class T>() {
    const std::vector<T> values = values_to_round<T>();
    in_every_direction([&](int direction) {
      check_lanes<T>([](auto v) { return Rint(v); }, [=](T x) {
        const T integer = static_cast<T>(rounded(static_cast<double>(x), direction));
        Allowed<T> allowed(integer, integer == 0 ? -integer : integer);
        allowed.any_nan = x != x;
        return allowed;
      }, values);
    });
  });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
