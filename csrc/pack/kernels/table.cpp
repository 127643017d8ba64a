// The table of the kernels of bit-packed integers. Compiled once for each ISA.
#include "pack/kernels/table.hpp"

#include "pack/kernels/packing.hpp"

namespace secateur::SECATEUR_TARGET {
extern const PackKernels pack_kernels;
constinit const PackKernels pack_kernels = {.pack = pack, .unpack = unpack};

}  // namespace secateur::SECATEUR_TARGET
