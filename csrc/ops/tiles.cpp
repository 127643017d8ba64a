#include "ops/tiles.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/float_type.hpp"
#include "ops/nan.hpp"
#include "ops/select.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Elements whose norms are one task: long enough that rows of tiles side by side are read in pieces
// of many cache lines.
constexpr std::size_t kTask = 4 * kBlock;

std::size_t elements(const Tiling& t) { return t.matrices * t.rows * t.columns; }

// Returns the largest.
Key write_norms(const void* w, FloatType type, const Tiling& t, sc_norm norm, double* norms) {
  const auto kernel = kernels_of(kernels(), type.kind).tile_norms[static_cast<std::size_t>(norm)];
  const std::size_t count = tiles(t);
  const std::size_t each = std::max<std::size_t>(kTask / (t.tile_rows * t.tile_columns), 1);
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

// The first block may be longer than kBlock, and a word past the last is written.
using Words = std::array<std::uint64_t, kBlock / kWord + 3>;

// Which elements of a part are in tiles that are kept. Within a band the bits of all rows are alike.
void expand(const Tiling& t, const std::uint8_t* kept, const Part& part, std::uint64_t* mask) {
  BitWriter writer(mask);
  Words row_bits;
  std::size_t column = part.begin % t.columns;
  std::size_t row = part.begin / t.columns % t.rows;
  const std::uint8_t* band =
      kept + (part.begin / t.columns / t.rows * t.bands + row / t.tile_rows) * t.across;
  std::size_t row_of_tile = row % t.tile_rows;
  bool known = false;
  for (std::size_t i = part.begin; i < part.end;) {
    const std::size_t count = std::min(t.columns - column, part.end - i);
    if (!known) {
      BitWriter bits(row_bits.data());
      const std::uint8_t* tile = band + column / t.tile_columns;
      std::size_t width = t.tile_columns - column % t.tile_columns;
      for (std::size_t j = 0; j < count; j += width, width = t.tile_columns) {
        bits.put_run(*tile++ != 0, std::min(width, count - j));
      }
    }
    writer.put_all(row_bits.data(), count);
    i += count;
    known = column == 0;
    column = 0;
    if (++row_of_tile == t.tile_rows || row + 1 == t.rows) {
      row_of_tile = 0;
      band += t.across;
      known = false;
    }
    row = row + 1 == t.rows ? 0 : row + 1;
  }
}

// The elements of the tiles that are kept, +0.0 for the others.
void write_kept(const void* w, FloatType type, const Tiling& t, const std::uint8_t* kept,
                void* out) {
  const auto apply_bits = kernels_of(kernels(), type.bytes).apply_bits;
  const std::size_t n = elements(t);
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  for_blocks(Blocks(w, n, out, type.bytes), n * type.bytes, [&](Part part) {
    Words mask;
    expand(t, kept, part, mask.data());
    const std::size_t offset = part.begin * type.bytes;
    apply_bits(
        {static_cast<const unsigned char*>(w) + offset, 0, part.end - part.begin, n - part.begin},
        mask.data(), {Form::floats, static_cast<unsigned char*>(out) + offset, stream, {}});
  });
}

// select(norms, form): writes which norms are kept
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
  select(Magnitudes(norms.data(), SC_FLOAT64, count, nan),
         Output{Form::bools, kept.data(), false, {}});
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
  prune(w, dtype, blocks, nan, out,
        [&](const Magnitudes& norms, const Output& kept) { write_topk(norms, k, kept); });
}

void prune_tiles_above(const void* w, sc_dtype dtype, const sc_blocks& blocks, Key key, sc_nan nan,
                       void* out) {
  prune(w, dtype, blocks, nan, out, [&](const Magnitudes& norms, const Output& kept) {
    write_above(norms, key + norms.rotation, kept);
  });
}

}  // namespace secateur
