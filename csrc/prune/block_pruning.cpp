#include "prune/block_pruning.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/dtypes.hpp"
#include "core/float_state.hpp"
#include "core/scratch.hpp"
#include "select/min_kept.hpp"
#include "select/select.hpp"
#include "select/slices.hpp"

namespace secateur {
namespace {

// Tuning: a task of write_norms has about kTaskElements elements, or kTaskColumns columns if that
// is more. With many columns, each read of a row spans many cache lines, even if blocks are tall
// and narrow.
constexpr std::size_t kTaskElements = 4 * kBlock;
constexpr std::size_t kTaskColumns = 512;

// Tuning: products of tall and narrow blocks are computed in rows of about this many columns.
constexpr std::size_t kProductColumns = 64;

// A block, or adjacent blocks: the index of the first element in the array, and the numbers of rows
// and columns.
struct BlockBounds {
  std::size_t first, height, width;

  [[nodiscard]] double size() const { return static_cast<double>(height * width); }
};

// A position in the sequence of blocks.
class BlockCursor {
 public:
  BlockCursor(const Layout& layout, std::size_t index)
      : layout_(layout),
        column_(index % layout.blocks_across() * layout.inner_block),
        row_(index / layout.blocks_across() % layout.blocks_down() * layout.block),
        matrix_(index / layout.blocks_across() / layout.blocks_down() * layout.length *
                layout.inner) {}

  void advance() {
    column_ += layout_.inner_block;
    if (column_ >= layout_.inner) {
      column_ = 0;
      row_ += layout_.block;
    }
    if (row_ >= layout_.length) {
      row_ = 0;
      matrix_ += layout_.length * layout_.inner;
    }
  }
  [[nodiscard]] BlockBounds block() const {
    return {matrix_ + row_ * layout_.inner + column_,
            std::min(layout_.block, layout_.length - row_),
            std::min(layout_.inner_block, layout_.inner - column_)};
  }

 private:
  const Layout& layout_;
  std::size_t column_, row_, matrix_;  // matrix_: the index of its first element
};

// Whether all elements of a block are 0.
bool is_zero(const double* w, const Layout& layout, const BlockBounds& block) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < block.height; ++i) {
    const double* const row = w + block.first + i * layout.inner;
    for (std::size_t j = 0; j < block.width; ++j) {
      bits |= std::bit_cast<std::uint64_t>(row[j]);
    }
  }
  return bits << 1 == 0;
}

// The l2 norm, or the mean of the magnitudes, from elements that are scaled so that the largest has
// the exponent 0. The order of summation is that of the kernel.
double scaled_norm(const double* w, const Layout& layout, const BlockBounds& block, sc_norm norm) {
  if (is_zero(w, layout, block)) {
    return 0;
  }
  const double* const first = w + block.first;
  double largest = 0;
  for (std::size_t i = 0; i < block.height; ++i) {
    for (std::size_t j = 0; j < block.width; ++j) {
      largest = std::max(largest, std::abs(first[i * layout.inner + j]));
    }
  }
  if (std::isinf(largest)) {
    return largest;
  }
  const int exponent = std::ilogb(largest);
  std::array<double, 8> partial_sums{};
  for (std::size_t j = 0; j < block.width; ++j) {
    double column = 0;
    for (std::size_t i = 0; i < block.height; ++i) {
      const double scaled = std::abs(std::scalbn(first[i * layout.inner + j], -exponent));
      column += norm == SC_NORM_L2 ? scaled * scaled : scaled;
    }
    partial_sums[j % partial_sums.size()] += column;
  }
  const double sum = std::accumulate(partial_sums.begin(), partial_sums.end(), 0.0);
  return std::scalbn(norm == SC_NORM_L2 ? std::sqrt(sum) : sum / block.size(), exponent);
}

// The l2 norms of float64 that the kernel computes may be wrong outside of these limits, because
// squares overflow, or because lost digits of squares below 2^-1022 are not small compared with the
// sum. Squares of other floats do neither.
constexpr double kLeastL2Norm = 0x1p-484;

