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
  Batcher(const Groups& groups, std::span<const GroupInput> inputs, const GroupFunction& function,
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
    if (length <= kSumBlock) {
      const std::size_t rows_per_batch = kBatch / length;
      for (std::size_t i = 0; i < count; i += rows_per_batch) {
        batch(first + i * length, std::min(rows_per_batch, count - i), length, group + i);
      }
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < length; j += kSumBlock) {
        batch(first + i * length + j, 1, std::min(kSumBlock, length - j), group + i);
      }
    }
  }

  // Passes `count` adjacent columns, from the element `first` on. Each column belongs to one group
  // and has `height` elements, `stride` apart.
  void columns(std::size_t first, std::size_t count, std::size_t height, std::size_t stride,
               std::size_t group) {
    for (std::size_t i = 0; i < height; i += kStridedSumBlock) {
      tile(first + i * stride, count, std::min(kStridedSumBlock, height - i), stride, group);
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

  const Groups& groups_;
  std::span<const GroupInput> inputs_;
  const GroupFunction& function_;
  std::array<Buffer<unsigned char>, kMaxGroupInputs> tiles_;
  std::array<Buffer<double>, kMaxGroupInputs> converted_;
};

struct Job {
  const Groups& groups;
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

// Processes groups that are slices across an axis. A group has `outer` contiguous rows.
void for_row_slices(const Job& job) {
  const auto [outer, length, inner, group_size] = job.groups;
  const std::size_t max_slices = ceil_div(length, 4 * num_threads());
  const std::size_t slices_per_task = std::clamp<std::size_t>(kBatch / inner, 1, max_slices);
  job.share_tasks(ceil_div(length, slices_per_task), 0, [&](Batcher& batcher, std::size_t task) {
    const std::size_t begin = task * slices_per_task;
    const std::size_t count = std::min(slices_per_task, job.groups.length - begin);
    for (std::size_t i = 0; i < job.groups.outer; ++i) {
      batcher.rows((i * job.groups.length + begin) * job.groups.inner, count, job.groups.inner,
                   begin);
    }
  });
}

// Processes groups of contiguous elements.
void for_contiguous_groups(const Job& job) {
  // If no row ends with a shorter group, all rows are processed as one.
  const bool is_even = job.groups.length % job.groups.group_size == 0;
  const std::size_t length = is_even ? job.groups.elements() : job.groups.length;
  const std::size_t group_size = job.groups.group_size;
  const std::size_t groups_per_row = ceil_div(length, group_size);
  const std::size_t count = job.groups.count();
  const std::size_t groups_per_task = std::max<std::size_t>(kBatch / group_size, 1);
  job.share_tasks(ceil_div(count, groups_per_task), 0, [&](Batcher& batcher, std::size_t task) {
    const std::size_t end = std::min(count, (task + 1) * groups_per_task);
    for (std::size_t group = task * groups_per_task; group < end;) {
      const std::size_t offset = group % groups_per_row * group_size;
      const std::size_t whole_groups = std::min((length - offset) / group_size, end - group);
      const std::size_t first = group / groups_per_row * length + offset;
      if (whole_groups != 0) {
        batcher.rows(first, whole_groups, group_size, group);
        group += whole_groups;
      } else {
        batcher.rows(first, 1, length - offset, group);
        ++group;
      }
    }
  });
}

// Processes groups that are columns. The array has `matrices` matrices of `length` rows and `width`
// columns. A matrix is split into bands of `height` rows. A group is one column of a band.
void for_columns(const Job& job, std::size_t matrices, std::size_t length, std::size_t height,
                 std::size_t width) {
  const std::size_t bytes = job.inputs[0].type.bytes;
  const std::size_t bands = ceil_div(length, height);
  const std::size_t tile_columns = kTileBytes / (std::min(height, kStridedSumBlock) * bytes);
  const std::size_t line_elements = kLine / bytes;
  const std::size_t columns_per_task =
      std::min(std::max(tile_columns / line_elements, std::size_t{1}) * line_elements, width);
  const std::size_t chunks = ceil_div(width, columns_per_task);
  job.share_tasks(matrices * bands * chunks,
                  columns_per_task * column_pitch(std::min(height, kStridedSumBlock)),
                  [&](Batcher& batcher, std::size_t task) {
    const std::size_t begin = task % chunks * columns_per_task;
    const std::size_t band = task / chunks % bands;
    const std::size_t matrix = task / chunks / bands;
    batcher.columns((matrix * length + band * height) * width + begin,
                    std::min(columns_per_task, width - begin),
                    std::min(height, length - band * height), width,
                    (matrix * bands + band) * width + begin);
  });
}

}  // namespace

bool are_long(const Groups& groups, std::size_t bytes_each) {
  return groups.group_size == 0 && groups.inner * bytes_each >= 2 * kBytesPerThread &&
         groups.length < 4 * num_threads();
}

void for_groups(const Groups& groups, std::span<const GroupInput> inputs,
                const GroupFunction& function) {
  if (groups.elements() == 0) {
    return;
  }
  const Job job{groups, inputs, function};
  const auto [outer, length, inner, group_size] = groups;
  if (group_size != 0) {
    inner == 1 ? for_contiguous_groups(job) : for_columns(job, outer, length, group_size, inner);
  } else if (inner != 1 || outer == 1 || length == 1) {
    for_row_slices(job);
  } else {
    for_columns(job, 1, outer, outer, length);
  }
}

}  // namespace secateur
