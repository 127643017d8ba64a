// NumPy arrays at the door: what the core takes (contiguous, aligned, native) made of what came, and
// results put where they are wanted.
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

// One of the dtypes that the core knows.
struct Dtype {
  const char* name;
  int number;     // NumPy's; kRegistered for one that another package adds to NumPy
  sc_dtype core;  // the core takes bools as bytes
};
inline constexpr int kRegistered = -1;
inline constexpr Dtype kBool{"bool", py::detail::npy_api::NPY_BOOL_, SC_UINT8};
inline constexpr Dtype kFloat16{"float16", 23, SC_FLOAT16};
inline constexpr Dtype kBFloat16{"bfloat16", kRegistered, SC_BFLOAT16};
inline constexpr Dtype kFloat32{"float32", py::detail::npy_api::NPY_FLOAT_, SC_FLOAT32};
inline constexpr Dtype kFloat64{"float64", py::detail::npy_api::NPY_DOUBLE_, SC_FLOAT64};
inline constexpr Dtype kInt8{"int8", py::detail::npy_api::NPY_BYTE_, SC_INT8};
inline constexpr Dtype kUInt8{"uint8", py::detail::npy_api::NPY_UBYTE_, SC_UINT8};
inline constexpr Dtype kInt16{"int16", py::detail::npy_api::NPY_SHORT_, SC_INT16};
inline constexpr Dtype kInt4{"int4", kRegistered, SC_INT4};
inline constexpr Dtype kUInt4{"uint4", kRegistered, SC_UINT4};
inline constexpr Dtype kInt2{"int2", kRegistered, SC_INT2};
inline constexpr Dtype kUInt2{"uint2", kRegistered, SC_UINT2};
inline constexpr Dtype kUInt16{"uint16", py::detail::npy_api::NPY_USHORT_, SC_UINT16};
inline constexpr Dtype kInt32{"int32", py::detail::npy_api::NPY_INT_, SC_INT32};
inline constexpr Dtype kUInt32{"uint32", py::detail::npy_api::NPY_UINT_, SC_UINT32};

// The one that NumPy calls so; `remedy` ends the message of the TypeError if there is none.
Dtype to_dtype(const std::string& name, const py::dtype& given, std::span<const Dtype> allowed,
               const std::string& remedy = "");

// The array that a value is, or that NumPy makes of it. Runs code of the value's own, if it has such.
py::array as_array(const std::string& name, py::handle value);

using Shape = std::vector<py::ssize_t>;
Shape shape_of(const py::array& array);

// Whether a value is an array of that dtype.
bool is_array_of(py::handle value, Dtype dtype);

// An array as the core takes it. Lists become arrays as NumPy would make them; other strides or
// another byte order become a copy, once everything else has been checked. What the core is told is
// recorded at that time: the array itself may change, by code of the caller's that a check runs, or by
// other threads once the GIL is released.
class Input {
 public:
  Input(const std::string& name, py::handle value, std::span<const Dtype> allowed);
  Input(const std::string& name, py::handle value, std::initializer_list<Dtype> allowed)
      : Input(name, value, std::span(allowed.begin(), allowed.size())) {}

  // To be called before data(). Throws RuntimeError if the array is no longer what it was.
  void settle();

  [[nodiscard]] const void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is(Dtype dtype) const { return dtype_.number == dtype.number; }
  [[nodiscard]] sc_dtype core_dtype() const { return dtype_.core; }
  // NumPy's, in native byte order
  [[nodiscard]] py::dtype numpy_dtype() const;
  [[nodiscard]] const py::array& given() const { return given_; }

  // Throws ValueError unless the array has this shape.
  void require_shape(const Shape& shape, const char* meaning) const;

 private:
  std::string name_;
  py::array given_;
  py::array work_;
  Dtype dtype_;
  std::size_t size_;
  const void* data_ = nullptr;
};

// Where a result goes: the caller's array, or a new one.
class Result {
 public:
  // A new array.
  Result(const py::dtype& dtype, const Shape& shape);

  // `out`, of that dtype and of the shape of `like`; a new array if it is None. It may be `like`
  // itself where `in_place`, and otherwise must share no memory with it or with `other`.
  Result(py::handle out, const py::dtype& dtype, const Input& like, bool in_place,
         const Input* other = nullptr, const std::string& name = "out");

  // The same of a shape that is not that of `like`.
  Result(py::handle out, const py::dtype& dtype, std::span<const py::ssize_t> shape,
         const Input& like, bool in_place, const Input* other, const std::string& name);

  [[nodiscard]] void* data() { return data_; }

  // The result, once the core has written it: `out` itself where that was given.
  py::object finish();

 private:
  py::object returned_;
  py::array given_ = none();  // the same as an array, without what a subclass adds
  py::array work_ = none();   // given_ itself, or a stand-in where the core cannot write to that
  void* data_ = nullptr;      // of work_

  // py::array's own default is a new array, made in vain.
  static py::array none() { return py::reinterpret_steal<py::array>(py::handle()); }
};

}  // namespace secateur::python
