#include "python/layouts.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/ceil_div.hpp"

namespace secateur::python {
namespace {

bool contains(const std::vector<py::ssize_t>& axes, py::ssize_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

// Whether reading an array in this order of axes gives another sequence of elements.
bool is_reordering(const AxisOrder& order, const Shape& shape) {
  AxisOrder longer;  // the axes that have more than one element
  for (const py::ssize_t axis : order) {
    const py::ssize_t length = shape[static_cast<std::size_t>(axis)];
    if (length == 0) {
      return false;
    }
    if (length > 1) {
      longer.push_back(axis);
    }
  }
  return !std::is_sorted(longer.begin(), longer.end());
}

// An array seen with some of its axes adjacent, at the place of the first.
struct AdjacentAxes {
  Shape before, along, after;
  AxisOrder order;  // empty if it is that of the array
};

// Requires at least one axis, and axes in ascending order.
AdjacentAxes with_adjacent(const Shape& shape, const std::vector<py::ssize_t>& axes) {
  AdjacentAxes found;
  AxisOrder others;
  for (py::ssize_t axis = 0; axis < static_cast<py::ssize_t>(shape.size()); ++axis) {
    const py::ssize_t length = shape[static_cast<std::size_t>(axis)];
    if (contains(axes, axis)) {
      found.along.push_back(length);
    } else if (axis < axes.front()) {
      found.before.push_back(length);
      found.order.push_back(axis);
    } else {
      found.after.push_back(length);
      others.push_back(axis);
    }
  }
  found.order.insert(found.order.end(), axes.begin(), axes.end());
  found.order.insert(found.order.end(), others.begin(), others.end());
  if (!is_reordering(found.order, shape)) {
    found.order.clear();
  }
  return found;
}

// An axis as a nonnegative number. Throws ValueError if the array does not have it.
py::ssize_t axis_in_range(const char* name, std::int64_t number, py::ssize_t ndim,
                          py::handle given) {
  if (number < -ndim || number >= ndim) {
    refuse(name, "an integer from " + std::to_string(-ndim) + " to " + std::to_string(ndim - 1),
           given);
  }
  return static_cast<py::ssize_t>(number < 0 ? number + ndim : number);
}

std::vector<py::ssize_t> sorted(std::vector<py::ssize_t> axes) {
  std::sort(axes.begin(), axes.end());
  return axes;
}

py::ssize_t group_count(py::ssize_t length, std::size_t size) {
  return static_cast<py::ssize_t>(ceil_div(static_cast<std::size_t>(length), size));
}

}  // namespace

Axes::Axes(py::handle axis, const std::string& prefix)
    : name_(prefix + "axis"), given_(axis), is_tuple_(PyTuple_Check(axis.ptr())) {
  if (is_tuple_) {
    const auto axes = py::reinterpret_borrow<py::tuple>(axis);
    if (axes.empty()) {
      refuse(name_.c_str(), "None, an integer or a tuple of at least one integer", axis);
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      numbers_.push_back(to_integer((name_ + "[" + std::to_string(i) + "]").c_str(), item(i)));
    }
  } else if (!axis.is_none()) {
    number_ = to_integer(name_.c_str(), axis);
  }
}

// An element of the tuple, whatever a subclass returns for its index.
py::handle Axes::item(std::size_t i) const {
  return PyTuple_GET_ITEM(given_.ptr(), static_cast<py::ssize_t>(i));
}

py::ssize_t Axes::normalized_single(py::ssize_t ndim) const {
  require_dimensions(ndim);
  return axis_in_range(name_.c_str(), number_, ndim, given_);
}

std::vector<py::ssize_t> Axes::normalized(py::ssize_t ndim) const {
  if (!is_given()) {
    return {};
  }
  if (is_single()) {
    return {normalized_single(ndim)};
  }
  require_dimensions(ndim);
  std::vector<py::ssize_t> axes;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const std::string name = name_ + "[" + std::to_string(i) + "]";
    const py::ssize_t axis = axis_in_range(name.c_str(), numbers_[i], ndim, item(i));
    if (contains(axes, axis)) {
      refuse(name_.c_str(), "a tuple of different axes", given_);
    }
    axes.push_back(axis);
  }
  return axes;
}

void Axes::require_dimensions(py::ssize_t ndim) const {
  if (ndim == 0) {
    refuse(name_.c_str(), "None for an array of no dimensions", given_);
  }
}

Slices::Slices(const Shape& shape, const Axes& axes) : is_whole_(!axes.is_given()) {
  const auto ndim = static_cast<py::ssize_t>(shape.size());
  if (is_whole_) {
    core_.length = element_count(shape);
    return;
  }
  if (axes.is_single()) {
    set(shape, axes.normalized_single(ndim));
    return;
  }
  AdjacentAxes adjacent = with_adjacent(shape, sorted(axes.normalized(ndim)));
  core_.length = element_count(adjacent.along);
  core_.inner = element_count(adjacent.after);
  before_ = std::move(adjacent.before);
  after_ = std::move(adjacent.after);
  order_ = std::move(adjacent.order);
}

Slices::Slices(const Shape& shape, py::ssize_t axis) : is_whole_(false) { set(shape, axis); }

void Slices::set(const Shape& shape, py::ssize_t axis) {
  before_.assign(shape.begin(), shape.begin() + axis);
  after_.assign(shape.begin() + axis + 1, shape.end());
  core_.length = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  core_.inner = element_count(after_);
}

Shape Slices::result_shape() const {
  Shape shape = before_;
  shape.insert(shape.end(), after_.begin(), after_.end());
  return shape;
}

Shape Slices::result_shape(std::size_t count) const {
  Shape shape = before_;
  shape.push_back(static_cast<py::ssize_t>(count));
  shape.insert(shape.end(), after_.begin(), after_.end());
  return shape;
}

namespace {

// Converts a length of groups. to_count would take numbers above INT64_MAX as INT64_MAX.
std::size_t to_group_size(const std::string& name, py::handle value) {
  const py::object number = to_index(name.c_str(), value);
  int overflow = 0;
  PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  return in_range(name.c_str(), overflow > 0 ? 0 : to_integer(name.c_str(), number), 1, INT64_MAX,
                  value);
}

}  // namespace

Groups::Groups(py::handle axis, py::handle group_size, const std::string& prefix)
    : prefix_(prefix), axes_(axis, prefix), given_size_(group_size) {
  if (PyTuple_Check(group_size.ptr())) {
    const auto lengths = py::reinterpret_borrow<py::tuple>(group_size);
    if (lengths.size() != 2) {
      refuse(name("group_size").c_str(), "a positive integer or a tuple of two", group_size);
    }
    sizes_ = {to_group_size(name("group_size[0]"), lengths[0]),
              to_group_size(name("group_size[1]"), lengths[1])};
  } else if (!group_size.is_none()) {
    sizes_[0] = to_group_size(name("group_size"), group_size);
  }
}

void Groups::fit(const Shape& shape) {
  block_lengths_ = shape;
  is_whole_ = !axes_.is_given() && sizes_[0] == 0;
  if (is_whole_) {
    return;
  }
  if (sizes_[1] != 0) {
    set_blocks(shape);
  } else if (sizes_[0] != 0) {
    set_along(shape);
  } else {
    set_shared(shape);
  }
}

py::object Groups::axes() const {
  if (along_.empty()) {
    return py::none();
  }
  return along_.size() == 1 ? py::object(py::int_(along_[0])) : py::tuple(py::cast(along_));
}

py::object Groups::group_size() const {
  if (sizes_[0] == 0) {
    return py::none();
  }
  return sizes_[1] == 0 ? py::object(py::int_(sizes_[0])) : py::make_tuple(sizes_[0], sizes_[1]);
}

std::size_t Groups::count() const { return element_count(result_shape_); }

AxisOrder Groups::result_order(std::size_t leading, std::size_t trailing) const {
  AxisOrder order;
  if (!is_result_ordered_) {
    const auto shift = static_cast<py::ssize_t>(leading);
    order.resize(leading);
    for (const py::ssize_t axis : order_) {
      order.push_back(axis + shift);
    }
    order.resize(order.size() + trailing);
    std::iota(order.begin(), order.begin() + shift, py::ssize_t{0});
    std::iota(order.end() - static_cast<py::ssize_t>(trailing), order.end(),
              static_cast<py::ssize_t>(leading + order_.size()));
  }
  return order;
}

// One group for each index along the axes.
void Groups::set_shared(const Shape& shape) {
  along_ = sorted(axes_.normalized(static_cast<py::ssize_t>(shape.size())));
  for (const py::ssize_t axis : along_) {
    block_lengths_[static_cast<std::size_t>(axis)] = 1;
  }
  AdjacentAxes adjacent = with_adjacent(shape, along_);
  core_ = {element_count(adjacent.along), element_count(adjacent.after), 1, 0, 1};
  order_ = std::move(adjacent.order);
  result_shape_ = std::move(adjacent.along);
}

// Groups of neighbours along an axis.
void Groups::set_along(const Shape& shape) {
  const auto ndim = static_cast<py::ssize_t>(shape.size());
  if (ndim == 0) {
    refuse(name("group_size").c_str(), "None for an array of no dimensions", given_size_);
  }
  const std::vector<py::ssize_t> axes =
      axes_.is_given() ? axes_.normalized(ndim) : Axes(py::int_(-1)).normalized(ndim);
  if (axes.size() != 1) {
    refuse(name("axis").c_str(), "one axis with a single group_size", axes_.given());
  }
  along_ = axes;
  const AdjacentAxes adjacent = with_adjacent(shape, axes);
  core_ = {element_count(adjacent.along), element_count(adjacent.after), sizes_[0], 1, 0};
  divide(shape, axes, sizes_);
}

// Blocks of the matrices that two axes form. The core reads them as the last axes.
void Groups::set_blocks(const Shape& shape) {
  const auto ndim = static_cast<py::ssize_t>(shape.size());
  if (ndim < 2 && !axes_.is_given()) {
    throw py::value_error("w must have at least two axes for group_size=" + shown(given_size_) +
                          ", got shape " + shown(py::tuple(py::cast(shape))));
  }
  std::vector<py::ssize_t> axes =
      axes_.is_given() ? axes_.normalized(ndim) : std::vector<py::ssize_t>{ndim - 2, ndim - 1};
  if (axes.size() != 2) {
    refuse(name("axis").c_str(), "a tuple of two axes with group_size a tuple", axes_.given());
  }
  along_ = axes;
  std::array<std::size_t, 2> sizes = sizes_;
  if (axes[0] > axes[1]) {
    std::swap(axes[0], axes[1]);
    std::swap(sizes[0], sizes[1]);
  }
  const auto length = [&](py::ssize_t axis) {
    return static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  };
  core_ = {length(axes[0]), length(axes[1]), sizes[0], sizes[1], 0};
  for (py::ssize_t axis = 0; axis < ndim; ++axis) {
    if (!contains(axes, axis)) {
      order_.push_back(axis);
    }
  }
  order_.insert(order_.end(), axes.begin(), axes.end());
  if (!is_reordering(order_, shape)) {
    order_.clear();
  }
  is_result_ordered_ = order_.empty();
  divide(shape, axes, sizes);
}

// Sets the lengths of blocks, which are 1 along all other axes, and the shape of the results.
void Groups::divide(const Shape& shape, const std::vector<py::ssize_t>& axes,
                    const std::array<std::size_t, 2>& sizes) {
  block_lengths_.assign(shape.size(), 1);
  result_shape_ = shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const auto length = std::max(static_cast<std::size_t>(shape[axis]), std::size_t{1});
    block_lengths_[axis] = static_cast<py::ssize_t>(std::min(sizes[i], length));
    result_shape_[axis] = group_count(shape[axis], sizes[i]);
  }
}

}  // namespace secateur::python
