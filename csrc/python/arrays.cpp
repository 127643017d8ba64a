#include "python/arrays.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

#include "core/arguments.hpp"
#include "core/transpose.hpp"
#include "python/arguments.hpp"
#include "python/gil.hpp"

namespace secateur::python {
namespace {

using py::detail::npy_api;

constexpr int kContiguous = npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy_api::NPY_ARRAY_ALIGNED_;

bool has_flags(const py::array& array, int flags) { return (array.flags() & flags) == flags; }

bool is_native(const py::array& array) {
  const char order = array.dtype().byteorder();
  constexpr char kNative = std::endian::native == std::endian::little ? '<' : '>';
  return order == '=' || order == '|' || order == kNative;
}

std::span<const py::ssize_t> shape_view(const py::array& array) {
  return {array.shape(), static_cast<std::size_t>(array.ndim())};
}

bool is_exactly_ndarray(py::handle value) {
  return Py_TYPE(value.ptr()) == npy_api::get().PyArray_Type_;
}

bool is_ndarray(py::handle value) {
  return is_exactly_ndarray(value) || npy_api::get().PyArray_Check_(value.ptr());
}

py::object numpy_attribute(const char* name) { return py::module_::import("numpy").attr(name); }

std::string to_string(py::handle value) { return py::str(value).cast<std::string>(); }

// The str of a dtype, which may have any number of fields, abbreviated if it is long.
std::string shortened(const py::dtype& dtype) {
  return to_string(py::module_::import("secateur.messages").attr("shortened")(py::str(dtype)));
}

std::string to_string(const Shape& shape) {
  py::tuple lengths(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    lengths[i] = py::int_(shape[i]);
  }
  return to_string(lengths);
}

// NumPy's own dtypes have fixed type numbers. The number of a registered dtype depends on the
// process, so registered dtypes are identified by name.
bool is_dtype(const py::dtype& given, const Dtype& dtype) {
  if (dtype.number != kRegistered) {
    // Two C types have 64 bits, long and long long, and each has a number.
    const bool is_long = dtype.number == npy_api::NPY_LONG_ || dtype.number == npy_api::NPY_ULONG_;
    return given.num() == dtype.number || (is_long && given.num() == dtype.number + 2);
  }
  constexpr int kFirstRegistered = 256;
  return given.num() >= kFirstRegistered && to_string(given.attr("name")) == dtype.name;
}

// The address range of an array.
struct ByteRange {
  std::uintptr_t begin, end;
};
ByteRange extent(const py::array& array) {
  auto begin = reinterpret_cast<std::uintptr_t>(array.data());
  if (array.size() == 0) {
    return {begin, begin};
  }
  std::uintptr_t end = begin + static_cast<std::uintptr_t>(array.itemsize());
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    const py::ssize_t span = (array.shape(i) - 1) * array.strides(i);
    (span < 0 ? begin : end) += static_cast<std::uintptr_t>(span);
  }
  return {begin, end};
}

bool share_memory(const py::array& a, const py::array& b) {
  const ByteRange x = extent(a);
  const ByteRange y = extent(b);
  if (x.begin >= y.end || y.begin >= x.end || x.begin == x.end || y.begin == y.end) {
    return false;
  }
  if (has_flags(a, npy_api::NPY_ARRAY_C_CONTIGUOUS_) &&
      has_flags(b, npy_api::NPY_ARRAY_C_CONTIGUOUS_)) {
    return true;
  }
  // The address ranges of strided arrays may overlap without a common element. The exact test can
  // be expensive. If NumPy gives up, assume that the arrays share memory.
  try {
    return numpy_attribute("shares_memory")(a, b, py::arg("max_work") = 1000000).cast<bool>();
  } catch (py::error_already_set& error) {
    if (!error.matches(py::module_::import("numpy.exceptions").attr("TooHardError"))) {
      throw;
    }
    return true;
  }
}

// Whether two arrays of the same shape have the same elements in memory. The strides of axes of
// length 1 are irrelevant.
bool is_same_view(const py::array& a, const py::array& b) {
  for (py::ssize_t i = 0; i < a.ndim(); ++i) {
    if (a.shape(i) > 1 && a.strides(i) != b.strides(i)) {
      return false;
    }
  }
  return a.data() == b.data();
}

// Whether two elements of the array may share memory, as in some views made by as_strided.
bool may_overlap_itself(const py::array& array) {
  std::vector<std::pair<py::ssize_t, py::ssize_t>> axes;  // stride, length
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    if (array.shape(i) > 1) {
      axes.emplace_back(std::abs(array.strides(i)), array.shape(i));
    }
  }
  std::sort(axes.begin(), axes.end());
  py::ssize_t span = array.itemsize();  // bytes that the axes with smaller strides span
  for (const auto& [stride, length] : axes) {
    if (stride < span) {
      return array.size() > 0;
    }
    span = stride * (length - 1) + span;
  }
  return false;
}

