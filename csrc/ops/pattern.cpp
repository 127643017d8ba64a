#include "ops/pattern.hpp"

#include <algorithm>
#include <atomic>

#include "ops/blocks.hpp"
#include "ops/nan.hpp"

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

}  // namespace

void prune_pattern(const Magnitudes& m, Pattern pattern, std::size_t inner, void* out) {
  if (m.n == 0) {
    return;
  }
  if (m.refuse_nan && out == m.w) {
    check_nan(m.w, m.n, m.type);
  }
  const std::size_t bytes = m.n * m.type.bytes;
  const Output output{Form::floats, out, worth_streaming(m.w, out, 2 * bytes), {}};
  std::atomic<bool> nan{false};
  for_blocks(BandBlocks(m.w, m.n, pattern.of, inner), bytes, [&](const Bands& bands) {
    if (m.kernels().prune_pattern(bands, pattern, m.rotation, output) > m.type.infinity) {
      nan.store(true, std::memory_order_relaxed);
    }
  });
  if (m.refuse_nan && nan.load()) {
    refuse_nan(m.w, m.n, m.type);
  }
}

}  // namespace secateur
