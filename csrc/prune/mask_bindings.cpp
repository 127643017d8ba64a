// Python bindings of masks: apply_mask.
#include "prune/mask_bindings.hpp"

#include <cstddef>

#include "prune/bindings.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {

PackedMaskFormat::PackedMaskFormat(py::handle row_align_, py::handle bitorder_)
    : bitorder(to_bitorder(bitorder_)), row_align(to_row_align(row_align_, false)) {}

sc_mask_format PackedMaskFormat::core() const {
  return bitorder == SC_BITORDER_LITTLE ? SC_MASK_FORMAT_BITS_LITTLE : SC_MASK_FORMAT_BITS_BIG;
}

bool PackedMaskFormat::has_padding(const py::array& array) const {
  return row_align != 0 && array.ndim() != 0 && array.shape(array.ndim() - 1) % 8 != 0;
}

Shape PackedMaskFormat::shape(const Input& in) const {
  if (row_align == 0) {
    return {static_cast<py::ssize_t>((in.size() + 7) / 8)};
  }
  return aligned_rows(in.name(), shape_of(in.given()), 1, row_align);
}

MaskFormat::MaskFormat(py::handle packed, py::handle row_align, py::handle bitorder)
    : bits_(row_align, bitorder), is_packed_(to_bool("packed", packed)) {
  if (bits_.row_align != 0 && !is_packed_) {
    refuse("row_align", "None unless packed is True", row_align);
  }
}

bool MaskFormat::suits_core(const Input& in) const {
  return !is_packed_ || !bits_.has_padding(in.given());
}

sc_mask_format MaskFormat::core() const { return is_packed_ ? bits_.core() : SC_MASK_FORMAT_BOOLS; }

Result MaskFormat::result(const Input& in) const {
  return is_packed_ ? Result(py::dtype(kUInt8.number), bits_.shape(in)) : bools(in);
}

Result MaskFormat::bools(const Input& in) {
  return {py::dtype(kBool.number), shape_of(in.given())};
}

py::object MaskFormat::pack(const py::object& bools, const Input& in) const {
  if (!is_packed_) {
    return bools;
  }
  Input mask("mask", bools, {kBool});
  Result packed(py::dtype(kUInt8.number), bits_.shape(in));
  const Shape shape = shape_of(in.given());
  mask.prepare();
  call(mask, "", [&, data = packed.data()] {
    return sc_pack_ints(mask.data(), SC_DTYPE_UINT8, mask.size(), 1, bits_.bitorder,
                        shape.empty() ? 0 : static_cast<std::size_t>(shape.back()), bits_.row_align,
                        data);
  });
  return packed.finish();
}

namespace {

// The bools of a packed mask whose rows have padding.
py::array unpacked_bools(const Input& mask, const Input& w, const PackedMaskFormat& bits) {
  Result bools = MaskFormat::bools(w);
  const auto row_length = static_cast<std::size_t>(shape_of(w.given()).back());
  call(w, "", [&, data = bools.data()] {
    return sc_unpack_ints(mask.data(), w.size(), 1, bits.bitorder, row_length, bits.row_align, data,
                          SC_DTYPE_UINT8);
  });
  return bools.finish().cast<py::array>();
}

py::object apply_mask(py::handle w, py::handle mask, py::handle row_align, py::handle bitorder,
                      py::handle out) {
  const PackedMaskFormat bits(row_align, bitorder);
  // Both arguments are converted to arrays before either is checked, because a conversion may run
  // the caller's code.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input mask_input("mask", mask_array, {kBool, kUInt8},
                   [](const py::dtype&) { return "; mask != 0 makes a mask of bool"; });
  bool is_bool_mask = mask_input.is(kBool);
  if (!is_bool_mask) {
    const bool has_shape_of_w = shape_of(mask_input.given()) == shape_of(in.given());
    mask_input.require_shape(bits.shape(in),
                             has_shape_of_w ? "for packed bits (mask != 0 makes a mask of bool)"
                             : bits.row_align == 0 ? "one bit for each element of w"
                                                   : "that of w's packed rows");
  } else if (bits.row_align != 0) {
    refuse("row_align", "None for a mask of bool", row_align);
  } else {
    mask_input.require_shape(shape_of(in.given()), "that of w");
  }
  const AxisOrder order = is_bool_mask ? in.memory_order() : AxisOrder{};
  Result result(out, in.numpy_dtype(), in, true, &mask_input);
  result.follow(order);
  in.transpose(order);
  mask_input.transpose(order);
  in.prepare();
  mask_input.prepare();
  if (bits.has_padding(in.given())) {
    is_bool_mask = true;
    mask_input = Input("mask", unpacked_bools(mask_input, in, bits), {kBool});
    mask_input.prepare();
  }
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), mask_input.data(),
                         is_bool_mask ? SC_MASK_FORMAT_BOOLS : bits.core(), data);
  });
  return result.finish();
}

}  // namespace

void define_masks(py::module_& m) { m.def("apply_mask", &apply_mask); }

}  // namespace secateur::python
