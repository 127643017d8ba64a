// A shared object that contains the library. Test programs load and unload it.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "secateur/secateur.h"

namespace {

constexpr std::size_t kRows = 512;
constexpr std::size_t kColumns = 2048;
constexpr std::size_t kSize = kRows * kColumns;
constexpr std::int32_t kFracBits = 5;
constexpr sc_format kFormat{
    SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Makes the library start helper threads, with a call that needs no scratch memory.
EXPORTED int guest_start() {
  const std::vector<float> w(kSize, 1.5f);
  std::vector<std::int8_t> q(kSize);
  return sc_set_num_threads(3) == SC_OK && sc_quantize(w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat,
                                                       nullptr, q.data(), SC_DTYPE_INT8) == SC_OK
             ? 0
             : 1;
}

// Makes calls that use several threads. Returns 0 if each call gives the right result or, unless
// memory_must_suffice, fails with SC_ERROR_MEMORY and a message.
EXPORTED int guest_work(int memory_must_suffice) {
  static const std::vector<float> w(kSize, 1.5f);
  static std::vector<float> kth(kRows);
  static std::vector<float> pruned(kSize);
  static std::vector<std::int8_t> q(kSize);
  const auto is_right = [&](sc_status status, bool result) {
    return status == SC_OK
               ? result
               : status == SC_ERROR_MEMORY && memory_must_suffice == 0 && *sc_last_error() != 0;
  };
  const sc_layout rows{kColumns, 1, 0, 1, 0};
  bool right = sc_set_num_threads(3) == SC_OK;
  for (int round = 0; round < 20; ++round) {
    sc_status status =
        sc_kth_magnitude(w.data(), SC_DTYPE_FLOAT32, kSize, 5, &rows, SC_NAN_RAISE, kth.data());
    right = right && is_right(status, kth.back() == 1.5f);
    status = sc_prune(w.data(), SC_DTYPE_FLOAT32, kSize, 5, nullptr, nullptr, SC_NAN_RAISE,
                      pruned.data());
    right = right && is_right(status, pruned[4] == 1.5f && pruned[5] == 0);
    status =
        sc_quantize(w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, nullptr, q.data(), SC_DTYPE_INT8);
    right = right && is_right(status, q.back() == 48);
  }
  return right ? 0 : 1;
}
