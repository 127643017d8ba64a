#include "select/slices.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "core/dispatch.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"
#include "core/threads.hpp"
#include "core/transpose.hpp"
#include "prune/pattern.hpp"
#include "select/columns.hpp"
#include "select/select.hpp"

namespace secateur {
namespace {

// Tuning: bytes of slices in a task.
constexpr std::size_t kTaskBytes = std::size_t{64} << 10;

// Tuning: bytes of a tile of slices. The tile and its results stay in L2.
constexpr std::size_t kTileBytes = std::size_t{512} << 10;

unsigned char* bytes_at(const void* data, std::size_t offset) {
  return const_cast<unsigned char*>(static_cast<const unsigned char*>(data)) + offset;
}

// The distance, in elements, from one gathered slice to the next. It exceeds the rounded length by
// a cache line or more. If the length is a power of two, elements at the same index of different
// slices therefore do not compete for the same cache sets. Slices shorter than a cache line has
// bytes are adjacent: lines hold several of them, and padding would multiply the tile.
std::size_t padded_stride(std::size_t length) {
  return length < kLine ? length : (length / kLine + 1) * kLine + kLine;
}

// The work on all slices of an array.
struct Job {
  const SelectionProblem& problem;
  const Operand& array;
  const Layout& slices;
  std::span<const SliceResult> results;
  Goal goal;
  const BatchWork& work;
};

// Selects in batches of at most max_slices slices and max_elements elements, and passes them to the
// work.
class Selector {
 public:
  Selector(const Job& job, std::size_t max_slices, std::size_t max_elements)
      : job_(job),
        in_cache_(job.slices.length <= kInCache && job.slices.outer * job.slices.inner > 1),
        scratch_(in_cache_ ? job.slices.length + kWord : 0),
        computed_(in_cache_ && job.array.has_scores() ? max_elements : 0),
        selections_(in_cache_ ? max_slices : 0) {}

  void operator()(Batch batch) {
    if (in_cache_) {
      const Operand& first = batch.first_slice;
      batch.ranked = ranked(batch);
      batch.selections = selections_.data();
      const Key largest = job_.problem.kernels(first).select_rows(
          batch.ranked_rows(), job_.problem.order(first), job_.goal, predictor_, scratch_.data(),
          selections_.data());
      if (job_.problem.is_nan(first, largest)) {
        job_.problem.refuse_nan();
      }
    }
    job_.work(batch);
  }

 private:
  const void* ranked(const Batch& batch) const {
    if (!job_.array.has_scores()) {
      return batch.first_slice.w;
    }
    const std::size_t bytes = batch.first_slice.ranking_type().bytes;
    for (std::size_t i = 0; i < batch.count; ++i) {
      static_cast<void>(job_.problem.bits(batch.slice(i), 0, batch.first_slice.n,
                                          bytes_at(computed_.data(), i * batch.stride * bytes)));
    }
    return computed_.data();
  }

  const Job& job_;
  bool in_cache_;
  ThresholdPredictor predictor_;
  Buffer<std::int64_t> scratch_, computed_;
  Buffer<Selection> selections_;
};

void work_on_rows(const Job& job, Selector& select, std::size_t begin, std::size_t end) {
  const std::size_t length = job.slices.length;
  Batch batch{job.array, end - begin, length, (end - begin) * length, false, nullptr, nullptr, {}};
  batch.first_slice.w = job.array.at(begin * length);
  batch.first_slice.n = length;
  batch.first_slice.array_offset = begin * length;
  for (std::size_t r = 0; r < job.results.size(); ++r) {
    const SliceResult& result = job.results[r];
    batch.results[r] = bytes_at(result.data, begin * result.length * result.bytes_each);
  }
  select(batch);
}

void for_rows(const Job& job) {
  const std::size_t length = job.slices.length;
  const std::size_t count = job.slices.outer;
  const std::size_t bytes = length * job.array.type.bytes;
  // Few long slices are processed one after another, each by all threads. Otherwise each thread
  // processes whole slices. Long slices are selected from memory, by functions that call share().
  // This thread writes nothing itself, so that it needs no fence for streaming stores.
  static_assert(2 * kBytesPerThread / sizeof(double) > kInCache);
  if (bytes >= 2 * kBytesPerThread && count < 4 * num_threads()) {
    Selector select(job, 1, length);
    for (std::size_t i = 0; i < count; ++i) {
      work_on_rows(job, select, i, i + 1);
    }
    return;
  }
  const std::size_t task_slices = std::max(kTaskBytes / bytes, std::size_t{1});
  Tasks tasks((count + task_slices - 1) / task_slices);
  share_with_scratch<Selector>(tasks, count * bytes, [&](Selector& select, std::size_t task) {
    const std::size_t begin = task * task_slices;
    work_on_rows(job, select, begin, std::min(begin + task_slices, count));
  }, job, task_slices, task_slices * length);
}

// Neighbouring slices whose elements are `inner` apart, transposed so that each slice is
// contiguous. Their results are transposed back.
class Tile {
 public:
  Tile(const Job& job, std::size_t columns)
      : job_(job),
        array_(job.array),
        stride_(padded_stride(job.slices.length)),
        select_(job, columns, columns * stride_),
        w_(columns * stride_ * array_.type.bytes),
        scores_(array_.has_scores() ? columns * stride_ * array_.scores.type.bytes : 0),
        row_(array_.has_scores() ? columns * array_.scores.type.bytes : 0),
        results_{Buffer<unsigned char>(result_bytes(job.results, 0, columns)),
                 Buffer<unsigned char>(result_bytes(job.results, 1, columns))} {}

