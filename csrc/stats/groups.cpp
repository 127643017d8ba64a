#include "stats/groups.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "core/dispatch.hpp"

namespace secateur {
namespace {

// Tuning: the elements of a batch, which one call of a kernel processes: 64 KiB of floats.
constexpr std::size_t kBatch = kBlock;

// Tuning: the bytes of a tile of columns. Two tiles and their converted copies should fit the L2
// cache.
constexpr std::size_t kTileBytes = std::size_t{256} << 10;

// Tuning: the distance between columns of a tile, in elements. Columns are separated by more than a
// cache line, so that elements of adjacent columns do not compete for the same cache sets.
std::size_t column_pitch(std::size_t rows) { return (rows / kLine + 1) * kLine + kLine; }

const unsigned char* bytes_at(const void* data, std::size_t offset) {
  return static_cast<const unsigned char*>(data) + offset;
}

// Calls the function with batches of rows of the inputs. Converts elements to the kernel type, and
// transposes columns to rows. Each thread has one Batcher.
class Batcher {
 public:
  // tile_size: the elements of a tile, or 0 if columns() is not called
  Batcher(const Layout& groups, std::span<const GroupInput> inputs, const GroupFunction& function,
          std::size_t tile_size)
      : groups_(groups),
        inputs_(inputs),
        function_(function),
        tiles_{Buffer<unsigned char>(tile_size * inputs[0].type.bytes),
               Buffer<unsigned char>(tile_size * inputs.back().type.bytes)},
        converted_{Buffer<double>(converted_size(inputs[0], tile_size)),
                   Buffer<double>(converted_size(inputs.back(), tile_size))} {}

  // Passes `count` contiguous rows, from the element `first` on. Each row belongs to one group.
  void rows(std::size_t first, std::size_t count, std::size_t length, std::size_t group) {
    if (length <= kRowSegment) {
      const std::size_t rows_per_batch = kBatch / length;
      for (std::size_t i = 0; i < count; i += rows_per_batch) {
        batch(first + i * length, std::min(rows_per_batch, count - i), length, group + i);
      }
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < length; j += kRowSegment) {
        batch(first + i * length + j, 1, std::min(kRowSegment, length - j), group + i);
      }
    }
  }

  // Passes `count` adjacent columns, from the element `first` on. Each column belongs to one group
  // and has `height` elements, `stride` apart.
  void columns(std::size_t first, std::size_t count, std::size_t height, std::size_t stride,
               std::size_t group) {
    for (std::size_t i = 0; i < height; i += kColumnSegment) {
      tile(first + i * stride, count, std::min(kColumnSegment, height - i), stride, group);
    }
  }

 private:
  static std::size_t converted_size(const GroupInput& input, std::size_t tile_size) {
    return input.kernel_type.kind == input.type.kind ? 0 : std::max(tile_size, kBatch);
  }

  void batch(std::size_t first, std::size_t count, std::size_t length, std::size_t group) {
    check_interrupts();
    const std::size_t n = count * length;
    std::array<const void*, kMaxGroupInputs> data{};
    bool is_converted = false;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const GroupInput& input = inputs_[k];
      data[k] = bytes_at(input.data, first * input.type.bytes);
      if (input.kernel_type.kind != input.type.kind) {
        convert(input, {input.data, first, first + n, groups_.elements()}, converted_[k].data());
        data[k] = converted_[k].data();
        is_converted = true;
      }
    }
    const std::size_t available = is_converted ? n : groups_.elements() - first;
    function_({{data[0], count, length, length, available}, data[1], group});
  }

