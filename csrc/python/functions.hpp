// The functions of the module, by subject. Each takes arguments apart, calls secateur.h as any other program
// would, and puts results and errors together. What the arguments mean is documented in
// python/secateur.
#pragma once

#include <pybind11/pybind11.h>

namespace secateur::python {

namespace py = pybind11;

void define_selection(py::module_& m);
void define_histogram(py::module_& m);
void define_pruning(py::module_& m);
void define_quantization(py::module_& m);
void define_packing(py::module_& m);
void define_compare(py::module_& m);
void define_choosing(py::module_& m);
void define_host(py::module_& m);

}  // namespace secateur::python
