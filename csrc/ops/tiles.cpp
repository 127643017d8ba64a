#include "ops/tiles.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/float_type.hpp"
#include "ops/nan.hpp"
#include "ops/select.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Elements whose norms are one task, and columns that it has at least: rows are read in pieces of
// many cache lines, also where tiles are high and narrow.
constexpr std::size_t kTask = 4 * kBlock;
constexpr std::size_t kTaskColumns = 512;

std::size_t elements(const Tiling& t) { return t.matrices * t.rows * t.columns; }

// Returns the largest.
Key write_norms(const void* w, FloatType type, const Tiling& t, sc_norm norm, double* norms) {
  const auto kernel = kernels_of(kernels(), type.kind).tile_norms[static_cast<std::size_t>(norm)];
  const std::size_t count = tiles(t);
  const std::size_t each = std::max<std::size_t>(
      {kTask / (t.tile_rows * t.tile_columns), kTaskColumns / t.tile_columns, 1});
  std::atomic<Key> largest{0};
  Tasks tasks((count - 1) / each + 1);
  on_threads(std::min(threads_for(elements(t) * type.bytes), tasks.count()), [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t begin = task * each;
      const Key of_task = kernel(w, t, begin, std::min(count, begin + each), norms);
      for (Key so_far = largest.load(); so_far < of_task;) {
        largest.compare_exchange_weak(so_far, of_task);
      }
    }
  });
  return largest.load();
}

// Bits one after another, the lowest first.
class BitWriter {
 public:
  explicit BitWriter(std::uint64_t* words) : at_(words) {}

  // 1 <= count <= 64, and the bits above are 0.
  void put(std::uint64_t bits, std::size_t count) {
    word_ |= bits << filled_;
    *at_ = word_;
    filled_ += count;
    if (filled_ >= kWord) {
      filled_ -= kWord;
      word_ = filled_ == 0 ? 0 : bits >> (count - filled_);
      *++at_ = word_;
    }
  }
  void put_run(bool bit, std::size_t count) {
    const std::uint64_t ones = -static_cast<std::uint64_t>(bit);
    for (; count > kWord; count -= kWord) {
      put(ones, kWord);
    }
    put(ones >> (kWord - count), count);
  }
  void put_all(const std::uint64_t* words, std::size_t count) {
    for (; count > kWord; count -= kWord) {
      put(*words++, kWord);
    }
    put(*words & ~std::uint64_t{0} >> (kWord - count), count);
  }

 private:
  std::uint64_t* at_;
  std::uint64_t word_ = 0;
  std::size_t filled_ = 0;
};

// Bits for a block: the first may be longer than kBlock by a line, and a word past the last is
// written.
using Words = std::array<std::uint64_t, kBlock / kWord + 3>;

// The same tiles for one who does not look at rows: where each is a piece of memory, and all are of
// the same size, they lie side by side in a single row.
Tiling unrolled(const Tiling& t) {
  const bool pieces = t.tile_rows == 1 || t.across == 1;
  if (!pieces || t.rows % t.tile_rows != 0 || t.columns % t.tile_columns != 0) {
    return t;
  }
  return {1, 1, elements(t), 1, t.tile_rows * t.tile_columns, 1, tiles(t)};
}

// Which elements are in tiles that are kept, as bits.
class Expansion {
 public:
  Expansion(const Tiling& t, const std::uint8_t* kept) : t_(unrolled(t)), kept_(kept) {
    if (t_.tile_columns <= kMost) {
      for (std::size_t eight = 1; eight < eights_.size(); ++eight) {
        const auto lowest = static_cast<std::size_t>(std::countr_zero(eight));
        eights_[eight] =
            eights_[eight & (eight - 1)] | ~std::uint64_t{0} >> (kWord - t_.tile_columns)
                                                                    << (lowest * t_.tile_columns);
      }
    }
  }

