#include "core/threads.hpp"

#include <pthread.h>
#include <signal.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/thread_state.hpp"

namespace secateur {

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): constant initialization cannot throw
constinit std::chrono::nanoseconds helper_idle_time = std::chrono::seconds(2);

namespace {

// One call of on_threads. The object is on the stack of the calling thread, which waits until no
// helper uses it.
struct Job {
  threads::Body body;
  void* context;
  InterruptibleCall* call;
  std::size_t wanted;      // number of helpers that may still join
  std::size_t active = 0;  // number of helpers that are running body
  std::exception_ptr error = nullptr;
};

// Blocks all signals during its lifetime. Helper threads start within it and inherit the mask, so
// that the program's own threads handle all signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t previous_{};
};

// Unblocks the signals that an instruction of this thread can raise. If such a signal is blocked,
// the operating system kills the process even if it has a handler.
void unblock_faults() noexcept {
  sigset_t faults;
  sigemptyset(&faults);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    sigaddset(&faults, fault);
  }
  pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
}

// During its lifetime, nested calls of on_threads run on this thread alone, because all threads are
// already in use.
class InParallel {
 public:
  explicit InParallel(ThreadState& thread)
      : in_parallel_(thread.in_parallel), previous_(std::exchange(thread.in_parallel, true)) {}
  ~InParallel() { in_parallel_ = previous_; }
  InParallel(const InParallel&) = delete;
  InParallel& operator=(const InParallel&) = delete;

 private:
  bool& in_parallel_;
  bool previous_;
};

