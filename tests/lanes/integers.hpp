// Tests of arithmetic with integers.
#pragma once

#include <algorithm>
#include <utility>

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Operations wrap: their results are those of unsigned 64-bit integers, cut to the width of T.
template <class T>
uint64_t wide(T x) {
  return static_cast<uint64_t>(static_cast<int64_t>(x));
}
template <class T>
T cut(uint64_t x) {
  return from_bits<T>(x);
}
uint64_t low_half(int64_t x) { return wide(x) & 0xffffffffu; }

template <class T, class Operation, class Definition>
void check_pairs(Operation operation, Definition definition) {
  const Pairs<T> pairs = pairs_of<T>();
  check_lanes<T>(operation, definition, pairs.a, pairs.b);
}

void test_int_Add() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return Add(a, b); },
                   [](T a, T b) { return cut<T>(wide(a) + wide(b)); });
  });
}

void test_int_Sub() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return Sub(a, b); },
                   [](T a, T b) { return cut<T>(wide(a) - wide(b)); });
  });
}

void test_int_Min() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return Min(a, b); },
                   [](T a, T b) { return std::min(a, b); });
  });
}

void test_int_Max() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return Max(a, b); },
                   [](T a, T b) { return std::max(a, b); });
  });
}

void test_int_And() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return And(a, b); },
                   [](T a, T b) { return cut<T>(wide(a) & wide(b)); });
  });
}

void test_Xor() {
  for_ints([]<class T>() {
    check_pairs<T>([](auto a, auto b) { return Xor(a, b); },
                   [](T a, T b) { return cut<T>(wide(a) ^ wide(b)); });
  });
}

void test_int_Or() {
  check_pairs<int64_t>([](auto a, auto b) { return Or(a, b); },
                       [](int64_t a, int64_t b) { return cut<int64_t>(wide(a) | wide(b)); });
}

void test_Gt() {
  for_ints([]<class T>() {
    const Pairs<T> pairs = pairs_of<T>();
    check_masks<T>([](auto a, auto b) { return Gt(a, b); }, [](T a, T b) { return a > b; }, pairs.a,
                   pairs.b);
  });
}

void test_ReduceMax() {
  for_ints([]<class T>() {
    const std::vector<T> values = values_of<T>();
    for (std::size_t i = 0; i < values.size(); i += kLanes<T>) {
      const T* lanes = &values[i];
      expect_equal(ReduceMax(LoadU(lanes)), *std::max_element(lanes, lanes + kLanes<T>), "maximum",
                   i);
    }
    // Each lane in turn has the maximum.
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      Lanes<T> lanes;
      lanes.fill(std::numeric_limits<T>::min());
      expect_equal(ReduceMax(LoadU(lanes.data())), std::numeric_limits<T>::min(), "minimum");
      lanes[i] = static_cast<T>(-static_cast<int>(i) - 1);
      expect_equal(ReduceMax(LoadU(lanes.data())), lanes[i], "maximum", i);
    }
  });
}

void test_ReduceSum() {
  for_types<int32_t, int64_t>([]<class T>() {
    std::vector<T> values = values_of<T>();
    for (T& x : values) {
      x = static_cast<T>(x / 64);  // so that no sum overflows
    }
    for (std::size_t i = 0; i < values.size(); i += kLanes<T>) {
      T sum = 0;
      for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
        sum = static_cast<T>(sum + values[i + lane]);
      }
      expect_equal(ReduceSum(LoadU(&values[i])), sum, "sum", i);
    }
  });
}

// Calls f.operator()<count>() for each count from 0 to the number of bits of T - 1.
template <class T, class F>
void for_counts(F f) {
  [&]<int... kCounts>(std::integer_sequence<int, kCounts...>) {
    (f.template operator()<kCounts>(), ...);
  }(std::make_integer_sequence<int, static_cast<int>(sizeof(T) * 8)>());
}

void test_ShiftRightLogical() {
  for_ints([]<class T>() {
    const std::vector<T> values = values_of<T>(256);
    for_counts<T>([&]<int kCount>() {
      check_lanes<T>([](auto v) { return ShiftRightLogical<kCount>(v); },
                     [](T x) { return cut<T>(bits_of(x) >> kCount); }, values);
    });
  });
}

void test_ShiftLeft() {
  for_types<int32_t, int64_t>([]<class T>() {
    const std::vector<T> values = values_of<T>(256);
    for_counts<T>([&]<int kCount>() {
      check_lanes<T>([](auto v) { return ShiftLeft<kCount>(v); },
                     [](T x) { return cut<T>(bits_of(x) << kCount); }, values);
    });
  });
}

void test_ShiftRightLogicalSame() {
  for_types<int32_t, int64_t>([]<class T>() {
    const std::vector<T> values = values_of<T>(256);
    for (int count = 0; count < static_cast<int>(sizeof(T) * 8); ++count) {
      check_lanes<T>([=](auto v) { return ShiftRightLogicalSame(v, count); },
                     [=](T x) { return cut<T>(bits_of(x) >> count); }, values);
    }
  });
}

void test_ShiftLeftSame() {
  const std::vector<int64_t> values = values_of<int64_t>(256);
  for (int count = 0; count < 64; ++count) {
    check_lanes<int64_t>([=](auto v) { return ShiftLeftSame(v, count); },
                         [=](int64_t x) { return cut<int64_t>(bits_of(x) << count); }, values);
  }
}

