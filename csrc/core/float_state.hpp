// The floating-point state of the thread.
#pragma once

#include <cstdint>

namespace secateur {
namespace {  // every file gets its own copy, compiled with the flags of that file

// Rounding directions. `nearest` rounds ties to even. The values are those of x86 (MXCSR).
enum class Direction : unsigned { nearest, down, up, zero };

// Sets the floating-point state of the thread during its lifetime: it rounds in the given direction
// and handles subnormals exactly (no flush to zero). The destructor restores the caller's state,
// which may differ.
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
    constexpr State kModes[] = {0, 2, 1, 3};  // FPCR.RMode for each Direction
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    __asm__ volatile("msr fpcr, %0" : : "r"(kModes[static_cast<unsigned>(direction)] << 22));
  }
  static void restore(State state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
#else
#error "add the code that saves and sets the floating-point state of this CPU"
#endif
  ~FloatState() { restore(saved_); }
  FloatState(const FloatState&) = delete;
  FloatState& operator=(const FloatState&) = delete;

  // The state that the destructor restores, for callers that must restore it outside of a scope.
  [[nodiscard]] State saved() const { return saved_; }

 private:
  State saved_;
};

}  // namespace
}  // namespace secateur
