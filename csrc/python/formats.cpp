#include "python/formats.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "core/ceil_div.hpp"
#include "core/float_state.hpp"
#include "python/arguments.hpp"
#include "python/layouts.hpp"

namespace secateur::python {
namespace {

// Numbers that the caller writes before anything else reads them, and makes those of a format.
template <class T>
struct NewNumbers {
  explicit NewNumbers(std::size_t count)
      : array(static_cast<py::ssize_t>(count)), values(array.mutable_data(), count) {}

  [[nodiscard]] Numbers<T> finish() const { return {array, values}; }

  py::array_t<T> array;
  std::span<T> values;
};

// A number, or an array that nothing changes, as numbers of type T.
template <class T>
Numbers<T> numbers_of(const py::object& given) {
  auto array = py::array_t<T, py::array::c_style | py::array::forcecast>(given);
  return {array, {array.data(), static_cast<std::size_t>(array.size())}};
}

// The same numbers in another floating-point type, rounded to nearest.
template <class To, class From>
Numbers<To> converted(std::span<const From> from) {
  const NewNumbers<To> to(from.size());
  const FloatState to_nearest;
  std::ranges::transform(from, to.values.begin(), [](From x) { return static_cast<To>(x); });
  return to.finish();
}

// A single number, `count` times.
Numbers<std::int32_t> repeated(const Numbers<std::int32_t>& one, std::size_t count) {
  const NewNumbers<std::int32_t> to(count);
  std::ranges::fill(to.values, one.values.front());
  return to.finish();
}

// The index of a flat position as text: "(1, 2)".
std::string index_text(std::size_t position, const Shape& shape) {
  py::tuple index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    const auto length = static_cast<std::size_t>(shape[i]);
    index[i] = py::int_(position % length);
    position /= length;
  }
  return py::str(index).cast<std::string>();
}

std::string text_of(const Shape& shape) { return py::str(py::tuple(py::cast(shape))); }

template <class T>
std::size_t first_refused(std::span<const T> scales, ScaleConstraint allowed) {
  const auto refused =
      std::ranges::find_if_not(scales, [&](T scale) { return is_allowed(scale, allowed); });
  return static_cast<std::size_t>(refused - scales.begin());
}

template <class T>
void require_scales(const CheckedScales<T>& scales, const Shape& shape, const char* dtype,
                    ScaleConstraint allowed, const std::string& argument) {
  const bool finite_suffices = allowed == ScaleConstraint::finite;
  const std::size_t position = finite_suffices ? scales.first_not_finite : scales.first_not_normal;
  if (position == scales.values.size()) {
    return;
  }
  const std::string received = py::repr(py::float_(static_cast<double>(scales.values[position])));
  throw py::value_error(
      argument + ".scale must be " +
      (finite_suffices ? "finite in " : "positive, finite and not subnormal in ") + dtype +
      ", got " + received + (shape.empty() ? "" : " at " + index_text(position, shape)));
}

}  // namespace

template <class T>
CheckedScales<T>::CheckedScales(Numbers<T> scales, bool are_valid)
    : Numbers<T>(std::move(scales)),
      first_not_finite(are_valid ? this->values.size()
                                 : first_refused(this->values, ScaleConstraint::finite)),
      first_not_normal(are_valid
                           ? this->values.size()
                           : first_refused(this->values, ScaleConstraint::positive_and_normal)) {}

Format::Format(int bits, bool is_signed, const py::object& group_bits, const py::object& frac_bits,
               const py::object& scale, const py::object& zero_point, std::int64_t qmin,
               std::int64_t qmax, Shape shape, const py::object& axis, const py::object& group_size,
               bool are_normal)
    : shape_(std::move(shape)), axis_(axis), group_size_(group_size) {
  core_.bits = bits;
  core_.is_signed = is_signed ? 1 : 0;
  if (!frac_bits.is_none()) {
    core_.kind = SC_FORMAT_KIND_FIXED_POINT;
    frac_bits_ = numbers_of<std::int32_t>(frac_bits);
    if (!group_bits.is_none()) {
      group_bits_ = numbers_of<std::int32_t>(group_bits);
      core_.group_bits = group_bits_.values.data();
      if (!py::isinstance<py::array>(frac_bits)) {
        varying_ = ".bits";
        frac_bits_ = repeated(frac_bits_, group_bits_.values.size());
      }
    }
    core_.frac_bits = frac_bits_.values.data();
    return;
  }
  varying_ = ".scale";
  core_.kind = SC_FORMAT_KIND_AFFINE;
  core_.qmin = qmin;
  core_.qmax = qmax;
  if (!py::isinstance<py::array>(scale) || py::array(scale).itemsize() == sizeof(double)) {
    scales_ = CheckedScales(numbers_of<double>(scale), are_normal);
    scales_as_float_ = CheckedScales(converted<float>(scales_.values));
  } else {
    scales_as_float_ = CheckedScales(numbers_of<float>(scale), are_normal);
  }
  zero_points_ = numbers_of<std::int32_t>(zero_point);
  const std::span zeros = zero_points_.values;
  const bool are_zero = std::ranges::all_of(zeros, [](std::int32_t z) { return z == 0; });
  if (are_zero && qmin <= 0 && qmax >= 0) {
    return;
  }
  const std::size_t count = scales_as_float_.values.size();
  if (zeros.size() != count) {  // one for all scales
    zero_points_ = repeated(zero_points_, count);
  }
  core_.zero_point = zero_points_.values.data();
}

