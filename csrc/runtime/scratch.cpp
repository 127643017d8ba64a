#include "runtime/scratch.hpp"

#include <pthread.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>

namespace secateur::scratch {
namespace {

// Stands before each block and keeps it aligned.
struct alignas(kAlignment) Header {
  std::size_t bytes;
};

class Cache {
 public:
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  // The smallest kept block of at least `bytes`, or null.
  Header* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Header** best = nullptr;
    for (Header*& kept : kept_) {
      if (kept != nullptr && kept->bytes >= bytes &&
          (best == nullptr || kept->bytes < (*best)->bytes)) {
        best = &kept;
      }
    }
    if (best == nullptr) {
      return nullptr;
    }
    Header* block = *best;
    *best = nullptr;
    bytes_ -= block->bytes;
    return block;
  }

  bool keep(Header* block) noexcept {
    const std::lock_guard lock(mutex_);
    if (bytes_ + block->bytes > kKeptBytes) {
      return false;
    }
    for (Header*& kept : kept_) {
      if (kept == nullptr) {
        kept = block;
        bytes_ += block->bytes;
        return true;
      }
    }
    return false;
  }

 private:
  std::mutex mutex_;
  std::array<Header*, 32> kept_{};
  std::size_t bytes_ = 0;
};

// Never destroyed: a thread may still be at work while the process ends. Locked around fork(), or
// the child could inherit a lock whose holder it has not.
Cache& cache() noexcept {
  alignas(Cache) static std::byte place[sizeof(Cache)];
  static Cache* const instance = [] {
    pthread_atfork([] { cache().lock(); }, [] { cache().unlock(); }, [] { cache().unlock(); });
    return new (place) Cache;
  }();
  return *instance;
}

// Made while the library is loaded, so that no fork() meets it half made.
[[maybe_unused]] const Cache& at_load = cache();

}  // namespace

void* acquire(std::size_t bytes) {
  // Rounded up by an eighth at most, so that a kept block fits the next call of about the same size.
  const std::size_t step = std::bit_floor(bytes < 4096 ? std::size_t{4096} : bytes) / 8;
  const std::size_t rounded = (bytes / step + 1) * step;
  Header* block = cache().take(rounded);
  if (block == nullptr) {
    void* memory = std::aligned_alloc(kAlignment, sizeof(Header) + rounded);
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    block = new (memory) Header{rounded};
  }
  return block + 1;
}

void release(void* block) noexcept {
  Header* header = static_cast<Header*>(block) - 1;
  if (!cache().keep(header)) {
    std::free(header);
  }
}

}  // namespace secateur::scratch
