// The Python module.
#include <pybind11/pybind11.h>

#include <cstddef>

#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  // A setting in the environment that cannot be honoured is an error from the start.
  const char* name = nullptr;
  std::size_t count = 0;
  if (sc_isa(&name) != SC_OK || sc_get_num_threads(&count) != SC_OK) {
    throw py::import_error(sc_last_error());
  }
  m.attr("__version__") = sc_version();
  define_selection(m);
  define_histogram(m);
  define_pruning(m);
  define_quantization(m);
  define_packing(m);
  define_compare(m);
  define_choosing(m);
  define_host(m);
}

}  // namespace secateur::python