py::dtype native_dtype(const py::array& array) {
  return array.dtype().attr("newbyteorder")("=").cast<py::dtype>();
}

py::array transposed(const py::array& array, const AxisOrder& order) {
  return order.empty() ? array : array.attr("transpose")(py::cast(order)).cast<py::array>();
}

AxisOrder inverse(const AxisOrder& order) {
  AxisOrder places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    places[static_cast<std::size_t>(order[i])] = static_cast<py::ssize_t>(i);
  }
  return places;
}

// The order of axes in which the elements follow each other in memory without gaps. Empty if there
// is none.
AxisOrder gapless_order(const py::array& array) {
  AxisOrder order(static_cast<std::size_t>(array.ndim()));
  std::iota(order.begin(), order.end(), py::ssize_t{0});
  std::ranges::sort(order, {},
                    [&](py::ssize_t axis) { return std::pair(-array.strides(axis), axis); });
  py::ssize_t stride = array.itemsize();
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    if (array.shape(*axis) == 1) {
      continue;
    }
    if (array.strides(*axis) != stride) {
      return {};
    }
    stride *= array.shape(*axis);
  }
  return order;
}

// An array whose memory holds the transposes of `count` C-order matrices.
struct Matrices {
  std::size_t count = 1, rows = 1, columns = 1;
};

// The matrices for an array whose memory has the same first axes and then the last axes before
// those between, as channels-last arrays have. Empty for other arrays.
std::optional<Matrices> matrices_of(const py::array& array) {
  const int flags = npy_api::NPY_ARRAY_ALIGNED_;
  if (!has_flags(array, flags) || !is_native(array) || array.size() == 0 ||
      !std::has_single_bit(static_cast<std::size_t>(array.itemsize())) || array.itemsize() > 8) {
    return std::nullopt;
  }
  AxisOrder order = gapless_order(array);
  std::erase_if(order, [&](py::ssize_t axis) { return array.shape(axis) == 1; });
  AxisOrder sorted = order;
  std::ranges::sort(sorted);
  const auto [moved, first] = std::ranges::mismatch(order, sorted);
  if (moved == order.end()) {
    return std::nullopt;  // C order, or no order
  }
  const auto turn = std::find(moved, order.end(), *first);
  if (!std::equal(turn, order.end(), first) ||
      !std::equal(moved, turn, first + (order.end() - turn))) {
    return std::nullopt;
  }
  Matrices found;
  const auto length = [&](py::ssize_t axis) { return static_cast<std::size_t>(array.shape(axis)); };
  std::for_each(order.begin(), moved, [&](auto axis) { found.count *= length(axis); });
  std::for_each(turn, order.end(), [&](auto axis) { found.rows *= length(axis); });
  std::for_each(moved, turn, [&](auto axis) { found.columns *= length(axis); });
  return found;
}

void transpose_memory(const py::array& like, const void* from, std::size_t count, std::size_t rows,
                      std::size_t columns, void* to) {
  const auto bytes = static_cast<std::size_t>(like.itemsize());
  check(without_gil(count * rows * columns,
                    [&] {
    return api::guarded([&] { transpose_matrices(bytes, from, count, rows, columns, to); });
  }),
        "");
}

// A contiguous array with the elements of another one.
py::array contiguous_copy(const py::array& array) {
  const auto matrices = matrices_of(array);
  if (!matrices) {
    return array.attr("astype")(native_dtype(array), "C").cast<py::array>();
  }
  py::array copy(array.dtype(), shape_of(array));
  transpose_memory(array, array.data(), matrices->count, matrices->columns, matrices->rows,
                   copy.mutable_data());
  return copy;
}

