// Tests of permutations, and of the bits of words.
#pragma once

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The source of a lane of operation(a, b): a lane of a or of b.
struct Source {
  bool from_b;
  std::size_t lane;
};
template <class T, class Operation, class F>
void check_permutation(Operation operation, F source) {
  const Pairs<T> pairs = pairs_of<T>();
  for (std::size_t i = 0; i < pairs.a.size(); i += kLanes<T>) {
    const auto got = lanes_of<T>(operation(LoadU(&pairs.a[i]), LoadU(&pairs.b[i])));
    for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
      const Source from = source(lane);
      expect_equal(got[lane], (from.from_b ? pairs.b : pairs.a)[i + from.lane], "lane", lane);
    }
  }
}

// The lanes of one half of each block, alternately from a and from b.
template <class T>
Source of_half(std::size_t lane, bool upper) {
  constexpr std::size_t kBlock = kBlockLanes<T>;
  const std::size_t in_block = lane % kBlock;
  return {in_block % 2 == 1, lane - in_block + in_block / 2 + (upper ? kBlock / 2 : 0)};
}

void test_InterleaveLower() {
  for_ints([]<class T>() {
    if constexpr (kLanes<T> > 1) {
      check_permutation<T>([](auto a, auto b) { return InterleaveLower(a, b); },
                           [](std::size_t lane) { return of_half<T>(lane, false); });
    }
  });
}

void test_InterleaveUpper() {
  for_ints([]<class T>() {
    if constexpr (kLanes<T> > 1) {
      check_permutation<T>([](auto a, auto b) { return InterleaveUpper(a, b); },
                           [](std::size_t lane) { return of_half<T>(lane, true); });
    }
  });
}

// Runs of `blocks` blocks, alternately from a and from b: the runs with even or with odd numbers.
template <class T>
Source of_blocks(std::size_t lane, std::size_t blocks, bool odd) {
  const std::size_t run = blocks * kBlockLanes<T>, number = lane / run;
  return {number % 2 == 1, (number / 2 * 2 + (odd ? 1 : 0)) * run + lane % run};
}
// Calls f.operator()<n>() for n = 1, 2, 4 ... while a vector has at least 2 n blocks.
template <class T, std::size_t kBlocks = 1, class F>
void for_blocks(F f) {
  if constexpr (2 * kBlocks * kBlockLanes<T> <= kLanes<T>) {
    f.template operator()<kBlocks>();
    for_blocks<T, 2 * kBlocks>(f);
  }
}

void test_InterleaveEvenBlocks() {
  for_ints([]<class T>() {
    if constexpr (kLanes<T> > 1) {
      for_blocks<T>([]<std::size_t kBlocks>() {
        check_permutation<T>([](auto a, auto b) { return InterleaveEvenBlocks<kBlocks>(a, b); },
                             [](std::size_t lane) { return of_blocks<T>(lane, kBlocks, false); });
      });
    }
  });
}

void test_InterleaveOddBlocks() {
  for_ints([]<class T>() {
    if constexpr (kLanes<T> > 1) {
      for_blocks<T>([]<std::size_t kBlocks>() {
        check_permutation<T>([](auto a, auto b) { return InterleaveOddBlocks<kBlocks>(a, b); },
                             [](std::size_t lane) { return of_blocks<T>(lane, kBlocks, true); });
      });
    }
  });
}

void test_PopCount() {
  for (const uint64_t x : values_of<uint64_t>()) {
    std::size_t count = 0;
    for (int bit = 0; bit < 64; ++bit) {
      count += x >> bit & 1;
    }
    expect_equal(PopCount(x), count, "bits");
  }
}

void test_LowestBit() {
  expect_equal(LowestBit(0), std::size_t{63}, "of no bit");
  for (uint64_t x : values_of<uint64_t>()) {
    for (std::size_t bit = 0; bit < 64; ++bit) {
      x |= uint64_t{1} << bit;
      expect_equal(LowestBit(x), bit, "index");
      x &= ~(uint64_t{1} << bit);
    }
  }
}

void test_HighestBit() {
  expect_equal(HighestBit(0), std::size_t{0}, "of no bit");
  for (uint64_t x : values_of<uint64_t>()) {
    for (std::size_t bit = 64; bit-- > 0;) {
      x |= uint64_t{1} << bit;
      expect_equal(HighestBit(x), bit, "index");
      x &= ~(uint64_t{1} << bit);
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
