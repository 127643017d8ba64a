// The state that the core keeps for each thread.
//
// The core uses no thread-local variables. If a shared object is loaded with dlopen, the memory of
// its thread-local variables is allocated when a thread first accesses them, and glibc aborts the
// process if the allocation fails. Static TLS (-ftls-model=initial-exec) would avoid this. But it
// would apply to all thread-local variables of the object that the library is linked into, and
// glibc refuses to load an object that needs more than a few hundred bytes of static TLS.
#pragma once

#include <cstddef>
#include <type_traits>

#include "secateur/secateur.h"

namespace secateur {

class InterruptibleCall;

struct ThreadState {
  std::size_t num_threads = 0;       // for calls from this thread; 0: the setting of the process
  sc_interrupt interrupt = nullptr;  // callback for calls from this thread; null: none
  void* interrupt_context = nullptr;
  bool in_callback = false;  // whether this thread is executing a callback; calls then have none
  InterruptibleCall* call =
      nullptr;               // the call that this thread works for; null if not interruptible
  bool in_parallel = false;  // whether this thread is one of several in on_threads
  char last_error[512] = "";
};
static_assert(std::is_trivially_destructible_v<ThreadState>);  // freed without a destructor call

// The state of this thread. The first use creates it. Returns null if memory is short or no pthread
// key is left. Once it exists, the thread can throw exceptions even if memory is short.
ThreadState* thread_state_or_null() noexcept;

// The same, but throws std::bad_alloc instead of returning null. For code that runs within a call.
ThreadState& thread_state();

}  // namespace secateur
