// Masks: applies a mask that the caller provides, and writes masks in the formats of the C API.
#pragma once

#include <cstddef>
#include <optional>

#include "core/dtypes.hpp"
#include "core/kernel_types.hpp"
#include "core/scratch.hpp"
#include "secateur/secateur.h"

namespace secateur {

// The size in bytes of a mask of n elements.
std::size_t mask_bytes(std::size_t n, sc_mask_format format);

// Writes each element of w whose mask is set, and +0.0 for each other element. `out` may be w.
void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out);

// The mask that a selection writes. Kernels write bools, or bits in little order. finish() converts
// these to the format of the caller.
class MaskWriter {
 public:
  // can_write_bits: the selection can write bits. A slice may begin in the middle of a byte.
  // Selections along an axis therefore write bools, to scratch memory if the caller wants bits.
  MaskWriter(void* mask, std::size_t n, sc_mask_format format, bool can_write_bits);

  // The output of the selection.
  [[nodiscard]] Output output() const;
  // To be called after the selection has written its output.
  void finish() const;

 private:
  unsigned char* mask_;
  std::size_t n_;
  sc_mask_format format_;
  std::optional<Buffer<unsigned char>> bools_;  // the selection's output, if it is not the mask
};

}  // namespace secateur
