// Makes each allocation of each operation fail in turn. The call must return either the right
// result or SC_ERROR_MEMORY. It must not modify its inputs, nor an array in place if it fails; it
// must not leak; and the next call must succeed. The same holds when threads cannot be created.
//
// allocation_test [--every] [TEXT] runs only the cases whose names contain TEXT. With --every, no
// allocation is left out; without it, a call with many has only some of them fail.
#include <pthread.h>
#include <secateur/secateur.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "allocation_cases.hpp"
#include "allocations.hpp"
#include "core/threads.hpp"

namespace {

bool every_allocation = false;  // --every

// ---- Trials ------------------------------------------------------------------------------------

struct Outcome {
  sc_status status;
  bool may_fail;  // allocations failed during the call
  std::string message;
  std::vector<unsigned char> out;
};

// The progress of a child process. It is in memory shared with the parent, which reports a crash.
struct Progress {
  std::size_t next;  // the next case
  std::size_t failed;
  std::size_t injected;   // calls during which allocations failed
  char description[160];  // of the current call
};

class Trials {
 public:
  Trials(const Case& the_case, Progress& progress) : case_(the_case), progress_(progress) {}

  void run() {
    const bool only_in_place = case_.where == Case::in_place;
    sc_set_num_threads(1);
    expected_ = call(kNone, only_in_place);
    check_leaks();
    // A call that shares no work makes the same allocations whatever the number of threads.
    for (const std::size_t threads : {std::size_t{1}, std::size_t{4}}) {
      if (threads == 1 || is_large()) {
        sc_set_num_threads(threads);
        if (case_.where != Case::in_place && !(is_large() && case_.where == Case::both)) {
          fail_each(threads, false);
        }
        if (case_.where != Case::apart) {
          fail_each(threads, true);
        }
      }
    }
  }

  // Makes a call that may use four threads, while fewer or none can be created.
  void run_without_failures() {
    const bool in_place = case_.where != Case::apart;
    sc_set_num_threads(1);
    expected_ = call(kNone, in_place);
    sc_set_num_threads(4);
    describe(4, in_place, kNone);
    call_and_check(kNone, in_place);
  }

  // Makes the first call of a process. Its allocations for helper threads are never freed, so this
  // does not check for leaks.
  void run_first(Failures failures) {
    const bool in_place = case_.where != Case::apart;
    sc_set_num_threads(4);
    describe(4, in_place, failures);
    const Outcome first = call(failures, in_place);
    expected_ = call(kNone, in_place);
    check(first, in_place);
  }

 private:
  // The allocations to fail: all, or the first 3, the last 6, and some between.
  static std::vector<std::size_t> points(std::size_t count) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < count; ++i) {
      if (every_allocation || i < 3 || i + 6 >= count || i % (count / 4 + 1) == 0) {
        all.push_back(i);
      }
    }
    return all;
  }

  void fail_each(std::size_t threads, bool in_place) {
    describe(threads, in_place, kNone);
    call_and_check(kNone, in_place);
    for (const std::size_t i : points(count_)) {
      progress_.injected += 2;
      for (const Failures failures : {Failures{i, i + 1}, Failures{i, kMost}}) {
        describe(threads, in_place, failures);
        call_and_check(failures, in_place);
      }
    }
    describe(threads, in_place, kNone);
    call_and_check(kNone, in_place);
  }

  [[nodiscard]] bool is_large() const { return case_.name.starts_with("large"); }

  void call_and_check(Failures failures, bool in_place) {
    check(call(failures, in_place), in_place);
    check_leaks();
  }

  Outcome call(Failures failures, bool in_place) {
    Outcome outcome{SC_OK, failures.begin != kMost, "",
                    std::vector<unsigned char>(case_.out_bytes, 0xa5)};
    void* const out = outcome.out.data();
    if (in_place) {
      std::memcpy(out, case_.input, case_.out_bytes);
    }
    if (is_large()) {
      keep_nothing();
    }
    sc_set_isa(nullptr);  // fails, and so replaces the last error
    std::size_t threads = 0;
    sc_get_num_threads(&threads);
    allocations.watch(failures, threads > 1);
    outcome.status = case_.call(in_place ? out : case_.input, out);
    count_ = allocations.stop();
    outcome.message = sc_last_error();
    return outcome;
  }

  void check(const Outcome& outcome, bool in_place) {
    if (outcome.status == expected_.status) {
      if (outcome.status == SC_OK && outcome.out != expected_.out) {
        fail("the result is wrong");
      }
    } else if (outcome.status != SC_ERROR_MEMORY || !outcome.may_fail) {
      fail("status " + std::to_string(outcome.status) + ", " + outcome.message);
    } else if (outcome.message.find("memory") == std::string::npos) {
      fail("SC_ERROR_MEMORY says: " + outcome.message);
    }
    if (outcome.status != SC_OK && in_place &&
        std::memcmp(outcome.out.data(), case_.input, case_.out_bytes) != 0) {
      fail("the array in place is modified, status " + std::to_string(outcome.status));
    }
  }

  void check_leaks() {
    if (const std::size_t count = leaks(); count != 0) {
      fail(std::to_string(count) + " allocations leaked");
    }
  }

  void describe(std::size_t threads, bool in_place, Failures failures) {
    char which[64] = "no allocation fails";
    if (failures.begin != kMost) {
      std::snprintf(which, sizeof which, "allocation %zu %s", failures.begin,
                    failures.end == kMost ? "and all after it fail" : "fails");
    }
    std::snprintf(progress_.description, sizeof progress_.description, "%s, %zu threads%s: %s",
                  case_.name.c_str(), threads, in_place ? ", in place" : "", which);
  }

  // Reports only the first failure of each case.
  void fail(const std::string& what) {
    if (!has_failed_) {
      std::fprintf(stderr, "%s: %s\n", progress_.description, what.c_str());
      ++progress_.failed;
      has_failed_ = true;
    }
  }

  const Case& case_;
  Progress& progress_;
  Outcome expected_{};
  std::size_t count_ = 0;
  bool has_failed_ = false;
};

