// The arguments `axis` and `group_size`, which divide an array into slices or groups.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// The argument `axis`: None, an integer, or a tuple of integers. The constructor converts it before
// any array is accessed: the conversion may run code of the caller, which may change the array.
class Axes {
 public:
  // `prefix` precedes the names of arguments in messages.
  explicit Axes(py::handle axis, const std::string& prefix = "");

  [[nodiscard]] bool is_given() const { return !given_.is_none(); }
  [[nodiscard]] py::handle given() const { return given_; }
  // The axes of an array of `ndim` dimensions as nonnegative numbers, in the order of the argument.
  // Throws ValueError if the array does not have these axes, or if an axis is repeated.
  [[nodiscard]] std::vector<py::ssize_t> normalized(py::ssize_t ndim) const;

  // The fast path for an argument that is an integer.
  [[nodiscard]] bool is_single() const { return is_given() && !is_tuple_; }
  [[nodiscard]] py::ssize_t normalized_single(py::ssize_t ndim) const;

 private:
  void require_dimensions(py::ssize_t ndim) const;
  [[nodiscard]] py::handle item(std::size_t i) const;

  std::string name_;
  py::handle given_;
  bool is_tuple_;
  std::int64_t number_ = 0;            // if it is an integer
  std::vector<std::int64_t> numbers_;  // if it is a tuple
};

// The division of an array into slices along axes. Without axes, the whole array is one slice.
class Slices {
 public:
  Slices(const Shape& shape, const Axes& axes);
  // The same along one axis.
  Slices(const Shape& shape, py::ssize_t axis);

  [[nodiscard]] const sc_layout* layout() const { return is_whole_ ? nullptr : &core_; }
  [[nodiscard]] bool is_whole() const { return is_whole_; }
  // The number of elements of a slice.
  [[nodiscard]] std::size_t length() const { return core_.length; }
  // The order of axes in which the core must read the array. It makes the axes of the slices
  // adjacent. Empty if that is the order of the array.
  [[nodiscard]] const AxisOrder& order() const { return order_; }
  // The shape of one result for each slice: that of the array without the axes.
  [[nodiscard]] Shape result_shape() const;
  // The shape of `count` results for each slice: they replace the axes, at the place of the first.
  [[nodiscard]] Shape result_shape(std::size_t count) const;

 private:
  void set(const Shape& shape, py::ssize_t axis);

  sc_layout core_{1, 1, 0, 1, 0};
  bool is_whole_;
  AxisOrder order_;
  Shape before_, after_;  // the lengths of the other axes
};

// The status of a call of the core that read arrays with their axes in this order. If the core read
// them in another order than that of the caller, the index in a message about an element does not
// fit the arrays of the caller. find_again() then reads those arrays to produce the message. If it
// fails for another reason, its status is returned.
template <class F>
sc_status with_index_of_caller(sc_status status, const AxisOrder& order, const F& find_again) {
  const bool has_index =
      status == SC_ERROR_NAN || status == SC_ERROR_OVERFLOW || status == SC_ERROR_ARGUMENT;
  if (!has_index || order.empty()) {
    return status;
  }
  const sc_status again = find_again();
  return again == SC_OK ? status : again;
}

// Prepares the inputs of a selection, with their axes in this order, and calls the core. `scores`
// may be null.
template <class F>
void call_selection(Input& w, ScoresArgument* scores, const AxisOrder& order, sc_nan nan,
                    const F& core) {
  if (!order.empty()) {
    w.transpose(order);
    if (scores != nullptr) {
      scores->transpose(order, w);
    }
  }
  const auto prepare = [&] {
    w.prepare();
    if (scores != nullptr) {
      scores->prepare();
    }
  };
  prepare();
  const sc_status status = without_gil(w.size(), core);
  check(with_index_of_caller(status, order,
                             [&] {
    w.transpose({});
    if (scores != nullptr) {
      scores->transpose({}, w);
    }
    prepare();
    return without_gil(w.size(), [&] {  // selecting nothing only searches for NaN
      return sc_topk(w.data(), w.core_dtype(), w.size(), 0, nullptr,
                     scores == nullptr ? nullptr : scores->data(), nan, SC_ORDER_INDEX, nullptr,
                     nullptr);
    });
  }),
        kSelectionRemedy);
}

// The division of an array into groups that have a result each: one for each index along axes; or
// group_size neighbours along an axis; or blocks of two axes. The whole array is one group if
// neither argument is given.
class Groups {
 public:
  // `prefix` precedes the names of arguments in messages.
  Groups(py::handle axis, py::handle group_size, const std::string& prefix = "");
  // Computes the groups of an array of this shape. Must be called before the functions below.
  void fit(const Shape& shape);

  [[nodiscard]] const sc_layout* layout() const { return is_whole_ ? nullptr : &core_; }
  [[nodiscard]] std::size_t count() const;
  // The argument `axis` of a format with a parameter for each group: None, an integer, or a tuple.
  // Its integers are not negative.
  [[nodiscard]] py::object axes() const;
  // The argument group_size: None, an integer, or a tuple of two.
  [[nodiscard]] py::object group_size() const;
  // The order of axes in which the core must read the array. Empty if that is its own order.
  [[nodiscard]] const AxisOrder& order() const { return order_; }
  // The lengths of a group along the axes of the array. Arrays of one shape are divided into the
  // same groups, in the same order, if and only if these are the same.
  [[nodiscard]] const Shape& block_lengths() const { return block_lengths_; }
  // The shape of the results, one for each group.
  [[nodiscard]] const Shape& result_shape() const { return result_shape_; }
  // The order in which the core writes the axes of the results, after `leading` and before
  // `trailing` further axes. Empty if that is their own order.
  [[nodiscard]] AxisOrder result_order(std::size_t leading, std::size_t trailing) const;

 private:
  [[nodiscard]] std::string name(const char* argument) const { return prefix_ + argument; }
  void set_shared(const Shape& shape);
  void set_along(const Shape& shape);
  void set_blocks(const Shape& shape);
  void divide(const Shape& shape, const std::vector<py::ssize_t>& axes,
              const std::array<std::size_t, 2>& sizes);

  std::string prefix_;
  Axes axes_;
  py::handle given_size_;
  std::array<std::size_t, 2> sizes_{};  // group_size; the second is 0 if it is a single number
  bool is_whole_ = true;
  bool is_result_ordered_ = true;  // the axes of the results have the order of the array
  sc_layout core_{};
  AxisOrder order_;
  // The axes: with group_size, in the order of the argument; otherwise ascending.
  std::vector<py::ssize_t> along_;
  Shape block_lengths_, result_shape_;
};

}  // namespace secateur::python