  void tile(std::size_t first, std::size_t count, std::size_t height, std::size_t stride,
            std::size_t group) {
    check_interrupts();
    const std::size_t pitch = column_pitch(height);
    const std::size_t n = count * pitch;
    std::array<const void*, kMaxGroupInputs> data{};
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const GroupInput& input = inputs_[k];
      const std::size_t bytes = input.type.bytes;
      data[k] = tiles_[k].data();
      kernels().core.transpose[std::countr_zero(bytes)](bytes_at(input.data, first * bytes), stride,
                                                        height, count, tiles_[k].data(), pitch);
      if (input.kernel_type.kind != input.type.kind) {
        for (std::size_t i = 0; i < count; ++i) {
          auto* const target = reinterpret_cast<unsigned char*>(converted_[k].data());
          convert(input, {data[k], i * pitch, i * pitch + height, n},
                  target + i * pitch * input.kernel_type.bytes);
        }
        data[k] = converted_[k].data();
      }
    }
    function_({{data[0], count, height, pitch, n}, data[1], group});
  }

  static void convert(const GroupInput& input, const Part& part, void* to) {
    const ConvertKernels& kernels = secateur::kernels().core.convert[input.type.kind];
    if (input.kernel_type.kind == Float::float32) {
      kernels.to_float32(part, static_cast<float*>(to));
    } else {
      kernels.to_float64(part, static_cast<double*>(to));
    }
  }

  const Layout& groups_;
  std::span<const GroupInput> inputs_;
  const GroupFunction& function_;
  std::array<Buffer<unsigned char>, kMaxGroupInputs> tiles_;
  std::array<Buffer<double>, kMaxGroupInputs> converted_;
};

struct Job {
  const Layout& groups;
  std::span<const GroupInput> inputs;
  const GroupFunction& function;

  // Calls body(batcher, task) for each task. tile_size is that of Batcher.
  void share_tasks(std::size_t count, std::size_t tile_size,
                   const std::function<void(Batcher& batcher, std::size_t task)>& body) const {
    Tasks tasks(count);
    share_with_scratch<Batcher>(tasks, groups.elements() * inputs[0].type.bytes, body, groups,
                                inputs, function, tile_size);
  }
};

// The rows of blocks of a layout, each of a matrix or, if shared, of all matrices.
struct BlockRows {
  explicit BlockRows(const Layout& layout)
      : per_matrix(layout.blocks_down()),
        count((layout.shared ? 1 : layout.outer) * per_matrix),
        matrices(layout.shared ? layout.outer : 1) {}

  std::size_t per_matrix;
  std::size_t count;
  std::size_t matrices;  // of a row of blocks
};

// Processes groups whose runs are rows of elements.
void for_rows(const Job& job) {
  const Layout& layout = job.groups;
  const BlockRows block_rows(layout);
  const std::size_t across = layout.blocks_across();
  const std::size_t full_across = layout.inner / layout.inner_block;
  const std::size_t rows_of_elements = block_rows.matrices * layout.block;
  // Where blocks are high, each thread should still get several tasks.
  const std::size_t max_blocks =
      rows_of_elements == 1 || num_threads() == 1
          ? across
          : std::min(across, ceil_div(layout.groups(), 4 * num_threads()));
  const std::size_t blocks_per_task =
      std::clamp<std::size_t>(kBatch / layout.inner_block, 1, max_blocks);
  const std::size_t tasks_per_row = ceil_div(across, blocks_per_task);
  const std::size_t block_rows_per_task =
      tasks_per_row > 1 ? 1 : std::max<std::size_t>(kBatch / (rows_of_elements * layout.inner), 1);
  const auto work_on_block_row = [&](Batcher& batcher, std::size_t block_row, std::size_t begin) {
    const std::size_t end = std::min(begin + blocks_per_task, across);
    const std::size_t full = std::max(std::min(end, full_across), begin) - begin;
    const std::size_t first_row = block_row % block_rows.per_matrix * layout.block;
    const std::size_t height = std::min(layout.block, layout.length - first_row);
    const std::size_t group = block_row * across + begin;
    for (std::size_t i = 0; i < block_rows.matrices; ++i) {
      const std::size_t matrix = block_rows.matrices == 1 ? block_row / block_rows.per_matrix : i;
      for (std::size_t row = first_row; row < first_row + height; ++row) {
        const std::size_t row_begin = (matrix * layout.length + row) * layout.inner;
        const std::size_t first = row_begin + begin * layout.inner_block;
        if (full != 0) {
          batcher.rows(first, full, layout.inner_block, group);
        }
        if (begin + full < end) {
          batcher.rows(first + full * layout.inner_block, 1, layout.inner % layout.inner_block,
                       group + full);
        }
      }
    }
  };
  job.share_tasks(ceil_div(block_rows.count, block_rows_per_task) * tasks_per_row, 0,
                  [&](Batcher& batcher, std::size_t task) {
    const std::size_t begin = task / tasks_per_row * block_rows_per_task;
    const std::size_t end = std::min(begin + block_rows_per_task, block_rows.count);
    for (std::size_t block_row = begin; block_row < end; ++block_row) {
      work_on_block_row(batcher, block_row, task % tasks_per_row * blocks_per_task);
    }
  });
}

