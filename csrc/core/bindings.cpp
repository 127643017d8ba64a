// Bindings of the ISA and thread settings, and the release of the GIL during calls of the core.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "core/dtypes.hpp"
#include "core/float_state.hpp"
#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

const char* isa() {
  const char* name = nullptr;
  check(sc_isa(&name), "");
  return name;
}

py::tuple isas() {
  std::vector<const char*> names(sc_isas(nullptr, 0));
  sc_isas(names.data(), names.size());
  py::tuple result(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    result[i] = py::str(names[i]);
  }
  return result;
}

// A ContextVar, created with the module. It holds a tuple of the thread counts that nested uses of
// secateur.threads have set. The last one applies.
PyObject* num_threads_var = nullptr;

std::size_t get_num_threads() {
  std::size_t count = context_num_threads();
  if (count == 0) {
    check(sc_get_num_threads(&count), "");
  }
  return count;
}

void set_num_threads(py::handle n) {
  check(sc_set_num_threads(to_count("n", n, 1, SC_MAX_THREADS)), "");
}

// The supported floats: (name, exponent bits, mantissa bits, has infinity) of each.
py::tuple float_dtypes() {
  py::list rows;
  for (const DtypeInfo& info : kDtypes) {
    if (is_float(info)) {
      const FloatType type = float_type(info.dtype);
      rows.append(
          py::make_tuple(info.name, type.exponent_bits, type.mantissa_bits, type.has_infinity));
    }
  }
  return rows;
}
// The supported integers: (name, bits, signed) of each.
py::tuple integer_dtypes() {
  py::list rows;
  for (const DtypeInfo& info : kDtypes) {
    if (is_integer(info)) {
      rows.append(py::make_tuple(info.name, info.bits, info.is_signed));
    }
  }
  return rows;
}

// The identifier of Python's main thread, which runs all Python signal handlers.
std::atomic<unsigned long> main_thread{0};

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

// Sets the default floating-point state on this thread and returns the previous one.
unsigned long long enter_float_state() {
  static_assert(sizeof(FloatState) >= sizeof(FloatState::State));
  alignas(FloatState) unsigned char storage[sizeof(FloatState)];
  return (new (storage) FloatState)->saved();  // not destroyed: the destructor would restore
}
// Restores a state that enter_float_state has returned.
void leave_float_state(unsigned long long saved) {
  FloatState::restore(static_cast<FloatState::State>(saved));
}

}  // namespace

std::size_t context_num_threads() {
  PyObject* found = nullptr;
  if (PyContextVar_Get(num_threads_var, nullptr, &found) != 0) {
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

void define_core(py::module_& m) {
  find_main_thread();
  num_threads_var = PyContextVar_New("secateur.threads", nullptr);
  if (num_threads_var == nullptr) {
    throw py::error_already_set();
  }
  m.attr("float_dtypes") = float_dtypes();
  m.attr("integer_dtypes") = integer_dtypes();
  m.attr("numbers_of_context") = py::handle(num_threads_var);
  m.def("isa", &isa);
  m.def("isas", &isas);
  m.def("set_isa", [](const std::string& name) { check(sc_set_isa(name.c_str()), ""); });
  m.def("enter_float_state", &enter_float_state);
  m.def("leave_float_state", &leave_float_state);
  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_num_threads);
  m.def("to_num_threads", [](py::handle n) { return to_count("n", n, 1, SC_MAX_THREADS); });
}

}  // namespace secateur::python
