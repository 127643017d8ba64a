// Loops over arrays: division into blocks, distribution of blocks among threads, and the choice of
// streaming stores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>

#include "core/ceil_div.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/kernel_types.hpp"
#include "core/threads.hpp"

namespace secateur {

// Tuning: elements per block (64 KiB of float32). Large enough to make the overhead per block
// negligible, small enough to distribute 1 MiB evenly among threads.
inline constexpr std::size_t kBlock = 16384;

// Tuning: elements per block of large arrays, which are distributed evenly even in larger blocks.
// Larger blocks are taken less often. Taking a block is an atomic operation, which waits until all
// earlier stores have left the CPU core. Streaming stores take long to leave it.
inline constexpr std::size_t kLargeBlock = 4 * kBlock;

// Tuning: bytes of work that justify one thread. The bytes are those of the floats that an
// operation reads (dequantization: writes). Packing counts the bytes of the unpacked codes. Waking
// a thread takes 10 to 25 microseconds. One CPU core processes about this many bytes in that time.
inline constexpr std::size_t kBytesPerThread = std::size_t{512} << 10;

// Tuning: an operation that reads and writes more bytes than this writes its results with streaming
// stores, which bypass the caches. A normal store first reads the cache line from memory: pruning
// float32 to another array moves 12 bytes per element instead of 8. For smaller arrays, that read
// costs less than the cache misses of the code that uses the results.
inline constexpr std::size_t kStreamBytes = std::size_t{8} << 20;

// Tuning: results are never streamed in place: the operation reads their cache lines anyway.
inline bool worth_streaming(const void* in, const void* out, std::size_t bytes) {
  return out != in && bytes > kStreamBytes;
}

// Must be called before the first result is written. It forbids interrupts if the operation is in
// place: an interrupted call would leave the array partly overwritten.
inline void begin_writing(const void* in, const void* out) {
  if (out == in) {
    forbid_interrupts();
  }
}

// The blocks of an array whose results have `bits_per_result` bits each and are written to `out`.
// If bits_per_result divides the distance to the next cache line, in bits, every block after the
// first begins where its results are aligned to a cache line. Otherwise, and if bits_per_result is
// 0, blocks begin at multiples of `length`.
class Blocks {
 public:
  Blocks(const void* array, std::size_t n, const void* out, std::size_t bits_per_result,
         std::size_t length = kBlock)
      : array_(array), n_(n), length_(length) {
    const std::size_t misalignment = reinterpret_cast<std::uintptr_t>(out) % kLine;
    const std::size_t bits = (kLine - misalignment) * 8;
    if (misalignment != 0 && bits_per_result != 0 && bits % bits_per_result == 0) {
      head_ = bits / bits_per_result;
    }
  }

  // The number of elements before the first aligned result. They are part of block 0.
  [[nodiscard]] std::size_t head() const { return head_; }
  [[nodiscard]] std::size_t count() const {
    return n_ <= head_ ? 1 : ceil_div(n_ - head_, length_);
  }
  [[nodiscard]] Part operator[](std::size_t block) const {
    return {array_, block == 0 ? 0 : std::min(n_, head_ + block * length_),
            std::min(n_, head_ + (block + 1) * length_), n_};
  }

 private:
  const void* array_;
  std::size_t n_;
  std::size_t length_;
  std::size_t head_ = 0;
};

// The bytes per element of an output kind. 0 for kinds without a fixed whole number of bytes per
// element.
constexpr std::size_t bytes_of(OutputKind kind, std::size_t bytes_of_float) {
  switch (kind) {
    case OutputKind::floats:
      return bytes_of_float;
    case OutputKind::unranked64:
      return sizeof(std::int64_t);
    case OutputKind::unranked32:
      return sizeof(std::int32_t);
    case OutputKind::unranked16:
      return sizeof(std::int16_t);
    case OutputKind::bools:
      return 1;
    case OutputKind::none:
    case OutputKind::integers:
    case OutputKind::bits:
    case OutputKind::count:
      break;
  }
  return 0;
}

// The output kind for elements of `element_bytes` bytes that are ranked by the elements of another
// array.
constexpr OutputKind unranked_kind(std::size_t element_bytes) {
  return element_bytes == 2   ? OutputKind::unranked16
         : element_bytes == 4 ? OutputKind::unranked32
                              : OutputKind::unranked64;
}

// Tuning: the number of threads for an operation over an array of `bytes` bytes. No result depends
// on it.
inline std::size_t threads_for(std::size_t bytes) {
  const std::size_t worth = bytes / kBytesPerThread;
  return worth <= 1 ? 1 : std::min(worth, num_threads());
}

// Runs the fence of streaming stores at the end of its lifetime.
class FenceAtEnd {
 public:
  FenceAtEnd() : fence_(kernels().core.fence) {}
  ~FenceAtEnd() { fence_(); }
  FenceAtEnd(const FenceAtEnd&) = delete;
  FenceAtEnd& operator=(const FenceAtEnd&) = delete;

 private:
  void (*fence_)();
};

// Runs body() on threads_for(bytes) threads, but on at most one thread per task. Each call of
// body() takes tasks until none is left. All streaming stores are visible to all threads when
// share() returns or throws.
//
// A missing fence cannot be detected by a test. Why the fences here suffice: kernels stream only
// within the body of share(). A thread fences whenever it leaves the body, also by an exception:
// after an error or an interrupt the caller may overwrite or free the array, and no streaming store
// may arrive after that. A helper fences before it locks the mutex of the pool to report that it is
// done, and the calling thread waits for the report. The calling thread fences before it returns,
// so that its stores come before whatever synchronizes it with other threads of the program.
template <class Body>
void share(const Tasks& tasks, std::size_t bytes, const Body& body) {
  on_threads(std::min(threads_for(bytes), tasks.count()), [&] {
    const FenceAtEnd fence;
    body();
  });
}

// Calls body(scratch, task) for every task. Each thread constructs its own Scratch from
// `arguments`. A thread that cannot allocate its Scratch leaves the tasks to the other threads
// instead of throwing, because another thread may already have overwritten part of an in-place
// array. For the same reason, a body that writes in place must not allocate more memory. Throws
// std::bad_alloc if no thread can allocate its Scratch.
template <class Scratch, class Body, class... Arguments>
void share_with_scratch(Tasks& tasks, std::size_t bytes, const Body& body,
                        const Arguments&... arguments) {
  std::atomic<bool> has_scratch{false};
  share(tasks, bytes, [&] {
    std::optional<Scratch> scratch;
    try {
      scratch.emplace(arguments...);
    } catch (const std::bad_alloc&) {
      return;
    }
    has_scratch.store(true);
    for (std::size_t task = 0; tasks.take(task);) {
      body(*scratch, task);
    }
  });
  if (!has_scratch.load()) {
    throw std::bad_alloc();
  }
}

// Calls body(blocks[i]) for every block, in any order, on threads_for(bytes) threads.
template <class Parts, class Body>
void for_blocks(const Parts& blocks, std::size_t bytes, const Body& body) {
  Tasks tasks(blocks.count());
  share(tasks, bytes, [&] {
    for (std::size_t block = 0; tasks.take(block);) {
      body(blocks[block]);
    }
  });
}

// Calls body(i) for i = 0, 1, ..., n - 1 on this thread. Checks for interrupts between blocks.
template <class Body>
void for_indices(std::size_t n, const Body& body) {
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    if (begin != 0) {
      check_interrupts();
    }
    const std::size_t end = std::min(begin + kBlock, n);
    for (std::size_t i = begin; i < end; ++i) {
      body(i);
    }
  }
}

}  // namespace secateur
