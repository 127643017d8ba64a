// The kernel table of one ISA: pointers to the kernels of every subject.
#pragma once

#include "core/kernels/table.hpp"
#include "core/subjects.hpp"
#include "pack/kernels/table.hpp"
#include "prune/kernels/table.hpp"
#include "quantize/kernels/table.hpp"
#include "select/kernels/table.hpp"
#include "sketch/kernels/table.hpp"
#include "sparse/kernels/table.hpp"
#include "stats/kernels/table.hpp"

namespace secateur {

struct KernelTable {
  const char* isa;
#define SECATEUR_SUBJECT(name, Kernels) const Kernels& name;
  SECATEUR_SUBJECTS(SECATEUR_SUBJECT)
#undef SECATEUR_SUBJECT
};

}  // namespace secateur
