// Several threads call the library at once, while the number of threads and the ISA change. Every
// result equals that of a single thread. Each call may use several threads itself. Built with
// -fsanitize=thread (preset tsan), the test also detects data races.
#include <secateur/secateur.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kSize = (std::size_t{1} << 20) + 13;  // threads share the work
constexpr std::size_t kKept = kSize / 10;
constexpr std::int32_t kFracBits = 6;
constexpr sc_format kFormat{
    SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};
constexpr float kScale = 0.03f;
constexpr std::int32_t kZeroPoint = 100;
constexpr sc_format kAffine{SC_FORMAT_KIND_AFFINE, 12, 0, nullptr, nullptr, &kScale,
                            &kZeroPoint,           0,  0, nullptr};
constexpr sc_quantize_options kStochastic{SC_ROUNDING_STOCHASTIC, SC_OVERFLOW_WRAP, SC_NAN_RAISE, 1,
                                          0};

void require(sc_status status) {
  if (status != SC_OK) {
    std::fprintf(stderr, "%s\n", sc_last_error());
    std::exit(EXIT_FAILURE);
  }
}

std::vector<float> make_weights() {
  std::vector<float> w(kSize);
  std::uint32_t state = 1;
  for (float& x : w) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<std::int32_t>(state)) / 1073741824.0f;
  }
  return w;
}

struct Results {
  float kth = 0;
  std::vector<float> pruned = std::vector<float>(kSize);
  std::vector<std::uint8_t> mask = std::vector<std::uint8_t>(kSize);
  std::vector<std::int8_t> quantized = std::vector<std::int8_t>(kSize);
  std::vector<std::uint16_t> affine = std::vector<std::uint16_t>(kSize);

  bool operator==(const Results&) const = default;
};

Results compute(const std::vector<float>& w) {
  Results r;
  require(
      sc_kth_magnitude(w.data(), SC_DTYPE_FLOAT32, kSize, kKept, nullptr, SC_NAN_RAISE, &r.kth));
  require(sc_prune(w.data(), SC_DTYPE_FLOAT32, kSize, kKept, nullptr, nullptr, SC_NAN_RAISE,
                   r.pruned.data()));
  require(sc_prune_mask(w.data(), SC_DTYPE_FLOAT32, kSize, kKept, nullptr, nullptr, SC_NAN_RAISE,
                        r.mask.data(), SC_MASK_FORMAT_BOOLS));
  require(sc_prune_quantize(w.data(), SC_DTYPE_FLOAT32, kSize, kKept, &kFormat, nullptr,
                            r.quantized.data(), SC_DTYPE_INT8));
  require(sc_quantize(w.data(), SC_DTYPE_FLOAT32, kSize, &kAffine, &kStochastic, r.affine.data(),
                      SC_DTYPE_UINT16));
  return r;
}

}  // namespace

int main() {
  const std::vector<float> w = make_weights();
  require(sc_set_num_threads(1));
  const Results expected = compute(w);

  const char* isas[8];
  const std::size_t isa_count = sc_isas(isas, 8);
  std::atomic<int> running{4};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (std::size_t id = 0; id < 4; ++id) {
    callers.emplace_back([&, id] {
      require(sc_set_thread_num_threads(id, nullptr));  // 0: the process-wide number
      for (int round = 0; round < 4; ++round) {
        wrong += compute(w) != expected;
      }
      --running;
    });
  }
  for (std::size_t turn = 0; running > 0; ++turn) {
    require(sc_set_num_threads(1 + turn % 4));
    require(sc_set_isa(isas[turn % isa_count]));
    std::this_thread::yield();
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  if (wrong != 0) {
    std::fprintf(stderr, "%d of 16 rounds differ from a single thread's\n", wrong.load());
  }
  return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
