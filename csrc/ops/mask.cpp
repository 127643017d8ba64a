#include "ops/mask.hpp"

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"

namespace secateur {

std::size_t mask_bytes(std::size_t n, sc_mask_format format) {
  return format == SC_MASK_BOOLS ? n : (n + 7) / 8;
}

void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out) {
  const ElementKernels& of_width = kernels_of(kernels(), type.bytes);
  const auto kernel = format == SC_MASK_BOOLS ? of_width.apply_bools : of_width.apply_bits;
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes + mask_bytes(n, format));
  const Output output{Form::floats, out, stream};
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes,
             [&](Part part) { kernel(part, mask, output); });
}

}  // namespace secateur