FormatArgument::FormatArgument(py::handle fmt, const std::string& name, int max_bits) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::str> once;
  const py::str& native =
      once.call_once_and_store_result([] { return py::str("_native"); }).get_stored();
  stored_ = py::reinterpret_steal<py::object>(PyObject_GetAttr(fmt.ptr(), native.ptr()));
  if (!stored_) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) {
      throw py::error_already_set();  // such as a KeyboardInterrupt
    }
    PyErr_Clear();
  }
  if (!stored_ || !py::isinstance<Format>(stored_)) {
    throw py::type_error(name + " must be a FixedPoint or an Affine, got " + shown(fmt));
  }
  format_ = &stored_.cast<const Format&>();
  if (format_->bits() > max_bits) {
    throw py::value_error(name + " must have at most " + std::to_string(max_bits) + " bits, got " +
                          shown(fmt) + "; requantize takes wider integers as from_fmt");
  }
}

namespace {

// Without group_size, axis i of the parameters is axis[i] of the array, so that the order matters.
void require_order(const py::object& axis, const py::object& group_size, py::ssize_t ndim,
                   const std::string& argument) {
  if (!group_size.is_none() || !PyTuple_Check(axis.ptr())) {
    return;
  }
  const std::vector<py::ssize_t> axes = Axes(axis, argument + ".").normalized(ndim);
  if (!std::is_sorted(axes.begin(), axes.end())) {
    refuse((argument + ".axis").c_str(), "a tuple of axes in ascending order", axis);
  }
}

// Appends the parameters at all indices of axes, of which the last varies fastest.
template <class T>
void append(const T* values, std::span<const ReadAxis> axes, std::vector<T>& to) {
  if (axes.empty()) {
    to.push_back(*values);
    return;
  }
  const auto [length, repeats, stride] = axes.front();
  if (axes.size() == 1 && repeats == 1) {  // the innermost loop of most formats
    const std::size_t begin = to.size();
    to.resize(begin + length);
    for (std::size_t i = 0; i < length; ++i) {
      to[begin + i] = values[i * stride];
    }
    return;
  }
  for (std::size_t i = 0; i < length; i += repeats, values += stride) {
    const std::size_t count = std::min(repeats, length - i);
    if (axes.size() == 1) {
      to.insert(to.end(), count, *values);
      continue;
    }
    const std::size_t begin = to.size();
    append(values, axes.subspan(1), to);
    const std::size_t end = to.size();  // of one copy
    for (std::size_t j = 0; j < (count - 1) * (end - begin); ++j) {
      to.push_back(T{to[begin + j]});
    }
  }
}

std::size_t product(std::span<const ReadAxis> axes) {
  return std::accumulate(axes.begin(), axes.end(), std::size_t{1},
                         [](std::size_t all, const ReadAxis& axis) { return all * axis.length; });
}

// The axes of an array, in this order, along which each element reads the parameter of its group.
std::vector<ReadAxis> axes_of_elements(const Shape& shape, const Groups& groups,
                                       const AxisOrder& order) {
  std::vector<ReadAxis> axes(shape.size());
  std::size_t stride = 1;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto length = static_cast<std::size_t>(shape[i]);
    const auto block = static_cast<std::size_t>(groups.block_lengths()[i]);
    axes[i] = {length, block, stride};
    stride *= ceil_div(length, block);
  }
  if (order.empty()) {
    return axes;
  }
  std::vector<ReadAxis> ordered;
  for (const py::ssize_t axis : order) {
    ordered.push_back(axes[static_cast<std::size_t>(axis)]);
  }
  return ordered;
}

bool varies(const ReadAxis& axis) { return axis.repeats < axis.length; }

// The same axis, counted in blocks that share a parameter.
ReadAxis axis_of_blocks(const ReadAxis& axis) {
  return {ceil_div(axis.length, axis.repeats), 1, axis.stride};
}

// Reads parameters into `to` as append() does, and returns them; null if the format has none.
template <class T>
const T* read(const T* values, std::span<const ReadAxis> axes, std::vector<T>& to) {
  if (values == nullptr) {
    return nullptr;
  }
  to.reserve(product(axes));
  append(values, axes, to);
  return to.data();
}

}  // namespace

