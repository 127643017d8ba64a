#include "prune/pattern.hpp"

#include <algorithm>
#include <atomic>

#include "core/blocks.hpp"
#include "core/scratch.hpp"

namespace secateur {
namespace {

// Splits an array into blocks of about kBlock elements. A block is one or more whole bands. A band
// of more than kBlock elements is split into ranges of columns. Each range but the last is a
// multiple of kWord columns wide.
class BandBlocks {
 public:
  BandBlocks(const void* array, std::size_t n, std::size_t of, std::size_t inner)
      : array_(array),
        n_(n),
        inner_(inner),
        band_size_(of * inner),
        columns_per_block_(band_size_ <= kBlock ? inner
                                                : (kBlock / of + kWord - 1) / kWord * kWord),
        blocks_per_band_((inner + columns_per_block_ - 1) / columns_per_block_),
        bands_per_block_(std::max(std::size_t{1}, kBlock / band_size_)) {}

  // The largest number of elements in a block.
  [[nodiscard]] std::size_t max_elements() const {
    return bands_per_block_ * (band_size_ / inner_) * columns_per_block_;
  }
  [[nodiscard]] std::size_t count() const {
    return (n_ / band_size_ + bands_per_block_ - 1) / bands_per_block_ * blocks_per_band_;
  }
  [[nodiscard]] Bands operator[](std::size_t block) const {
    const std::size_t band = block / blocks_per_band_ * bands_per_block_;
    const std::size_t column = block % blocks_per_band_ * columns_per_block_;
    return {array_,
            n_,
            inner_,
            band * band_size_ + column,
            std::min(bands_per_block_, n_ / band_size_ - band),
            std::min(columns_per_block_, inner_ - column)};
  }

 private:
  const void* array_;
  std::size_t n_, inner_, band_size_;
  std::size_t columns_per_block_;
  std::size_t blocks_per_band_;
  std::size_t bands_per_block_;
};

// The scratch memory of one thread, for ranking by scores.
struct Workspace {
  Workspace(const SelectionProblem& problem, const BandBlocks& blocks)
      : scratch(problem),
        keys(problem.is_computed() ? blocks.max_elements() + kWord : 0),
        marks(problem.is_computed() ? blocks.max_elements() + kWord : 0) {}
  ScratchBuffer scratch;
  Buffer<std::int64_t> keys, marks;
};

// Prunes elements that are ranked by scores, in three steps:
// 1. Compute the keys of the scores.
// 2. Compute the marks: -1 for each key that the pattern keeps, 0 for the others.
// 3. Select the marks whose magnitude is above 0, and write the elements of w at the same indices.
template <class K>
void prune_ranked(const SelectionProblem& problem, const Bands& bands, Pattern pattern,
                  const Output& out, const Workspace& workspace) {
  const Operand& operand = problem.first();
  const std::size_t rows = bands.count * pattern.of;
  const bool has_all_columns = bands.columns == bands.inner;
  // The contiguous runs of the array: one in all if the bands have all columns, else one per row.
  const std::size_t runs = has_all_columns ? 1 : rows;
  const std::size_t length = rows * bands.columns / runs;
  const std::size_t n = rows * bands.columns;
  K* const keys = reinterpret_cast<K*>(workspace.keys.data());
  K* const marks = reinterpret_cast<K*>(workspace.marks.data());
  for (std::size_t run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < length; i += kBlock) {
      const std::size_t begin = bands.begin + run * bands.inner + i;
      const std::size_t end = begin + std::min(kBlock, length - i);
      const void* const bits = problem.bits(
          operand, begin, end, workspace.scratch.alias_safe(operand.ranking_data(begin)));
      if (problem.is_nan(operand,
                         problem.keys(operand, bits, end - begin, keys + run * length + i))) {
        problem.refuse_nan();
      }
    }
  }
  Output marked{};
  marked.data = marks;
  problem.table().prune.keys.of<K>().mark_pattern(
      {keys, n, bands.columns, 0, bands.count, bands.columns}, pattern, marked);
  const std::size_t bytes = operand.type.bytes;
  const OutputKind kind = others_kind(bytes);
  for (std::size_t run = 0; run < runs; ++run) {
    const std::size_t begin = bands.begin + run * bands.inner;
    const Output output{kind, static_cast<unsigned char*>(out.data) + begin * bytes, false,
                        operand.at(begin)};
    problem.table().select.elements[sizeof(K)].emit[static_cast<std::size_t>(kind)](
        {marks + run * length, 0, length, length}, {}, {0, kMagnitudeMask<K>}, {0, 0}, output);
  }
}

}  // namespace

void prune_pattern(const Operand& given, Pattern pattern, std::size_t inner, sc_nan nan) {
  if (given.n == 0) {
    return;
  }
  Operand operand = given;
  decide_streaming({&operand, 1});
  const SelectionProblem problem({&operand, 1}, nan);
  problem.begin_in_place_write();
  const BandBlocks blocks(operand.w, operand.n, pattern.of, inner);
  Tasks tasks(blocks.count());
  std::atomic<bool> has_nan{false};
  share_with_scratch<Workspace>(tasks, problem.bytes(),
                                [&](const Workspace& workspace, std::size_t i) {
    if (!operand.is_computed()) {
      const Key largest = problem.table().prune.elements[operand.type.bytes].prune_pattern(
          blocks[i], pattern, problem.order(operand), operand.out);
      if (problem.is_nan(operand, largest)) {
        has_nan.store(true, std::memory_order_relaxed);
      }
    } else if (problem.key_type().bytes == sizeof(std::int64_t)) {
      prune_ranked<std::int64_t>(problem, blocks[i], pattern, operand.out, workspace);
    } else {
      prune_ranked<std::int32_t>(problem, blocks[i], pattern, operand.out, workspace);
    }
  }, problem, blocks);
  if (has_nan.load()) {
    problem.refuse_nan();
  }
}

}  // namespace secateur
