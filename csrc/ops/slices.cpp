#include "ops/slices.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "dispatch/dispatch.hpp"
#include "ops/columns.hpp"
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

// From one slice that was brought together to the next: a cache line more than whole ones, so that
// elements side by side do not compete for the same places in the caches.
std::size_t apart(std::size_t length) { return (length / kLine + 1) * kLine + kLine; }

// Slices that lie in line, one every `stride` elements.
struct Batch {
  Source first;
  std::size_t count, stride;
  bool gathered;                // they and their scores were brought together
  const void* ranked;           // the bits of what ranks them
  const Selection* selections;  // null where they are not selected from in cache
  Pointers results;             // of the first; those of the others follow

  [[nodiscard]] Source slice(std::size_t i) const {
    Source source = first;
    source.w = first.at(i * stride);
    if (!gathered) {
      source.first += i * stride;
    } else if (first.is_made()) {
      source.scores.data = bytes_at(first.scores.data, i * stride * first.scores.type.bytes);
    }
    return source;
  }
  [[nodiscard]] void* result(std::size_t r, const SliceResult& of, std::size_t i) const {
    return bytes_at(results[r], i * (gathered ? apart(of.length) : of.length) * of.bytes_each);
  }
};
using BatchWork = std::function<void(const Batch& batch)>;

// What is to be done with all slices of an array.
struct Job {
  const Scope& scope;
  const Source& array;
  const Slices& slices;
  std::span<const SliceResult> results;
  Goal goal;
  const BatchWork& work;
};

// Selects in batches of slices of so many elements in all, and hands them on.
class Selector {
 public:
  Selector(const Job& job, std::size_t most_slices, std::size_t most_elements)
      : job_(job),
        in_cache_(job.slices.length <= kInCache && job.slices.outer * job.slices.inner > 1),
        room_(in_cache_ ? job.slices.length + kWord : 0),
        made_(in_cache_ && job.array.is_made() ? most_elements : 0),
        selections_(in_cache_ ? most_slices : 0) {}

  void operator()(Batch batch, std::size_t n) {
    if (in_cache_) {
      const Source& first = batch.first;
      batch.ranked = ranked(batch);
      batch.selections = selections_.data();
      const Key largest = job_.scope.kernels(first).select_rows(
          {batch.ranked, batch.count, first.n, batch.stride, n}, job_.scope.order(first), job_.goal,
          guess_, room_.data(), selections_.data());
      if (job_.scope.is_nan(first, largest)) {
        job_.scope.refuse_nan();
      }
    }
    job_.work(batch);
  }

 private:
  const void* ranked(const Batch& batch) const {
    if (!job_.array.is_made()) {
      return batch.first.w;
    }
    const std::size_t bytes = batch.first.ranked_type().bytes;
    for (std::size_t i = 0; i < batch.count; ++i) {
      static_cast<void>(job_.scope.bits(batch.slice(i), 0, batch.first.n,
                                        bytes_at(made_.data(), i * batch.stride * bytes)));
    }
    return made_.data();
  }

  const Job& job_;
  bool in_cache_;
  Guess guess_;
  Buffer<std::int64_t> room_, made_;
  Buffer<Selection> selections_;
};

void work_on_rows(const Job& job, Selector& select, std::size_t begin, std::size_t end) {
  const std::size_t length = job.slices.length;
  Batch batch{job.array, end - begin, length, false, nullptr, nullptr, {}};
  batch.first.w = job.array.at(begin * length);
  batch.first.n = length;
  batch.first.first = begin * length;
  for (std::size_t r = 0; r < job.results.size(); ++r) {
    const SliceResult& result = job.results[r];
    batch.results[r] = bytes_at(result.data, begin * result.length * result.bytes_each);
  }
  select(batch, (end - begin) * length);
}

