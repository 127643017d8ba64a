#include "ops/cells.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "dispatch/dispatch.hpp"

namespace secateur {
namespace {

// Elements handed to kernels at once: 64 KiB of floats.
constexpr std::size_t kBatch = kBlock;

// Bytes of a tile of columns, which is to stay in the L2 cache beside another and what is made of them.
constexpr std::size_t kTileBytes = std::size_t{256} << 10;

// From one column of a tile to the next: a cache line more than whole ones, so that elements side by
// side do not compete for the same places in the caches.
std::size_t apart(std::size_t rows) { return (rows / kLine + 1) * kLine + kLine; }

const unsigned char* bytes_at(const void* data, std::size_t offset) {
  return static_cast<const unsigned char*>(data) + offset;
}

// What each thread has: the operands of a batch, as kernels are given them.
class Stage {
 public:
  // `tile`: elements of one, or 0
  Stage(const Cells& cells, std::span<const Operand> operands, const CellWork& work,
        std::size_t tile)
      : cells_(cells),
        operands_(operands),
        work_(work),
        tiles_{Buffer<unsigned char>(tile * operands[0].type.bytes),
               Buffer<unsigned char>(tile * operands.back().type.bytes)},
        made_{Buffer<double>(room(operands[0], tile)),
              Buffer<double>(room(operands.back(), tile))} {}

  // `count` rows in line, from an element on, of as many cells.
  void rows(std::size_t first, std::size_t count, std::size_t length, std::size_t cell) {
    if (length <= kSumBlock) {
      const std::size_t at_once = kBatch / length;
      for (std::size_t i = 0; i < count; i += at_once) {
        batch(first + i * length, std::min(at_once, count - i), length, cell + i);
      }
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < length; j += kSumBlock) {
        batch(first + i * length + j, 1, std::min(kSumBlock, length - j), cell + i);
      }
    }
  }

  // Columns side by side, from an element on, of as many cells, and of `height` elements `stride` apart.
  void columns(std::size_t first, std::size_t count, std::size_t height, std::size_t stride,
               std::size_t cell) {
    for (std::size_t i = 0; i < height; i += kApartBlock) {
      tile(first + i * stride, count, std::min(kApartBlock, height - i), stride, cell);
    }
  }

 private:
  static std::size_t room(const Operand& operand, std::size_t tile) {
    return operand.as.kind == operand.type.kind ? 0 : std::max(tile, kBatch);
  }

  void batch(std::size_t first, std::size_t count, std::size_t length, std::size_t cell) {
    const std::size_t n = count * length;
    std::array<const void*, kMostOperands> at{};
    bool is_made = false;
    for (std::size_t o = 0; o < operands_.size(); ++o) {
      const Operand& operand = operands_[o];
      at[o] = bytes_at(operand.data, first * operand.type.bytes);
      if (operand.as.kind != operand.type.kind) {
        make(operand, {operand.data, first, first + n, cells_.elements()}, made_[o].data());
        at[o] = made_[o].data();
        is_made = true;
      }
    }
    const std::size_t there = is_made ? n : cells_.elements() - first;
    work_({{at[0], count, length, length, there}, at[1], cell});
  }

  void tile(std::size_t first, std::size_t count, std::size_t height, std::size_t stride,
            std::size_t cell) {
    const std::size_t pitch = apart(height);
    const std::size_t n = count * pitch;
    std::array<const void*, kMostOperands> at{};
    for (std::size_t o = 0; o < operands_.size(); ++o) {
      const Operand& operand = operands_[o];
      const std::size_t bytes = operand.type.bytes;
      at[o] = tiles_[o].data();
      kernels().transpose[std::countr_zero(bytes)](bytes_at(operand.data, first * bytes), stride,
                                                   height, count, tiles_[o].data(), pitch);
      if (operand.as.kind != operand.type.kind) {
        for (std::size_t i = 0; i < count; ++i) {
          auto* const to = reinterpret_cast<unsigned char*>(made_[o].data());
          make(operand, {at[o], i * pitch, i * pitch + height, n},
               to + i * pitch * operand.as.bytes);
        }
        at[o] = made_[o].data();
      }
    }
    work_({{at[0], count, height, pitch, n}, at[1], cell});
  }

  static void make(const Operand& operand, const Part& part, void* to) {
    const FloatKernels& kernels = kernels_of(secateur::kernels(), operand.type.kind);
    if (operand.as.kind == Float::float32) {
      kernels.to_float32(part, static_cast<float*>(to));
    } else {
      kernels.to_float64(part, static_cast<double*>(to));
    }
  }

