#include "prune/mask.hpp"

#include "core/blocks.hpp"
#include "core/dispatch.hpp"

namespace secateur {

std::size_t mask_bytes(std::size_t n, sc_mask_format format) {
  return format == SC_MASK_BOOLS ? n : ceil_div(n, 8);
}

void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out) {
  const PruneElementKernels& width_kernels = kernels().prune.elements[type.bytes];
  const auto kernel =
      format == SC_MASK_BOOLS ? width_kernels.apply_bools : width_kernels.apply_bits;
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes + mask_bytes(n, format));
  const Output output{OutputKind::floats, out, stream};
  begin_writing(w, out);
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes,
             [&](Part part) { kernel(part, mask, output); });
}

}  // namespace secateur
