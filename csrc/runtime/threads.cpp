#include "runtime/threads.hpp"

#include <pthread.h>
#include <signal.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "runtime/error.hpp"

namespace secateur {
namespace {

// One call of on_threads. It lives on the calling thread's stack until every helper has left it.
struct Job {
  threads::Body body;
  void* context;
  std::size_t wanted;      // helpers that may still join
  std::size_t active = 0;  // helpers at work
  std::exception_ptr error = nullptr;
};

// Signals are for the program's own threads: helpers start with all of them blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// Helpers sleep until there is a job. A caller always works on its own job, so a job never waits
// for a helper to start.
class Pool {
 public:
  void run(Job& job) {
    std::unique_lock lock(mutex_);
    grow(job.wanted);
    jobs_.push_back(&job);
    for (std::size_t i = 0; i < job.wanted; ++i) {
      work_.notify_one();
    }
    lock.unlock();

    std::exception_ptr error = call(job);

    lock.lock();
    withdraw(job);
    done_.wait(lock, [&] { return job.active == 0; });
    lock.unlock();
    if (error || job.error) {
      std::rethrow_exception(error ? error : job.error);
    }
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  static std::exception_ptr call(const Job& job) noexcept {
    try {
      job.body(job.context);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  void grow(std::size_t helpers) {
    if (helpers_ >= helpers) {
      return;
    }
    const SignalsBlocked blocked;
    try {
      for (; helpers_ < helpers; ++helpers_) {
        std::thread([this] { serve(); }).detach();
      }
    } catch (const std::exception&) {
      // No more threads to be had: those that are there, or the caller alone, do the work.
    }
  }

  void withdraw(Job& job) {
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), &job), jobs_.end());
  }

  [[noreturn]] void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [&] { return !jobs_.empty(); });
      Job& job = *jobs_.front();
      ++job.active;
      if (--job.wanted == 0) {
        withdraw(job);
      }
      lock.unlock();
      std::exception_ptr error = call(job);
      lock.lock();
      if (error && !job.error) {
        job.error = error;
      }
      if (--job.active == 0) {
        done_.notify_all();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<Job*> jobs_;
  std::size_t helpers_ = 0;
};

// Never destroyed: its helpers sleep in it while the process ends. In the child of a fork there are
// no helpers, and nobody can say in what state the condition variables were: a new pool takes its
// place.
Pool& pool() noexcept {
  alignas(Pool) static std::byte place[sizeof(Pool)];
  static Pool* const instance = [] {
    pthread_atfork([] { pool().lock(); }, [] { pool().unlock(); }, [] { new (&pool()) Pool; });
    return new (place) Pool;
  }();
  return *instance;
}

// Made while the library is loaded, so that no fork() meets it half made.
[[maybe_unused]] const Pool& at_load = pool();

std::size_t cpus_of_process() {
#if defined(__linux__)
  // Asked for with room to spare: a mask shorter than the kernel's is refused.
  for (int cpus = CPU_SETSIZE; cpus <= CPU_SETSIZE * 64; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) {
      break;
    }
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) {
      return static_cast<std::size_t>(count);
    }
  }
#endif
  return std::thread::hardware_concurrency();
}

std::size_t default_num_threads() {
  const char* text = std::getenv("SECATEUR_NUM_THREADS");
  if (text == nullptr || *text == '\0') {
    return std::clamp(cpus_of_process(), std::size_t{1}, kMaxThreads);
  }
  const char* end = text + std::strlen(text);
  std::size_t count = 0;
  const auto [parsed, problem] = std::from_chars(text, end, count);
  if (problem != std::errc{} || parsed != end || count < 1 || count > kMaxThreads) {
    throw Error(SC_ERROR_ENVIRONMENT, "SECATEUR_NUM_THREADS must be an integer from 1 to " +
                                          std::to_string(kMaxThreads) + ", got '" + text + "'");
  }
  return count;
}

std::atomic<std::size_t> process_setting{0};  // 0: not asked for yet
thread_local std::size_t thread_setting = 0;  // 0: the process's

}  // namespace

std::size_t num_threads() {
  if (thread_setting != 0) {
    return thread_setting;
  }
  std::size_t set = process_setting.load(std::memory_order_relaxed);
  if (set == 0) {
    // Not a static: a fork() while another thread makes it would leave it half made.
    const std::size_t by_default = default_num_threads();
    if (process_setting.compare_exchange_strong(set, by_default, std::memory_order_relaxed)) {
      return by_default;
    }
  }
  return set;
}

void set_num_threads(std::size_t count) { process_setting.store(count, std::memory_order_relaxed); }

std::size_t set_thread_num_threads(std::size_t count) noexcept {
  return std::exchange(thread_setting, count);
}

void threads::run(std::size_t count, Body body, void* context) {
  if (count <= 1) {
    body(context);
    return;
  }
  Job job{.body = body, .context = context, .wanted = count - 1};
  pool().run(job);
}

}  // namespace secateur
