#include "quantize/format_bindings.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "python/arguments.hpp"

namespace secateur::python {
namespace {

template <class T>
std::vector<T> copy_of(const py::object& numbers) {
  if (!py::isinstance<py::array>(numbers)) {
    return {numbers.cast<T>()};
  }
  const auto array = numbers.cast<py::array_t<T, py::array::c_style | py::array::forcecast>>();
  return {array.data(), array.data() + array.size()};
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
void require_scales(const std::vector<T>& scales, const Shape& shape, const char* dtype,
                    Scales allowed) {
  const auto is_allowed = [allowed](T scale) {
    return allowed == Scales::finite
               ? std::isfinite(scale)
               : scale >= std::numeric_limits<T>::min() && scale <= std::numeric_limits<T>::max();
  };
  const auto invalid = std::find_if_not(scales.begin(), scales.end(), is_allowed);
  if (invalid == scales.end()) {
    return;
  }
  const auto position = static_cast<std::size_t>(invalid - scales.begin());
  const std::string received = py::repr(py::float_(static_cast<double>(*invalid)));
  throw py::value_error(
      std::string("fmt.scale must be ") +
      (allowed == Scales::finite ? "finite in " : "positive, finite and not subnormal in ") +
      dtype + ", got " + received + (shape.empty() ? "" : " at " + index_text(position, shape)));
}

}  // namespace

Format::Format(int bits, bool is_signed, const py::object& frac_bits, const py::object& scale,
               const py::object& zero_point, std::int64_t qmin, std::int64_t qmax, Shape shape,
               const py::object& axis, const py::object& group_size)
    : shape_(std::move(shape)) {
  core_.bits = bits;
  core_.is_signed = is_signed ? 1 : 0;
  if (!frac_bits.is_none()) {
    core_.kind = SC_FORMAT_KIND_FIXED_POINT;
    frac_bits_ = copy_of<std::int32_t>(frac_bits);
    core_.frac_bits = frac_bits_.data();
  } else {
    core_.kind = SC_FORMAT_KIND_AFFINE;
    core_.qmin = qmin;
    core_.qmax = qmax;
    scales_ = copy_of<double>(scale);
    core_.scale = scales_.data();
    std::transform(scales_.begin(), scales_.end(), std::back_inserter(scales_as_float_),
                   [](double x) { return static_cast<float>(x); });
    zero_points_ = copy_of<std::int32_t>(zero_point);
    zero_points_.resize(scales_.size(), zero_points_.empty() ? 0 : zero_points_.front());
    if (std::any_of(zero_points_.begin(), zero_points_.end(), [](auto z) { return z != 0; }) ||
        qmin > 0 || qmax < 0) {
      core_.zero_point = zero_points_.data();
    }
  }
  is_axis_tuple_ = py::isinstance<py::tuple>(axis);
  if (is_axis_tuple_) {
    axes_ = axis.cast<std::vector<std::int64_t>>();
  } else if (!axis.is_none()) {
    axes_ = {axis.cast<std::int64_t>()};
  }
  is_block_pair_ = py::isinstance<py::tuple>(group_size);
  if (is_block_pair_) {
    block_ = group_size.cast<std::pair<std::size_t, std::size_t>>();
  } else if (!group_size.is_none()) {
    block_ = {group_size.cast<std::size_t>(), 1};
  }
}

FormatArgument::FormatArgument(py::handle fmt) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::str> once;
  const py::str& name =
      once.call_once_and_store_result([] { return py::str("_core"); }).get_stored();
  stored_ = py::reinterpret_steal<py::object>(PyObject_GetAttr(fmt.ptr(), name.ptr()));
  if (!stored_) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) {
      throw py::error_already_set();  // such as a KeyboardInterrupt
    }
    PyErr_Clear();
  }
  if (!stored_ || !py::isinstance<Format>(stored_)) {
    throw py::type_error("fmt must be a FixedPoint or an Affine, got " + shown(fmt));
  }
  format_ = &stored_.cast<const Format&>();
}