FittedFormat::FittedFormat(const Format& format, const Shape& shape, sc_dtype floats,
                           ScaleConstraint allowed, const AxisOrder& order, const Groups* compared,
                           const std::string& argument)
    : core_(format.core_) {
  if (format.is_affine()) {
    set_scales(format, floats, allowed, argument);
  }
  if (format.shape_.empty()) {
    return;
  }
  const std::string name = argument + format.varying_;
  if (shape.empty()) {
    throw py::value_error(name + " must be a single number for an array without axes, got shape " +
                          text_of(format.shape_));
  }
  require_order(format.axis_, format.group_size_, static_cast<py::ssize_t>(shape.size()), argument);
  const bool has_single_size =
      !format.group_size_.is_none() && !PyTuple_Check(format.group_size_.ptr());
  if (has_single_size && format.shape_.size() != shape.size()) {
    Groups along_last(py::none(), format.group_size_, argument + ".");
    along_last.fit(shape);
    throw py::value_error(
        name + " must have as many dimensions as the array with group_size, got shape " +
        text_of(format.shape_) + " for an array of shape " + text_of(shape) +
        "; groups along the last axis take shape " + text_of(along_last.result_shape()));
  }
  Groups groups(format.axis_, format.group_size_, argument + ".");
  groups.fit(shape);
  if (groups.result_shape() != format.shape_) {
    throw py::value_error(
        name + " must be of shape " + text_of(groups.result_shape()) + " for an array of shape " +
        text_of(shape) + " with axis=" + shown(format.axis_) +
        " and group_size=" + shown(format.group_size_) + ", got shape " + text_of(format.shape_));
  }
  if (groups.count() == 1) {
    return;
  }
  core_.layout = &layout_;
  if (compared != nullptr) {
    reorder_parameters(*compared, format, groups, shape);
  } else if (order.empty() && groups.order().empty()) {
    layout_ = *groups.layout();
  } else {
    read_parameters_of(axes_of_elements(shape, groups, order));
  }
}

// Sets the scales in the type in which the core computes.
void FittedFormat::set_scales(const Format& format, sc_dtype floats, ScaleConstraint allowed,
                              const std::string& argument) {
  if (floats != SC_DTYPE_FLOAT64) {
    require_scales(format.scales_as_float_, format.shape_, "float32", allowed, argument);
    core_.scale = format.scales_as_float_.values.data();
    has_float_scales_ = true;
    return;
  }
  const CheckedScales<double>* scales = &format.scales_;
  if (scales->values.empty()) {
    scales = &widened_.emplace(converted<double>(format.scales_as_float_.values));
  }
  require_scales(*scales, format.shape_, "float64", allowed, argument);
  core_.scale = scales->values.data();
}

// Sets the layout of an array with these axes, and reads the parameters in its order. A layout has
// blocks along two neighbouring axes at most. Along other axes, parameters are repeated.
void FittedFormat::read_parameters_of(std::span<const ReadAxis> elements) {
  const auto first = std::find_if(elements.begin(), elements.end(), varies);
  const auto last = std::find_if(elements.rbegin(), elements.rend(), varies).base();
  const auto blocks = std::find_if(
      first, last, [](const ReadAxis& axis) { return axis.repeats > 1 && varies(axis); });
  if (blocks == last) {
    layout_ = {product({first, last}), product({last, elements.end()}), 1, 0, 1};
    read_parameters({first, last});
    return;
  }
  const std::span after(blocks + 1, elements.end());
  layout_ = {blocks->length, product(after), blocks->repeats, 0, blocks == first ? 1 : 0};
  std::vector<ReadAxis> axes(blocks == first ? blocks : elements.begin(), blocks);
  axes.push_back(axis_of_blocks(*blocks));
  if (after.size() == 1 && varies(after.front())) {
    layout_.inner_block = after.front().repeats;
    axes.push_back(axis_of_blocks(after.front()));
  } else if (last > blocks + 1) {
    layout_.inner_block = 1;
    axes.insert(axes.end(), after.begin(), after.end());
  }
  read_parameters(axes);
}

// Gives the parameters the order of the results of these groups.
void FittedFormat::reorder_parameters(const Groups& compared, const Format& format,
                                      const Groups& groups, const Shape& shape) {
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (!is_empty && groups.block_lengths() != compared.block_lengths()) {
    throw py::value_error(
        "fmt must have one parameter, or one for each group that is compared, got axis=" +
        shown(format.axis_) + " and group_size=" + shown(format.group_size_));
  }
  core_.layout = compared.layout();
  const AxisOrder order = compared.result_order(0, 0);
  if (order.empty()) {
    return;
  }
  std::vector<ReadAxis> axes = axes_of_elements(shape, groups, order);
  std::ranges::transform(axes, axes.begin(), axis_of_blocks);
  read_parameters(axes);
}

void FittedFormat::read_parameters(std::span<const ReadAxis> axes) {
  core_.group_bits = read(core_.group_bits, axes, group_bits_);
  core_.frac_bits = read(core_.frac_bits, axes, frac_bits_);
  core_.zero_point = read(core_.zero_point, axes, zero_points_);
  if (has_float_scales_) {
    core_.scale = read(static_cast<const float*>(core_.scale), axes, float_scales_);
  } else {
    core_.scale = read(static_cast<const double*>(core_.scale), axes, double_scales_);
  }
}

}  // namespace secateur::python
