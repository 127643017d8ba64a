// The floating-point state of the thread.
#pragma once

#include <cstdint>

namespace secateur {
namespace {  // a copy for each file, compiled with that file's flags

enum class Direction : unsigned { nearest, down, up, zero };

// While one lives: rounding in a direction, to nearest even unless said otherwise, and subnormals are
// numbers. The caller's program may have it otherwise.
class FloatState {
 public:
#if defined(__x86_64__)
  using State = unsigned;
  explicit FloatState(Direction direction = Direction::nearest) : saved_(__builtin_ia32_stmxcsr()) {
    __builtin_ia32_ldmxcsr(0x1f80 | static_cast<State>(direction) << 13);
  }
  static void restore(State state) { __builtin_ia32_ldmxcsr(state); }
#elif defined(__aarch64__)
  using State = uint64_t;
  explicit FloatState(Direction direction = Direction::nearest) {
    constexpr State kModes[] = {0, 2, 1, 3};
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    __asm__ volatile("msr fpcr, %0" : : "r"(kModes[static_cast<unsigned>(direction)] << 22));
  }
  static void restore(State state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
#else
#error "say here how this CPU's floating-point state is saved and set"
#endif
  ~FloatState() { restore(saved_); }
  FloatState(const FloatState&) = delete;
  FloatState& operator=(const FloatState&) = delete;

  // What it will put back; for those that must let it live beyond a scope.
  [[nodiscard]] State saved() const { return saved_; }

 private:
  State saved_;
};

}  // namespace
}  // namespace secateur
