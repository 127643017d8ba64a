#include "core/scratch.hpp"

#include <pthread.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>

namespace secateur::scratch {
namespace {

// Precedes each block in memory. Its size is a multiple of the alignment, so the block is aligned.
struct alignas(kAlignment) Header {
  std::size_t bytes;
};

class Cache {
 public:
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  // Removes and returns the smallest kept block of at least `bytes`; null if there is none.
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
    kept_bytes_ -= block->bytes;
    return block;
  }

  // Keeps the block for a later call. Returns false if the cache is full.
  bool keep(Header* block) noexcept {
    const std::lock_guard lock(mutex_);
    if (kept_bytes_ + block->bytes > kKeptBytes) {
      return false;
    }
    for (Header*& kept : kept_) {
      if (kept == nullptr) {
        kept = block;
        kept_bytes_ += block->bytes;
        return true;
      }
    }
    return false;
  }

 private:
  std::mutex mutex_;
  std::array<Header*, 32> kept_{};
  std::size_t kept_bytes_ = 0;
};

// Never destroyed: threads may still run while the process ends. The cache is locked during fork().
// Otherwise the child could inherit a mutex that is held by a thread that the child does not have.
Cache& cache() noexcept {
  alignas(Cache) static std::byte storage[sizeof(Cache)];
  static Cache* const instance = [] {
    pthread_atfork([] { cache().lock(); }, [] { cache().unlock(); }, [] { cache().unlock(); });
    return new (storage) Cache;
  }();
  return *instance;
}

// Initializes the cache when the library is loaded, so that no fork() can happen during the
// initialization.
[[maybe_unused]] const Cache& at_load = cache();

}  // namespace

void* acquire(std::size_t bytes) {
  // Rounds up by at most one eighth, or 512 bytes if that is more, so that a kept block fits a
  // later request of about the same size.
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
