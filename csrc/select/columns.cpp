#include "select/columns.hpp"

#include <algorithm>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"

namespace secateur {
namespace {

// The maximum number of rows. Kernels store row numbers as elements, which may have 16 bits. The
// scratch memory of a tile grows with the rows.
constexpr std::size_t kMaxRows = std::size_t{1} << 13;

// Tuning: bytes of a tile, so that it stays in cache; and bounds for the bytes of a row of it,
// which take precedence. Memory transfers short pieces of rows slowly: pieces of 64 bytes at a
// sixth of its speed.
constexpr std::size_t kTileBytes = std::size_t{512} << 10;
constexpr std::size_t kMinRowBytes = 512;
constexpr std::size_t kMaxRowBytes = 4096;

// Tuning: the least length of a row of the array, in bytes, for which the first range is shortened
// to align the others.
constexpr std::size_t kWorthAligning = 4096;

// Division of the columns into ranges. The first range may be short, so that the results of the
// others are aligned for streaming stores.
class ColumnRanges {
 public:
  ColumnRanges(const Operand& array, const Layout& slices) : inner_(slices.inner) {
    const std::size_t bytes = array.type.bytes;
    const std::size_t fit = kTileBytes / slices.length / kLine * kLine;
    columns_ = std::clamp(fit, kMinRowBytes, kMaxRowBytes) / bytes;
    const std::size_t misalignment = reinterpret_cast<std::uintptr_t>(array.out.data) % kLine;
    aligned_ =
        array.out.stream && inner_ * bytes % kLine == 0 &&
        (misalignment == 0 || (misalignment % bytes == 0 && inner_ * bytes >= kWorthAligning));
    head_ = aligned_ && misalignment != 0 ? (kLine - misalignment) / bytes : 0;
  }

  [[nodiscard]] std::size_t longest() const { return std::min(std::max(columns_, head_), inner_); }
  [[nodiscard]] std::size_t count() const {
    return (head_ != 0 ? 1 : 0) + ceil_div(inner_ - head_, columns_);
  }
  [[nodiscard]] std::size_t begin(std::size_t range) const {
    const std::size_t after_head = head_ == 0 ? range : range - 1;
    return head_ != 0 && range == 0 ? 0 : head_ + after_head * columns_;
  }
  [[nodiscard]] std::size_t end(std::size_t range) const {
    return std::min(begin(range + 1), inner_);
  }
  [[nodiscard]] bool streams(std::size_t range) const {
    return aligned_ && (head_ == 0 || range != 0);
  }

 private:
  std::size_t inner_;
  std::size_t columns_;
  std::size_t head_;
  bool aligned_;
};

// Selection in a range of columns: a tile of their keys, and the selection in each column.
class ColumnTile {
 public:
  ColumnTile(const SelectionProblem& problem, const Layout& slices, const Goal& goal,
             std::size_t columns)
      : problem_(problem),
        operand_(problem.first_operand()),
        slices_(slices),
        goal_(goal),
        kernels_(problem.kernels(operand_)),
        bytes_(operand_.type.bytes),
        width_(ceil_div(columns, kernels_.lanes) * kernels_.lanes),
        pitch_((slices.length + 1) * kernels_.lanes),
        keys_(width_ / kernels_.lanes * pitch_ * bytes_),
        scratch_(slices.length * kernels_.lanes * bytes_),
        thresholds_(width_ * bytes_),
        tie_ends_(width_ * bytes_),
        counts_(width_ * bytes_),
        marks_((width_ + kWord) * bytes_) {}

  void write_topk(std::size_t outer, std::size_t begin, std::size_t end, bool stream) {
    const std::size_t first = outer * slices_.length * slices_.inner + begin;
    const Columns columns{operand_.at(first), slices_.length, end - begin, slices_.inner, pitch_};
    const Order order = problem_.order(operand_);
    if (problem_.is_nan(operand_, kernels_.gather_columns(columns, order, keys_.data()))) {
      problem_.refuse_nan();
    }
    kernels_.select_columns(columns, keys_.data(), goal_, predictor_, scratch_.data(), selection_);
    const OutputKind kind = operand_.out.kind;
    if (kind == OutputKind::floats) {
      void* const out = static_cast<unsigned char*>(operand_.out.data) + first * bytes_;
      if (!kernels_.emit_columns(columns, order, selection_, goal_.k, stream, out)) {
        throw_input_changed(problem_.is_in_place());
      }
    } else {
      emit_from_marks(columns, first);
    }
  }

 private:
  // Writes output other than floats of w. It marks the kept elements of a row with -1, and an emit
  // kernel selects the marks of a magnitude above 0.
  void emit_from_marks(const Columns& columns, std::size_t first) const {
    const OutputKind kind = operand_.out.kind;
    const auto emit = kernels_.emit[static_cast<std::size_t>(kind)];
    const std::size_t n = columns.columns;
    const std::size_t bytes_each = bytes_of(kind, operand_.type.bytes);
    for (std::size_t row = 0; row < columns.rows; ++row) {
      const std::size_t begin = first + row * slices_.inner;
      kernels_.mark_columns(columns, keys_.data(), row, selection_, marks_.data());
      emit({marks_.data(), 0, n, n}, {}, {0, operand_.type.most}, {0, 0},
           {kind, static_cast<unsigned char*>(operand_.out.data) + begin * bytes_each, false,
            operand_.at(begin)});
    }
  }

  const SelectionProblem& problem_;
  const Operand& operand_;
  const Layout& slices_;
  const Goal& goal_;
  const ElementKernels& kernels_;
  std::size_t bytes_;
  std::size_t width_, pitch_;
  ThresholdPredictor predictor_;
  Buffer<unsigned char> keys_, scratch_, thresholds_, tie_ends_, counts_, marks_;
  ColumnSelection selection_{thresholds_.data(), tie_ends_.data(), counts_.data()};
};

}  // namespace

bool are_columns(const Operand& array, const Layout& slices) {
  return !array.has_scores() && slices.inner != 1 && slices.length <= kMaxRows &&
         slices.inner * array.type.bytes >= kLine;
}

void write_topk_of_columns(const SelectionProblem& problem, const Layout& slices, std::size_t k) {
  const ColumnRanges ranges(problem.first_operand(), slices);
  const Goal goal{k, false, {problem.least() - 1, problem.most()}};
  Tasks tasks(slices.outer * ranges.count());
  share_with_scratch<ColumnTile>(tasks, problem.bytes(), [&](ColumnTile& tile, std::size_t task) {
    const std::size_t range = task % ranges.count();
    tile.write_topk(task / ranges.count(), ranges.begin(range), ranges.end(range),
                    ranges.streams(range));
  }, problem, slices, goal, ranges.longest());
}

}  // namespace secateur
