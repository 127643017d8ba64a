// The functions of the extension module that bindings.cpp does not define itself.
#pragma once

#include <pybind11/pybind11.h>

namespace secateur::python {

void define_masks(pybind11::module_& m);
void define_prune_global(pybind11::module_& m);

}  // namespace secateur::python
