// C API arguments that describe a selection: the slices, and the scores that rank the elements.
#pragma once

#include "core/arguments.hpp"
#include "select/operand.hpp"
#include "select/slices.hpp"

namespace secateur::api {

// The groups of an array of n elements, each a slice along the middle dimension; null means the
// whole array. Throws Error if the groups are no such slices. `argument` is the name of the layout.
Layout checked_slices(const sc_layout* layout, std::size_t n, const char* argument = "layout");

// The operand that these arguments describe, without an output.
Operand checked_operand(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores);

// The memory of the operand's scores; empty if it has none.
MemoryRange scores_of(const Operand& operand);

// Makes `out` the output of the operand, in floats of w's type.
void set_float_output(Operand& operand, void* out);

}  // namespace secateur::api
