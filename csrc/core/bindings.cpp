// Bindings of the table of dtypes, the floating-point state, and the ISA and thread settings.
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

// properties(info) of each dtype that is_allowed accepts, as a tuple.
template <class Properties>
py::tuple dtype_tuple(bool (*is_allowed)(const DtypeInfo&), const Properties& properties) {
  py::list rows;
  for (const DtypeInfo& info : kDtypes) {
    if (is_allowed(info)) {
      rows.append(properties(info));
    }
  }
  return rows;
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

void define_core(py::module_& m) {
  initialize_gil();
  m.def("is_float_dtype", &is_float_dtype);
  m.attr("float_dtypes") = dtype_tuple(is_float, [](const DtypeInfo& info) { return info.name; });
  m.attr("integer_dtypes") = dtype_tuple(is_integer, [](const DtypeInfo& info) {
    return py::make_tuple(info.name, info.bits, info.is_signed);
  });
  m.attr("max_packed_bits") = SC_MAX_PACKED_BITS;
  m.attr("num_threads_var") = num_threads_var();
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
