// Threads: how many a call may use, and work shared among them.
#pragma once

#include <atomic>
#include <cstddef>
#include <type_traits>

#include "secateur/secateur.h"

namespace secateur {

inline constexpr std::size_t kMaxThreads = SC_MAX_THREADS;

// What this thread's calls may use: its own setting, else the process's. Throws Error when
// SECATEUR_NUM_THREADS cannot be honoured.
std::size_t num_threads();
void set_num_threads(std::size_t count);
std::size_t set_thread_num_threads(
    std::size_t count) noexcept;  // 0: the process's; returns the last

// Hands out the tasks 0 .. count - 1, each once, to whoever asks.
class Tasks {
 public:
  explicit Tasks(std::size_t count) : count_(count) {}

  bool take(std::size_t& task) {
    task = next_.fetch_add(1, std::memory_order_relaxed);
    return task < count_;
  }
  void stop() { next_.store(count_, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_;
  std::atomic<std::size_t> next_{0};
};

namespace threads {
using Body = void (*)(void* context);
void run(std::size_t count, Body body, void* context);
}  // namespace threads

// Calls body() on `count` threads at once, the calling one among them (on fewer where threads are
// short), and returns when all calls have. The first exception is thrown again here.
template <class F>
void on_threads(std::size_t count, F&& body) {
  using Callable = std::remove_reference_t<F>;
  threads::run(count, [](void* context) { (*static_cast<Callable*>(context))(); }, &body);
}

}  // namespace secateur
