// Interruption: between tasks, the thread that made a call runs the callback of
// sc_set_thread_interrupt. The callback decides whether the call continues.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>

#include "core/thread_state.hpp"

namespace secateur {

// The minimum time between two runs of the callback. Short enough for interactive use. Long enough
// that a callback may take a few milliseconds, as it does while other threads hold the GIL. Only
// tests change this value.
extern std::chrono::nanoseconds interrupt_period;

// The interruption state of one C API call. The object is on the stack of the thread that made the
// call. Helper threads refer to it.
class InterruptibleCall {
 public:
  explicit InterruptibleCall(ThreadState& caller);
  ~InterruptibleCall();
  InterruptibleCall(const InterruptibleCall&) = delete;
  InterruptibleCall& operator=(const InterruptibleCall&) = delete;

  // Throws Error with SC_ERROR_INTERRUPTED if the call is interrupted. On the thread that made the
  // call, it first runs the callback if interrupt_period has elapsed.
  void check() {
    const State state = state_.load(std::memory_order_relaxed);
    if (state == State::interrupted) {
      throw_interrupted();
    }
    if (state == State::interruptible && pthread_equal(pthread_self(), caller_id_) != 0) {
      run_callback_if_due();
    }
  }

  // Throws Error with SC_ERROR_INTERRUPTED if the call is already interrupted. Otherwise the
  // callback does not run again during this call.
  void forbid_interrupts();

 private:
  enum class State { interruptible, uninterruptible, interrupted };

  [[noreturn]] static void throw_interrupted();
  void run_callback_if_due();
  void run_callback();

  ThreadState& caller_;
  const pthread_t caller_id_;
  const sc_interrupt interrupt_;
  void* const context_;
  InterruptibleCall* const outer_call_;  // not null if the callback of another call made this call
  const bool outer_in_parallel_;         // whether the caller was within on_threads then
  std::chrono::nanoseconds due_{0};
  std::atomic<State> state_{State::interruptible};
  std::mutex callback_mutex_;  // while the callback runs, no other thread can forbid interrupts
};

// The call that this thread works for, or null if that cannot be interrupted.
inline InterruptibleCall* interruptible_call() { return thread_state().call; }

// InterruptibleCall::check for the call that this thread works for. For loops that do not use
// Tasks.
inline void check_interrupts() {
  if (InterruptibleCall* const call = interruptible_call()) {
    call->check();
  }
}

// Must be called before an array is overwritten in place. The call cannot be interrupted from then
// on, because an interrupted call would leave the array partly overwritten.
inline void forbid_interrupts() {
  if (InterruptibleCall* const call = interruptible_call()) {
    call->forbid_interrupts();
  }
}

}  // namespace secateur
