// Python bindings of bit packing: pack_ints and unpack_ints.
#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {
namespace {

constexpr auto& kIntegers = kDtypesWhere<is_packable>;

// The arguments that describe how integers are packed.
struct PackingArguments {
  std::int32_t bits;
  sc_bitorder bitorder;
  std::int32_t row_align;  // 0 if rows are not aligned

  PackingArguments(py::handle bits_, py::handle row_align_, py::handle bitorder_)
      : bits(static_cast<std::int32_t>(to_count("bits", bits_, 1, SC_MAX_PACKED_BITS))),
        bitorder(to_bitorder(bitorder_)),
        row_align(to_row_align(row_align_, true)) {}

  // The dtype of packed integers.
  [[nodiscard]] Dtype dtype() const { return row_align == 32 ? kInt32 : kUInt8; }
  [[nodiscard]] std::size_t bytes(std::size_t n) const { return packed_bytes(n, bits); }
  // The shape of the packed integers of an array. Throws ValueError if rows of an array without
  // axes are to be aligned; `name` is the argument that has the shape.
  [[nodiscard]] Shape packed_shape(const char* name, Shape shape, std::size_t n) const {
    if (row_align == 0) {
      return {static_cast<py::ssize_t>(bytes(n))};
    }
    return aligned_rows(name, std::move(shape), bits, row_align);
  }
  // Whether the core converts between this dtype and integers of `bits` bits.
  [[nodiscard]] bool suits(sc_dtype dtype) const {
    const int dtype_bits = dtype_info(dtype).bits;
    return dtype_bits >= 8 ? bits <= dtype_bits : bits == dtype_bits;
  }
};

std::size_t row_length(const Shape& shape) {
  return shape.empty() ? 0 : static_cast<std::size_t>(shape.back());
}

py::object pack_ints(py::handle q, py::handle bits, py::handle row_align, py::handle bitorder,
                     py::handle out) {
  const PackingArguments packing(bits, row_align, bitorder);
  Input in("q", q, kIntegers, [](const py::dtype& given) {
    return std::string(given.kind() == 'f' ? "; secateur.quantize converts floats to integers"
                                           : "; q.astype(np.int16) is safe if every integer fits, "
                                             "and secateur.requantize converts to fewer bits");
  });
  if (!packing.suits(in.core_dtype())) {
    const bool is_signed = dtype_info(in.core_dtype()).is_signed;
    const Dtype wide = dtype_of(integer_dtype(packing.bits, is_signed));
    in = Input("q", in.given().attr("astype")(py::dtype(wide.number)), kIntegers);
  }
  const Shape shape = shape_of(in.given());
  Result packed(out, py::dtype(packing.dtype().number), packing.packed_shape("q", shape, in.size()),
                in, false, nullptr, "out");
  in.prepare();
  call(in, "", [&, data = packed.data()] {
    return sc_pack_ints(in.data(), in.core_dtype(), in.size(), packing.bits, packing.bitorder,
                        row_length(shape), packing.row_align, data);
  });
  return packed.finish();
}

// Converts packed integers. They must have at least the bytes that integers of this shape need or,
// if rows are aligned, the shape of the packed rows.
Input to_packed(py::handle packed, const PackingArguments& packing, const Shape& shape,
                std::size_t n) {
  const Shape packed_shape = packing.packed_shape("shape", shape, n);
  const Dtype dtype = packing.dtype();
  const py::array array = as_array("packed", packed);
  to_dtype("packed", array.dtype(), std::span(&dtype, 1),
           std::string("; packed.view(np.") + dtype.name + ") keeps its bits");
  Input in("packed", array, {dtype});
  if (packing.row_align != 0) {
    in.require_shape(packed_shape, "that of the packed rows");
  } else if (in.size() < packing.bytes(n)) {
    throw py::value_error("packed must have at least " + std::to_string(packing.bytes(n)) +
                          " bytes, for " + std::to_string(n) + " integers of " +
                          std::to_string(packing.bits) + " bits, got " + std::to_string(in.size()));
  }
  return in;
}

// `shape` is a checked tuple of lengths.
py::object unpack_ints(py::handle packed, py::handle bits, const Shape& shape, py::handle row_align,
                       py::handle bitorder, const py::dtype& dtype, py::handle out) {
  const PackingArguments packing(bits, row_align, bitorder);
  const Dtype q_dtype = to_dtype("dtype", dtype, kIntegers);
  if (!packing.suits(q_dtype.core)) {
    const int dtype_bits = dtype_info(q_dtype.core).bits;
    refuse("bits",
           (dtype_bits < 8 ? "" : "at most ") + std::to_string(dtype_bits) + " for dtype " +
               q_dtype.name,
           bits);
  }
  const std::size_t n = element_count(shape);
  Input in = to_packed(packed, packing, shape, n);
  Result q(out, dtype, shape, in, false, nullptr, "out");
  in.prepare();
  const auto unpack = [&, data = q.data()] {
    return sc_unpack_ints(in.data(), n, packing.bits, packing.bitorder, row_length(shape),
                          packing.row_align, data, q_dtype.core);
  };
  check(without_gil(n, unpack), "");
  return q.finish();
}

}  // namespace

void define_pack(py::module_& m) {
  m.def("pack_ints", &pack_ints);
  m.def("unpack_ints", &unpack_ints);
}

}  // namespace secateur::python
