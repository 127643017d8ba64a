#include "python/gil.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

namespace secateur::python {
namespace {

// The identifier of Python's main thread, which runs all Python signal handlers.
std::atomic<unsigned long> main_thread{0};

// The ContextVar of num_threads_var().
PyObject* context_var = nullptr;

void find_main_thread() {
  main_thread =
      py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
  pthread_atfork(nullptr, nullptr, [] { main_thread = PyThread_get_thread_ident(); });
}

void acquire_gil(PyThreadState* state) {
  try {
    PyEval_RestoreThread(state);
  } catch (...) {
    // The interpreter is shutting down, and unwinds the stack of this thread to end it. Destructors
    // would then access Python objects without the GIL. This thread sleeps instead, as Python 3.14
    // does.
    for (;;) {
      pause();
    }
  }
}

}  // namespace

void initialize_gil() {
  find_main_thread();
  context_var = PyContextVar_New("secateur.threads", nullptr);
  if (context_var == nullptr) {
    throw py::error_already_set();
  }
}

py::handle num_threads_var() { return context_var; }

std::size_t context_num_threads() {
  PyObject* found = nullptr;
  if (PyContextVar_Get(context_var, nullptr, &found) != 0) {
    throw py::error_already_set();
  }
  const auto counts = py::reinterpret_steal<py::tuple>(found);
  return counts && !counts.empty() ? counts[counts.size() - 1].cast<std::size_t>() : 0;
}

// The setters of the core fail only if memory is short. In that case the call that follows also
// fails, so their status is not checked.
GilReleased::GilReleased()
    : num_threads_(context_num_threads()),
      is_main_thread_(PyThread_get_thread_ident() == main_thread) {
  if (num_threads_ != 0) {
    sc_set_thread_num_threads(num_threads_, &previous_num_threads_);
  }
  if (is_main_thread_) {
    sc_set_thread_interrupt(&run_signal_handlers, this, &previous_check_, &previous_context_);
  }
  state_ = PyEval_SaveThread();
}

GilReleased::~GilReleased() {
  if (is_main_thread_) {
    sc_set_thread_interrupt(previous_check_, previous_context_, nullptr, nullptr);
  }
  if (num_threads_ != 0) {
    sc_set_thread_num_threads(previous_num_threads_, nullptr);
  }
  acquire_gil(state_);
}

int GilReleased::run_signal_handlers(void* released) {
  PyThreadState*& state = static_cast<GilReleased*>(released)->state_;
  acquire_gil(state);
  const int raised = PyErr_CheckSignals();
  state = PyEval_SaveThread();
  return raised;
}

}  // namespace secateur::python
