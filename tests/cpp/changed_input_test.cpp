// A selection terminates after a bounded number of passes even if its input changes before each
// pass. Page protection makes the changes deterministic: whenever a pass starts to read the first
// part of the input, a signal handler fills the whole input with another value.
#include <secateur/secateur.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr std::size_t kSize = std::size_t{1} << 18;  // too large for the in-cache algorithm
constexpr std::size_t kParts = 4, kPart = kSize / kParts;
constexpr unsigned kTimeout = 60;  // seconds; a call takes milliseconds

float* input;
std::uint32_t state;  // of the generator of fill values

void protect(std::size_t part, std::size_t count, int protection) {
  if (mprotect(input + part * kPart, count * kPart * sizeof(float), protection) != 0) {
    _exit(EXIT_FAILURE);
  }
}

// Makes the accessed part accessible. The part before it stays accessible, since a vector may lie
// in both.
void on_fault(int, siginfo_t* info, void*) {
  const auto* const address = static_cast<const float*>(info->si_addr);
  if (address < input || address >= input + kSize) {
    _exit(EXIT_FAILURE);
  }
  const std::size_t part = static_cast<std::size_t>(address - input) / kPart;
  protect(0, kParts, PROT_READ | PROT_WRITE);
  if (part == 0) {
    state = state * 1664525u + 1013904223u;
    std::fill_n(input, kSize, static_cast<float>(state >> 8));
  }
  protect(part + 1, kParts - part - 1, PROT_NONE);
  protect(0, part == 0 ? 0 : part - 1, PROT_NONE);
}

void start(std::uint32_t seed) {
  protect(0, kParts, PROT_READ | PROT_WRITE);
  std::fill_n(input, kSize, 1.0f);
  state = seed;
  protect(0, kParts, PROT_NONE);
}

void require_end(sc_status status) {
  if (status != SC_OK && status != SC_ERROR_CHANGED) {
    std::fprintf(stderr, "status %d: %s\n", static_cast<int>(status), sc_last_error());
    std::exit(EXIT_FAILURE);
  }
}

}  // namespace

int main() {
  void* const memory = mmap(nullptr, kSize * sizeof(float), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return EXIT_FAILURE;
  }
  input = static_cast<float*>(memory);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  require_end(sc_set_num_threads(1));

  static float out[kSize];
  static std::uint8_t mask[kSize];
  const sc_scores values{SC_SCORING_VALUES, SC_DTYPE_FLOAT32, input, 0, 1};
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    for (const std::size_t k : {std::size_t{1}, kSize / 3, kSize - 1}) {
      alarm(kTimeout);
      start(seed);
      require_end(sc_prune(input, SC_DTYPE_FLOAT32, kSize, k, nullptr, nullptr, SC_NAN_KEEP, out));
      start(seed);
      require_end(sc_prune(out, SC_DTYPE_FLOAT32, kSize, k, nullptr, &values, SC_NAN_KEEP, out));
      start(seed);
      require_end(sc_prune_mask(input, SC_DTYPE_FLOAT32, kSize, k, nullptr, nullptr, SC_NAN_KEEP,
                                mask, SC_MASK_FORMAT_BOOLS));
      start(seed);
      require_end(
          sc_prune(input, SC_DTYPE_FLOAT32, kSize, k, nullptr, nullptr, SC_NAN_KEEP, input));
    }
  }
  return EXIT_SUCCESS;
}
