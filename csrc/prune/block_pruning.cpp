#include "prune/block_pruning.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/dtypes.hpp"
#include "core/float_state.hpp"
#include "core/nan.hpp"
#include "core/scratch.hpp"
#include "select/select.hpp"

namespace secateur {
namespace {

// Tuning: a task of write_norms has about kTaskElements elements, or kTaskColumns columns if that
// is more. With many columns, each read of a row spans many cache lines, even if blocks are tall
// and narrow.
constexpr std::size_t kTaskElements = 4 * kBlock;
constexpr std::size_t kTaskColumns = 512;

// A block: the index of its first element in the array, and its numbers of rows and columns.
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

// Completes the norms of the blocks from `begin` to `end`, which the kernel has written. The norm of
// a block that contains NaN stays NaN.
void finish_norms(const void* w, FloatType type, const Layout& layout, sc_norm norm,
                  std::size_t begin, std::size_t end, double* norms) {
  const bool may_overflow = type.kind == Float::float64;
  if (norm != SC_NORM_MEAN && (norm != SC_NORM_L2 || !may_overflow)) {
    return;
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
}

// Writes the norm of each block. Returns the largest norm that the kernel has computed, as a key.
Key write_norms(const void* w, FloatType type, const Layout& layout, sc_norm norm, double* norms) {
  const sc_norm kernel_norm = norm == SC_NORM_MEAN ? SC_NORM_L1 : norm;
  const auto kernel =
      kernels().prune.floats[type.kind].block_norms[static_cast<std::size_t>(kernel_norm)];
  const std::size_t count = layout.groups();
  const std::size_t blocks_per_task = std::max<std::size_t>(
      {kTaskElements / (layout.block * layout.inner_block), kTaskColumns / layout.inner_block, 1});
  std::atomic<Key> largest{0};
  Tasks tasks(ceil_div(count, blocks_per_task));
  on_threads(std::min(threads_for(layout.elements() * type.bytes), tasks.count()), [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task * blocks_per_task;
      const std::size_t end = std::min(count, begin + blocks_per_task);
      const Key task_largest = kernel(w, layout, begin, end, norms);
      finish_norms(w, type, layout, norm, begin, end, norms);
      for (Key current = largest.load(); current < task_largest;) {
        largest.compare_exchange_weak(current, task_largest);
      }
    }
  });
  return largest.load();
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
    const std::size_t row_of_blocks =
        part.begin / layout_.inner / layout_.length * blocks_down_ + row / layout_.block;
    const std::uint8_t* blocks = kept_ + row_of_blocks * blocks_across_;
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
void write_kept(const void* w, FloatType type, const Layout& layout, const std::uint8_t* kept,
                void* out) {
  const auto apply_bits = kernels().prune.elements[type.bytes].apply_bits;
  const std::size_t n = layout.elements();
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  const MaskExpander expander(layout, kept);
  begin_writing(w, out);
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes, [&](Part part) {
    MaskWords mask;
    expander.write(part, mask.data());
    const auto* const from = static_cast<const unsigned char*>(w) + part.begin * type.bytes;
    auto* const to = static_cast<unsigned char*>(out) + part.begin * type.bytes;
    apply_bits({from, 0, part.end - part.begin, n - part.begin}, mask.data(),
               {OutputKind::floats, to, stream});
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

// Prunes the blocks that `select` does not keep. select(norms) writes one bool per block.
template <class Select>
void prune(const void* w, sc_dtype dtype, const Layout& layout, sc_norm norm, sc_nan nan,
           const Output& out, const Select& select) {
  const std::size_t count = layout.groups();
  if (layout.elements() == 0) {
    return;
  }
  const FloatType type = float_type(dtype);
  const Buffer<double> norms(count);
  if (write_norms(w, type, layout, norm, norms.data()) > kFloat64.infinity && nan == SC_NAN_RAISE) {
    refuse_nan(w, layout.elements(), type);
  }
  const Buffer<std::uint8_t> kept(count);
  Operand norms_operand{norms.data(), count, kFloat64};
  norms_operand.out = {OutputKind::bools, kept.data(), false};
  select(SelectionProblem({&norms_operand, 1}, nan));
  if (out.kind == OutputKind::floats) {
    write_kept(w, type, layout, kept.data(), out.data);
  } else {
    write_mask(layout, kept.data(), out);
  }
}

}  // namespace

void prune_blocks(const void* w, sc_dtype dtype, const Layout& blocks, sc_norm norm, std::size_t k,
                  sc_nan nan, const Output& out) {
  prune(w, dtype, blocks, norm, nan, out,
        [&](const SelectionProblem& norms) { write_topk(norms, k); });
}

void prune_blocks_above(const void* w, sc_dtype dtype, const Layout& blocks, sc_norm norm, Key key,
                        sc_nan nan, const Output& out) {
  prune(w, dtype, blocks, norm, nan, out, [&](const SelectionProblem& norms) {
    write_above(norms, key + norms.order(norms.first_operand()).rotation);
  });
}

}  // namespace secateur
