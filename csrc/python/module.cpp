// The definition of the extension module.
#include <pybind11/pybind11.h>

#include <cstddef>

#include "python/arguments.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  // Importing the module fails if a setting in the environment is invalid.
  const char* name = nullptr;
  std::size_t count = 0;
  if (sc_isa(&name) != SC_OK || sc_get_num_threads(&count) != SC_OK) {
    throw py::import_error(last_error());
  }
  m.attr("__version__") = sc_version();
#define SECATEUR_SUBJECT(name, Kernels) define_##name(m);
  SECATEUR_SUBJECTS(SECATEUR_SUBJECT)
#undef SECATEUR_SUBJECT
}

}  // namespace secateur::python
