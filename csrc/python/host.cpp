// The instruction set and the threads.
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "kernels/float_state.hpp"
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

std::size_t get_num_threads() {
  std::size_t count = 0;
  check(sc_get_num_threads(&count), "");
  return count;
}

void set_num_threads(py::handle n) {
  check(sc_set_num_threads(to_count("n", n, 1, SC_MAX_THREADS)), "");
}

std::size_t set_thread_num_threads(py::handle n, std::size_t least) {
  std::size_t previous = 0;
  check(sc_set_thread_num_threads(to_count("n", n, least, SC_MAX_THREADS), &previous), "");
  return previous;
}

// The floating-point state of this thread, which is replaced by the default one, or put back.
unsigned long long enter_float_state() {
  static_assert(sizeof(FloatState) >= sizeof(FloatState::State));
  alignas(FloatState) unsigned char lives[sizeof(FloatState)];
  return (new (lives) FloatState)->saved();  // never destroyed
}
void leave_float_state(unsigned long long saved) {
  FloatState::restore(static_cast<FloatState::State>(saved));
}

}  // namespace

void define_host(py::module_& m) {
  m.def("isa", &isa);
  m.def("isas", &isas);
  m.def("set_isa", [](const std::string& name) { check(sc_set_isa(name.c_str()), ""); });
  m.def("enter_float_state", &enter_float_state);
  m.def("leave_float_state", &leave_float_state);
  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_num_threads);
  m.def("set_thread_num_threads", &set_thread_num_threads);
}

}  // namespace secateur::python
