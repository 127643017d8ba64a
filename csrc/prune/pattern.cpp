#include "prune/pattern.hpp"

#include <algorithm>
#include <atomic>

#include "core/blocks.hpp"
#include "core/scratch.hpp"

namespace secateur {
namespace {

// Tuning: elements in a block whose marks are in scratch memory. They stay in L1.
constexpr std::size_t kMarkedBlock = 4096;

// Splits `bands` bands of an array into blocks of about `block` elements. A block is one or more
// whole bands; if at least 8 fit, a multiple of 8, so that blocks begin at whole bytes of bits. A
// band of more than `block` elements is split into ranges of columns. Each range but the last is a
// multiple of kWord columns wide.
class BandBlocks {
 public:
  BandBlocks(std::size_t bands, std::size_t of, std::size_t inner, std::size_t block)
      : bands_(bands),
        inner_(inner),
        band_size_(of * inner),
        columns_per_block_(band_size_ <= block ? inner : (block / of + kWord - 1) / kWord * kWord),
        blocks_per_band_((inner + columns_per_block_ - 1) / columns_per_block_),
        bands_per_block_(block / band_size_ >= 8 ? block / band_size_ / 8 * 8
                                                 : std::max(std::size_t{1}, block / band_size_)) {}

  // The number of elements of all bands.
  [[nodiscard]] std::size_t size() const { return bands_ * band_size_; }
  // The largest number of elements in a block.
  [[nodiscard]] std::size_t max_elements() const {
    return std::min(bands_, bands_per_block_) * (band_size_ / inner_) * columns_per_block_;
  }
  [[nodiscard]] std::size_t count() const {
    return ceil_div(bands_, bands_per_block_) * blocks_per_band_;
  }
  // A block of an array of n elements in which the bands begin at element `begin`.
  [[nodiscard]] Bands at(std::size_t block, const void* array, std::size_t n,
                         std::size_t begin) const {
    const std::size_t band = block / blocks_per_band_ * bands_per_block_;
    const std::size_t column = block % blocks_per_band_ * columns_per_block_;
    return {array,
            n,
            inner_,
            begin + band * band_size_ + column,
            std::min(bands_per_block_, bands_ - band),
            std::min(columns_per_block_, inner_ - column)};
  }

 private:
  std::size_t bands_, inner_, band_size_;
  std::size_t columns_per_block_;
  std::size_t blocks_per_band_;
  std::size_t bands_per_block_;
};

// The groups of a pattern in an array, in tasks of about `block` elements. Without a remainder, the
// bands of the array follow each other, and it is treated as one matrix. Otherwise each matrix has
// bands of whole groups and, after them, a band of the remainder. A task is several whole matrices,
// or one block of a matrix.
class PatternTasks {
 public:
  PatternTasks(const Operand& operand, const PatternGroups& groups, std::size_t block)
      : array_(operand.w),
        n_(operand.n),
        pattern_(groups.pattern),
        remainder_(groups.remainder),
        matrix_size_(remainder_.of == 0 ? n_ : groups.length * groups.inner),
        whole_(matrix_size_ / (pattern_.of * groups.inner), pattern_.of, groups.inner, block),
        of_remainder_(remainder_.of == 0 ? 0 : 1, std::max(remainder_.of, std::size_t{1}),
                      groups.inner, block),
        blocks_of_matrix_(whole_.count() + of_remainder_.count()),
        matrices_of_task_(matrix_size_ <= block ? block / matrix_size_ : 1) {}

  [[nodiscard]] std::size_t max_elements() const {
    return std::max(whole_.max_elements(), of_remainder_.max_elements());
  }
  [[nodiscard]] std::size_t count() const {
    const std::size_t matrices = n_ / matrix_size_;
    return matrices_of_task_ > 1 ? ceil_div(matrices, matrices_of_task_)
                                 : matrices * blocks_of_matrix_;
  }
  // Calls body(bands, pattern) for all bands of a task.
  template <class Body>
  void for_bands(std::size_t task, const Body& body) const {
    if (matrices_of_task_ == 1) {
      return run(task / blocks_of_matrix_, task % blocks_of_matrix_, body);
    }
    const std::size_t first = task * matrices_of_task_;
    const std::size_t last = std::min(first + matrices_of_task_, n_ / matrix_size_);
    for (std::size_t matrix = first; matrix != last; ++matrix) {
      for (std::size_t block = 0; block != blocks_of_matrix_; ++block) {
        run(matrix, block, body);
      }
    }
  }

 private:
  template <class Body>
  void run(std::size_t matrix, std::size_t block, const Body& body) const {
    const std::size_t begin = matrix * matrix_size_;
    if (block < whole_.count()) {
      return body(whole_.at(block, array_, n_, begin), pattern_);
    }
    const std::size_t after_whole = begin + whole_.size();
    body(of_remainder_.at(block - whole_.count(), array_, n_, after_whole), remainder_);
  }

