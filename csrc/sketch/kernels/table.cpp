// The table of the kernels of magnitude sketches. Compiled once for each ISA.
#include "sketch/kernels/table.hpp"

#include "sketch/kernels/histogram.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
constexpr SketchElementKernels element_kernels() {
  return {.count_into_bins = count_into_bins<E, uint32_t, kCountersPerBin>,
          .count_into_single_counters = count_into_bins<E, uint64_t, 1>};
}

}  // namespace

extern const SketchKernels sketch_kernels;
constinit const SketchKernels sketch_kernels = {
    .elements = {element_kernels<int16_t>(), element_kernels<int32_t>(),
                 element_kernels<int64_t>()},
};

}  // namespace secateur::SECATEUR_TARGET
