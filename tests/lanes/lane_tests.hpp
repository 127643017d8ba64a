// What the tests of one ISA's lanes offer to the program that runs them. The tests are compiled for that ISA,
// the program for every CPU.
#pragma once

#include <cstddef>

struct LaneTest {
  const char* operation;
  void (*run)();
};

struct LaneTests {
  const LaneTest* tests;
  std::size_t count;
  std::size_t (*failures)();  // so far
};

extern const LaneTests lane_tests;
