// C API functions for errors, versions, the ISA, the number of threads and interruption.
#include <string>
#include <utility>

#include "core/arguments.hpp"
#include "core/dispatch.hpp"
#include "core/thread_state.hpp"
#include "core/threads.hpp"

using namespace secateur;
using namespace secateur::api;

const char* sc_last_error(void) {
  const ThreadState* const thread = thread_state_or_null();
  return thread == nullptr ? "out of memory, or no pthread key is left" : thread->last_error;
}
const char* sc_version(void) { return SECATEUR_VERSION; }
int32_t sc_abi_version(void) { return SC_ABI_VERSION; }

sc_status sc_isa(const char** name) {
  return guarded([&] {
    checked_array("name", name, 1, sizeof *name);
    *name = kernels().isa;
  });
}

size_t sc_isas(const char** names, size_t capacity) {
  std::size_t count = 0;
  guarded([&] {
    for (const KernelTable* table : available_tables()) {
      if (names != nullptr && count < capacity) {
        names[count] = table->isa;
      }
      ++count;
    }
  });
  return count;
}

sc_status sc_set_isa(const char* name) {
  return guarded([&] { set_isa(name == nullptr ? "" : name); });
}

namespace {
void require_num_threads(std::size_t num_threads, std::size_t min_threads) {
  if (num_threads < min_threads || num_threads > kMaxThreads) {
    refuse("num_threads", std::to_string(min_threads) + " to " + std::to_string(kMaxThreads),
           std::to_string(num_threads));
  }
}
}  // namespace

sc_status sc_set_num_threads(size_t num_threads) {
  return guarded([&] {
    require_num_threads(num_threads, 1);
    set_num_threads(num_threads);
  });
}

sc_status sc_get_num_threads(size_t* num_threads) {
  return guarded([&] {
    checked_array("num_threads", num_threads, 1, sizeof *num_threads);
    *num_threads = secateur::num_threads();
  });
}

sc_status sc_set_thread_num_threads(size_t num_threads, size_t* previous) {
  return guarded([&] {
    require_num_threads(num_threads, 0);
    checked_optional("previous", previous);
    const std::size_t previous_count = set_thread_num_threads(num_threads);
    if (previous != nullptr) {
      *previous = previous_count;
    }
  });
}

sc_status sc_set_thread_interrupt(sc_interrupt check, void* context, sc_interrupt* previous_check,
                                  void** previous_context) {
  return guarded([&] {
    const MemoryRange check_memory = checked_optional("previous_check", previous_check);
    const MemoryRange context_memory = checked_optional("previous_context", previous_context);
    require_no_overlap({check_memory, context_memory}, {});
    ThreadState& thread = thread_state();
    const sc_interrupt former_check = std::exchange(thread.interrupt, check);
    void* const former_context = std::exchange(thread.interrupt_context, context);
    if (previous_check != nullptr) {
      *previous_check = former_check;
    }
    if (previous_context != nullptr) {
      *previous_context = former_context;
    }
  });
}
