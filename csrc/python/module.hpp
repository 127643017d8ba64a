// The functions that define the bindings of each subject. A binding converts its arguments, calls
// secateur.h, and converts the results and errors. python/secateur documents the arguments.
#pragma once

#include <pybind11/pybind11.h>

#include "core/subjects.hpp"

namespace secateur::python {

namespace py = pybind11;

#define SECATEUR_SUBJECT(name, Kernels) void define_##name(py::module_& m);
SECATEUR_SUBJECTS(SECATEUR_SUBJECT)
#undef SECATEUR_SUBJECT

}  // namespace secateur::python
