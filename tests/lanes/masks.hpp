// Tests of masks.
#pragma once

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class T>
inline constexpr uint64_t kAllBits = (uint64_t{2} << (kLanes<T> - 1)) - 1;

template <class Operation, class Definition>
void check_mask_pairs(Operation operation, Definition definition) {
  for_ints([&]<class T>() {
    const std::vector<uint64_t> masks = mask_bits<T>();
    for (const uint64_t a : masks) {
      for (int k = 0; k < 20; ++k) {
        const uint64_t b = masks[static_cast<std::size_t>(random_bits() % masks.size())];
        const uint64_t got = BitsFromMask(operation(MaskFromBits<T>(a), MaskFromBits<T>(b)));
        expect_equal(got, definition(a, b) & kAllBits<T>, "mask");
      }
    }
  });
}

void test_mask_And() {
  check_mask_pairs([](auto a, auto b) { return And(a, b); },
                   [](uint64_t a, uint64_t b) { return a & b; });
}

void test_mask_Or() {
  check_mask_pairs([](auto a, auto b) { return Or(a, b); },
                   [](uint64_t a, uint64_t b) { return a | b; });
}

void test_AndNot() {
  check_mask_pairs([](auto a, auto b) { return AndNot(a, b); },
                   [](uint64_t a, uint64_t b) { return ~a & b; });
}

// A mask with these bits, as a comparison makes it.
template <class T>
Mask<T> compared(uint64_t bits) {
  Lanes<T> lanes;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i] = (bits >> i & 1) != 0 ? std::numeric_limits<T>::max() : T{0};
  }
  return Gt(LoadU(lanes.data()), Set(T{0}));
}

void test_BitsFromMask() {
  for_ints([]<class T>() {
    for (const uint64_t bits : mask_bits<T>()) {
      expect_equal(uint64_t{BitsFromMask(compared<T>(bits))}, bits, "bits");
    }
  });
}

void test_BitsFromMasks() {
  for_ints([]<class T>() {
    const std::vector<uint64_t> choices = mask_bits<T>();
    for (int k = 0; k < 2000; ++k) {
      Mask<T> masks[kGroup<T>];
      uint64_t expected = 0;
      for (std::size_t v = 0; v < kGroup<T>; ++v) {
        const uint64_t bits = choices[static_cast<std::size_t>(random_bits() % choices.size())];
        masks[v] = compared<T>(bits);
        expected |= bits << (v * kLanes<T>);
      }
      expect_equal(uint64_t{BitsFromMasks(masks)}, expected, "bits");
    }
  });
}

// Checks that a mask chooses between the lanes of `yes` and `no`.
template <class T, class Operation>
void check_choice(Operation operation, bool no_is_zero) {
  for (const uint64_t bits : mask_bits<T>(true)) {
    Lanes<T> yes, no;
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      yes[i] = random_value<T>();
      no[i] = no_is_zero ? T{0} : random_value<T>();
    }
    const Lanes<T> got =
        lanes_of<T>(operation(MaskFromBits<T>(bits), LoadU(yes.data()), LoadU(no.data())));
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      expect_equal(got[i], (bits >> i & 1) != 0 ? yes[i] : no[i], "lane", i);
    }
  }
}

void test_MaskFromBits() {  // ignores the bits above the lanes
  for_ints([]<class T>() {
    for (const uint64_t bits : mask_bits<T>(true)) {
      expect_equal(uint64_t{BitsFromMask(MaskFromBits<T>(bits))}, bits & kAllBits<T>, "bits");
    }
    check_choice<T>([](auto m, auto a, auto b) { return IfThenElse(m, a, b); }, false);
  });
}

void test_IfThenElse() {
  for_ints([]<class T>() {
    check_choice<T>([](auto m, auto a, auto b) { return IfThenElse(m, a, b); }, false);
  });
}

void test_IfThenElseZero() {
  for_ints([]<class T>() {
    check_choice<T>([](auto m, auto a, auto) { return IfThenElseZero(m, a); }, true);
  });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
