// The kernel table of one ISA. Compiled once for each ISA.
#include "core/kernel_table.hpp"

namespace secateur::SECATEUR_TARGET {

#define SECATEUR_NAME_OF(target) #target
#define SECATEUR_NAME(target) SECATEUR_NAME_OF(target)

extern const CoreKernels core_kernels;
extern const SelectKernels select_kernels;
extern const PruneKernels prune_kernels;
extern const QuantizeKernels quantize_kernels;
extern const PackKernels pack_kernels;
extern const StatsKernels stats_kernels;
extern const SketchKernels sketch_kernels;

extern const KernelTable kernels;
constinit const KernelTable kernels = {
    .isa = SECATEUR_NAME(SECATEUR_TARGET),
    .core = core_kernels,
    .select = select_kernels,
    .prune = prune_kernels,
    .quantize = quantize_kernels,
    .pack = pack_kernels,
    .stats = stats_kernels,
    .sketch = sketch_kernels,
};

}  // namespace secateur::SECATEUR_TARGET
