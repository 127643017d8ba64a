// Dispatch: the choice of the kernel table that calls use.
#pragma once

#include <string_view>
#include <vector>

#include "core/kernel_table.hpp"

namespace secateur {

// The active table. The default is the fastest available one, or the one that the environment
// variable SECATEUR_ISA names. Throws Error if that ISA is not available.
const KernelTable& kernels();

// Makes the table of another ISA active. Throws Error if that ISA is not available.
void set_isa(std::string_view name);

// The tables that are part of this build and that this CPU can run, slowest first.
std::vector<const KernelTable*> available_tables();

}  // namespace secateur
