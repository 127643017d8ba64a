// The functions that define the bindings of each subject. A binding converts its arguments, calls
// secateur.h, and converts the results and errors. python/secateur documents the arguments.
#pragma once

#include <pybind11/pybind11.h>

namespace secateur::python {

namespace py = pybind11;

void define_select(py::module_& m);
void define_sketch(py::module_& m);
void define_prune(py::module_& m);
void define_quantize(py::module_& m);
void define_pack(py::module_& m);
void define_stats(py::module_& m);
void define_core(py::module_& m);

}  // namespace secateur::python