  void write(const Part& part, std::uint64_t* mask) const {
    BitWriter out(mask);
    std::size_t column = part.begin % t_.columns;
    std::size_t row = part.begin / t_.columns % t_.rows;
    std::size_t row_of_tile = row % t_.tile_rows;
    const std::size_t band = part.begin / t_.columns / t_.rows * t_.bands + row / t_.tile_rows;
    const std::uint8_t* tiles = kept_ + band * t_.across;
    Words columns;  // of a row, which those below in the band repeat
    bool known = false;
    for (std::size_t i = part.begin; i < part.end;) {
      const std::size_t count = std::min(t_.columns - column, part.end - i);
      if (!known) {
        put_columns(BitWriter(columns.data()), tiles, column, count);
      }
      out.put_all(columns.data(), count);
      i += count;
      known = column == 0;
      column = 0;
      ++row_of_tile;
      ++row;
      if (row_of_tile == t_.tile_rows || row == t_.rows) {
        row_of_tile = 0;
        tiles += t_.across;
        known = false;
      }
      row = row == t_.rows ? 0 : row;
    }
  }

 private:
  // Columns of a tile up to which the bits of eight are a word.
  static constexpr std::size_t kMost = kWord / 8;

  // The tiles of one band.
  void put_columns(BitWriter out, const std::uint8_t* tile, std::size_t column,
                   std::size_t count) const {
    const std::size_t width = t_.tile_columns;
    const auto put_tile = [&](std::size_t most) {
      const std::size_t run = std::min(most, count);
      out.put_run(*tile++ != 0, run);
      count -= run;
    };
    tile += column / width;
    put_tile(width - column % width);
    if (width <= kMost) {
      for (; count >= 8 * width; count -= 8 * width, tile += 8) {
        std::uint64_t bools = 0;
        std::memcpy(&bools, tile, sizeof bools);
        out.put(eights_[bools * 0x0102040810204080u >> 56], 8 * width);
      }
    }
    while (count != 0) {
      put_tile(width);
    }
  }

  Tiling t_;
  const std::uint8_t* kept_;
  std::array<std::uint64_t, 256> eights_{};  // by which of eight tiles are kept
};

// The elements of the tiles that are kept, +0.0 for the others.
void write_kept(const void* w, FloatType type, const Tiling& t, const std::uint8_t* kept,
                void* out) {
  const auto apply_bits = kernels_of(kernels(), type.bytes).apply_bits;
  const std::size_t n = elements(t);
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  const Expansion expansion(t, kept);
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes, [&](Part part) {
    Words mask;
    expansion.write(part, mask.data());
    const auto* const from = static_cast<const unsigned char*>(w) + part.begin * type.bytes;
    auto* const to = static_cast<unsigned char*>(out) + part.begin * type.bytes;
    apply_bits({from, 0, part.end - part.begin, n - part.begin}, mask.data(),
               {Form::floats, to, stream});
  });
}

// select(norms): writes which of them are kept
template <class Select>
void prune(const void* w, sc_dtype dtype, const sc_blocks& blocks, sc_nan nan, void* out,
           const Select& select) {
  const Tiling t = tiling_of(blocks);
  const std::size_t count = tiles(t);
  if (count == 0) {
    return;
  }
  const FloatType type = float_type(dtype);
  const Buffer<double> norms(count);
  if (write_norms(w, type, t, blocks.norm, norms.data()) > kFloat64.infinity &&
      nan == SC_NAN_RAISE) {
    refuse_nan(w, elements(t), type);
  }
  const Buffer<std::uint8_t> kept(count);
  Source of_norms{norms.data(), count, kFloat64};
  of_norms.out = {Form::bools, kept.data(), false};
  select(Scope({&of_norms, 1}, nan));
  write_kept(w, type, t, kept.data(), out);
}

}  // namespace

std::size_t tiles(const Tiling& t) { return t.matrices * t.bands * t.across; }

Tiling tiling_of(const sc_blocks& b) {
  const auto pieces = [](std::size_t length, std::size_t each) {
    return length == 0 ? 0 : (length - 1) / each + 1;
  };
  return {b.matrices,
          b.rows,
          b.columns,
          b.block_rows,
          b.block_columns,
          pieces(b.rows, b.block_rows),
          pieces(b.columns, b.block_columns)};
}

void prune_tiles(const void* w, sc_dtype dtype, const sc_blocks& blocks, std::size_t k, sc_nan nan,
                 void* out) {
  prune(w, dtype, blocks, nan, out, [&](const Scope& norms) { write_topk(norms, k); });
}

void prune_tiles_above(const void* w, sc_dtype dtype, const sc_blocks& blocks, Key key, sc_nan nan,
                       void* out) {
  prune(w, dtype, blocks, nan, out,
        [&](const Scope& norms) { write_above(norms, key + norms.order(norms.first()).rotation); });
}

}  // namespace secateur