// Writes the norms of the blocks [begin, end). Returns the largest that the kernel has computed, as
// a key. The norm of a block that contains NaN is NaN.
Key write_norms(const void* w, FloatType type, const Layout& layout, sc_norm norm,
                std::size_t begin, std::size_t end, double* norms) {
  const sc_norm kernel_norm = norm == SC_NORM_MEAN ? SC_NORM_L1 : norm;
  const auto kernel =
      kernels().prune.floats[type.kind].block_norms[static_cast<std::size_t>(kernel_norm)];
  const Key largest = kernel(w, layout, begin, end, norms);
  const bool may_overflow = type.kind == Float::float64;
  if (norm != SC_NORM_MEAN && (norm != SC_NORM_L2 || !may_overflow)) {
    return largest;
  }
  const FloatState float_state;
  const auto* const elements = static_cast<const double*>(w);
  BlockCursor cursor(layout, begin);
  for (std::size_t i = begin; i < end; ++i, cursor.advance()) {
    const bool is_tiny = norm == SC_NORM_L2 && norms[i] < kLeastL2Norm;
    if (may_overflow && (is_tiny || std::isinf(norms[i]))) {
      norms[i] = scaled_norm(elements, layout, cursor.block(), norm);
    } else if (norm == SC_NORM_MEAN) {
      norms[i] /= cursor.block().size();
    }
  }
  return largest;
}

// Computes norms of the products of elements and factors, a few blocks at a time: the products are
// written to scratch memory as a matrix of these blocks alone.
class ProductNorms {
 public:
  ProductNorms(const SelectionProblem& problem, const Operand& array, const Layout& layout,
               sc_norm norm)
      : problem_(problem),
        array_(array),
        type_(array.ranking_type()),
        layout_(layout),
        norm_(norm),
        max_blocks_(std::max<std::size_t>({kBlock / (layout.block * layout.inner_block),
                                           kProductColumns / layout.inner_block, 1})),
        products_(std::max(kBlock, layout.block *
                                       std::min(max_blocks_ * layout.inner_block, layout.inner)) *
                  type_.bytes) {}

  // As write_norms().
  Key write(std::size_t begin, std::size_t end, double* norms) const {
    Key largest = 0;
    for (std::size_t i = begin; i < end;) {
      const Region region = region_at(i, end);
      compute_products(region);
      const Layout blocks{1,    region.height, region.width, layout_.block, layout_.inner_block,
                          false};
      largest = std::max(largest, write_norms(products_.data(), type_, blocks, norm_, 0,
                                              blocks.groups(), norms + i));
      i += blocks.groups();
    }
    return largest;
  }

 private:
  // Consecutive blocks that form a rectangle of a matrix.
  using Region = BlockBounds;

  // Some rows of blocks as wide as the matrix, or some blocks of one row, so that all products fit.
  [[nodiscard]] Region region_at(std::size_t i, std::size_t end) const {
    BlockBounds region = BlockCursor(layout_, i).block();
    const std::size_t across = layout_.blocks_across();
    const std::size_t row_elements = layout_.block * layout_.inner;
    if (i % across == 0 && end - i >= across && row_elements <= kBlock) {
      const std::size_t row = i / across % layout_.blocks_down();
      const std::size_t rows =
          std::min({(end - i) / across, layout_.blocks_down() - row, kBlock / row_elements});
      region.width = layout_.inner;
      region.height = std::min(rows * layout_.block, layout_.length - row * layout_.block);
      return region;
    }
    const std::size_t column = i % across;
    const std::size_t count = std::min({across - column, end - i, max_blocks_});
    region.width =
        std::min(count * layout_.inner_block, layout_.inner - column * layout_.inner_block);
    return region;
  }

  void compute_products(const Region& region) const {
    const bool is_contiguous = region.width == layout_.inner || region.height == 1;
    const std::size_t rows = is_contiguous ? 1 : region.height;
    const std::size_t length = region.height * region.width / rows;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t first = region.first + row * layout_.inner;
      static_cast<void>(problem_.bits(array_, first, first + length,
                                      products_.data() + row * length * type_.bytes));
    }
  }

  const SelectionProblem& problem_;
  const Operand& array_;
  FloatType type_;
  const Layout& layout_;
  sc_norm norm_;
  std::size_t max_blocks_;  // of one row of blocks
  Buffer<unsigned char> products_;
};

