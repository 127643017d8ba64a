#include "core/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "core/cpu.hpp"
#include "core/error.hpp"

namespace secateur {

// CMake generates targets.inc. It contains one line SECATEUR_ISA(name, required) for each ISA that
// the library is built for, slowest first. The CPU must support the required ISA: the same one,
// unless tests emulate it.
#define SECATEUR_ISA(isa, required) \
  namespace isa {                   \
  extern const KernelTable kernels; \
  }
#include "targets.inc"
#undef SECATEUR_ISA

// Returns a new vector instead of a function-local static. If a thread calls fork() while another
// one initializes a static, the static stays half initialized in the child. The same holds for the
// active table in kernels().
std::vector<const KernelTable*> available_tables() {
  std::vector<const KernelTable*> found;
#define SECATEUR_ISA(isa, required) \
  if (cpu::has_##required()) {      \
    found.push_back(&isa::kernels); \
  }
#include "targets.inc"
#undef SECATEUR_ISA
  return found;
}

namespace {

const KernelTable& find_table(std::string_view name, const char* argument, sc_status status) {
  std::string names;
  for (const KernelTable* table : available_tables()) {
    if (table->isa == name) {
      return *table;
    }
    names += (names.empty() ? "" : ", ") + std::string(table->isa);
  }
  throw Error(status, std::string(argument) + " must be an ISA of this CPU and this build (" +
                          names + "), got '" + std::string(name) + "'");
}

const KernelTable& default_table() {
  const char* name = std::getenv("SECATEUR_ISA");
  return name == nullptr || *name == '\0' ? *available_tables().back()
                                          : find_table(name, "SECATEUR_ISA", SC_ERROR_ENVIRONMENT);
}

std::atomic<const KernelTable*> active_table{nullptr};  // null: the default is not yet determined

}  // namespace

const KernelTable& kernels() {
  const KernelTable* table = active_table.load(std::memory_order_acquire);
  if (table == nullptr) {
    const KernelTable& initial = default_table();
    if (active_table.compare_exchange_strong(table, &initial, std::memory_order_acq_rel)) {
      return initial;
    }
  }
  return *table;
}

void set_isa(std::string_view name) {
  active_table.store(&find_table(name, "isa", SC_ERROR_ARGUMENT), std::memory_order_release);
}

}  // namespace secateur
