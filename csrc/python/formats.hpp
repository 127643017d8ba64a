// The formats of Python as structs of the core.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "python/arrays.hpp"
#include "python/layouts.hpp"
#include "quantize/scales.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// Contiguous numbers in an array that nothing changes.
template <class T>
struct Numbers {
  py::object array;
  std::span<const T> values;
};

// Scales, with the positions of the first that dequantization and quantization refuse. They are
// checked once, because formats do not change.
template <class T>
struct CheckedScales : Numbers<T> {
  // The position of the first one that is not finite, or not positive and normal; the number of
  // scales if all are.
  std::size_t first_not_finite = 0, first_not_normal = 0;

  CheckedScales() = default;
  // are_valid: all are known to be positive and normal
  explicit CheckedScales(Numbers<T> scales, bool are_valid = false);
};

// What secateur.formats.Format stores for the core: the fields of a format, with its arrays, over
// memory that nothing can change, or copies of them. The classes of secateur.formats check the
// arguments.
class Format {
 public:
  // are_normal: the scales are known to be positive and normal in their own type
  // group_bits: None, or the widths of the groups, of which `bits` is the largest
  Format(int bits, bool is_signed, const py::object& group_bits, const py::object& frac_bits,
         const py::object& scale, const py::object& zero_point, std::int64_t qmin,
         std::int64_t qmax, Shape shape, const py::object& axis, const py::object& group_size,
         bool are_normal);

  [[nodiscard]] int bits() const { return core_.bits; }
  [[nodiscard]] bool is_signed() const { return core_.is_signed != 0; }
  [[nodiscard]] bool is_affine() const { return core_.kind == SC_FORMAT_KIND_AFFINE; }

 private:
  friend class FittedFormat;

  // Without a layout and scales.
  sc_format core_{
      SC_FORMAT_KIND_FIXED_POINT, 0, 0, nullptr, nullptr, nullptr, nullptr, 0, 0, nullptr};
  Numbers<std::int32_t> group_bits_, frac_bits_, zero_points_;
  CheckedScales<double> scales_;  // none if float represents them exactly
  CheckedScales<float> scales_as_float_;
  Shape shape_;                         // of the parameters; empty if there is one
  const char* varying_ = ".frac_bits";  // an attribute that has this shape
  py::object axis_, group_size_;
};

// The most bits of a format, where an operation does not take more.
inline constexpr int kMaxFormatBits = 32;

// An argument that is a format.
class FormatArgument {
 public:
  // Throws TypeError unless `fmt` is a format, and ValueError if it has more bits than max_bits.
  explicit FormatArgument(py::handle fmt, const std::string& name = "fmt",
                          int max_bits = kMaxFormatBits);
  const Format& operator*() const { return *format_; }
  const Format* operator->() const { return format_; }

 private:
  py::object stored_;
  const Format* format_;
};

// One axis of a strided read: index i reads the parameter at i / repeats * stride.
struct ReadAxis {
  std::size_t length, repeats, stride;
};

// The struct of the core for a format and an array. It refers to the format.
class FittedFormat {
 public:
  // Throws ValueError if the format does not fit an array of this shape, or if its scales are not
  // allowed in the type in which the core computes with floats of a dtype. The core reads the array
  // with its axes in this order. With `compared`, a format of several parameters must have one for
  // each of these groups, and uses their layout. `argument` is the name of the format in messages.
  FittedFormat(const Format& format, const Shape& shape, sc_dtype floats, ScaleConstraint allowed,
               const AxisOrder& order = {}, const Groups* compared = nullptr,
               const std::string& argument = "fmt");
  FittedFormat(const FittedFormat&) = delete;
  FittedFormat& operator=(const FittedFormat&) = delete;

  [[nodiscard]] const sc_format* get() const { return &core_; }

 private:
  void set_scales(const Format& format, sc_dtype floats, ScaleConstraint allowed,
                  const std::string& argument);
  void read_parameters_of(std::span<const ReadAxis> elements);
  void reorder_parameters(const Groups& compared, const Format& format, const Groups& groups,
                          const Shape& shape);
  void read_parameters(std::span<const ReadAxis> axes);

  sc_format core_;
  sc_layout layout_{};
  std::optional<CheckedScales<double>> widened_;
  bool has_float_scales_ = false;
  // Parameters that were repeated, or read in another order.
  std::vector<std::int32_t> group_bits_, frac_bits_, zero_points_;
  std::vector<float> float_scales_;
  std::vector<double> double_scales_;
};

}  // namespace secateur::python