// If blocks divide the matrices evenly, a stack of matrices is one tall matrix with the same
// blocks.
Layout as_one_matrix(const Layout& layout) {
  return layout.length % layout.block != 0 ? layout : Layout{1,
                                                             layout.outer * layout.length,
                                                             layout.inner,
                                                             layout.block,
                                                             layout.inner_block,
                                                             false};
}

// Writes the norm of each block of an array. Returns whether one is NaN.
bool write_norms(const SelectionProblem& problem, const Operand& array, const Layout& layout,
                 sc_norm norm, double* norms) {
  const std::size_t count = layout.groups();
  const std::size_t blocks_per_task = std::max<std::size_t>(
      {kTaskElements / (layout.block * layout.inner_block), kTaskColumns / layout.inner_block, 1});
  std::atomic<bool> has_nan{false};
  Tasks tasks(ceil_div(count, blocks_per_task));
  const auto share_tasks = [&](const auto& work) {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task * blocks_per_task;
      if (work(begin, std::min(count, begin + blocks_per_task)) > kFloat64.infinity) {
        has_nan.store(true, std::memory_order_relaxed);
      }
    }
  };
  on_threads(std::min(threads_for(layout.elements() * array.type.bytes), tasks.count()), [&] {
    if (array.scores.kind == Scores::Kind::products) {
      const ProductNorms products(problem, array, layout, norm);
      share_tasks(
          [&](std::size_t begin, std::size_t end) { return products.write(begin, end, norms); });
    } else {
      share_tasks([&](std::size_t begin, std::size_t end) {
        return write_norms(array.ranking_data(0), array.ranking_type(), layout, norm, begin, end,
                           norms);
      });
    }
  });
  return has_nan.load();
}

// Appends bits to an array of words, lowest bit first.
class BitWriter {
 public:
  explicit BitWriter(std::uint64_t* words) : current_(words) {}

  // Requires 1 <= count <= 64. The bits of `bits` from index `count` on are 0.
  void append(std::uint64_t bits, std::size_t count) {
    word_ |= bits << filled_;
    *current_ = word_;
    filled_ += count;
    if (filled_ >= kWord) {
      filled_ -= kWord;
      word_ = filled_ == 0 ? 0 : bits >> (count - filled_);
      *++current_ = word_;
    }
  }
  void append_run(bool bit, std::size_t count) {
    const std::uint64_t ones = -static_cast<std::uint64_t>(bit);
    for (; count > kWord; count -= kWord) {
      append(ones, kWord);
    }
    append(ones >> (kWord - count), count);
  }
  void append_words(const std::uint64_t* words, std::size_t count) {
    for (; count > kWord; count -= kWord) {
      append(*words++, kWord);
    }
    append(*words & ~std::uint64_t{0} >> (kWord - count), count);
  }

 private:
  std::uint64_t* current_;
  std::uint64_t word_ = 0;
  std::size_t filled_ = 0;
};

// The mask of one part. The first part may exceed kBlock by less than a cache line, and BitWriter
// may write one word past the last bit.
using MaskWords = std::array<std::uint64_t, kBlock / kWord + 3>;

// Returns a layout in which every flat index has the same block as in `layout`. If every block is
// contiguous in memory and all blocks have the same size, it is a single row of blocks.
Layout as_one_row(const Layout& layout) {
  const bool contiguous = layout.block == 1 || layout.inner_block == layout.inner;
  if (!contiguous || layout.length % layout.block != 0 || layout.inner % layout.inner_block != 0) {
    return layout;
  }
  return {1, 1, layout.elements(), 1, layout.block * layout.inner_block, false};
}

// Expands one byte per block, which is 1 if the block is kept, to one mask bit per element.
class MaskExpander {
 public:
  MaskExpander(const Layout& layout, const std::uint8_t* kept)
      : layout_(as_one_row(layout)),
        blocks_down_(layout_.blocks_down()),
        blocks_across_(layout_.blocks_across()),
        kept_(kept) {
    if (layout_.inner_block <= kMaxTableColumns) {
      for (std::size_t kept_bits = 1; kept_bits < bits_of_8_blocks_.size(); ++kept_bits) {
        const auto lowest = static_cast<std::size_t>(std::countr_zero(kept_bits));
        bits_of_8_blocks_[kept_bits] = bits_of_8_blocks_[kept_bits & (kept_bits - 1)] |
                                       ~std::uint64_t{0} >> (kWord - layout_.inner_block)
                                                                << (lowest * layout_.inner_block);
      }
    }
  }