// The axes as nonnegative numbers. They are adjacent and in order.
std::vector<std::size_t> Format::axes_in(const Shape& shape) const {
  const auto ndim = static_cast<std::int64_t>(shape.size());
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : axes_) {
    if (axis < -ndim || axis >= ndim) {
      refuse("fmt.axis",
             "an integer from " + std::to_string(-ndim) + " to " + std::to_string(ndim - 1),
             py::int_(axis));
    }
    axes.push_back(static_cast<std::size_t>(axis < 0 ? axis + ndim : axis));
    if (axes.size() > 1 && axes.back() != axes[axes.size() - 2] + 1) {
      refuse("fmt.axis", "adjacent axes in order", py::tuple(py::cast(axes_)));
    }
  }
  return axes;
}

sc_layout Format::layout_of(const Shape& shape) const {
  const char* const name = is_affine() ? "fmt.scale" : "fmt.frac_bits";
  if (shape.empty()) {
    throw py::value_error(std::string(name) +
                          " must be a single number for an array without axes, got shape " +
                          text_of(shape_));
  }
  const std::vector<std::size_t> axes = axes_in(shape);
  const auto length = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
  const auto product = [&](std::size_t begin, std::size_t end) {
    std::size_t n = 1;
    for (std::size_t i = begin; i < end; ++i) {
      n *= length(i);
    }
    return n;
  };
  const std::size_t first = axes.front();
  const std::size_t end = axes.back() + 1;
  Shape fitting;
  sc_layout layout{};
  std::string how = is_axis_tuple_ || is_block_pair_
                        ? " along axes " + py::str(py::tuple(py::cast(axes))).cast<std::string>()
                        : " along axis " + std::to_string(first);
  if (!block_) {
    layout = {product(first, end), product(end, shape.size()), 1, 0, 1};
    fitting.assign(shape.begin() + static_cast<std::ptrdiff_t>(first),
                   shape.begin() + static_cast<std::ptrdiff_t>(end));
  } else {
    const auto& [rows, columns] = *block_;
    const auto groups_of = [](std::size_t n, std::size_t size) {
      return static_cast<py::ssize_t>(n / size + (n % size != 0 ? 1 : 0));
    };
    fitting = shape;
    fitting[first] = groups_of(length(first), rows);
    if (is_block_pair_ && end != shape.size()) {
      refuse("fmt.axis", "the last two axes for groups of rows and columns",
             py::tuple(py::cast(axes_)));
    }
    const std::size_t inner = is_block_pair_ ? length(first + 1) : product(first + 1, shape.size());
    if (is_block_pair_) {
      fitting[first + 1] = groups_of(inner, columns);
    }
    layout = {length(first), inner, rows, is_block_pair_ ? columns : 1, 0};
    how +=
        " in groups of " + (is_block_pair_ ? std::to_string(rows) + " x " + std::to_string(columns)
                                           : std::to_string(rows));
  }
  if (shape_ != fitting) {
    throw py::value_error(std::string(name) + " must be of shape " + text_of(fitting) +
                          " for an array of shape " + text_of(shape) + how + ", got shape " +
                          text_of(shape_));
  }
  return layout;
}

FittedFormat::FittedFormat(const Format& format, const Shape& shape, sc_dtype floats,
                           Scales allowed)
    : core_(format.core_) {
  if (format.is_affine() && floats == SC_DTYPE_FLOAT64) {
    require_scales(format.scales_, format.shape_, "float64", allowed);
  } else if (format.is_affine()) {
    require_scales(format.scales_as_float_, format.shape_, "float32", allowed);
    core_.scale = format.scales_as_float_.data();
  }
  if (!format.shape_.empty()) {
    layout_ = format.layout_of(shape);
    core_.layout = &layout_;
  }
}

}  // namespace secateur::python
