#include "core/interrupt.hpp"

#include <time.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/float_state.hpp"

namespace secateur {
namespace {

// Uses the coarse clock if the system has one. A read of it takes a few nanoseconds, and its
// resolution is sufficient.
std::chrono::nanoseconds now() {
#if defined(CLOCK_MONOTONIC_COARSE)
  constexpr clockid_t kClock = CLOCK_MONOTONIC_COARSE;
#else
  constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif
  timespec time{};
  clock_gettime(kClock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// During its lifetime, calls of this thread run no callback. The setting of the thread is left
// alone: the callback may read and change it.
class InCallback {
 public:
  explicit InCallback(ThreadState& thread) : thread_(thread) { thread_.in_callback = true; }
  ~InCallback() { thread_.in_callback = false; }
  InCallback(const InCallback&) = delete;
  InCallback& operator=(const InCallback&) = delete;

 private:
  ThreadState& thread_;
};

}  // namespace

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): constant initialization cannot throw
constinit std::chrono::nanoseconds interrupt_period = std::chrono::milliseconds(100);

InterruptibleCall::InterruptibleCall(ThreadState& caller)
    : caller_(caller),
      caller_id_(pthread_self()),
      interrupt_(caller.in_callback ? nullptr : caller.interrupt),
      context_(caller.interrupt_context),
      outer_call_(caller.call),
      outer_in_parallel_(caller.in_parallel) {
  caller.call = nullptr;
  caller.in_parallel = false;
  if (interrupt_ != nullptr) {
    caller.call = this;
    due_ = now() + interrupt_period;
  }
}

InterruptibleCall::~InterruptibleCall() {
  caller_.call = outer_call_;
  caller_.in_parallel = outer_in_parallel_;
}

void InterruptibleCall::throw_interrupted() {
  throw Error(SC_ERROR_INTERRUPTED, "the call was interrupted by its callback");
}

void InterruptibleCall::run_callback_if_due() {
  if (now() >= due_) {
    run_callback();
    due_ = now() + interrupt_period;
  }
}

void InterruptibleCall::run_callback() {
  const std::lock_guard lock(callback_mutex_);
  if (state_.load(std::memory_order_relaxed) != State::interruptible) {
    return;
  }
  const FloatState float_state;  // the operation may use another rounding direction
  const pid_t process = getpid();
  const int answer = [&] {
    const InCallback in_callback(caller_);
    return interrupt_(context_);
  }();
  if (answer == 0 && caller_.in_parallel && getpid() != process) {
    throw Error(SC_ERROR_INTERNAL,
                "the interrupt callback forked and returned in the child process, which has none "
                "of the helper threads of the call");
  }
  if (answer != 0) {
    state_.store(State::interrupted, std::memory_order_relaxed);
    throw_interrupted();
  }
}

void InterruptibleCall::forbid_interrupts() {
  if (state_.load(std::memory_order_relaxed) == State::uninterruptible) {
    return;
  }
  const std::lock_guard lock(callback_mutex_);
  if (state_.load(std::memory_order_relaxed) == State::interrupted) {
    throw_interrupted();
  }
  state_.store(State::uninterruptible, std::memory_order_relaxed);
}

}  // namespace secateur
