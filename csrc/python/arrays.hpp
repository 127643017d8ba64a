// Conversion of array arguments to the arrays that the core accepts (contiguous, aligned, native
// byte order), and creation of result arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "core/dtypes.hpp"
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

// NumPy's type numbers are part of its binary interface. Its integers are in order of their width,
// the signed one of each width first.
constexpr int numpy_number(sc_dtype dtype) {
  const DtypeInfo info = dtype_info(dtype);
  using py::detail::npy_api;
  switch (dtype) {
    case SC_DTYPE_FLOAT16:
      return 23;
    case SC_DTYPE_FLOAT32:
      return npy_api::NPY_FLOAT_;
    case SC_DTYPE_FLOAT64:
      return npy_api::NPY_DOUBLE_;
    default:
      return !is_integer(info) || info.bits < 8
                 ? kRegistered
                 : npy_api::NPY_BYTE_ + 2 * std::countr_zero(info.bytes()) +
                       (info.is_signed ? 0 : 1);
  }
}
static_assert(numpy_number(SC_DTYPE_UINT8) == py::detail::npy_api::NPY_UBYTE_ &&
              numpy_number(SC_DTYPE_INT32) == py::detail::npy_api::NPY_INT_ &&
              numpy_number(SC_DTYPE_UINT64) == py::detail::npy_api::NPY_ULONG_);
static_assert(sizeof(long) == sizeof(std::int64_t));

constexpr Dtype dtype_of(const DtypeInfo& info) {
  return {info.name, numpy_number(info.dtype), info.dtype};
}

inline constexpr Dtype kBool{"bool", py::detail::npy_api::NPY_BOOL_, SC_DTYPE_UINT8};
// kFloat16, kInt8 and so on: all floats and integers.
#define SECATEUR_DTYPE(type, name, constant, ...) \
  inline constexpr Dtype k##type{#name, numpy_number(SC_DTYPE_##constant), SC_DTYPE_##constant};
SECATEUR_FLOATS(SECATEUR_DTYPE)
SECATEUR_INTEGERS(SECATEUR_DTYPE)
#undef SECATEUR_DTYPE

// The dtypes that is_allowed() accepts, in the order of error messages.
template <bool (*is_allowed)(const DtypeInfo&)>
inline constexpr auto kDtypesWhere = [] {
  constexpr auto kCount = static_cast<std::size_t>(std::ranges::count_if(kDtypes, is_allowed));
  std::array<Dtype, kCount> dtypes;
  dtypes.fill(dtype_of(kDtypes[0]));
  auto* next = dtypes.begin();
  for (const DtypeInfo& info : kDtypes) {
    if (is_allowed(info)) {
      *next++ = dtype_of(info);
    }
  }
  return dtypes;
}();

// The dtypes that arrays of floats may have, and whether a dtype is one of them.
std::span<const Dtype> float_dtypes();
bool is_float_dtype(const py::dtype& given);

// The allowed dtype that equals `given`. Throws TypeError if there is none; `remedy` is the end of
// the message.
Dtype to_dtype(const std::string& name, const py::dtype& given, std::span<const Dtype> allowed,
               const std::string& remedy = "");

// Whether a dtype is one of integers, of NumPy or of ml_dtypes.
bool is_integer_dtype(const py::dtype& given);

// A value as an array: the value itself if it is an array, otherwise the result of numpy.asarray or
// numpy.from_dlpack, which may run code of the value. Throws TypeError for masked and sparse
// arrays, and for arrays of other libraries that NumPy cannot read. `remedy` follows the name in
// the message about a masked array.
py::array as_array(const std::string& name, py::handle value,
                   const char* remedy = ".filled(0) replaces its masked elements");

using Shape = std::vector<py::ssize_t>;
Shape shape_of(const py::array& array);
// The product of the lengths.
std::size_t element_count(const Shape& shape);

// An order of the axes of an array, as in numpy.transpose; empty for their own order.
using AxisOrder = std::vector<py::ssize_t>;

// A new bytes object, which must be written before other code sees it.
py::object new_bytes(std::size_t size);
// A new array over the memory of a bytes object: once it is made read-only, nobody can undo that.
py::array array_over_bytes(const py::object& bytes, std::size_t offset, const py::dtype& dtype,
                           const Shape& shape);

// Whether a value is an array of this dtype.
bool is_array_of(py::handle value, Dtype dtype);

// An input array in the form that the core accepts. Values that are not arrays are converted with
// numpy.asarray. prepare() copies an array that is not contiguous, aligned and in native byte
// order. It runs after all other checks. The object records the properties that the core uses,
// because the array may change later: checks may run code of the caller, and other threads run
// while the GIL is released.
class Input {
 public:
  // remedy(dtype) is the end of the message about an array of a dtype that is not allowed; by
  // default it recommends astype.
  using Remedy = std::function<std::string(const py::dtype&)>;
  Input(const std::string& name, py::handle value, std::span<const Dtype> allowed,
        const Remedy& remedy = nullptr);
  Input(const std::string& name, py::handle value, std::initializer_list<Dtype> allowed,
        const Remedy& remedy = nullptr)
      : Input(name, value, std::span(allowed.begin(), allowed.size()), remedy) {}

  // The order of axes in which the elements of the array follow each other in memory without gaps.
  // Empty if that is their own order, or if there is none.
  [[nodiscard]] AxisOrder memory_order() const;

  // Makes the core read the array with its axes in this order. Must be called before prepare().
  void transpose(const AxisOrder& order);

  // Must be called before data(). Throws RuntimeError if the dtype or the size of the array has
  // changed since construction.
  void prepare();

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
  Result(const py::dtype& dtype, const Shape& shape) : Result(py::array(dtype, shape)) {}
  explicit Result(const py::array& new_array);

  // A new array if `out` is None. Otherwise `out`, which must have this dtype and the shape of
  // `like`. If `in_place`, `out` may be `like` itself. Apart from that, `out` must share no memory
  // with `like` and `other`.
  Result(py::handle out, const py::dtype& dtype, const Input& like, bool in_place,
         const Input* other = nullptr, const std::string& name = "out");

  // The same with an explicit shape.
  Result(py::handle out, const py::dtype& dtype, std::span<const py::ssize_t> shape,
         const Input& like, bool in_place, const Input* other, const std::string& name);

  [[nodiscard]] void* data() { return data_; }
  [[nodiscard]] py::dtype dtype() const { return given_.dtype(); }

  // Makes the core write the array with its axes in this order. Must be called before data().
  void transpose(const AxisOrder& order);

  // The same, and a new array has this order in memory, as the results of NumPy's elementwise
  // functions have the order of their inputs.
  void follow(const AxisOrder& order);

  // Fills the memory that the core writes with the elements of `out`, for a result that the core
  // also reads. Must be called after transpose() and before data().
  void load();

  // Returns the result after the core has written it. This is `out` itself if it was given.
  py::object finish();

 private:
  bool is_new_ = true;  // not the argument `out`
  py::object returned_;
  py::array given_ = null_array();       // returned_ as a plain array, or its transpose
  py::array core_array_ = null_array();  // given_, or a buffer if the core cannot write to given_
  void* data_ = nullptr;                 // of core_array_

  // The default constructor of py::array would create an array that is not used.
  static py::array null_array() { return py::reinterpret_steal<py::array>(py::handle()); }
};

}  // namespace secateur::python
