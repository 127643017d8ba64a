// An array divided in cells, each with a result of its own: its slices across an axis, or groups along one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "kernels/table.hpp"
#include "ops/blocks.hpp"
#include "ops/float_type.hpp"
#include "runtime/scratch.hpp"

namespace secateur {

// An array seen as [outer][length][inner]. Without groups (0) there is a cell for each index along the
// middle; with them, there are [outer][length / group, rounded up][inner] cells of `group` elements along the
// middle, of which the last may have fewer.
struct Cells {
  std::size_t outer, length, inner, group;

  [[nodiscard]] std::size_t groups() const { return length == 0 ? 0 : (length - 1) / group + 1; }
  [[nodiscard]] std::size_t count() const { return group == 0 ? length : outer * groups() * inner; }
  [[nodiscard]] std::size_t elements() const { return outer * length * inner; }
};

// The most elements that are summed up at once. What a cell has comes in runs, each as long as elements of it
// lie in line or, if none do, evenly apart. A run is cut in blocks of so many, and the cell's sum is that of
// these, one after another.
inline constexpr std::size_t kSumBlock = 4096;
inline constexpr std::size_t kApartBlock =
    256;  // where they lie apart: rows are read in long pieces then

// An array, and the type of float that kernels are to be given it as: its own, or one that holds it.
struct Operand {
  const void* data;
  FloatType type;
  FloatType as;
};
inline constexpr std::size_t kMostOperands = 2;

// Rows of the operands, which lie alike in both; row i is of cell `cell + i`.
struct CellRows {
  Rows rows;
  const void* others;  // of the second operand
  std::size_t cell;
};

// A reference to what is done with such.
class CellWork {
 public:
  template <class F>
  CellWork(const F& body)  // NOLINT(google-explicit-constructor): a lambda stands for it
      : body_(&body),
        call_([](const void* f, const CellRows& rows) { (*static_cast<const F*>(f))(rows); }) {}
  void operator()(const CellRows& rows) const { call_(body_, rows); }

 private:
  const void* body_;
  void (*call_)(const void* body, const CellRows& rows);
};

// Does it with all elements of all cells. Those of one cell come in order, on one thread.
void for_cells(const Cells& cells, std::span<const Operand> operands, const CellWork& work);

// Whether cells are so long, and so few of them, that each is worth several threads.
bool are_long(const Cells& cells, std::size_t bytes_each);

// add(rows, the results of these rows, the cell of all of them or of the first): results begin as zeros, and
// merge(result, another) puts two of them together.
template <class Result, class Add, class Merge>
void reduce_cells(const Cells& cells, std::span<const Operand> operands, Result* results,
                  const Add& add, const Merge& merge) {
  std::fill_n(results, cells.count(), Result{});
  if (!are_long(cells, operands[0].type.bytes)) {
    for_cells(cells, operands,
              [&](const CellRows& rows) { add(rows, results + rows.cell, rows.cell, false); });
    return;
  }
  // Each run by blocks, whose results are put together in order afterwards.
  const Cells blocks{1, cells.inner, 1, kSumBlock};
  const Buffer<Result> parts(blocks.count());
  Operand run[kMostOperands];
  std::copy(operands.begin(), operands.end(), run);
  for (std::size_t i = 0; i < cells.outer * cells.length; ++i) {
    const std::size_t cell = i % cells.length;
    std::fill_n(parts.data(), blocks.count(), Result{});
    for_cells(blocks, {run, operands.size()},
              [&](const CellRows& rows) { add(rows, parts.data() + rows.cell, cell, true); });
    for (std::size_t block = 0; block < blocks.count(); ++block) {
      merge(results[cell], parts[block]);
    }
    for (Operand& operand : run) {
      operand.data =
          static_cast<const unsigned char*>(operand.data) + cells.inner * operand.type.bytes;
    }
  }
}

}  // namespace secateur
