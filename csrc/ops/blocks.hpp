// How an operation goes over an array: in blocks, shared among threads by bytes, written past the
// caches where that is faster.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>

#include "dispatch/dispatch.hpp"
#include "kernels/table.hpp"
#include "runtime/threads.hpp"

namespace secateur {

// Elements in a block: 64 KiB of floats. Long enough that what is done once a block costs nothing,
// short enough to share a megabyte fairly.
inline constexpr std::size_t kBlock = 16384;

// Of arrays so large that sharing is fair anyway. Taking a block waits until all that was stored before has left
// the core, which is long after what bypasses the caches was stored.
inline constexpr std::size_t kLargeBlock = 4 * kBlock;

// Bytes worth a thread of their own. Waking one takes 10 to 25 microseconds, in which one CPU moves
// about this much.
inline constexpr std::size_t kBytesPerThread = std::size_t{512} << 10;

// Bytes read and written above which results bypass the caches. Written normally, a line is first
// read from memory; below this, that costs less than not finding the result in cache afterwards.
inline constexpr std::size_t kStreamBytes = std::size_t{8} << 20;

// Never in place, where the lines of the results are being read anyway.
inline bool worth_streaming(const void* in, const void* out, std::size_t bytes) {
  return out != in && bytes > kStreamBytes;
}

// Blocks of an array that begin where results of `bits_each` at `out` are aligned to a cache line, so
// that only the first and the last have ragged ends.
class Blocks {
 public:
  Blocks(const void* array, std::size_t n, const void* out, std::size_t bits_each,
         std::size_t length = kBlock)
      : array_(array), n_(n), length_(length) {
    const std::size_t past = reinterpret_cast<std::uintptr_t>(out) % kLine;
    const std::size_t bits = (kLine - past) * 8;
    if (past != 0 && bits_each != 0 && bits % bits_each == 0) {
      head_ = bits / bits_each;
    }
  }

  // The elements before the first that is aligned.
  [[nodiscard]] std::size_t head() const { return head_; }
  [[nodiscard]] std::size_t count() const {
    return n_ <= head_ ? 1 : (n_ - head_ + length_ - 1) / length_;
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

// The bytes of one element in a form; 0 for bits, eight of which share one.
constexpr std::size_t bytes_of(Form form, std::size_t bytes_of_float) {
  switch (form) {
    case Form::floats:
      return bytes_of_float;
    case Form::others64:
      return sizeof(std::int64_t);
    case Form::others32:
      return sizeof(std::int32_t);
    case Form::others16:
      return sizeof(std::int16_t);
    case Form::bools:
      return 1;
    case Form::none:
    case Form::integers:
    case Form::bits:
    case Form::count:
      break;
  }
  return 0;
}

// The form in which elements of so many bytes are written where others rank them.
constexpr Form others_of(std::size_t bytes_each) {
  return bytes_each == 2 ? Form::others16 : bytes_each == 4 ? Form::others32 : Form::others64;
}

inline std::size_t threads_for(std::size_t bytes) {
  const std::size_t worth = bytes / kBytesPerThread;
  return worth <= 1 ? 1 : std::min(worth, num_threads());
}

// body() on as many threads as `bytes` are worth, to work off the tasks. What they store past the caches
// is seen by everybody afterwards.
template <class Body>
void share(const Tasks& tasks, std::size_t bytes, const Body& body) {
  on_threads(std::min(threads_for(bytes), tasks.count()), [&] {
    body();
    kernels().fence();
  });
}

// body(room, task) for every task; each thread has a Room of its own, made of the arguments. One that cannot
// have it leaves the work to those that can: an array in place may already have been written to. (So it may
// when a body needs more room than that, as it does for slices that are not in cache.)
template <class Room, class Body, class... Arguments>
void share_with_room(Tasks& tasks, std::size_t bytes, const Body& body,
                     const Arguments&... arguments) {
  std::atomic<bool> has_room{false};
  share(tasks, bytes, [&] {
    std::optional<Room> room;
    try {
      room.emplace(arguments...);
    } catch (const std::bad_alloc&) {
      return;
    }
    has_room.store(true);
    for (std::size_t task = 0; tasks.take(task);) {
      body(*room, task);
    }
  });
  if (!has_room.load()) {
    throw std::bad_alloc();
  }
}

// body(blocks[i]) for every block, in no order, on as many threads as `bytes` are worth.
template <class Parts, class Body>
void for_blocks(const Parts& blocks, std::size_t bytes, const Body& body) {
  Tasks tasks(blocks.count());
  share(tasks, bytes, [&] {
    for (std::size_t block = 0; tasks.take(block);) {
      body(blocks[block]);
    }
  });
}

}  // namespace secateur
