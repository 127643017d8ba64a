// The helper threads of the library: how many work, how their exceptions propagate, which signals
// and cancellations reach them, when they end, and how much scratch memory the library keeps.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/arguments.hpp"
#include "core/scratch.hpp"
#include "core/threads.hpp"
#include "require.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

// Defined only by sanitizers, which replace the allocator.
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

using namespace secateur;

namespace {

// Counts the threads that arrive, and lets them wait for each other.
class Rendezvous {
 public:
  void join() { ++count_; }
  void join(int expected) {
    join();
    wait_until([&] { return count_ >= expected; }, "threads wait for each other");
  }
  [[nodiscard]] int count() const { return count_; }

 private:
  std::atomic<int> count_{0};
};

// ---- Jobs --------------------------------------------------------------------------------------

void an_error_of_a_helper_is_thrown_by_the_caller() {
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> throws{false};
  const sc_status status = api::guarded([&] {
    on_threads(2, [&] {
      if (std::this_thread::get_id() == caller) {
        wait_until([&] { return throws.load(); }, "a helper joins");
        return;
      }
      throws = true;
      throw Error(SC_ERROR_UNSUPPORTED, "thrown by a helper");
    });
  });
  require(status == SC_ERROR_UNSUPPORTED, "the status of the helper's error");
  require(std::string(sc_last_error()) == "thrown by a helper", "its message");
}

// While `count` threads work on a job, helpers that wake up for another job do not join the first
// one.
void no_more_threads_than_asked_for(int count) {
  const auto caller = std::this_thread::get_id();
  Rendezvous all;
  on_threads(6, [&] { all.join(6); });
  Rendezvous workers;
  Rendezvous others;
  std::atomic<bool> done{false};
  on_threads(static_cast<std::size_t>(count), [&] {
    workers.join(count);
    if (std::this_thread::get_id() == caller) {
      std::thread([&] { on_threads(6, [&] { others.join(4); }); }).join();
      done = true;
    }
    wait_until([&] { return done.load(); }, "helpers join the other job");
  });
  require(workers.count() == count, "the requested number of threads");
}

void what_is_shared_within_a_job_stays_on_its_thread() {
  const std::size_t before = num_threads();
  require(before > 1, "several threads to begin with");
  Rendezvous rendezvous;
  std::atomic<int> alone{0};
  on_threads(2, [&] {
    rendezvous.join(2);
    alone += num_threads() == 1 ? 1 : 0;
  });
  require(alone == 2, "a single thread within a job");
  require(num_threads() == before, "several threads after it");
}

int tasks_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

void helpers_end_when_idle_and_are_started_anew(int tasks_before) {
  wait_until([&] { return tasks_of_process() == tasks_before; }, "idle helpers end");
  Rendezvous rendezvous;
  on_threads(3, [&] { rendezvous.join(3); });
  require(rendezvous.count() == 3, "helpers are started anew");
}

// A caller that waits for a helper still runs the callback. An interruption also ends the helper's
// work.
void a_caller_that_waits_for_helpers_is_interrupted() {
  const auto caller = std::this_thread::get_id();
  Rendezvous rendezvous;
  const auto interrupt = [](void* context) {
    return static_cast<const Rendezvous*>(context)->count() == 2 ? 1 : 0;
  };
  require(sc_set_thread_interrupt(interrupt, &rendezvous, nullptr, nullptr));
  const sc_status status = api::guarded([&] {
    on_threads(2, [&] {
      rendezvous.join(2);
      const auto works_until_interrupted = [] {
        check_interrupts();
        return false;
      };
      if (std::this_thread::get_id() != caller) {
        wait_until(works_until_interrupted, "the helper is interrupted");
      }
    });
  });
  require(sc_set_thread_interrupt(nullptr, nullptr, nullptr, nullptr));
  require(status == SC_ERROR_INTERRUPTED, "the call is interrupted");
}

// A child of fork() has no helpers to wait for.
void a_job_ends_in_the_child_of_a_fork() {
  const auto caller = std::this_thread::get_id();
  const pid_t parent = getpid();
  pid_t child = 0;
  Rendezvous rendezvous;
  std::atomic<bool> done{false};
  on_threads(2, [&] {
    rendezvous.join(2);
    if (std::this_thread::get_id() == caller) {
      child = fork();
      done = true;
    }
    wait_until([&] { return done.load(); }, "the process forks");
  });
  if (getpid() != parent) {
    _exit(EXIT_SUCCESS);
  }
  wait_until([&] { return waitpid(child, nullptr, WNOHANG) == child; }, "the child ends");
}

// ---- Cancellation ------------------------------------------------------------------------------

// Cancels the calling thread during a call, and the helpers too.
void cancellation_waits_for_the_end_of_a_call(int type) {
  static std::atomic<bool> returned;
  returned = false;
  pthread_t caller{};
  const auto body = [](void* cancel_type) -> void* {
    pthread_setcanceltype(*static_cast<int*>(cancel_type), nullptr);
    Rendezvous rendezvous;
    const sc_status status = api::guarded([&] {
      on_threads(2, [&] {
        pthread_cancel(pthread_self());
        rendezvous.join(2);  // contains cancellation points
        pthread_testcancel();
      });
      returned = true;
    });
    require(status);
    pthread_testcancel();
    require(false, "the cancellation acts after the call");
    return nullptr;
  };
  require(pthread_create(&caller, nullptr, body, &type) == 0, "a thread");
  void* result = nullptr;
  pthread_join(caller, &result);
  require(result == PTHREAD_CANCELED && returned, "the call was over, and then the thread");
}

// ---- Signals -----------------------------------------------------------------------------------

// Checks the signal mask of a helper that is started by a thread that blocks all signals.
void faults_reach_helpers_and_other_signals_do_not(int tasks_before) {
  wait_until([&] { return tasks_of_process() == tasks_before; }, "idle helpers end");
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto caller = std::this_thread::get_id();
  Rendezvous rendezvous;
  on_threads(2, [&] {
    rendezvous.join(2);
    if (std::this_thread::get_id() == caller) {
      return;
    }
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
      require(sigismember(&blocked, fault) == 0, "faults reach helpers");
    }
    for (const int other : {SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1, SIGPROF}) {
      require(sigismember(&blocked, other) == 1, "other signals do not");
    }
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::atomic<int> faults{0};

// A signal handler that maps a page of zeros in place of the missing page of the file.
void map_page(int, siginfo_t* fault, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(fault->si_addr) / page * page;
  ++faults;
  if (mmap(reinterpret_cast<void*>(address), page, PROT_READ,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
    _exit(EXIT_FAILURE);
  }
}

// A helper reads an array in a mapped file that has been truncated.
void a_fault_of_a_helper_is_handled() {
  char name[] = "/tmp/secateur_pool_test_XXXXXX";
  const int file = mkstemp(name);
  require(file >= 0, "a file");
  unlink(name);
  const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  require(ftruncate(file, static_cast<off_t>(bytes)) == 0, "a file of a page");
  void* const mapping = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  require(mapping != MAP_FAILED, "its mapping");
  require(ftruncate(file, 0) == 0, "a file of nothing");
  struct sigaction before{};
  struct sigaction action{};
  action.sa_sigaction = &map_page;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &before);

  const auto caller = std::this_thread::get_id();
  Rendezvous rendezvous;
  on_threads(2, [&] {
    if (std::this_thread::get_id() != caller) {
      require(*static_cast<const volatile int*>(mapping) == 0, "the page that the handler mapped");
    }
    rendezvous.join(2);
  });
  require(faults == 1, "a fault");
  sigaction(SIGBUS, &before, nullptr);
  munmap(mapping, bytes);
  close(file);
}

// ---- Memory ------------------------------------------------------------------------------------

// The number of bytes that the C library has allocated, or 0 if it does not provide that number.
std::size_t allocated_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return __sanitizer_get_current_allocated_bytes();
  }
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

void kept_scratch_memory_is_bounded() {
  constexpr std::size_t kMaxKept = std::size_t{32} << 20;
  constexpr std::size_t kBlockBytes = kMaxKept / 4;
  constexpr std::size_t kSlack = std::size_t{1} << 20;  // for other allocations in the meantime
  const auto use = [](std::size_t count) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) {
      block = scratch::acquire(kBlockBytes);
    }
    const std::size_t in_use = allocated_bytes();
    for (void* const block : blocks) {
      scratch::release(block);
    }
    return in_use;
  };
  const std::size_t before = allocated_bytes();
  if (before == 0) {
    return;  // the C library does not provide the number
  }
  require(use(12) >= before + 12 * kBlockBytes, "blocks in use");
  const std::size_t kept = allocated_bytes();
  require(kept >= before + 2 * kBlockBytes, "some are kept");
  require(kept <= before + kMaxKept + kSlack, "no more than the bound");
  require(use(2) <= kept + kSlack, "those that are kept are used again");
  use(12);
  require(allocated_bytes() <= kept + kSlack, "no more are kept after more calls");
  require(allocated_bytes() >= kept - kSlack, "nor fewer");
}

}  // namespace

int main() {
  require(sc_set_num_threads(4));
  std::thread([] {}).join();  // with its first thread, a sanitizer starts one of its own
  const int tasks = tasks_of_process();
  kept_scratch_memory_is_bounded();
  an_error_of_a_helper_is_thrown_by_the_caller();
  for (const int count : {1, 2, 3}) {
    no_more_threads_than_asked_for(count);
  }
  what_is_shared_within_a_job_stays_on_its_thread();
  a_caller_that_waits_for_helpers_is_interrupted();
  a_job_ends_in_the_child_of_a_fork();
  cancellation_waits_for_the_end_of_a_call(PTHREAD_CANCEL_DEFERRED);
  cancellation_waits_for_the_end_of_a_call(PTHREAD_CANCEL_ASYNCHRONOUS);
  a_fault_of_a_helper_is_handled();
  faults_reach_helpers_and_other_signals_do_not(tasks);
  helpers_end_when_idle_and_are_started_anew(tasks);
  return EXIT_SUCCESS;
}