  void work(std::size_t outer, std::size_t begin, std::size_t end) {
    const std::size_t columns = end - begin;
    const std::size_t length = job_.slices.length;
    const std::size_t inner = job_.slices.inner;
    const std::size_t first = outer * length * inner + begin;
    transpose(array_.type.bytes, array_.at(first), inner, length, columns, w_.data(), stride_);
    Batch batch{array_, columns, stride_, columns * stride_, true, nullptr, nullptr, {}};
    batch.first_slice.w = w_.data();
    batch.first_slice.n = length;
    batch.first_slice.out.stream = false;
    if (array_.has_scores()) {
      gather_scores(first, columns);
      batch.first_slice.scores.data = scores_.data();
      batch.first_slice.scores.period = length;
      batch.first_slice.scores.repeat = 1;
      batch.first_slice.array_offset = 0;
    }
    for (std::size_t r = 0; r < job_.results.size(); ++r) {
      batch.results[r] = results_[r].data();
    }
    select_(batch);
    for (std::size_t r = 0; r < job_.results.size(); ++r) {
      const SliceResult& result = job_.results[r];
      const std::size_t result_begin = outer * result.length * inner + begin;
      transpose(result.bytes_each, results_[r].data(), padded_stride(result.length), columns,
                result.length, bytes_at(result.data, result_begin * result.bytes_each), inner);
    }
  }

 private:
  static std::size_t result_bytes(std::span<const SliceResult> results, std::size_t r,
                                  std::size_t columns) {
    return r < results.size() ? columns * padded_stride(results[r].length) * results[r].bytes_each
                              : 0;
  }

