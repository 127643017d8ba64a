// The number of threads that a call may use, and the distribution of work among them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <type_traits>

#include "core/interrupt.hpp"
#include "secateur/secateur.h"

namespace secateur {

inline constexpr std::size_t kMaxThreads = SC_MAX_THREADS;

// A helper thread that has been idle for this long ends. Idle helpers wait for a while because
// starting a thread takes tens of microseconds. They end because otherwise they would keep a
// process alive whose other threads have all ended. Only tests change this value.
extern std::chrono::nanoseconds helper_idle_time;

// The number of threads that calls from this thread may use: the setting of this thread if there is
// one, otherwise the setting of the process. 1 within on_threads of several threads. Throws Error
// if the value of the environment variable SECATEUR_NUM_THREADS is invalid.
std::size_t num_threads();

// Changes the setting of the process.
void set_num_threads(std::size_t count);

// Changes the setting of this thread and returns the previous one. 0 means the setting of the
// process.
std::size_t set_thread_num_threads(std::size_t count);

// Distributes the tasks 0 .. count - 1 among threads. Each task is taken once. If the call that the
// tasks belong to is interrupted, take() throws on every thread.
class Tasks {
 public:
  explicit Tasks(std::size_t count) : count_(count), call_(interruptible_call()) {}

  // Sets `task` to the next task. Returns false if none is left.
  bool take(std::size_t& task) {
    if (call_ != nullptr) {
      call_->check();
    }
    task = next_.fetch_add(1, std::memory_order_relaxed);
    return task < count_;
  }
  // Drops the tasks that have not been taken.
  void stop() { next_.store(count_, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_;
  InterruptibleCall* call_;
  std::atomic<std::size_t> next_{0};
};

namespace threads {
using Body = void (*)(void* context);
void run(std::size_t count, Body body, void* context);
}  // namespace threads

// Calls body() concurrently on `count` threads, including the calling one, and returns when all
// calls have returned. Uses fewer threads if the system cannot provide as many. Rethrows the first
// exception. If several threads call body(), nested calls of on_threads run on one thread.
template <class F>
void on_threads(std::size_t count, F&& body) {
  using Callable = std::remove_reference_t<F>;
  threads::run(count, [](void* context) { (*static_cast<Callable*>(context))(); }, &body);
}

}  // namespace secateur
