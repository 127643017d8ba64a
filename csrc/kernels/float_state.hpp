// The floating-point state of the thread.
#pragma once

#include <cstdint>

namespace secateur {
namespace {  // a copy for each file, compiled with that file's flags

// While one lives: rounding to nearest even, and subnormals are numbers. The caller's program may
// have it otherwise.
class DefaultFloatState {
 public:
#if defined(__x86_64__)
  using State = unsigned;
  DefaultFloatState() : saved_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(0x1f80); }
  ~DefaultFloatState() { __builtin_ia32_ldmxcsr(saved_); }
#elif defined(__aarch64__)
  using State = uint64_t;
  DefaultFloatState() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    __asm__ volatile("msr fpcr, %0" : : "r"(State{0}));
  }
  ~DefaultFloatState() { __asm__ volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
#error "say here how this CPU's floating-point state is saved and set"
#endif
  DefaultFloatState(const DefaultFloatState&) = delete;
  DefaultFloatState& operator=(const DefaultFloatState&) = delete;

 private:
  State saved_;
};

}  // namespace
}  // namespace secateur
