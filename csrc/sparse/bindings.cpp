// Python bindings of sparse encodings.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "core/ceil_div.hpp"
#include "core/dtypes.hpp"
#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {
namespace {

// The dtypes of arrays that have a bitmask: all whose elements have a whole number of bytes.
constexpr bool has_whole_bytes(const DtypeInfo& info) { return !is_packed(info); }
const std::vector<Dtype>& bitmask_dtypes() {
  static const std::vector<Dtype> dtypes = [] {
    const auto& all = kDtypesWhere<has_whole_bytes>;
    std::vector<Dtype> found(all.begin(), all.end());
    found.push_back(kBool);
    return found;
  }();
  return dtypes;
}

std::size_t row_length(const Shape& shape) {
  return shape.empty() ? 1 : static_cast<std::size_t>(shape.back());
}

std::size_t element_bytes(const Input& in) { return dtype_info(in.core_dtype()).bytes(); }

// The shape of the bitmask of an array. Each row takes whole bytes; an array without axes is a row.
Shape bitmask_shape(Shape shape) {
  const std::size_t bytes = ceil_div(row_length(shape), 8);
  shape.resize(std::max<std::size_t>(shape.size(), 1));
  shape.back() = static_cast<py::ssize_t>(bytes);
  return shape;
}

// Returns the bitmask, the values and the shape of an array.
py::tuple encode_bitmask(py::handle w, py::handle mask) {
  Input in("w", w, bitmask_dtypes());
  const Shape shape = shape_of(in.given());
  std::optional<Input> keep;
  if (!mask.is_none()) {
    keep.emplace("mask", mask, std::initializer_list<Dtype>{kBool},
                 [](const py::dtype&) { return "; mask != 0 makes a mask of bool"; });
    keep->require_shape(shape, "that of w");
    keep->prepare();
  }
  in.prepare();
  Result bitmask(py::dtype(kUInt8.number), bitmask_shape(shape));
  // Systems provide pages of memory when they are first written to, so that room for all is cheap.
  py::array values(in.numpy_dtype(), std::vector<py::ssize_t>{static_cast<py::ssize_t>(in.size())});
  std::size_t count = 0;
  call(in, "", [&, bits = bitmask.data(), to = values.mutable_data()] {
    return sc_encode_bitmask(in.data(), element_bytes(in), in.size(), row_length(shape),
                             keep ? keep->data() : nullptr, bits, to, in.size(), &count);
  });
  values.attr("resize")(count, py::arg("refcheck") = false);
  return py::make_tuple(bitmask.finish(), values, py::tuple(py::cast(shape)));
}

Input to_bitmask(py::handle bitmask, const Shape& shape) {
  Input in("bitmask", bitmask, {kUInt8});
  in.require_shape(bitmask_shape(shape), "whole bytes for each row of shape");
  in.prepare();
  return in;
}

Input to_values(py::handle values) { return {"values", values, bitmask_dtypes()}; }

py::object decode_bitmask(py::handle bitmask, py::handle values, const Shape& shape,
                          py::handle out) {
  const Input bits = to_bitmask(bitmask, shape);
  Input kept = to_values(values);
  kept.prepare();
  Result result(out, kept.numpy_dtype(), shape, kept, false, &bits, "out");
  const std::size_t n = element_count(shape);
  call(kept, "", [&, data = result.data()] {
    return sc_decode_bitmask(bits.data(), kept.data(), kept.size(), element_bytes(kept), n,
                             row_length(shape), data);
  });
  return result.finish();
}

// Returns the bitmask as an array, the number of bits that are set, and those of the rows before each
// row.
py::tuple count_bitmask(py::handle bitmask, const Shape& shape) {
  const Input bits = to_bitmask(bitmask, shape);
  Shape rows = shape;
  if (!rows.empty()) {
    rows.pop_back();
  }
  Result offsets(py::dtype(kInt64.number), rows);
  std::size_t count = 0;
  const std::size_t n = element_count(shape);
  if (n == 0) {  // the core does not know the number of empty rows
    std::fill_n(static_cast<std::int64_t*>(offsets.data()), element_count(rows), 0);
  }
  call(bits, "", [&, data = static_cast<std::int64_t*>(offsets.data())] {
    return sc_count_bitmask(bits.data(), n, row_length(shape), &count, data);
  });
  return py::make_tuple(bits.given(), count, offsets.finish());
}

// Returns the values of a bitmask as an array of native byte order.
py::object check_bitmask_values(py::handle values) {
  const Input kept = to_values(values);
  return kept.given().attr("astype")(kept.numpy_dtype(), py::arg("copy") = false);
}

// `set_bits` is the number of bits that are set.
py::array encode_gaps(py::handle bitmask, const Shape& shape, std::size_t set_bits) {
  const Input bits = to_bitmask(bitmask, shape);
  const std::size_t n = element_count(shape);
  const std::size_t capacity = set_bits + n / 128;
  py::array gaps(py::dtype(kUInt8.number),
                 std::vector<py::ssize_t>{static_cast<py::ssize_t>(capacity)});
  std::size_t count = 0;
  call(bits, "", [&, to = gaps.mutable_data()] {
    return sc_encode_gaps(bits.data(), n, row_length(shape), to, capacity, &count);
  });
  gaps.attr("resize")(count, py::arg("refcheck") = false);
  return gaps;
}

// Returns the gaps as an array, and the bitmask.
py::tuple decode_gaps(py::handle gaps, const Shape& shape) {
  Input in("gaps", gaps, {kUInt8});
  in.prepare();
  Result bitmask(py::dtype(kUInt8.number), bitmask_shape(shape));
  const std::size_t n = element_count(shape);
  call(in, "", [&, data = bitmask.data()] {
    return sc_decode_gaps(in.data(), in.size(), n, row_length(shape), data);
  });
  return py::make_tuple(in.given(), bitmask.finish());
}

}  // namespace

void define_sparse(py::module_& m) {
  m.def("encode_bitmask", &encode_bitmask);
  m.def("decode_bitmask", &decode_bitmask);
  m.def("count_bitmask", &count_bitmask);
  m.def("check_bitmask_values", &check_bitmask_values);
  m.def("encode_gaps", &encode_gaps);
  m.def("decode_gaps", &decode_gaps);
}

}  // namespace secateur::python
