// The release of the GIL during calls of the core, signal handlers during these calls, and the
// number of threads that a context has set.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

#include "secateur/secateur.h"

namespace secateur::python {

namespace py = pybind11;

// Must be called once, when the module is created, before the functions below.
void initialize_gil();

// The ContextVar of secateur.threads. It holds a tuple of the thread counts that nested uses have
// set. The last one applies.
py::handle num_threads_var();

// The number of threads that secateur.threads has set in this context; 0 if it has not set one.
std::size_t context_num_threads();

// Releases the GIL during its lifetime. Calls of the core from this thread use the number of
// threads of the context. On the main thread, Python's signal handlers run between tasks of the
// core. An exception that a handler raises interrupts the call. The exception is pending after the
// destructor has run.
class GilReleased {
 public:
  GilReleased();
  ~GilReleased();
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  static int run_signal_handlers(void* released);

  std::size_t num_threads_;  // of the context; 0: not set
  std::size_t previous_num_threads_ = 0;
  bool is_main_thread_;  // the only one that handles signals
  sc_interrupt previous_check_ = nullptr;
  void* previous_context_ = nullptr;
  PyThreadState* state_;
};

// Calls core() and returns its status. Releases the GIL, unless n elements are too few for other
// Python threads to benefit. So few elements are also processed on one thread.
template <class F>
sc_status without_gil(std::size_t n, const F& core) {
  constexpr std::size_t kWorthReleasing = 4096;  // Tuning: elements
  if (n < kWorthReleasing) {
    return core();
  }
  const GilReleased released;
  return core();
}

}  // namespace secateur::python
