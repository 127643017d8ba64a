// The table of kernels chosen for this CPU.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/table.hpp"

namespace secateur {

// The table in use. Throws Error when SECATEUR_ISA names what this CPU and build have not.
const KernelTable& kernels();

// Uses another; throws Error as above.
void set_isa(std::string_view name);

// Every table that this CPU can run, worst first.
std::vector<const KernelTable*> available_tables();

}  // namespace secateur
