#include "ops/pattern.hpp"

#include <algorithm>
#include <atomic>

#include "ops/blocks.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Blocks of about kBlock elements: bands, or of one band that is longer some columns, in whole words.
class BandBlocks {
 public:
  BandBlocks(const void* array, std::size_t n, std::size_t of, std::size_t inner)
      : array_(array),
        n_(n),
        inner_(inner),
        band_(of * inner),
        columns_(band_ <= kBlock ? inner : (kBlock / of + kWord - 1) / kWord * kWord),
        parts_((inner + columns_ - 1) / columns_),
        bands_each_(std::max(std::size_t{1}, kBlock / band_)) {}

  [[nodiscard]] std::size_t count() const {
    return (n_ / band_ + bands_each_ - 1) / bands_each_ * parts_;
  }
  [[nodiscard]] Bands operator[](std::size_t block) const {
    const std::size_t band = block / parts_ * bands_each_;
    const std::size_t column = block % parts_ * columns_;
    return {array_,
            n_,
            inner_,
            band * band_ + column,
            std::min(bands_each_, n_ / band_ - band),
            std::min(columns_, inner_ - column)};
  }

 private:
  const void* array_;
  std::size_t n_, inner_, band_;
  std::size_t columns_, parts_;  // of a block, and how many make a band
  std::size_t bands_each_;
};

// What stands for elements that something else than their magnitude ranks: keys, of which those that are
// kept become -1 and the others 0. A selection of what is above 0 then writes the elements themselves.
template <class K>
void prune_ranked(const Scope& scope, const Bands& bands, Pattern pattern, const Output& out,
                  const Room& room) {
  const Source& source = scope.first();
  const std::size_t rows = bands.count * pattern.of;
  const bool whole = bands.columns == bands.inner;
  // In line in the array: all of them, or row by row.
  const std::size_t lines = whole ? 1 : rows;
  const std::size_t length = rows * bands.columns / lines;
  const std::size_t n = rows * bands.columns;
  const Buffer<K> keys(n + kWord);
  const Buffer<K> marks(n + kWord);
  for (std::size_t line = 0; line < lines; ++line) {
    for (std::size_t i = 0; i < length; i += kBlock) {
      const std::size_t begin = bands.begin + line * bands.inner + i;
      const std::size_t end = begin + std::min(kBlock, length - i);
      const void* const bits = scope.bits(source, begin, end, room.beside(source.ranked_at(begin)));
      if (scope.is_nan(source,
                       scope.keys(source, bits, end - begin, keys.data() + line * length + i))) {
        scope.refuse_nan();
      }
    }
  }
  Output marked{};
  marked.data = marks.data();
  key_kernels_of<K>(scope.table())
      .mark_pattern({keys.data(), n, bands.columns, 0, bands.count, bands.columns}, pattern,
                    marked);
  const std::size_t bytes = source.type.bytes;
  const Form form = others_of(bytes);
  for (std::size_t line = 0; line < lines; ++line) {
    const std::size_t begin = bands.begin + line * bands.inner;
    const Output to{form, static_cast<unsigned char*>(out.data) + begin * bytes, false,
                    source.at(begin)};
    kernels_of(scope.table(), sizeof(K))
        .emit[static_cast<std::size_t>(form)]({marks.data() + line * length, 0, length, length}, {},
                                              {0, kMagnitude<K>}, {0, 0}, to);
  }
}

}  // namespace

void prune_pattern(const Source& given, Pattern pattern, std::size_t inner, sc_nan nan) {
  if (given.n == 0) {
    return;
  }
  Source source = given;
  decide_streaming({&source, 1});
  const Scope scope({&source, 1}, nan);
  scope.check_nan_in_place();
  const BandBlocks blocks(source.w, source.n, pattern.of, inner);
  Tasks tasks(blocks.count());
  std::atomic<bool> nan_met{false};
  share(tasks, scope.bytes(), [&] {
    const Room room(scope);
    for (std::size_t i = 0; tasks.take(i);) {
      if (!source.is_made()) {
        const Key largest = scope.kernels(source).prune_pattern(blocks[i], pattern,
                                                                scope.order(source), source.out);
        if (scope.is_nan(source, largest)) {
          nan_met.store(true, std::memory_order_relaxed);
        }
      } else if (scope.key_type().bytes == sizeof(std::int64_t)) {
        prune_ranked<std::int64_t>(scope, blocks[i], pattern, source.out, room);
      } else {
        prune_ranked<std::int32_t>(scope, blocks[i], pattern, source.out, room);
      }
    }
  });
  if (nan_met.load()) {
    scope.refuse_nan();
  }
}

}  // namespace secateur
