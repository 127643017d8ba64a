// Counts the allocations of the process and makes chosen ones fail. Only one translation unit of a
// program may include this header: it replaces operator new, and defines the functions that the
// linker option --wrap redirects to.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>

#include "core/scratch.hpp"

// With --wrap, the linker redirects calls of malloc, aligned_alloc and free to the __wrap_
// functions. The __real_ functions are the original ones.
extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
void __real_free(void* data);
void* __wrap_malloc(std::size_t bytes);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes);
void __wrap_free(void* data);
}

namespace {

// The counted allocations begin <= index < end fail.
struct Failures {
  std::size_t begin, end;
};
constexpr std::size_t kMost = SIZE_MAX;
constexpr Failures kNone{kMost, kMost};
constexpr Failures kAll{0, kMost};

// While it watches, it counts the allocations of all threads, makes some fail, and lists the others
// until they are freed.
class Allocations {
 public:
  // `pause`: the first allocations take 200 microseconds. Otherwise one thread could finish the
  // work before the others wake.
  void watch(Failures failures, bool pause = false) {
    const std::lock_guard lock(mutex_);
    watching_ = true;
    pause_ = pause;
    failures_ = failures;
    count_ = 0;
  }

  // Stops watching, and returns the number of allocations.
  std::size_t stop() {
    const std::lock_guard lock(mutex_);
    watching_ = false;
    return count_;
  }

  template <class Allocate>
  void* allocate(bool is_scratch, const Allocate& allocate) {
    std::unique_lock lock(mutex_);
    if (!watching_) {
      return allocate();
    }
    const std::size_t index = count_++;
    if (pause_ && index < kPaused) {
      lock.unlock();
      usleep(200);
      lock.lock();
    }
    if (index >= failures_.begin && index < failures_.end) {
      return nullptr;
    }
    if (live_count_ == live_.size()) {
      std::fputs("more live allocations than this test can list\n", stderr);
      std::abort();
    }
    void* const data = allocate();
    live_[live_count_++] = {data, is_scratch};
    return data;
  }

  void free(void* data) {
    const std::lock_guard lock(mutex_);
    const auto live = listed();
    const auto found =
        std::find_if(live.begin(), live.end(), [&](const Live& one) { return one.data == data; });
    if (data != nullptr && found != live.end()) {
      *found = live.back();
      --live_count_;
    }
    __real_free(data);
  }

  // Returns how many listed allocations are live. Allocations of aligned_alloc are scratch memory.
  // This function frees them, even those that the library keeps for reuse, so that the next call
  // starts without any.
  struct Count {
    std::size_t scratch, others;
  };
  Count free_scratch() {
    const std::lock_guard lock(mutex_);
    const auto live = listed();
    const auto others =
        std::partition(live.begin(), live.end(), [](const Live& one) { return !one.is_scratch; });
    std::for_each(others, live.end(), [](const Live& one) { __real_free(one.data); });
    const auto other_count = static_cast<std::size_t>(others - live.begin());
    const Count count{live.size() - other_count, other_count};
    live_count_ = 0;
    return count;
  }

 private:
  struct Live {
    void* data;
    bool is_scratch;
  };
  std::span<Live> listed() { return {live_.data(), live_count_}; }

  static constexpr std::size_t kPaused = 16;

  std::mutex mutex_;
  bool watching_ = false;
  bool pause_ = false;
  Failures failures_ = kNone;
  std::size_t count_ = 0;
  std::array<Live, 4096> live_{};
  std::size_t live_count_ = 0;
};

constinit Allocations allocations;

}  // namespace

void* __wrap_malloc(std::size_t bytes) {
  return allocations.allocate(false, [&] { return __real_malloc(bytes); });
}

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return allocations.allocate(true, [&] { return __real_aligned_alloc(alignment, bytes); });
}

void __wrap_free(void* data) { allocations.free(data); }

void* operator new(std::size_t bytes) {
  void* const data = __wrap_malloc(bytes);
  if (data == nullptr) {
    throw std::bad_alloc();
  }
  return data;
}

void operator delete(void* data) noexcept { __wrap_free(data); }
void operator delete(void* data, std::size_t /*bytes*/) noexcept { __wrap_free(data); }

namespace {

// Returns how many allocations the last call leaked. Scratch memory that the library keeps for
// reuse is not a leak; this function removes it from the library.
std::size_t leaks() {
  allocations.watch(kAll);
  std::size_t kept = 0;
  try {
    for (;; ++kept) {
      static_cast<void>(secateur::scratch::acquire(1));  // the smallest block kept
    }
  } catch (const std::bad_alloc&) {
  }
  allocations.stop();
  const Allocations::Count live = allocations.free_scratch();
  return live.scratch - kept + live.others;
}

// Fills the library's list of kept blocks with blocks of the smallest size. The next call then
// allocates all of its scratch memory, as it does after other callers have taken the kept blocks.
void keep_nothing() {
  allocations.watch(kNone);
  std::array<void*, 64> blocks{};
  std::generate(blocks.begin(), blocks.end(), [] { return secateur::scratch::acquire(1); });
  std::for_each(blocks.begin(), blocks.end(), secateur::scratch::release);
  allocations.stop();
}

}  // namespace