// ---- Processes ---------------------------------------------------------------------------------

// Runs body() in a child process; counts it as failed if it crashes.
template <class Body>
void in_child(Progress& progress, const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(EXIT_SUCCESS);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
    std::fprintf(stderr, "%s: crashed, wait status %d\n", progress.description, status);
    ++progress.failed;
  }
}

Progress& shared_progress() {
  void* const shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return *new (shared) Progress{};
}

// Starts helper threads, and returns when all of them have allocated what they keep.
void start_threads(std::size_t count) {
  std::atomic<std::size_t> started{0};
  secateur::on_threads(count, [&] {
    ++started;
    while (started < count) {
      std::this_thread::yield();
    }
  });
}

// Runs all cases in two processes. A process that crashes is replaced.
Progress try_all(std::span<const Case* const> cases) {
  constexpr std::size_t kProcesses = 2;
  std::array<Progress*, kProcesses> all{};
  std::array<pid_t, kProcesses> children{};
  for (std::size_t process = 0; process < kProcesses; ++process) {
    Progress& progress = *(all[process] = &shared_progress());
    progress.next = process;
    children[process] = fork();
    if (children[process] == 0) {
      while (progress.next < cases.size()) {
        in_child(progress, [&] {
          start_threads(4);
          while (progress.next < cases.size()) {
            const Case& one = *cases[progress.next];
            progress.next += kProcesses;
            Trials(one, progress).run();
          }
        });
      }
      _exit(EXIT_SUCCESS);
    }
  }
  Progress total{};
  for (std::size_t process = 0; process < kProcesses; ++process) {
    waitpid(children[process], nullptr, 0);
    total.failed += all[process]->failed;
    total.injected += all[process]->injected;
  }
  return total;
}

// Makes calls while no thread can be created, because the default stack size is too large.
std::size_t try_without_threads(std::span<const Case* const> cases) {
  Progress& progress = shared_progress();
  for (const std::size_t running : {std::size_t{1}, std::size_t{2}}) {
    in_child(progress, [&] {
      start_threads(running);
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      pthread_attr_setstacksize(&attributes, std::size_t{1} << 60);
      if (pthread_setattr_default_np(&attributes) != 0) {
        std::fputs("the default stack size cannot be set\n", stderr);
        _exit(EXIT_FAILURE);
      }
      secateur::on_threads(4, [] {});  // allocates what the pool keeps
      for (const Case* one : cases) {
        Trials(*one, progress).run_without_failures();
      }
    });
  }
  return progress.failed;
}

// Makes allocations fail during the first call of a process, which initializes the library and
// starts its threads.
std::size_t try_first_calls(std::span<const Case* const> cases) {
  Progress& progress = shared_progress();
  for (std::size_t i = 0; i < 12; ++i) {
    for (const Failures failures : {Failures{i, i + 1}, Failures{i, kMost}}) {
      for (const Case* one : cases) {
        in_child(progress, [&] { Trials(*one, progress).run_first(failures); });
      }
      std::snprintf(progress.description, sizeof progress.description,
                    "host functions, allocation %zu", i);
      in_child(progress, [&] {
        const auto require = [&](bool holds, const char* what) {
          if (!holds) {
            std::fprintf(stderr, "%s: %s\n", progress.description, what);
            ++progress.failed;
          }
        };
        const char* names[8];
        const char* best = nullptr;
        std::size_t threads = 0;
        allocations.watch(failures);
        const sc_status found = sc_isa(&best);
        const sc_status set = sc_set_isa("scalar");
        const std::size_t count = sc_isas(names, 8);
        const sc_status counted = sc_get_num_threads(&threads);
        allocations.stop();
        for (const sc_status status : {found, set, counted}) {
          require(status == SC_OK || status == SC_ERROR_MEMORY, "another status");
        }
        const char* now = nullptr;
        require(sc_isa(&now) == SC_OK, "sc_isa fails afterwards");
        require((std::string_view(now) == "scalar") || set != SC_OK, "the ISA is not set");
        require(count == 0 || count == sc_isas(names, 8), "another number of ISAs");
        require(sc_set_isa("scalar") == SC_OK, "sc_set_isa fails afterwards");
      });
    }
  }
  return progress.failed;
}

std::vector<const Case*> named(const std::vector<Case>& cases, std::string_view text) {
  std::vector<const Case*> found;
  for (const Case& one : cases) {
    if (one.name.find(text) != std::string::npos) {
      found.push_back(&one);
    }
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  // Helpers must not end: the allocations that start new ones would count as leaks.
  secateur::helper_idle_time = std::chrono::hours(24);
  Arena arena;
  const Inputs inputs = make_inputs(arena);
  const Cases all(inputs);
  std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments.front() == "--every") {
    every_allocation = true;
    arguments.erase(arguments.begin());
  }
  const std::vector<const Case*> cases =
      named(all.all(), arguments.empty() ? "" : arguments.front());
  const Progress tried = try_all(cases);
  std::size_t failed = tried.failed;
  if (arguments.empty()) {
    failed += try_without_threads(named(all.all(), "large float32"));
    failed += try_first_calls(named(all.all(), "large float32 prune_global"));
  }
  std::printf("%zu cases, %zu calls without memory, %zu failures\n", cases.size(), tried.injected,
              failed);
  return failed == 0 && tried.injected != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
