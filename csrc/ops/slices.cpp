#include "ops/slices.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <new>
#include <optional>

#include "dispatch/dispatch.hpp"
#include "ops/pattern.hpp"
#include "ops/select.hpp"
#include "runtime/error.hpp"
#include "runtime/scratch.hpp"
#include "runtime/threads.hpp"

namespace secateur {
namespace {

constexpr std::size_t kMostResults = 2;

// Bytes of slices that are worth a task of their own.
constexpr std::size_t kTaskBytes = std::size_t{64} << 10;

// Bytes of a tile of slices that stays in the L2 cache beside what is made of it.
constexpr std::size_t kTileBytes = std::size_t{512} << 10;

constexpr std::size_t kStreamedSlice = std::size_t{8} << 10;

// Calls of the core from this thread stay on it while this lives.
class OneThread {
 public:
  OneThread() : previous_(set_thread_num_threads(1)) {}
  ~OneThread() { set_thread_num_threads(previous_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  std::size_t previous_;
};

using Pointers = std::array<void*, kMostResults>;

unsigned char* bytes_at(const void* data, std::size_t offset) {
  return const_cast<unsigned char*>(static_cast<const unsigned char*>(data)) + offset;
}

// The slices from `begin` to `end` lie side by side.
void work_on_rows(const Source& array, std::size_t length, std::size_t begin, std::size_t end,
                  std::span<const SliceResult> results, const SliceWork& work, Guess& guess) {
  for (std::size_t i = begin; i < end; ++i) {
    Source slice = array;
    slice.w = array.at(i * length);
    slice.n = length;
    slice.first = i * length;
    Pointers to{};
    for (std::size_t r = 0; r < results.size(); ++r) {
      to[r] = bytes_at(results[r].data, i * results[r].length * results[r].bytes_each);
    }
    work(slice, to.data(), guess);
  }
}

void for_rows(const Source& array, const Slices& slices, std::span<const SliceResult> results,
              const SliceWork& work) {
  const std::size_t bytes = slices.length * array.type.bytes;
  // Long slices are shared among threads one by one; many short ones, by the slice.
  Guess guess;
  if (bytes >= 2 * kBytesPerThread && slices.outer < 4 * num_threads()) {
    work_on_rows(array, slices.length, 0, slices.outer, results, work, guess);
    return;
  }
  const std::size_t at_once = std::max(kTaskBytes / bytes, std::size_t{1});
  Tasks tasks((slices.outer + at_once - 1) / at_once);
  share(tasks, slices.outer * bytes, [&] {
    const OneThread one_thread;
    Guess of_thread;
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task * at_once;
      work_on_rows(array, slices.length, begin, std::min(begin + at_once, slices.outer), results,
                   work, of_thread);
    }
  });
}

// Some neighbouring slices whose elements lie `inner` apart, brought together.
class Tile {
 public:
  Tile(const Source& array, const Slices& slices, std::size_t columns,
       std::span<const SliceResult> results)
      : array_(array),
        slices_(slices),
        results_(results),
        stride_(apart(slices.length)),
        w_(columns * stride_ * array.type.bytes),
        scores_(array.is_made() ? columns * stride_ * array.scores.type.bytes : 0),
        row_(array.is_made() ? columns * array.scores.type.bytes : 0),
        room_{Buffer<unsigned char>(room_for(results, 0, columns)),
              Buffer<unsigned char>(room_for(results, 1, columns))} {}

  void work(std::size_t outer, std::size_t begin, std::size_t end, const SliceWork& work) {
    const std::size_t columns = end - begin;
    const std::size_t length = slices_.length;
    const std::size_t first = outer * length * slices_.inner + begin;
    transpose(array_.type.bytes, array_.at(first), slices_.inner, length, columns, w_.data(),
              stride_);
    if (array_.is_made()) {
      gather_scores(first, columns);
    }
    for (std::size_t column = 0; column < columns; ++column) {
      Source slice = array_;
      slice.w = w_.data() + column * stride_ * array_.type.bytes;
      slice.out.stream = false;
      slice.n = length;
      if (array_.is_made()) {
        slice.scores.data = scores_.data() + column * stride_ * array_.scores.type.bytes;
        slice.scores.period = length;
        slice.scores.repeat = 1;
        slice.first = 0;
      }
      Pointers to{};
      for (std::size_t r = 0; r < results_.size(); ++r) {
        to[r] = room_[r].data() + column * apart(results_[r].length) * results_[r].bytes_each;
      }
      work(slice, to.data(), guess_);
    }
    for (std::size_t r = 0; r < results_.size(); ++r) {
      const SliceResult& result = results_[r];
      const std::size_t place = outer * result.length * slices_.inner + begin;
      transpose(result.bytes_each, room_[r].data(), apart(result.length), columns, result.length,
                bytes_at(result.data, place * result.bytes_each), slices_.inner);
    }
  }

