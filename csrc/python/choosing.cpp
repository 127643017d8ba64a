// What a format is chosen by.
#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// The lowest and the highest of each cell and 0, as two rows.
py::object find_ranges(py::handle w, py::handle axis, py::handle group_size) {
  Cells cells(axis, group_size);
  Input in = floats(w);
  cells.settle(shape_of(in.given()));
  Result ranges(py::dtype(kFloat64.number), {2, static_cast<py::ssize_t>(cells.count())});
  in.settle();
  call(in, "a format is chosen for finite numbers",
       [&, lowest = static_cast<double*>(ranges.data())] {
    return sc_find_ranges(in.data(), in.core_dtype(), in.size(), cells.data(), lowest,
                          lowest + cells.count());
  });
  return ranges.finish();
}

// The sums of each cell; grids are one for each, of three numbers.
py::object sum_rounding_errors(py::handle w, py::handle axis, py::handle group_size,
                               py::handle grids, double ratio) {
  Cells cells(axis, group_size);
  Input in = floats(w);
  cells.settle(shape_of(in.given()));
  const Shape shape{static_cast<py::ssize_t>(cells.count()), 3};
  Input own("grids", grids, {kFloat64});
  own.require_shape(shape, "one for each cell");
  Result sums(py::dtype(kFloat64.number), shape);
  in.settle();
  own.settle();
  call(in, "", [&, to = static_cast<sc_rounding_sums*>(sums.data())] {
    return sc_sum_rounding_errors(in.data(), in.core_dtype(), in.size(), cells.data(),
                                  static_cast<const sc_grid*>(own.data()), ratio, to);
  });
  return sums.finish();
}

}  // namespace

void define_choosing(py::module_& m) {
  m.def("find_ranges", &find_ranges);
  m.def("sum_rounding_errors", &sum_rounding_errors);
}

}  // namespace secateur::python
