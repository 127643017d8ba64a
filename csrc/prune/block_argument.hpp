// The arguments `block` and `norm` of the Python functions.
#pragma once

#include <cstdint>
#include <string>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// The lengths of blocks, and their norm. It is made before any array is checked, because reading
// the arguments may run code of the caller.
struct BlockArgument {
  py::object rows, columns;
  std::int64_t row_count, column_count;
  sc_norm norm;

  BlockArgument(py::handle block, py::handle norm_name)
      : norm(norm_name.is_none() ? SC_NORM_L1 : to_choice("norm", norm_name, kNorms)) {
    static constexpr char kAllowed[] = "a tuple of two positive integers";
    if (!PyTuple_Check(block.ptr()) && !PyList_Check(block.ptr())) {
      throw py::type_error(std::string("block must be ") + kAllowed + ", got " + shown(block));
    }
    const py::tuple lengths(py::reinterpret_borrow<py::object>(block));
    if (lengths.size() != 2) {
      refuse("block", kAllowed, block);
    }
    rows = lengths[0];
    columns = lengths[1];
    row_count = to_integer("block[0]", rows);
    column_count = to_integer("block[1]", columns);
  }

  // The blocks of the matrices that the last two axes form. The core cuts off larger ones.
  [[nodiscard]] sc_layout layout_of(const Input& in) const {
    const Shape shape = shape_of(in.given());
    if (shape.size() < 2) {
      throw py::value_error(in.name() + " must have at least two axes to have blocks, got shape " +
                            shown(in.given().attr("shape")));
    }
    const auto length = static_cast<std::size_t>(shape[shape.size() - 2]);
    const auto inner = static_cast<std::size_t>(shape.back());
    // to_integer() returns INT64_MAX for larger integers, so the limit must be smaller.
    constexpr std::size_t kMax = INT64_MAX - 1;
    return {length, inner, in_range("block[0]", row_count, 1, kMax, rows),
            in_range("block[1]", column_count, 1, kMax, columns), 0};
  }

 private:
  static constexpr Choice<sc_norm> kNorms[] = {
      {"l1", SC_NORM_L1}, {"l2", SC_NORM_L2}, {"max", SC_NORM_MAX}, {"mean", SC_NORM_MEAN}};
};

}  // namespace secateur::python
