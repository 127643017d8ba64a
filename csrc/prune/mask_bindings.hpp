// The masks that the Python functions return and take: arrays of bool, or packed bits.
#pragma once

#include <cstdint>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// Packed masks: one bit for each element. With row_align, each row is padded to a multiple of 8
// bits.
struct PackedMaskFormat {
  sc_bitorder bitorder;
  std::int32_t row_align;  // 0 or 8

  PackedMaskFormat(py::handle row_align_, py::handle bitorder_);

  // The format of the core.
  [[nodiscard]] sc_mask_format core() const;
  // Whether the rows of an array have padding, which the format of the core does not have.
  [[nodiscard]] bool has_padding(const py::array& array) const;
  // The shape of the packed mask of an array.
  [[nodiscard]] Shape shape(const Input& in) const;
};

// How a function returns a mask: as bools, or packed.
class MaskFormat {
 public:
  MaskFormat(py::handle packed, py::handle row_align, py::handle bitorder);

  // Whether the core can write the mask of an array. Otherwise it writes bools, from which pack()
  // makes the mask.
  [[nodiscard]] bool suits_core(const Input& in) const;
  // The format and the memory of a mask that the core can write.
  [[nodiscard]] sc_mask_format core() const;
  [[nodiscard]] Result result(const Input& in) const;
  // Memory for the bools of a mask.
  [[nodiscard]] static Result bools(const Input& in);
  // The mask of `in` in this format, from bools.
  [[nodiscard]] py::object pack(const py::object& bools, const Input& in) const;

 private:
  PackedMaskFormat bits_;
  bool is_packed_;
};

// Calls a function that prunes or, if `format` is not null, the function that writes its mask.
template <class Prune, class PruneMask, class... Arguments>
sc_status call_prune(const Prune& prune, const PruneMask& prune_mask, const sc_mask_format* format,
                     const Arguments&... arguments) {
  return format == nullptr ? prune(arguments...) : prune_mask(arguments..., *format);
}

}  // namespace secateur::python
