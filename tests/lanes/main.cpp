// Runs the lane tests of one ISA. It is compiled for the baseline CPU, and checks that the CPU has
// the ISA before it runs code compiled for it.
#include <cstdio>
#include <string>
#include <vector>

#include "core/cpu.hpp"
#include "lane_tests.hpp"
#include "names.hpp"

namespace {

constexpr int kSkipped = 77;  // the status of a skipped test for CTest

#define SECATEUR_NAME_OF(name) #name
#define SECATEUR_NAME(name) SECATEUR_NAME_OF(name)
#define SECATEUR_HAS_OF(name) has_##name
#define SECATEUR_HAS(name) SECATEUR_HAS_OF(name)
constexpr const char* kIsa = SECATEUR_NAME(SECATEUR_TARGET);

}  // namespace

int main() {
  if (!secateur::cpu::SECATEUR_HAS(SECATEUR_REQUIRED)()) {
    std::printf("skipped: this CPU has no %s\n", kIsa);
    return kSkipped;
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < lane_tests.count; ++i) {
    names.emplace_back(lane_tests.tests[i].operation);
    lane_tests.tests[i].run();
  }
  const std::vector<std::string> problems = compare_names(SECATEUR_LANES_DIRECTORY, names);
  for (const std::string& problem : problems) {
    std::fprintf(stderr, "%s\n", problem.c_str());
  }
  std::printf("%s: %zu operations, %zu failures\n", kIsa, lane_tests.count,
              lane_tests.failures() + problems.size());
  return lane_tests.failures() == 0 && problems.empty() ? 0 : 1;
}
