#include "core/transpose.hpp"

#include <algorithm>
#include <bit>

#include "core/blocks.hpp"
#include "core/ceil_div.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"

namespace secateur {
namespace {

const void* at(const void* data, std::size_t offset) {
  return static_cast<const unsigned char*>(data) + offset;
}
void* at(void* data, std::size_t offset) { return static_cast<unsigned char*>(data) + offset; }

}  // namespace

void transpose(std::size_t element_bytes, const void* from, std::size_t from_stride,
               std::size_t rows, std::size_t columns, void* to, std::size_t to_stride) {
  const auto kernel = kernels().core.transpose[std::countr_zero(element_bytes)];
  for (std::size_t row = 0; row < rows; row += kLargeBlock) {
    for (std::size_t column = 0; column < columns; column += kLargeBlock) {
      check_interrupts();
      kernel(at(from, (row * from_stride + column) * element_bytes), from_stride,
             std::min(kLargeBlock, rows - row), std::min(kLargeBlock, columns - column),
             at(to, (column * to_stride + row) * element_bytes), to_stride);
    }
  }
}

void transpose_matrices(std::size_t element_bytes, const void* from, std::size_t count,
                        std::size_t rows, std::size_t columns, void* to) {
  // Tuning: the rows and columns of a tile. Its rows are whole cache lines, and those of its
  // transpose stay in L2.
  constexpr std::size_t kSide = 256;
  const std::size_t tiles_down = ceil_div(rows, kSide), tiles_across = ceil_div(columns, kSide);
  Tasks tasks(count * tiles_down * tiles_across);
  share(tasks, count * rows * columns * element_bytes, [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const std::size_t matrix = task / (tiles_down * tiles_across) * rows * columns;
      const std::size_t row = task / tiles_across % tiles_down * kSide;
      const std::size_t column = task % tiles_across * kSide;
      transpose(element_bytes, at(from, (matrix + row * columns + column) * element_bytes), columns,
                std::min(kSide, rows - row), std::min(kSide, columns - column),
                at(to, (matrix + column * rows + row) * element_bytes), rows);
    }
  });
}

}  // namespace secateur