  const void* array_;
  std::size_t n_;
  Pattern pattern_, remainder_;
  std::size_t matrix_size_;
  BandBlocks whole_, of_remainder_;
  std::size_t blocks_of_matrix_;
  std::size_t matrices_of_task_;
};

// Whether a kernel ranks and writes the elements in one pass. Otherwise it writes marks, from which
// another one writes.
bool writes_directly(const Operand& operand) {
  return !operand.has_scores() && operand.out.kind == OutputKind::floats;
}

// The scratch memory of one thread.
struct Workspace {
  Workspace(const SelectionProblem& problem, const PatternTasks& tasks)
      : scratch(problem),
        keys(problem.has_scores() ? tasks.max_elements() + kWord : 0),
        marks(writes_directly(problem.first_operand()) ? 0 : tasks.max_elements() + kWord) {}
  ScratchBuffer scratch;
  Buffer<std::int64_t> keys, marks;
};

// Bands as runs that are contiguous in the array. If the bands have all columns, they are one run.
// Otherwise each row is a run.
struct BandRuns {
  BandRuns(const Bands& bands, Pattern pattern)
      : count(bands.columns == bands.inner ? 1 : bands.count * pattern.of),
        length(bands.count * pattern.of * bands.columns / count) {}
  std::size_t count, length;
};

// Writes the results of marked elements, whose marks have `mark_bytes` bytes each.
void write_marked(const SelectionProblem& problem, const Bands& bands, const BandRuns& runs,
                  const unsigned char* marks, std::size_t mark_bytes) {
  const Operand& operand = problem.first_operand();
  const bool writes_mask =
      operand.out.kind == OutputKind::bools || operand.out.kind == OutputKind::bits;
  const OutputKind kind = writes_mask ? operand.out.kind : unranked_kind(operand.type.bytes);
  const auto emit =
      problem.table().select.elements[mark_bytes].emit[static_cast<std::size_t>(kind)];
  const Order magnitudes{0, ~(Key{-1} << (8 * mark_bytes - 1))};
  for (std::size_t run = 0; run < runs.count; ++run) {
    const std::size_t begin = bands.begin + run * bands.inner;
    const std::size_t offset =
        kind == OutputKind::bits ? begin / 8 : begin * bytes_of(kind, operand.type.bytes);
    void* const results = static_cast<unsigned char*>(operand.out.data) + offset;
    emit({marks + run * runs.length * mark_bytes, 0, runs.length, runs.length}, {}, magnitudes,
         {0, 0}, {kind, results, false, operand.at(begin)});
  }
}

// Prunes elements that are ranked by scores, in three steps:
// 1. Compute the keys of the scores.
// 2. Compute the marks: -1 for each key that the pattern keeps, 0 for the others.
// 3. Write the results of the elements at the same indices as the marks.
template <class K>
void prune_by_scores(const SelectionProblem& problem, const Bands& bands, Pattern pattern,
                     const Workspace& workspace) {
  const Operand& operand = problem.first_operand();
  const BandRuns runs(bands, pattern);
  K* const keys = reinterpret_cast<K*>(workspace.keys.data());
  for (std::size_t run = 0; run < runs.count; ++run) {
    for (std::size_t i = 0; i < runs.length; i += kBlock) {
      const std::size_t begin = bands.begin + run * bands.inner + i;
      const std::size_t end = begin + std::min(kBlock, runs.length - i);
      const void* const bits = problem.bits(
          operand, begin, end, workspace.scratch.alias_safe(operand.ranking_data(begin)));
      if (problem.is_nan(operand,
                         problem.keys(operand, bits, end - begin, keys + run * runs.length + i))) {
        problem.refuse_nan();
      }
    }
  }
  Output marks{};
  marks.data = workspace.marks.data();
  problem.table().prune.elements[sizeof(K)].mark_pattern(
      {keys, runs.count * runs.length, bands.columns, 0, bands.count, bands.columns}, pattern,
      kIdentityOrder, marks);
  write_marked(problem, bands, runs, static_cast<const unsigned char*>(marks.data), sizeof(K));
}

// Prunes elements that are ranked by magnitude. Returns the largest key.
Key prune_by_magnitude(const SelectionProblem& problem, const Bands& bands, Pattern pattern,
                       const Workspace& workspace) {
  const Operand& operand = problem.first_operand();
  const std::size_t bytes = operand.type.bytes;
  const PruneElementKernels& kernels = problem.table().prune.elements[bytes];
  if (writes_directly(operand)) {
    return kernels.prune_pattern(bands, pattern, problem.order(operand), operand.out);
  }
  Output marks{};
  marks.data = workspace.marks.data();
  const Key largest = kernels.mark_pattern(bands, pattern, problem.order(operand), marks);
  write_marked(problem, bands, BandRuns(bands, pattern),
               static_cast<const unsigned char*>(marks.data), bytes);
  return largest;
}

}  // namespace

bool can_write_bits(const PatternGroups& groups) {
  return groups.remainder.of == 0 &&
         (groups.inner % 8 == 0 || 8 * groups.pattern.of <= kMarkedBlock / groups.inner);
}

void prune_pattern(const Operand& given, const PatternGroups& groups, sc_nan nan) {
  if (given.n == 0) {
    return;
  }
  Operand operand = given;
  decide_streaming({&operand, 1});
  const SelectionProblem problem({&operand, 1}, nan);
  problem.begin_in_place_write();
  const PatternTasks bands(operand, groups, writes_directly(operand) ? kBlock : kMarkedBlock);
  Tasks tasks(bands.count());
  std::atomic<bool> has_nan{false};
  share_with_scratch<Workspace>(tasks, problem.bytes(),
                                [&](const Workspace& workspace, std::size_t task) {
    bands.for_bands(task, [&](const Bands& some, Pattern pattern) {
      if (!operand.has_scores()) {
        if (problem.is_nan(operand, prune_by_magnitude(problem, some, pattern, workspace))) {
          has_nan.store(true, std::memory_order_relaxed);
        }
      } else if (problem.key_type().bytes == sizeof(std::int64_t)) {
        prune_by_scores<std::int64_t>(problem, some, pattern, workspace);
      } else {
        prune_by_scores<std::int32_t>(problem, some, pattern, workspace);
      }
    });
  }, problem, bands);
  if (has_nan.load()) {
    problem.refuse_nan();
  }
}

}  // namespace secateur