 private:
  // From one slice to the next: a cache line more than whole ones, so that elements side by side do not
  // compete for the same places in the caches.
  static std::size_t apart(std::size_t length) { return (length / kLine + 1) * kLine + kLine; }

  static std::size_t room_for(std::span<const SliceResult> results, std::size_t r,
                              std::size_t columns) {
    return r < results.size() ? columns * apart(results[r].length) * results[r].bytes_each : 0;
  }

  static void transpose(std::size_t bytes_each, const void* from, std::size_t from_stride,
                        std::size_t rows, std::size_t columns, void* to, std::size_t to_stride) {
    kernels().transpose[std::countr_zero(bytes_each)](from, from_stride, rows, columns, to,
                                                      to_stride);
  }

  void gather_scores(std::size_t first, std::size_t columns) {
    const std::size_t bytes = array_.scores.type.bytes;
    if (array_.scores.kind == Scores::Kind::values) {
      transpose(bytes, bytes_at(array_.scores.data, first * bytes), slices_.inner, slices_.length,
                columns, scores_.data(), stride_);
      return;
    }
    for (std::size_t i = 0; i < slices_.length; ++i) {
      expand(array_.scores, first + i * slices_.inner, columns, row_.data());
      transpose(bytes, row_.data(), columns, 1, columns, scores_.data() + i * bytes, stride_);
    }
  }

  const Source& array_;
  const Slices& slices_;
  std::span<const SliceResult> results_;
  std::size_t stride_;
  Guess guess_;
  Buffer<unsigned char> w_;
  Buffer<unsigned char> scores_, row_;  // a row is of factors
  std::array<Buffer<unsigned char>, kMostResults> room_;
};

void for_columns(const Source& array, const Slices& slices, std::span<const SliceResult> results,
                 const SliceWork& work) {
  // As many columns as a cache line has at least: memory brings lines.
  const std::size_t of_line = kLine / array.type.bytes;
  const std::size_t of_tile = kTileBytes / (slices.length * array.type.bytes) / of_line * of_line;
  const std::size_t at_once = std::min(std::max(of_line, of_tile), slices.inner);
  const std::size_t tiles = (slices.inner + at_once - 1) / at_once;
  Tasks tasks(slices.outer * tiles);
  const std::size_t bytes = slices.outer * slices.length * slices.inner * array.type.bytes;
  // A thread that has no room for a tile leaves the work to those that have: an array in place may
  // already have been written to.
  std::atomic<bool> has_room{false};
  share(tasks, bytes, [&] {
    const OneThread one_thread;
    std::optional<Tile> tile;
    try {
      tile.emplace(array, slices, at_once, results);
    } catch (const std::bad_alloc&) {
      return;
    }
    has_room.store(true);
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task % tiles * at_once;
      tile->work(task / tiles, begin, std::min(begin + at_once, slices.inner), work);
    }
  });
  if (!has_room.load()) {
    throw std::bad_alloc();
  }
}

}  // namespace

void for_slices(const Source& array, const Slices& slices, sc_nan nan,
                std::span<const SliceResult> results, const SliceWork& work) {
  if (slices.outer == 0 || slices.length == 0 || slices.inner == 0) {
    return;
  }
  Source whole = array;
  const Scope scope({&whole, 1}, nan);
  if (scope.refuses_nan() && array.out.data == array.w) {
    scope.check_nan();
  }
  try {
    slices.inner == 1 ? for_rows(array, slices, results, work)
                      : for_columns(array, slices, results, work);
  } catch (const Error& error) {
    if (error.status() == SC_ERROR_NAN) {
      scope.refuse_nan();  // that of one slice does not tell where it is in the array
    }
    throw;
  }
}

void write_topk(const Source& array, const Slices& slices, sc_nan nan, std::size_t k) {
  const bool one = slices.outer == 1 && slices.inner == 1;
  // Short slices are the groups of a pattern: as many of them as there are lanes at once.
  if (!one && array.out.form == Form::floats && !array.is_made() && slices.length <= kMostMembers &&
      k != 0) {
    prune_pattern(array, {k, slices.length}, slices.inner, nan);
    return;
  }
  Source source = array;
  decide_streaming({&source, 1});
  if (one) {
    write_topk(Scope({&source, 1}, nan), k);
    return;
  }
  const std::size_t bytes = bytes_of(source.out.form, source.type.bytes);
  // What begins within a cache line is not worth sending past the caches if it is short.
  source.out.stream = source.out.stream && slices.length * bytes >= kStreamedSlice;
  const SliceResult result{source.out.data, slices.length, bytes};
  for_slices(source, slices, nan, {&result, 1}, [&](Source slice, void* const* to, Guess& guess) {
    slice.out.data = to[0];
    slice.out.others = slice.w;
    write_topk(Scope({&slice, 1}, nan), k, &guess);
  });
}

}  // namespace secateur
