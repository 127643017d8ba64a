// The kernel table of one ISA: pointers to the kernels of every subject.
#pragma once

#include "core/kernels/table.hpp"
#include "pack/kernels/table.hpp"
#include "prune/kernels/table.hpp"
#include "quantize/kernels/table.hpp"
#include "select/kernels/table.hpp"
#include "sketch/kernels/table.hpp"
#include "stats/kernels/table.hpp"

namespace secateur {

struct KernelTable {
  const char* isa;
  const CoreKernels& core;
  const SelectKernels& select;
  const PruneKernels& prune;
  const QuantizeKernels& quantize;
  const PackKernels& pack;
  const StatsKernels& stats;
  const SketchKernels& sketch;
};

}  // namespace secateur