// Calls body() and returns the exception that it throws; null if there is none.
template <class Body>
std::exception_ptr error_of(const Body& body) noexcept {
  try {
    body();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

// The helper threads and their queue of jobs. Helpers sleep until there is a job. The calling
// thread always works on its own job, so no job waits for a helper to start.
class Pool {
 public:
  explicit Pool(std::size_t forks = 0) : forks_(forks) {}

  void run(Job& job) {
    std::unique_lock lock(mutex_);
    const std::size_t forks = forks_;
    start_helpers(job.wanted);
    jobs_.push_back(&job);
    for (std::size_t i = 0; i < job.wanted; ++i) {
      work_.notify_one();
    }
    lock.unlock();

    std::exception_ptr error = error_of([&] { job.body(job.context); });

    lock.lock();
    remove_from_queue(job);
    // If the interrupt callback forks, the child has no helpers to wait for.
    const auto helpers_done = [&] { return job.active == 0 || forks_ != forks; };
    while (!done_.wait_for(lock, interrupt_period, helpers_done)) {
      lock.unlock();
      if (!error) {
        error = error_of(check_interrupts);
      }
      lock.lock();
    }
    lock.unlock();
    if (error || job.error) {
      std::rethrow_exception(error ? error : job.error);
    }
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  [[nodiscard]] std::size_t forks() const { return forks_; }

 private:
  // Starts helpers until there are `count`. The caller holds the mutex.
  void start_helpers(std::size_t count) {
    if (helpers_ >= count) {
      return;
    }
    const SignalsBlocked blocked;
    try {
      for (; helpers_ < count; ++helpers_) {
        std::thread([this] { run_helper(); }).detach();
      }
    } catch (const std::exception&) {
      // The system cannot create more threads. The existing helpers and the caller do the work.
    }
  }

  void remove_from_queue(Job& job) {
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), &job), jobs_.end());
  }

  // The main function of a helper thread.
  void run_helper() {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    unblock_faults();
    ThreadState* const thread = thread_state_or_null();
    std::unique_lock lock(mutex_);
    if (thread != nullptr) {
      thread->in_parallel = true;
      while (work_.wait_for(lock, helper_idle_time, [&] { return !jobs_.empty(); })) {
        run_job(*jobs_.front(), *thread, lock);
      }
    }
    --helpers_;
  }

  // Runs the body of a job on a helper thread. `lock` holds the mutex before and after.
  void run_job(Job& job, ThreadState& thread, std::unique_lock<std::mutex>& lock) {
    ++job.active;
    if (--job.wanted == 0) {
      remove_from_queue(job);
    }
    lock.unlock();
    thread.call = job.call;
    std::exception_ptr error = error_of([&] { job.body(job.context); });
    lock.lock();
    if (error && !job.error) {
      job.error = std::move(error);
    }
    if (--job.active == 0) {
      done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<Job*> jobs_;
  std::size_t helpers_ = 0;
  std::size_t forks_;  // number of fork() generations between loading the library and this process
};

// Never destroyed: helpers wait on its condition variables while the process ends. The child of a
// fork() has no helpers, and the state of the condition variables is undefined there. A new pool
// replaces the old one in the child.
Pool& pool() noexcept {
  alignas(Pool) static std::byte storage[sizeof(Pool)];
  static Pool* const instance = [] {
    pthread_atfork([] { pool().lock(); }, [] { pool().unlock(); },
                   [] { new (&pool()) Pool(pool().forks() + 1); });
    return new (storage) Pool;
  }();
  return *instance;
}

// Initializes the pool when the library is loaded, so that no fork() can happen during the
// initialization.
[[maybe_unused]] const Pool& at_load = pool();

// The number of CPUs that this process may run on.
std::size_t available_cpus() {
#if defined(__linux__)
  // sched_getaffinity fails if the mask is shorter than that of the operating system. Retry with
  // longer masks.
  for (int cpus = CPU_SETSIZE; cpus <= CPU_SETSIZE * 64; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) {
      break;
    }
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const bool succeeded = sched_getaffinity(0, bytes, set) == 0;
    const int count = succeeded ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (succeeded) {
      return static_cast<std::size_t>(count);
    }
  }
#endif
  return std::thread::hardware_concurrency();
}

std::size_t default_num_threads() {
  const char* text = std::getenv("SECATEUR_NUM_THREADS");
  if (text == nullptr || *text == '\0') {
    return std::clamp(available_cpus(), std::size_t{1}, kMaxThreads);
  }
  const char* end = text + std::strlen(text);
  std::size_t count = 0;
  const auto [parsed_end, error] = std::from_chars(text, end, count);
  if (error != std::errc{} || parsed_end != end || count < 1 || count > kMaxThreads) {
    throw Error(SC_ERROR_ENVIRONMENT, "SECATEUR_NUM_THREADS must be an integer from 1 to " +
                                          std::to_string(kMaxThreads) + ", got '" + text + "'");
  }
  return count;
}

std::atomic<std::size_t> process_setting{0};  // 0: not yet initialized

}  // namespace

std::size_t num_threads() {
  const ThreadState& thread = thread_state();
  if (thread.in_parallel) {
    return 1;
  }
  if (thread.num_threads != 0) {
    return thread.num_threads;
  }
  std::size_t setting = process_setting.load(std::memory_order_relaxed);
  if (setting == 0) {
    // Not a function-local static: if a thread calls fork() while another one initializes a static,
    // the static stays half initialized in the child.
    const std::size_t initial = default_num_threads();
    if (process_setting.compare_exchange_strong(setting, initial, std::memory_order_relaxed)) {
      return initial;
    }
  }
  return setting;
}

void set_num_threads(std::size_t count) { process_setting.store(count, std::memory_order_relaxed); }

std::size_t set_thread_num_threads(std::size_t count) {
  return std::exchange(thread_state().num_threads, count);
}

void threads::run(std::size_t count, Body body, void* context) {
  if (count <= 1) {
    body(context);
    return;
  }
  ThreadState& thread = thread_state();
  const InParallel in_parallel(thread);
  Job job{.body = body, .context = context, .call = thread.call, .wanted = count - 1};
  pool().run(job);
}

}  // namespace secateur