// Copies a contiguous array to another array of its shape and dtype.
void copy_to(py::array& array, const py::array& contiguous) {
  const auto matrices = matrices_of(array);
  if (!matrices) {
    numpy_attribute("copyto")(array, contiguous);
    return;
  }
  transpose_memory(array, contiguous.data(), matrices->count, matrices->rows, matrices->columns,
                   array.mutable_data());
}

}  // namespace

std::span<const Dtype> float_dtypes() { return kDtypesWhere<is_float>; }

bool is_float_dtype(const py::dtype& given) {
  return std::ranges::any_of(float_dtypes(), [&](const Dtype& d) { return is_dtype(given, d); });
}

bool is_integer_dtype(const py::dtype& given) {
  const char kind = given.kind();
  return kind == 'i' || kind == 'u' ||
         std::ranges::any_of(kDtypesWhere<is_integer>,
                             [&](const Dtype& dtype) { return is_dtype(given, dtype); });
}

Dtype to_dtype(const std::string& name, const py::dtype& given, std::span<const Dtype> allowed,
               const std::string& remedy) {
  const auto found = std::find_if(allowed.begin(), allowed.end(),
                                  [&](const Dtype& d) { return is_dtype(given, d); });
  if (found != allowed.end()) {
    return *found;
  }
  std::string names;
  for (const Dtype& d : allowed) {
    names += (names.empty() ? "" : " or ") + std::string(d.name);
  }
  throw py::type_error(name + " must be " + names + ", got " + shortened(given) + remedy);
}

py::array as_array(const std::string& name, py::handle value, const char* remedy) {
  if (is_exactly_ndarray(value)) {
    return py::reinterpret_borrow<py::array>(value);
  }
  if (is_ndarray(value) &&
      py::module_::import("numpy.ma").attr("isMaskedArray")(value).cast<bool>()) {
    throw py::type_error(name +
                         " must be a plain array, got a masked one, whose mask would be lost; " +
                         name + remedy);
  }
  if (py::hasattr(value, "toarray")) {
    throw py::type_error(name + " must be an array, got " +
                         to_string(py::type::of(value).attr("__name__")) + "; " + name +
                         ".toarray() makes one of a sparse array");
  }
  const py::module_ arguments = py::module_::import("secateur.arguments");
  return arguments.attr("array_of")(name, arguments.attr("native_array")(name, value))
      .cast<py::array>();
}

bool is_array_of(py::handle value, Dtype dtype) {
  if (!is_ndarray(value)) {
    return false;
  }
  return is_dtype(py::reinterpret_borrow<py::array>(value).dtype(), dtype);
}

Shape shape_of(const py::array& array) { return {array.shape(), array.shape() + array.ndim()}; }

std::size_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1},
                         [](std::size_t count, py::ssize_t length) {
    return count * static_cast<std::size_t>(length);
  });
}

Input::Input(const std::string& name, py::handle value, std::span<const Dtype> allowed,
             const Remedy& remedy)
    : name_(name),
      given_(as_array(name, value)),
      core_array_(given_),
      dtype_(to_dtype(name, given_.dtype(), allowed,
                      remedy ? remedy(given_.dtype()) : "; " + name + ".astype(...) converts")),
      size_(static_cast<std::size_t>(given_.size())) {}

AxisOrder Input::memory_order() const {
  const bool has_own_order = has_flags(given_, npy_api::NPY_ARRAY_C_CONTIGUOUS_);
  return has_own_order ? AxisOrder{} : gapless_order(given_);
}

void Input::transpose(const AxisOrder& order) { core_array_ = transposed(given_, order); }

void Input::prepare() {
  if (!has_flags(core_array_, kContiguous) || !is_native(core_array_)) {
    core_array_ = contiguous_copy(core_array_);
  }
  if (!is_dtype(core_array_.dtype(), dtype_) ||
      static_cast<std::size_t>(core_array_.size()) != size_) {
    throw std::runtime_error(name_ + " was changed during the call");
  }
  data_ = core_array_.data();
}

py::dtype Input::numpy_dtype() const {
  return dtype_.number == kRegistered ? native_dtype(given_) : py::dtype(dtype_.number);
}

