// Conversion of array arguments to the arrays that the core accepts (contiguous, aligned, native
// byte order), and creation of result arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "secateur/secateur.h"

namespace secateur::python {

namespace py = pybind11;

// A dtype that the core supports.
struct Dtype {
  const char* name;
  int number;     // NumPy's type number; kRegistered for a dtype that another package registers
  sc_dtype core;  // SC_DTYPE_UINT8 for bool
};
inline constexpr int kRegistered = -1;
inline constexpr Dtype kBool{"bool", py::detail::npy_api::NPY_BOOL_, SC_DTYPE_UINT8};
inline constexpr Dtype kFloat16{"float16", 23, SC_DTYPE_FLOAT16};
inline constexpr Dtype kBFloat16{"bfloat16", kRegistered, SC_DTYPE_BFLOAT16};
inline constexpr Dtype kFloat32{"float32", py::detail::npy_api::NPY_FLOAT_, SC_DTYPE_FLOAT32};
inline constexpr Dtype kFloat64{"float64", py::detail::npy_api::NPY_DOUBLE_, SC_DTYPE_FLOAT64};
inline constexpr Dtype kInt8{"int8", py::detail::npy_api::NPY_BYTE_, SC_DTYPE_INT8};
inline constexpr Dtype kUInt8{"uint8", py::detail::npy_api::NPY_UBYTE_, SC_DTYPE_UINT8};
inline constexpr Dtype kInt16{"int16", py::detail::npy_api::NPY_SHORT_, SC_DTYPE_INT16};
inline constexpr Dtype kInt4{"int4", kRegistered, SC_DTYPE_INT4};
inline constexpr Dtype kUInt4{"uint4", kRegistered, SC_DTYPE_UINT4};
inline constexpr Dtype kInt2{"int2", kRegistered, SC_DTYPE_INT2};
inline constexpr Dtype kUInt2{"uint2", kRegistered, SC_DTYPE_UINT2};
inline constexpr Dtype kUInt16{"uint16", py::detail::npy_api::NPY_USHORT_, SC_DTYPE_UINT16};
inline constexpr Dtype kInt32{"int32", py::detail::npy_api::NPY_INT_, SC_DTYPE_INT32};
inline constexpr Dtype kUInt32{"uint32", py::detail::npy_api::NPY_UINT_, SC_DTYPE_UINT32};

// The allowed dtype that equals `given`. Throws TypeError if there is none; `remedy` is the end of
// the message.
Dtype to_dtype(const std::string& name, const py::dtype& given, std::span<const Dtype> allowed,
               const std::string& remedy = "");

// A value as an array: the value itself if it is an array, otherwise the result of numpy.asarray,
// which may run code of the value. Throws TypeError for masked arrays.
py::array as_array(const std::string& name, py::handle value);

using Shape = std::vector<py::ssize_t>;
Shape shape_of(const py::array& array);

// An order of the axes of an array, as in numpy.transpose; empty for their own order.
using AxisOrder = std::vector<py::ssize_t>;

// Whether a value is an array of this dtype.
bool is_array_of(py::handle value, Dtype dtype);

// An input array in the form that the core accepts. Values that are not arrays are converted with
// numpy.asarray. settle() copies an array that is not contiguous, aligned and in native byte order.
// It runs after all other checks. The object records the properties that the core uses, because the
// array may change later: checks may run code of the caller, and other threads run while the GIL is
// released.
class Input {
 public:
  Input(const std::string& name, py::handle value, std::span<const Dtype> allowed);
  Input(const std::string& name, py::handle value, std::initializer_list<Dtype> allowed)
      : Input(name, value, std::span(allowed.begin(), allowed.size())) {}

  // Makes the core read the array with its axes in this order. Must be called before settle().
  void transpose(const AxisOrder& order);

  // Must be called before data(). Throws RuntimeError if the dtype or the size of the array has
  // changed since construction.
  void settle();

  [[nodiscard]] const void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is(Dtype dtype) const { return dtype_.number == dtype.number; }
  [[nodiscard]] sc_dtype core_dtype() const { return dtype_.core; }
  // The NumPy dtype, in native byte order.
  [[nodiscard]] py::dtype numpy_dtype() const;
  [[nodiscard]] const py::array& given() const { return given_; }

  // Throws ValueError unless the array has this shape. `meaning` explains the shape in the message.
  void require_shape(const Shape& shape, const char* meaning) const;

 private:
  std::string name_;
  py::array given_;
  py::array core_array_;  // given_, its transpose, or a copy
  Dtype dtype_;
  std::size_t size_;
  const void* data_ = nullptr;
};

// A result array: a new array, or the argument `out` of the caller.
class Result {
 public:
  // A new array.
  Result(const py::dtype& dtype, const Shape& shape);

  // A new array if `out` is None. Otherwise `out`, which must have this dtype and the shape of
  // `like`. If `in_place`, `out` may be `like` itself. Apart from that, `out` must share no memory
  // with `like` and `other`.
  Result(py::handle out, const py::dtype& dtype, const Input& like, bool in_place,
         const Input* other = nullptr, const std::string& name = "out");

  // The same with an explicit shape.
  Result(py::handle out, const py::dtype& dtype, std::span<const py::ssize_t> shape,
         const Input& like, bool in_place, const Input* other, const std::string& name);

  [[nodiscard]] void* data() { return data_; }

  // Makes the core write the array with its axes in this order. Must be called before data().
  void transpose(const AxisOrder& order);

  // Returns the result after the core has written it. This is `out` itself if it was given.
  py::object finish();

 private:
  py::object returned_;
  py::array given_ = null_array();       // returned_ as a plain array, or its transpose
  py::array core_array_ = null_array();  // given_, or a buffer if the core cannot write to given_
  void* data_ = nullptr;                 // of core_array_

  // The default constructor of py::array would create an array that is not used.
  static py::array null_array() { return py::reinterpret_steal<py::array>(py::handle()); }
};

}  // namespace secateur::python