  void write(const Part& part, std::uint64_t* mask) const {
    BitWriter out(mask);
    std::size_t column = part.begin % layout_.inner;
    std::size_t row = part.begin / layout_.inner % layout_.length;
    std::size_t row_in_block = row % layout_.block;
    const std::size_t block_row =
        part.begin / layout_.inner / layout_.length * blocks_down_ + row / layout_.block;
    const std::uint8_t* blocks = kept_ + block_row * blocks_across_;
    MaskWords row_bits;  // shared by all rows of a row of blocks
    bool is_row_known = false;
    for (std::size_t i = part.begin; i < part.end;) {
      const std::size_t count = std::min(layout_.inner - column, part.end - i);
      if (!is_row_known) {
        append_row(BitWriter(row_bits.data()), blocks, column, count);
      }
      out.append_words(row_bits.data(), count);
      i += count;
      is_row_known = column == 0;
      column = 0;
      ++row_in_block;
      ++row;
      if (row_in_block == layout_.block || row == layout_.length) {
        row_in_block = 0;
        blocks += blocks_across_;
        is_row_known = false;
      }
      row = row == layout_.length ? 0 : row;
    }
  }

 private:
  // The largest width for which eight blocks take at most one word of bits per row.
  static constexpr std::size_t kMaxTableColumns = kWord / 8;

  // Appends the bits of `count` columns of one row, from `column` on. `block` is the first block of
  // the row of blocks.
  void append_row(BitWriter out, const std::uint8_t* block, std::size_t column,
                  std::size_t count) const {
    const std::size_t width = layout_.inner_block;
    const auto append_block = [&](std::size_t columns) {
      const std::size_t run = std::min(columns, count);
      out.append_run(*block++ != 0, run);
      count -= run;
    };
    block += column / width;
    append_block(width - column % width);
    if (width <= kMaxTableColumns) {
      for (; count >= 8 * width; count -= 8 * width, block += 8) {
        std::uint64_t bools = 0;
        std::memcpy(&bools, block, sizeof bools);
        out.append(bits_of_8_blocks_[bools * 0x0102040810204080u >> 56],
                   8 * width);  // byte i becomes bit i
      }
    }
    while (count != 0) {
      append_block(width);
    }
  }

  Layout layout_;
  std::size_t blocks_down_, blocks_across_;
  const std::uint8_t* kept_;
  // The bits of a row of eight blocks. Bit i of the index is set if block i is kept.
  std::array<std::uint64_t, 256> bits_of_8_blocks_{};
};

// Writes the elements of the kept blocks, and +0.0 for all other elements.
void write_kept(const Operand& array, const Layout& layout, const std::uint8_t* kept) {
  const std::size_t bytes = array.type.bytes;
  const auto apply_bits = kernels().prune.elements[bytes].apply_bits;
  const MaskExpander expander(layout, kept);
  begin_writing(array.w, array.out.data);
  for_blocks(Blocks(array.w, array.n, array.out.data, 8 * bytes), array.n * bytes, [&](Part part) {
    MaskWords mask;
    expander.write(part, mask.data());
    auto* const to = static_cast<unsigned char*>(array.out.data) + part.begin * bytes;
    apply_bits({array.at(part.begin), 0, part.end - part.begin, array.n - part.begin}, mask.data(),
               {OutputKind::floats, to, array.out.stream});
  });
}

// The bools of eight bits, lowest bit first, for each byte.
constexpr std::array<std::uint64_t, 256> bools_of_bytes() {
  std::array<std::uint64_t, 256> bools{};
  for (std::size_t bits = 0; bits < bools.size(); ++bits) {
    for (std::size_t i = 0; i < 8; ++i) {
      bools[bits] |= std::uint64_t{bits >> i & 1} << (8 * i);
    }
  }
  return bools;
}

void write_bools(const unsigned char* bits, std::size_t count, unsigned char* to) {
  static constexpr std::array<std::uint64_t, 256> kBools = bools_of_bytes();
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t bools = kBools[*bits++];
    std::memcpy(to + i, &bools, std::min(count - i, sizeof bools));
  }
}

