#include "ops/mask.hpp"

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"

namespace secateur {

std::size_t mask_bytes(std::size_t n, sc_mask_format format) {
  return format == SC_MASK_BOOLS ? n : (n + 7) / 8;
}

void apply_mask(const void* w, std::size_t n, const void* mask, sc_mask_format format, void* out) {
  const auto kernel = format == SC_MASK_BOOLS ? kernels().apply_bools : kernels().apply_bits;
  const bool stream = worth_streaming(w, out, 2 * n * sizeof(float) + mask_bytes(n, format));
  const Output output{Form::floats, out, stream, {}};
  for_blocks(Blocks(w, n, out, sizeof(float)), n * sizeof(float),
             [&](Part part) { kernel(part, mask, output); });
}

}  // namespace secateur