// Compares an operation that shifts each lane by a count of its own with one that shifts one
// number.
template <class Shift, class ShiftOne>
void check_shifts_by_lane(Shift shift, ShiftOne shift_one) {
  for_types<int32_t, int64_t>([&]<class T>() {
    constexpr int kBits = static_cast<int>(sizeof(T) * 8);
    const std::vector<T> values = values_of<T>(256);
    for (int first = 0; first < kBits; ++first) {
      Lanes<T> counts;
      for (std::size_t i = 0; i < kLanes<T>; ++i) {
        counts[i] = static_cast<T>((first + 5 * static_cast<int>(i)) % kBits);
      }
      for (std::size_t i = 0; i < values.size(); i += kLanes<T>) {
        Lanes<T> actual;
        StoreU(shift(LoadU(&values[i]), LoadU(counts.data())), actual.data());
        for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
          const T expected = cut<T>(shift_one(bits_of(values[i + lane]), counts[lane]));
          expect_equal(actual[lane], expected, "shifted", i + lane);
        }
      }
    }
  });
}

void test_Shl() {
  check_shifts_by_lane([](auto v, auto counts) { return Shl(v, counts); },
                       [](auto x, auto count) { return x << count; });
}

void test_ShrLogical() {
  check_shifts_by_lane([](auto v, auto counts) { return ShrLogical(v, counts); },
                       [](auto x, auto count) { return x >> count; });
}

void test_int_Mul() {
  check_pairs<int32_t>([](auto a, auto b) { return Mul(a, b); },
                       [](int32_t a, int32_t b) { return cut<int32_t>(wide(a) * wide(b)); });
}

// Checks the products of every other lane, from `first` on. The product is 0 if there is no such
// lane.
template <class Operation>
void check_products(Operation operation, std::size_t first) {
  const Pairs<int32_t> pairs = pairs_of<int32_t>();
  constexpr std::size_t kCount = kLanes<int32_t>;
  for (std::size_t i = 0; i < pairs.a.size(); i += kCount) {
    const auto got = lanes_of<int64_t>(operation(LoadU(&pairs.a[i]), LoadU(&pairs.b[i])));
    for (std::size_t lane = 0; lane < got.size(); ++lane) {
      const std::size_t from = 2 * lane + first;
      const uint64_t product =
          from < kCount ? bits_of(pairs.a[i + from]) * bits_of(pairs.b[i + from]) : 0;
      expect_equal(bits_of(got[lane]), product, "product", i + lane);
    }
  }
}

void test_MulEvenUnsigned() {
  check_products([](auto a, auto b) { return MulEvenUnsigned(a, b); }, 0);
}

void test_MulOddUnsigned() {
  check_products([](auto a, auto b) { return MulOddUnsigned(a, b); }, 1);
}

void test_MulLowHalves() {
  check_pairs<int64_t>([](auto a, auto b) { return MulLowHalves(a, b); }, [](int64_t a, int64_t b) {
    return cut<int64_t>(low_half(a) * low_half(b));
  });
}

void test_SwapHalves() {
  check_lanes<int64_t>([](auto v) { return SwapHalves(v); }, [](int64_t x) {
    return cut<int64_t>(low_half(x) << 32 | wide(x) >> 32);
  }, values_of<int64_t>());
}

void test_SubBytes() {
  Pairs<int64_t> pairs = pairs_of<int64_t>();
  for (int64_t& b : pairs.b) {
    b &= 0x7f7f7f7f7f7f7f7f;
  }
  check_lanes<int64_t>([](auto a, auto b) { return SubBytes(a, b); }, [](int64_t a, int64_t b) {
    uint64_t difference = 0;
    for (int byte = 0; byte < 64; byte += 8) {
      difference |= (((wide(a) >> byte) - (wide(b) >> byte)) & 0xff) << byte;
    }
    return cut<int64_t>(difference);
  }, pairs.a, pairs.b);
}

// Checks an operation on a vector and a mask. The definition applies to the lanes that are set; the
// others stay the same.
template <class T, class Operation, class Definition>
void check_where(Operation operation, Definition definition) {
  const std::vector<T> values = values_of<T>();
  const std::vector<uint64_t> masks = mask_bits<T>();
  for (std::size_t i = 0; i < values.size(); i += kLanes<T>) {
    for (std::size_t k = 0; k < 16; ++k) {
      const uint64_t bits = masks[k < 4 ? k : random_bits() % masks.size()];
      const auto got = lanes_of<T>(operation(LoadU(&values[i]), MaskFromBits<T>(bits)));
      for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
        const T x = values[i + lane];
        expect_equal(got[lane], (bits >> lane & 1) != 0 ? definition(x) : x, "lane", i + lane);
      }
    }
  }
}

void test_IncrementIf() {
  for_ints([]<class T>() {
    check_where<T>([](auto v, auto m) { return IncrementIf(v, m); },
                   [](T x) { return cut<T>(wide(x) + 1); });
  });
}

void test_DecrementIf() {
  for_ints([]<class T>() {
    check_where<T>([](auto v, auto m) { return DecrementIf(v, m); },
                   [](T x) { return cut<T>(wide(x) - 1); });
  });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