void Input::require_shape(const Shape& shape, const char* meaning) const {
  if (shape_of(given_) != shape) {
    throw py::value_error(name_ + " must have shape " + to_string(shape) + ", " + meaning +
                          ", got " + to_string(shape_of(given_)));
  }
}

py::object new_bytes(std::size_t size) {
  auto bytes = py::reinterpret_steal<py::object>(
      PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size)));
  if (!bytes) {
    throw py::error_already_set();
  }
  return bytes;
}

py::array array_over_bytes(const py::object& bytes, std::size_t offset, const py::dtype& dtype,
                           const Shape& shape) {
  return {dtype, shape, PyBytes_AS_STRING(bytes.ptr()) + offset, bytes};
}

Result::Result(const py::array& new_array)
    : given_(new_array), core_array_(given_), data_(core_array_.mutable_data()) {
  returned_ = given_;
}

Result::Result(py::handle out, const py::dtype& dtype, const Input& like, bool in_place,
               const Input* other, const std::string& name)
    : Result(out, dtype, shape_view(like.given()), like, in_place, other, name) {}

Result::Result(py::handle out, const py::dtype& dtype, std::span<const py::ssize_t> shape,
               const Input& like, bool in_place, const Input* other, const std::string& name) {
  if (out.is_none()) {
    *this = Result(dtype, Shape(shape.begin(), shape.end()));
    return;
  }
  if (!is_ndarray(out)) {
    throw py::type_error(name + " must be an array of " + to_string(dtype) + ", got " +
                         to_string(py::type::of(out).attr("__name__")));
  }
  is_new_ = false;
  returned_ = py::reinterpret_borrow<py::object>(out);
  given_ = as_array(name, out, ".data is the array without it");
  if (given_.dtype().num() != dtype.num() || !is_native(given_)) {
    throw py::type_error(name + " must be " + to_string(dtype) + " in native byte order, got " +
                         shortened(given_.dtype()));
  }
  if (!std::ranges::equal(shape_view(given_), shape)) {
    throw py::value_error(name + " must have shape " +
                          to_string(Shape(shape.begin(), shape.end())) + ", got " +
                          to_string(shape_of(given_)));
  }
  if (!given_.writeable()) {
    throw py::value_error(name + " must be writeable, got a read-only array");
  }
  const bool contiguous = has_flags(given_, kContiguous);
  if (!contiguous && may_overlap_itself(given_)) {
    throw py::value_error(
        name + " must not have overlapping elements, got strides that may make them overlap");
  }
  const bool same = in_place && is_native(like.given()) && is_same_view(given_, like.given());
  if (!same && share_memory(given_, like.given())) {
    throw py::value_error(name + " must " + (in_place ? "be " + like.name() + " itself or " : "") +
                          "share no memory with " + like.name() + ", got one that does");
  }
  if (other != nullptr && share_memory(given_, other->given())) {
    throw py::value_error(name + " must share no memory with " + other->name() +
                          ", got one that does");
  }
  core_array_ = contiguous ? given_ : py::array(dtype, shape_of(given_));
  data_ = core_array_.mutable_data();
}

void Result::transpose(const AxisOrder& order) {
  if (order.empty()) {
    return;
  }
  given_ = transposed(given_, order);
  core_array_ =
      has_flags(given_, kContiguous) ? given_ : py::array(given_.dtype(), shape_of(given_));
  data_ = core_array_.mutable_data();
}

void Result::follow(const AxisOrder& order) {
  if (order.empty() || !is_new_) {
    return transpose(order);
  }
  Shape shape;
  for (const py::ssize_t axis : order) {
    shape.push_back(given_.shape(axis));
  }
  given_ = core_array_ = py::array(given_.dtype(), shape);
  returned_ = transposed(given_, inverse(order));
  data_ = core_array_.mutable_data();
}

void Result::load() {
  if (core_array_.ptr() != given_.ptr()) {
    core_array_ = contiguous_copy(given_);
    data_ = core_array_.mutable_data();
  }
}

py::object Result::finish() {
  if (core_array_.ptr() != given_.ptr()) {
    copy_to(given_, core_array_);
  }
  return std::move(returned_);
}

}  // namespace secateur::python