  void gather_scores(std::size_t first, std::size_t columns) {
    const std::size_t bytes = array_.scores.type.bytes;
    if (array_.scores.kind != Scores::Kind::products) {
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
  const Operand& array_;
  std::size_t stride_;
  Selector select_;
  Buffer<unsigned char> w_;
  Buffer<unsigned char> scores_, row_;  // row_ holds the factors of one row
  std::array<Buffer<unsigned char>, kMaxResults> results_;
};

void for_columns(const Job& job) {
  const std::size_t outer = job.slices.outer;
  const std::size_t length = job.slices.length;
  const std::size_t inner = job.slices.inner;
  const std::size_t bytes = job.array.type.bytes;
  // A tile has at least as many columns as a cache line has elements, since memory transfers whole
  // lines.
  const std::size_t line_columns = kLine / bytes;
  const std::size_t fitting_columns = kTileBytes / (length * bytes) / line_columns * line_columns;
  const std::size_t tile_columns = std::min(std::max(line_columns, fitting_columns), inner);
  const std::size_t tiles = (inner + tile_columns - 1) / tile_columns;
  Tasks tasks(outer * tiles);
  share_with_scratch<Tile>(tasks, outer * length * inner * bytes,
                           [&](Tile& tile, std::size_t task) {
    const std::size_t begin = task % tiles * tile_columns;
    tile.work(task / tiles, begin, std::min(begin + tile_columns, job.slices.inner));
  }, job, tile_columns);
}

// Writes the k largest of a slice. Other slices may already have been written in place, so that
// this one must not fail if memory is exhausted.
void write_slice(Operand& slice, sc_nan nan, std::size_t k) {
  try {
    write_topk(SelectionProblem({&slice, 1}, nan), k);
  } catch (const std::bad_alloc&) {
    write_topk_without_scratch(slice, nan, k);
  }
}

// Writes the k selected elements of each slice of a batch.
void emit(const SelectionProblem& problem, const Batch& batch, std::size_t k) {
  const Operand& first = batch.first_slice;
  const ElementKernels& kernels = problem.kernels(first);
  const Order order = problem.order(first);
  Output out = first.out;
  out.data = batch.results[0];
  out.unranked = first.w;
  const bool is_short = first.n * bytes_of(out.kind, first.type.bytes) <= kMaxShortRowBytes;
  if (is_short && out.kind == OutputKind::floats && !first.has_scores() && !batch.gathered) {
    if (!kernels.emit_rows(batch.ranked_rows(), order, batch.selections, k, out.stream, out.data)) {
      throw_input_changed(problem.is_in_place());
    }
    return;
  }
  if (out.kind == OutputKind::floats && first.has_scores()) {
    out.kind = unranked_kind(first.type.bytes);
  }
  // Short rows are not streamed here: most of them begin within a cache line.
  out.stream = out.stream && !is_short;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const std::size_t begin = i * batch.stride;
    Selection selection = batch.selections[i];
    selection.tie_end += begin;
    const Emitted emitted = kernels.emit[static_cast<std::size_t>(out.kind)](
        {batch.ranked, begin, begin + first.n, batch.n}, {}, order, selection, out);
    if (emitted.kept != k) {
      throw_input_changed(problem.is_in_place());
    }
  }
}

}  // namespace

Operand Batch::slice(std::size_t i) const {
  Operand operand = first_slice;
  operand.w = first_slice.at(i * stride);
  if (!gathered) {
    operand.array_offset += i * stride;
  } else if (first_slice.has_scores()) {
    operand.scores.data =
        bytes_at(first_slice.scores.data, i * stride * first_slice.scores.type.bytes);
  }
  return operand;
}

std::size_t Batch::result_stride(const SliceResult& result) const {
  return gathered ? padded_stride(result.length) : result.length;
}

void* Batch::result(std::size_t r, const SliceResult& of, std::size_t i) const {
  return bytes_at(results[r], i * result_stride(of) * of.bytes_each);
}

void for_batches(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                 bool needs_kth_key, std::span<const SliceResult> results, const BatchWork& work) {
  if (slices.outer == 0 || slices.length == 0 || slices.inner == 0) {
    return;
  }
  Operand whole = array;
  const SelectionProblem problem({&whole, 1}, nan);
  problem.begin_in_place_write();
  const Job job{
      problem, array, slices, results, {k, needs_kth_key, {problem.least() - 1, problem.most()}},
      work};
  try {
    slices.inner == 1 ? for_rows(job) : for_columns(job);
  } catch (const Error& error) {
    if (error.status() == SC_ERROR_NAN) {
      problem.refuse_nan();  // gives the index in the array rather than in the slice
    }
    throw;
  }
}

void for_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                bool needs_kth_key, std::span<const SliceResult> results, const SliceWork& work) {
  for_batches(array, slices, nan, k, needs_kth_key, results, [&](const Batch& batch) {
    for (std::size_t i = 0; i < batch.count; ++i) {
      std::array<void*, kMaxResults> outputs{};
      for (std::size_t r = 0; r < results.size(); ++r) {
        outputs[r] = batch.result(r, results[r], i);
      }
      work(batch.slice(i), outputs.data(),
           batch.selections == nullptr ? nullptr : batch.selections + i);
    }
  });
}

void write_topk_of_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k) {
  const bool is_single = slices.outer == 1 && slices.inner == 1;
  // Short slices are groups of a k:length pattern, which the pattern kernels select one group per
  // lane.
  const bool has_pattern_output =
      array.out.kind == OutputKind::floats || array.out.kind == OutputKind::bools;
  if (!is_single && has_pattern_output && !array.has_scores() && slices.length <= kMaxGroupSize &&
      k != 0) {
    prune_pattern(array, {{k, slices.length}, slices.length, slices.inner}, nan);
    return;
  }
  Operand operand = array;
  decide_streaming({&operand, 1});
  const SelectionProblem problem({&operand, 1}, nan);
  // If none or all elements of each slice are kept, so are those of the array.
  if (is_single || k == 0 || k == slices.length) {
    write_topk(problem, k * slices.outer * slices.inner);
    return;
  }
  if (operand.n != 0 && are_columns(operand, slices)) {
    problem.begin_in_place_write();
    write_topk_of_columns(problem, slices, k);
    return;
  }
  const std::size_t bytes = bytes_of(operand.out.kind, operand.type.bytes);
  const SliceResult result{operand.out.data, slices.length, bytes};
  for_batches(operand, slices, nan, k, false, {&result, 1}, [&](const Batch& batch) {
    if (batch.selections != nullptr) {
      emit(problem, batch, k);
      return;
    }
    for (std::size_t i = 0; i < batch.count; ++i) {
      Operand slice = batch.slice(i);
      slice.out.data = batch.result(0, result, i);
      slice.out.unranked = slice.w;
      write_slice(slice, nan, k);
    }
  });
}

}  // namespace secateur