  const Cells& cells_;
  std::span<const Operand> operands_;
  const CellWork& work_;
  std::array<Buffer<unsigned char>, kMostOperands> tiles_;
  std::array<Buffer<double>, kMostOperands> made_;
};

struct Job {
  const Cells& cells;
  std::span<const Operand> operands;
  const CellWork& work;

  // body(stage, task) for each; `tile`: elements of one, or 0
  void share_tasks(std::size_t count, std::size_t tile,
                   const std::function<void(Stage& stage, std::size_t task)>& body) const {
    Tasks tasks(count);
    share_with_room<Stage>(tasks, cells.elements() * operands[0].type.bytes, body, cells, operands,
                           work, tile);
  }
};

// Cells across an axis, of rows in line.
void for_slices_in_line(const Job& job) {
  const auto [outer, length, inner, group] = job.cells;
  const std::size_t fair = (length + 4 * num_threads() - 1) / (4 * num_threads());
  const std::size_t at_once = std::clamp<std::size_t>(kBatch / inner, 1, fair);
  job.share_tasks((length + at_once - 1) / at_once, 0, [&](Stage& stage, std::size_t task) {
    const std::size_t begin = task * at_once;
    const std::size_t count = std::min(at_once, job.cells.length - begin);
    for (std::size_t i = 0; i < job.cells.outer; ++i) {
      stage.rows((i * job.cells.length + begin) * job.cells.inner, count, job.cells.inner, begin);
    }
  });
}

// Groups of elements in line.
void for_groups_in_line(const Job& job) {
  const bool even = job.cells.length % job.cells.group == 0;  // then all rows are as one
  const std::size_t length = even ? job.cells.elements() : job.cells.length;
  const std::size_t group = job.cells.group;
  const std::size_t of_row = (length + group - 1) / group;
  const std::size_t count = job.cells.count();
  const std::size_t at_once = std::max<std::size_t>(kBatch / group, 1);
  job.share_tasks((count + at_once - 1) / at_once, 0, [&](Stage& stage, std::size_t task) {
    const std::size_t end = std::min(count, (task + 1) * at_once);
    for (std::size_t cell = task * at_once; cell < end;) {
      const std::size_t place = cell % of_row * group;
      const std::size_t whole = std::min((length - place) / group, end - cell);
      const std::size_t first = cell / of_row * length + place;
      if (whole != 0) {
        stage.rows(first, whole, group, cell);
        cell += whole;
      } else {
        stage.rows(first, 1, length - place, cell);
        ++cell;
      }
    }
  });
}

// Columns `width` wide in all, in bands of `height` rows each of `bands` in a matrix of `length` rows.
void for_columns(const Job& job, std::size_t matrices, std::size_t length, std::size_t height,
                 std::size_t width) {
  const std::size_t bytes = job.operands[0].type.bytes;
  const std::size_t bands = (length + height - 1) / height;
  const std::size_t of_tile = kTileBytes / (std::min(height, kApartBlock) * bytes);
  const std::size_t of_line = kLine / bytes;
  const std::size_t at_once =
      std::min(std::max(of_tile / of_line, std::size_t{1}) * of_line, width);
  const std::size_t chunks = (width + at_once - 1) / at_once;
  job.share_tasks(matrices * bands * chunks, at_once * apart(std::min(height, kApartBlock)),
                  [&](Stage& stage, std::size_t task) {
    const std::size_t begin = task % chunks * at_once;
    const std::size_t band = task / chunks % bands;
    const std::size_t matrix = task / chunks / bands;
    stage.columns((matrix * length + band * height) * width + begin,
                  std::min(at_once, width - begin), std::min(height, length - band * height), width,
                  (matrix * bands + band) * width + begin);
  });
}

}  // namespace

bool are_long(const Cells& cells, std::size_t bytes_each) {
  return cells.group == 0 && cells.inner * bytes_each >= 2 * kBytesPerThread &&
         cells.length < 4 * num_threads();
}

void for_cells(const Cells& cells, std::span<const Operand> operands, const CellWork& work) {
  if (cells.elements() == 0) {
    return;
  }
  const Job job{cells, operands, work};
  const auto [outer, length, inner, group] = cells;
  if (group != 0) {
    inner == 1 ? for_groups_in_line(job) : for_columns(job, outer, length, group, inner);
  } else if (inner != 1 || outer == 1 || length == 1) {
    for_slices_in_line(job);
  } else {
    for_columns(job, 1, outer, outer, length);
  }
}

}  // namespace secateur
