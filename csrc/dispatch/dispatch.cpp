#include "dispatch/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "dispatch/cpu.hpp"
#include "runtime/error.hpp"

namespace secateur {

// Each target file defines its own. A new ISA adds a line here and one in available_tables.
namespace scalar {
extern const KernelTable kernels;
}
namespace avx2 {
extern const KernelTable kernels;
}
namespace avx512 {
extern const KernelTable kernels;
}

// Not a static, and neither is the table in use: a fork() while another thread makes one would leave
// it half made.
std::vector<const KernelTable*> available_tables() {
  std::vector<const KernelTable*> found{&scalar::kernels};
#if defined(SECATEUR_HAVE_AVX2)
  if (cpu::has_avx2()) {
    found.push_back(&avx2::kernels);
  }
#endif
#if defined(SECATEUR_HAVE_AVX512)
  if (cpu::has_avx512()) {
    found.push_back(&avx512::kernels);
  }
#endif
  return found;
}

namespace {

const KernelTable& find(std::string_view name, const char* argument, sc_status status) {
  std::string names;
  for (const KernelTable* table : available_tables()) {
    if (table->isa == name) {
      return *table;
    }
    names += (names.empty() ? "" : ", ") + std::string(table->isa);
  }
  throw Error(status, std::string(argument) + " must be one that this CPU has (" + names +
                          "), got '" + std::string(name) + "'");
}

const KernelTable& table_by_default() {
  const char* name = std::getenv("SECATEUR_ISA");
  return name == nullptr || *name == '\0' ? *available_tables().back()
                                          : find(name, "SECATEUR_ISA", SC_ERROR_ENVIRONMENT);
}

std::atomic<const KernelTable*> chosen{nullptr};

}  // namespace

const KernelTable& kernels() {
  const KernelTable* table = chosen.load(std::memory_order_acquire);
  if (table == nullptr) {
    const KernelTable& by_default = table_by_default();
    if (chosen.compare_exchange_strong(table, &by_default, std::memory_order_acq_rel)) {
      return by_default;
    }
  }
  return *table;
}

void set_isa(std::string_view name) {
  chosen.store(&find(name, "isa", SC_ERROR_ARGUMENT), std::memory_order_release);
}

}  // namespace secateur
