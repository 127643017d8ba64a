// Interface between the lane tests of one ISA and the test runner. The tests are compiled for that
// ISA, the runner for the baseline CPU.
#pragma once

#include <cstddef>

struct LaneTest {
  const char* operation;
  void (*run)();
};

struct LaneTests {
  const LaneTest* tests;
  std::size_t count;
  std::size_t (*failures)();  // the number of failures so far
};

extern const LaneTests lane_tests;
