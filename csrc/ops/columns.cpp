#include "ops/columns.hpp"

#include <algorithm>

#include "ops/blocks.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Rows of a tile. Their numbers are compared as elements, of 16 bits at least; and it takes scratch memory.
constexpr std::size_t kTallest = std::size_t{1} << 13;

// Bytes of a tile, which is to stay in cache, and of a row of it, which may be more: memory brings shorter
// stretches much more slowly, those of 64 bytes at a sixth of its speed.
constexpr std::size_t kTileBytes = std::size_t{512} << 10;
constexpr std::size_t kLeastStretch = 512;
constexpr std::size_t kMostStretch = 4096;

// Bytes of a row of the array from which it is worth a chunk of less than a line, so that the others are
// aligned.
constexpr std::size_t kWorthAligning = 4096;

// Chunks of columns, the first of which may be short, so that the others are aligned where results go
// past the caches.
class Chunks {
 public:
  Chunks(const Source& array, const Slices& slices) : inner_(slices.inner) {
    const std::size_t bytes = array.type.bytes;
    const std::size_t fit = kTileBytes / slices.length / kLine * kLine;
    columns_ = std::clamp(fit, kLeastStretch, kMostStretch) / bytes;
    const std::size_t past = reinterpret_cast<std::uintptr_t>(array.out.data) % kLine;
    aligned_ = array.out.stream && inner_ * bytes % kLine == 0 &&
               (past == 0 || (past % bytes == 0 && inner_ * bytes >= kWorthAligning));
    head_ = aligned_ && past != 0 ? (kLine - past) / bytes : 0;
  }

  [[nodiscard]] std::size_t longest() const { return std::min(std::max(columns_, head_), inner_); }
  [[nodiscard]] std::size_t count() const {
    return (head_ != 0 ? 1 : 0) + (inner_ - head_ + columns_ - 1) / columns_;
  }
  [[nodiscard]] std::size_t begin(std::size_t chunk) const {
    const std::size_t after_head = head_ == 0 ? chunk : chunk - 1;
    return head_ != 0 && chunk == 0 ? 0 : head_ + after_head * columns_;
  }
  [[nodiscard]] std::size_t end(std::size_t chunk) const {
    return std::min(begin(chunk + 1), inner_);
  }
  [[nodiscard]] bool streams(std::size_t chunk) const {
    return aligned_ && (head_ == 0 || chunk != 0);
  }

 private:
  std::size_t inner_;
  std::size_t columns_;
  std::size_t head_;
  bool aligned_;
};

// The keys of some columns, and what is selected in them.
class ColumnTile {
 public:
  ColumnTile(const Scope& scope, const Slices& slices, const Goal& goal, std::size_t columns)
      : scope_(scope),
        source_(scope.first()),
        slices_(slices),
        goal_(goal),
        kernels_(scope.kernels(source_)),
        bytes_(source_.type.bytes),
        width_((columns + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes),
        pitch_((slices.length + 1) * kernels_.lanes),
        keys_(width_ / kernels_.lanes * pitch_ * bytes_),
        room_(slices.length * kernels_.lanes * bytes_),
        thresholds_(width_ * bytes_),
        tie_ends_(width_ * bytes_),
        marks_((width_ + kWord) * bytes_) {}

  void write_topk(std::size_t outer, std::size_t begin, std::size_t end, bool stream) {
    const std::size_t first = outer * slices_.length * slices_.inner + begin;
    const Columns columns{source_.at(first), slices_.length, end - begin, slices_.inner, pitch_};
    const Order order = scope_.order(source_);
    if (scope_.is_nan(source_, kernels_.gather_columns(columns, order, keys_.data()))) {
      scope_.refuse_nan();
    }
    kernels_.select_columns(columns, keys_.data(), goal_, guess_, room_.data(), selection_);
    const Form form = source_.out.form;
    if (form == Form::floats) {
      kernels_.emit_columns(columns, order, selection_, stream,
                            static_cast<unsigned char*>(source_.out.data) + first * bytes_);
    } else {
      emit_marked(columns, first);
    }
  }

 private:
  // In other forms, by way of keys that say which are kept.
  void emit_marked(const Columns& columns, std::size_t first) const {
    const Form form = source_.out.form;
    const auto emit = kernels_.emit[static_cast<std::size_t>(form)];
    const std::size_t n = columns.columns;
    const std::size_t bytes_each = bytes_of(form, source_.type.bytes);
    for (std::size_t row = 0; row < columns.rows; ++row) {
      const std::size_t begin = first + row * slices_.inner;
      kernels_.mark_columns(columns, keys_.data(), row, selection_, marks_.data());
      emit({marks_.data(), 0, n, n}, {}, {0, source_.type.most}, {0, 0},
           {form, static_cast<unsigned char*>(source_.out.data) + begin * bytes_each, false,
            source_.at(begin)});
    }
  }

  const Scope& scope_;
  const Source& source_;
  const Slices& slices_;
  const Goal& goal_;
  const ElementKernels& kernels_;
  std::size_t bytes_;
  std::size_t width_, pitch_;
  Guess guess_;
  Buffer<unsigned char> keys_, room_, thresholds_, tie_ends_, marks_;
  ColumnSelection selection_{thresholds_.data(), tie_ends_.data()};
};

}  // namespace

bool are_columns(const Source& array, const Slices& slices) {
  return !array.is_made() && slices.inner != 1 && slices.length <= kTallest &&
         slices.inner * array.type.bytes >= kLine;
}

void write_topk_of_columns(const Scope& scope, const Slices& slices, std::size_t k) {
  const Chunks chunks(scope.first(), slices);
  const Goal goal{k, false, {scope.least() - 1, scope.most()}};
  Tasks tasks(slices.outer * chunks.count());
  share_with_room<ColumnTile>(tasks, scope.bytes(), [&](ColumnTile& tile, std::size_t task) {
    const std::size_t chunk = task % chunks.count();
    tile.write_topk(task / chunks.count(), chunks.begin(chunk), chunks.end(chunk),
                    chunks.streams(chunk));
  }, scope, slices, goal, chunks.longest());
}

}  // namespace secateur