// Processes groups of blocks that are one element wide, whose runs are columns.
void for_columns(const Job& job) {
  const Layout& layout = job.groups;
  const BlockRows block_rows(layout);
  const std::size_t bytes = job.inputs[0].type.bytes;
  const std::size_t tile_rows = std::min(layout.block, kColumnSegment);
  const std::size_t tile_columns = kTileBytes / (tile_rows * bytes);
  const std::size_t line_elements = kLine / bytes;
  const std::size_t columns_per_task = std::min(
      std::max(tile_columns / line_elements, std::size_t{1}) * line_elements, layout.inner);
  const std::size_t tasks_per_row = ceil_div(layout.inner, columns_per_task);
  job.share_tasks(block_rows.count * tasks_per_row, columns_per_task * column_pitch(tile_rows),
                  [&](Batcher& batcher, std::size_t task) {
    const std::size_t begin = task % tasks_per_row * columns_per_task;
    const std::size_t block_row = task / tasks_per_row;
    const std::size_t first_row = block_row % block_rows.per_matrix * layout.block;
    for (std::size_t i = 0; i < block_rows.matrices; ++i) {
      const std::size_t matrix = block_rows.matrices == 1 ? block_row / block_rows.per_matrix : i;
      batcher.columns((matrix * layout.length + first_row) * layout.inner + begin,
                      std::min(columns_per_task, layout.inner - begin),
                      std::min(layout.block, layout.length - first_row), layout.inner,
                      block_row * layout.inner + begin);
    }
  });
}

}  // namespace

GroupParts::GroupParts(const Layout& groups, std::size_t elements)
    : layout_(groups.coalesced()),
      matrices_(layout_.outer),
      rows_(layout_.blocks_down()),
      columns_(layout_.blocks_across()) {
  const auto fitting = [&](std::size_t size) { return std::max(elements / size, std::size_t{1}); };
  if (layout_.shared || layout_.elements() <= elements) {
    return;
  }
  matrices_ = std::min(matrices_, fitting(layout_.length * layout_.inner));
  if (matrices_ == 1) {
    rows_ = std::min(rows_, fitting(layout_.block * layout_.inner));
  }
  if (matrices_ == 1 && rows_ == 1 && layout_.block == 1) {
    columns_ = std::min(columns_, fitting(layout_.inner_block));
  }
}

GroupParts::Part GroupParts::operator[](std::size_t i) const {
  const std::size_t across = ceil_div(layout_.blocks_across(), columns_);
  const std::size_t down = ceil_div(layout_.blocks_down(), rows_);
  const std::size_t matrix = i / (across * down) * matrices_;
  const std::size_t row = i / across % down * rows_;
  const std::size_t column = i % across * columns_;
  Layout part = layout_;
  part.outer = layout_.shared ? layout_.outer : std::min(matrices_, layout_.outer - matrix);
  part.length = std::min(rows_ * layout_.block, layout_.length - row * layout_.block);
  part.inner =
      std::min(columns_ * layout_.inner_block, layout_.inner - column * layout_.inner_block);
  part.block = std::min(part.block, part.length);
  part.inner_block = std::min(part.inner_block, part.inner);
  return {part,
          (matrix * layout_.length + row * layout_.block) * layout_.inner +
              column * layout_.inner_block,
          (matrix * layout_.blocks_down() + row) * layout_.blocks_across() + column};
}

bool should_split_rows(const Layout& groups, std::size_t bytes_each) {
  return groups.inner_block * bytes_each >= 2 * kBytesPerThread &&
         groups.groups() < 4 * num_threads();
}

void for_groups(const Layout& groups, std::span<const GroupInput> inputs,
                const GroupFunction& function) {
  const Job job{groups, inputs, function};
  groups.inner_block == 1 && groups.block != 1 ? for_columns(job) : for_rows(job);
}

}  // namespace secateur