// Writes the mask of the elements of the kept blocks, in bools or bits.
void write_mask(const Layout& layout, const std::uint8_t* kept, const Output& out) {
  const std::size_t n = layout.elements();
  const MaskExpander expander(layout, kept);
  auto* const to = static_cast<unsigned char*>(out.data);
  for_blocks(Blocks(nullptr, n, nullptr, 0), n, [&](Part part) {
    MaskWords words;
    expander.write(part, words.data());
    const std::size_t count = part.end - part.begin;
    const auto* const bits = reinterpret_cast<const unsigned char*>(words.data());
    if (out.kind == OutputKind::bits) {
      std::memcpy(to + part.begin / 8, bits, ceil_div(count, 8));
    } else {
      write_bools(bits, count, to + part.begin);
    }
  });
}

// The blocks of several arrays, their norms, and which of them are kept. Takes all of its memory at
// construction.
class RankedBlocks {
 public:
  RankedBlocks(std::span<Operand> arrays, std::span<const Layout> layouts, sc_norm norm, sc_nan nan)
      : arrays_(arrays),
        layouts_(layouts.begin(), layouts.end()),
        norms_(total(layouts)),
        kept_(total(layouts)) {
    decide_streaming(arrays);
    const SelectionProblem problem(arrays, nan);
    operands_.reserve(arrays.size());
    bool has_nan = false;
    std::size_t first = 0;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      Layout& layout = layouts_[i];
      Operand blocks{norms_.data() + first, count_blocks(layout), kFloat64};
      blocks.out = {OutputKind::bools, kept_.data() + first, false};
      operands_.push_back(blocks);
      if (blocks.n != 0) {
        layout = as_one_matrix(layout);
        has_nan = write_norms(problem, arrays[i], layout, norm, norms_.data() + first) || has_nan;
      }
      first += blocks.n;
    }
    if (has_nan && nan == SC_NAN_RAISE) {
      problem.refuse_nan();
    }
  }

  // The norms of each array as the operand of a selection, which writes to its output what is kept.
  [[nodiscard]] std::span<Operand> operands() { return operands_; }

  // Writes the results after a selection among the operands.
  void write() const {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const Operand& array = arrays_[i];
      const auto* const kept = static_cast<const std::uint8_t*>(operands_[i].out.data);
      if (operands_[i].n == 0) {
        continue;
      }
      if (array.out.kind == OutputKind::bools || array.out.kind == OutputKind::bits) {
        write_mask(layouts_[i], kept, array.out);
      } else {
        write_kept(array, layouts_[i], kept);
      }
    }
  }

 private:
  static std::size_t total(std::span<const Layout> layouts) {
    std::size_t count = 0;
    for (const Layout& layout : layouts) {
      count += count_blocks(layout);
    }
    return count;
  }

  std::span<const Operand> arrays_;
  std::vector<Layout> layouts_;
  Buffer<double> norms_;
  Buffer<std::uint8_t> kept_;
  std::vector<Operand> operands_;
};

}  // namespace

std::size_t count_blocks(const Layout& blocks) {
  return blocks.elements() == 0 ? 0 : blocks.groups();
}

void prune_blocks(const Operand& array, const Layout& blocks, sc_norm norm, const Layout& slices,
                  std::size_t k, sc_nan nan) {
  Operand operand = array;
  RankedBlocks ranked({&operand, 1}, {&blocks, 1}, norm, nan);
  write_topk_of_slices(ranked.operands().front(), slices, nan, k);
  ranked.write();
}

void prune_blocks_above(const Operand& array, const Layout& blocks, sc_norm norm, Key key,
                        sc_nan nan) {
  Operand operand = array;
  RankedBlocks ranked({&operand, 1}, {&blocks, 1}, norm, nan);
  const SelectionProblem norms(ranked.operands(), nan);
  write_above(norms, key + norms.order(norms.first_operand()).rotation);
  ranked.write();
}

void prune_blocks(std::span<Operand> arrays, std::span<const Layout> blocks, sc_norm norm,
                  std::span<const std::size_t> min_kept, std::size_t k, sc_nan nan) {
  RankedBlocks ranked(arrays, blocks, norm, nan);
  write_topk(ranked.operands(), nan, min_kept, k);
  ranked.write();
}

}  // namespace secateur
