// Python bindings of bit packing: pack_ints and unpack_ints.
#include <cstddef>
#include <cstdint>
#include <string>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// The arguments that describe how integers are packed.
struct PackingArguments {
  std::int32_t bits;
  sc_bitorder bitorder;

  PackingArguments(py::handle bits_, py::handle bitorder_)
      : bits(static_cast<std::int32_t>(to_count("bits", bits_, 1, SC_MAX_PACKED_BITS))),
        bitorder(to_choice("bitorder", bitorder_, kBitOrders)) {}

  [[nodiscard]] std::size_t bytes(std::size_t n) const {
    const auto bits_each = static_cast<std::size_t>(bits);
    return n / 8 * bits_each + (n % 8 * bits_each + 7) / 8;
  }
  // Whether the core converts between this dtype and integers of `bits` bits. A dtype of 8 bits
  // suits every value of `bits`. A dtype of fewer bits suits only its own width.
  [[nodiscard]] bool suits(sc_dtype dtype) const {
    const int dtype_bits = dtype_info(dtype).bits;
    return dtype_bits == 8 || dtype_bits == bits;
  }

  static constexpr Choice<sc_bitorder> kBitOrders[] = {{"little", SC_BITORDER_LITTLE},
                                                       {"big", SC_BITORDER_BIG}};
};

constexpr auto& kIntegers = kDtypesWhere<is_byte_integer>;

py::object pack_ints(py::handle q, py::handle bits, py::handle bitorder, py::handle out) {
  const PackingArguments packing(bits, bitorder);
  Input in("q", q, kIntegers);
  if (!packing.suits(in.core_dtype())) {
    const bool is_signed = dtype_info(in.core_dtype()).is_signed;
    const py::dtype byte_dtype((is_signed ? kInt8 : kUInt8).number);
    in = Input("q", in.given().attr("astype")(byte_dtype), kIntegers);
  }
  const Shape shape{static_cast<py::ssize_t>(packing.bytes(in.size()))};
  Result packed(out, py::dtype(kUInt8.number), shape, in, false, nullptr, "out");
  in.prepare();
  call(in, "", [&, data = packed.data()] {
    return sc_pack_ints(in.data(), in.core_dtype(), in.size(), packing.bits, packing.bitorder,
                        data);
  });
  return packed.finish();
}

py::object unpack_ints(py::handle packed, py::handle bits, py::handle n, py::handle bitorder,
                       const py::dtype& dtype, py::handle out) {
  const PackingArguments packing(bits, bitorder);
  const std::size_t count = to_count("n", n, 0, PTRDIFF_MAX / 8);
  const Dtype q_dtype = to_dtype("dtype", dtype, kIntegers);
  if (!packing.suits(q_dtype.core)) {
    refuse("bits", std::to_string(dtype_info(q_dtype.core).bits) + " for dtype " + q_dtype.name,
           bits);
  }
  Input in("packed", packed, {kUInt8});
  if (in.size() < packing.bytes(count)) {
    throw py::value_error("packed must have at least " + std::to_string(packing.bytes(count)) +
                          " bytes, for " + std::to_string(count) + " integers of " +
                          std::to_string(packing.bits) + " bits, got " + std::to_string(in.size()));
  }
  const Shape shape{static_cast<py::ssize_t>(count)};
  Result q(out, dtype, shape, in, false, nullptr, "out");
  in.prepare();
  const auto unpack = [&, data = q.data()] {
    return sc_unpack_ints(in.data(), count, packing.bits, packing.bitorder, data, q_dtype.core);
  };
  check(without_gil(count, unpack), "");
  return q.finish();
}

}  // namespace

void define_pack(py::module_& m) {
  m.def("pack_ints", &pack_ints);
  m.def("unpack_ints", &unpack_ints);
}

}  // namespace secateur::python
