// How much two arrays differ.
#include <cstdint>
#include <string>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

constexpr Dtype kInt32{"int32", py::detail::npy_api::NPY_INT_, SC_FLOAT32};
constexpr py::ssize_t kSums = sizeof(sc_error_sums) / sizeof(double);

// The sums of each cell, one after another, as float64 or what has its size. `bits` is 0 without a format;
// frac_bits are an array of one, or of one for each cell.
py::object compare(py::handle w, py::handle w_hat, py::handle axis, int bits, bool is_signed,
                   py::handle frac_bits) {
  Cells cells(axis, py::none());
  Input a = floats(w);
  Input b = floats(w_hat, "w_hat");
  Input each("fmt.frac_bits", frac_bits, {kInt32});
  b.require_shape(shape_of(a.given()), "that of w");
  cells.settle(shape_of(a.given()));
  if (each.size() != 1 && each.size() != cells.count()) {
    throw py::value_error("fmt must have one frac_bits, or one for each of " +
                          std::to_string(cells.count()) + ", got " + std::to_string(each.size()));
  }
  Result sums(py::dtype(kFloat64.number), {static_cast<py::ssize_t>(cells.count()), kSums});
  a.settle();
  b.settle();
  each.settle();
  const auto* const own = static_cast<const std::int32_t*>(each.data());
  const sc_fixed_point fmt{bits, each.size() == 1 ? *own : 0, is_signed ? 1 : 0, nullptr, {}};
  call(a, "", [&, to = static_cast<sc_error_sums*>(sums.data())] {
    return sc_compare(a.data(), a.core_dtype(), b.data(), b.core_dtype(), a.size(), cells.data(),
                      bits == 0 ? nullptr : &fmt, each.size() == 1 ? nullptr : own, to);
  });
  return sums.finish();
}

}  // namespace

void define_compare(py::module_& m) { m.def("compare", &compare); }

}  // namespace secateur::python