void for_rows(const Job& job) {
  const std::size_t length = job.slices.length;
  const std::size_t count = job.slices.outer;
  const std::size_t bytes = length * job.array.type.bytes;
  // Long slices are shared among threads one by one; many short ones, by the slice.
  if (bytes >= 2 * kBytesPerThread && count < 4 * num_threads()) {
    Selector select(job, 1, length);
    for (std::size_t i = 0; i < count; ++i) {
      work_on_rows(job, select, i, i + 1);
    }
    return;
  }
  const std::size_t at_once = std::max(kTaskBytes / bytes, std::size_t{1});
  Tasks tasks((count + at_once - 1) / at_once);
  share_with_room<Selector>(tasks, count * bytes, [&](Selector& select, std::size_t task) {
    const OneThread one_thread;
    const std::size_t begin = task * at_once;
    work_on_rows(job, select, begin, std::min(begin + at_once, count));
  }, job, at_once, at_once * length);
}

// Some neighbouring slices whose elements lie `inner` apart, brought together.
class Tile {
 public:
  Tile(const Job& job, std::size_t columns)
      : job_(job),
        array_(job.array),
        stride_(apart(job.slices.length)),
        select_(job, columns, columns * stride_),
        w_(columns * stride_ * array_.type.bytes),
        scores_(array_.is_made() ? columns * stride_ * array_.scores.type.bytes : 0),
        row_(array_.is_made() ? columns * array_.scores.type.bytes : 0),
        room_{Buffer<unsigned char>(room_for(job.results, 0, columns)),
              Buffer<unsigned char>(room_for(job.results, 1, columns))} {}

  void work(std::size_t outer, std::size_t begin, std::size_t end) {
    const std::size_t columns = end - begin;
    const auto [outers, length, inner] = job_.slices;
    const std::size_t first = outer * length * inner + begin;
    transpose(array_.type.bytes, array_.at(first), inner, length, columns, w_.data(), stride_);
    Batch batch{array_, columns, stride_, true, nullptr, nullptr, {}};
    batch.first.w = w_.data();
    batch.first.n = length;
    batch.first.out.stream = false;
    if (array_.is_made()) {
      gather_scores(first, columns);
      batch.first.scores.data = scores_.data();
      batch.first.scores.period = length;
      batch.first.scores.repeat = 1;
      batch.first.first = 0;
    }
    for (std::size_t r = 0; r < job_.results.size(); ++r) {
      batch.results[r] = room_[r].data();
    }
    select_(batch, columns * stride_);
    for (std::size_t r = 0; r < job_.results.size(); ++r) {
      const SliceResult& result = job_.results[r];
      const std::size_t place = outer * result.length * inner + begin;
      transpose(result.bytes_each, room_[r].data(), apart(result.length), columns, result.length,
                bytes_at(result.data, place * result.bytes_each), inner);
    }
  }

 private:
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
      transpose(bytes, bytes_at(array_.scores.data, first * bytes), job_.slices.inner,
                job_.slices.length, columns, scores_.data(), stride_);
      return;
    }
    for (std::size_t i = 0; i < job_.slices.length; ++i) {
      expand(array_.scores, first + i * job_.slices.inner, columns, row_.data());
      transpose(bytes, row_.data(), columns, 1, columns, scores_.data() + i * bytes, stride_);
    }
  }

  const Job& job_;
  const Source& array_;
  std::size_t stride_;
  Selector select_;
  Buffer<unsigned char> w_;
  Buffer<unsigned char> scores_, row_;  // a row is of factors
  std::array<Buffer<unsigned char>, kMostResults> room_;
};

void for_columns(const Job& job) {
  const auto [outer, length, inner] = job.slices;
  const std::size_t bytes = job.array.type.bytes;
  // As many columns as a cache line has at least: memory brings lines.
  const std::size_t of_line = kLine / bytes;
  const std::size_t of_tile = kTileBytes / (length * bytes) / of_line * of_line;
  const std::size_t at_once = std::min(std::max(of_line, of_tile), inner);
  const std::size_t tiles = (inner + at_once - 1) / at_once;
  Tasks tasks(outer * tiles);
  share_with_room<Tile>(tasks, outer * length * inner * bytes, [&](Tile& tile, std::size_t task) {
    const OneThread one_thread;
    const std::size_t begin = task % tiles * at_once;
    tile.work(task / tiles, begin, std::min(begin + at_once, job.slices.inner));
  }, job, at_once);
}

void for_batches(const Source& array, const Slices& slices, sc_nan nan, std::size_t k, bool exact,
                 std::span<const SliceResult> results, const BatchWork& work) {
  if (slices.outer == 0 || slices.length == 0 || slices.inner == 0) {
    return;
  }
  Source whole = array;
  const Scope scope({&whole, 1}, nan);
  scope.check_nan_in_place();
  const Job job{scope, array, slices, results, {k, exact, {scope.least() - 1, scope.most()}}, work};
  try {
    slices.inner == 1 ? for_rows(job) : for_columns(job);
  } catch (const Error& error) {
    if (error.status() == SC_ERROR_NAN) {
      scope.refuse_nan();  // that of one slice does not tell where it is in the array
    }
    throw;
  }
}

// Writes the selections of a batch.
void emit(const Scope& scope, const Batch& batch) {
  const Source& first = batch.first;
  const ElementKernels& kernels = scope.kernels(first);
  const Order order = scope.order(first);
  const std::size_t n = batch.count * batch.stride;
  Output out = first.out;
  out.data = batch.results[0];
  out.others = first.w;
  const bool is_short = first.n * bytes_of(out.form, first.type.bytes) <= kMostShortRow;
  if (is_short && out.form == Form::floats && !first.is_made() && !batch.gathered) {
    kernels.emit_rows({batch.ranked, batch.count, first.n, batch.stride, n}, order,
                      batch.selections, out.stream, out.data);
    return;
  }
  if (out.form == Form::floats && first.is_made()) {
    out.form = others_of(first.type.bytes);
  }
  // What begins and ends within cache lines is not worth sending past the caches if it is short.
  out.stream = out.stream && !is_short;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const std::size_t begin = i * batch.stride;
    Selection selection = batch.selections[i];
    selection.tie_end += begin;
    kernels.emit[static_cast<std::size_t>(out.form)]({batch.ranked, begin, begin + first.n, n}, {},
                                                     order, selection, out);
  }
}

}  // namespace

void for_slices(const Source& array, const Slices& slices, sc_nan nan, std::size_t k, bool exact,
                std::span<const SliceResult> results, const SliceWork& work) {
  for_batches(array, slices, nan, k, exact, results, [&](const Batch& batch) {
    for (std::size_t i = 0; i < batch.count; ++i) {
      Pointers to{};
      for (std::size_t r = 0; r < results.size(); ++r) {
        to[r] = batch.result(r, results[r], i);
      }
      work(batch.slice(i), to.data(), batch.selections == nullptr ? nullptr : batch.selections + i);
    }
  });
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
  const Scope scope({&source, 1}, nan);
  // None or all of each slice are none or all of the array.
  if (one || k == 0 || k == slices.length) {
    write_topk(scope, k * slices.outer * slices.inner);
    return;
  }
  if (source.n != 0 && are_columns(source, slices)) {
    scope.check_nan_in_place();
    write_topk_of_columns(scope, slices, k);
    return;
  }
  const std::size_t bytes = bytes_of(source.out.form, source.type.bytes);
  const SliceResult result{source.out.data, slices.length, bytes};
  for_batches(source, slices, nan, k, false, {&result, 1}, [&](const Batch& batch) {
    if (batch.selections != nullptr) {
      emit(scope, batch);
      return;
    }
    for (std::size_t i = 0; i < batch.count; ++i) {
      Source slice = batch.slice(i);
      slice.out.data = batch.result(0, result, i);
      slice.out.others = slice.w;
      write_topk(Scope({&slice, 1}, nan), k);
    }
  });
}

}  // namespace secateur
