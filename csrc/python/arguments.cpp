#include "python/arguments.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "core/ceil_div.hpp"
#include "quantize/rounding_table.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {

bool is_bool(py::handle value) {
  const std::string_view type = Py_TYPE(value.ptr())->tp_name;
  return PyBool_Check(value.ptr()) || type == "numpy.bool" || type == "numpy.bool_";
}

std::string shown(py::handle value) {
  const py::object text = py::module_::import("secateur.messages").attr("shown")(value);
  // A repr may contain lone surrogates, which UTF-8 cannot encode.
  return text.attr("encode")("utf-8", "backslashreplace").cast<std::string>();
}

void refuse(const char* name, const std::string& allowed, py::handle received) {
  throw py::value_error(std::string(name) + " must be " + allowed + ", got " + shown(received));
}

bool to_bool(const char* name, py::handle value) {
  if (!is_bool(value)) {
    throw py::type_error(std::string(name) + " must be a bool, got " + shown(value));
  }
  return py::bool_(py::reinterpret_borrow<py::object>(value));
}

py::object to_index(const char* name, py::handle value) {
  if (is_bool(value) || !PyIndex_Check(value.ptr()) || py::isinstance<py::array>(value)) {
    const bool is_one =
        py::isinstance<py::array>(value) && py::reinterpret_borrow<py::array>(value).size() == 1;
    throw py::type_error(std::string(name) + " must be an integer, got " + shown(value) +
                         (is_one ? "; " + std::string(name) + ".item() is its element" : ""));
  }
  auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!index) {
    throw py::error_already_set();
  }
  return index;
}

std::int64_t to_integer(const char* name, py::handle value) {
  const py::object index = to_index(name, value);
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  return overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN : number;
}

std::size_t in_range(const char* name, std::int64_t number, std::size_t min, std::size_t max,
                     py::handle received) {
  if (number < static_cast<std::int64_t>(min) || number > static_cast<std::int64_t>(max)) {
    refuse(name, "an integer from " + std::to_string(min) + " to " + std::to_string(max), received);
  }
  return static_cast<std::size_t>(number);
}

std::size_t to_count(const char* name, py::handle value, std::size_t min, std::size_t max) {
  return in_range(name, to_integer(name, value), min, max, value);
}

namespace {
// The value of a float, or of an int of magnitude up to 2^53; a double represents all of these
// exactly.
std::optional<double> exact_double(py::handle value) {
  if (PyFloat_Check(value.ptr())) {
    return PyFloat_AS_DOUBLE(value.ptr());
  }
  if (PyLong_CheckExact(value.ptr())) {
    constexpr long long kMaxExact = 1LL << std::numeric_limits<double>::digits;
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow == 0 && -kMaxExact <= number && number <= kMaxExact) {
      return static_cast<double>(number);
    }
  }
  return std::nullopt;
}
}  // namespace

sc_bitorder to_bitorder(py::handle bitorder) {
  static constexpr Choice<sc_bitorder> kChoices[] = {{"little", SC_BITORDER_LITTLE},
                                                     {"big", SC_BITORDER_BIG}};
  return to_choice("bitorder", bitorder, kChoices);
}

Shape aligned_rows(const std::string& name, Shape shape, std::int32_t bits,
                   std::int32_t row_align) {
  if (shape.empty()) {
    throw py::value_error(name +
                          " must have an axis whose rows are aligned, got shape (); without "
                          "row_align, no axis is needed");
  }
  const std::size_t length = ceil_div(packed_bytes(static_cast<std::size_t>(shape.back()), bits),
                                      static_cast<std::size_t>(row_align) / 8);
  if (length > PTRDIFF_MAX) {  // possible if another axis has length 0
    throw py::value_error(name + " must have rows of at most " + std::to_string(PTRDIFF_MAX) +
                          " packed bytes, got " + std::to_string(shape.back()) + " integers of " +
                          std::to_string(bits) + " bits");
  }
  shape.back() = static_cast<py::ssize_t>(length);
  return shape;
}

std::int32_t to_row_align(py::handle row_align, bool words) {
  if (row_align.is_none()) {
    return 0;
  }
  const std::int64_t bits = to_integer("row_align", row_align);
  if (bits != 8 && (bits != 32 || !words)) {
    refuse("row_align", words ? "None, 8 or 32" : "None or 8", row_align);
  }
  return static_cast<std::int32_t>(bits);
}

double to_number(const char* name, py::handle value) {
  if (const auto number = exact_double(value)) {
    return *number;
  }
  return py::module_::import("secateur.arguments").attr("as_double")(name, value).cast<double>();
}

double to_lower_number(const char* name, py::handle value) {
  if (const auto number = exact_double(value)) {
    return *number;
  }
  return py::module_::import("secateur.arguments").attr("double_below")(name, value).cast<double>();
}

sc_nan to_selection_nan(py::handle nan) {
  static constexpr Choice<sc_nan> kChoices[] = {
      {"raise", SC_NAN_RAISE}, {"keep", SC_NAN_KEEP}, {"prune", SC_NAN_PRUNE}};
  return to_choice("nan", nan, kChoices);
}

sc_rounding to_rounding(py::handle rounding) {
  static constexpr Choice<sc_rounding> kChoices[] = {
#define SECATEUR_CHOICE(name, constant, ...) {name, SC_ROUNDING_##constant},
      SECATEUR_ROUNDINGS(SECATEUR_CHOICE)
#undef SECATEUR_CHOICE
  };
  return to_choice("rounding", rounding, kChoices);
}

sc_rounding to_deterministic_rounding(py::handle rounding) {
  const sc_rounding mode = to_rounding(rounding);
  if (mode == SC_ROUNDING_STOCHASTIC) {
    refuse("rounding", "deterministic (choose with 'away' for 'stochastic')", rounding);
  }
  return mode;
}

KeepCount::KeepCount(py::handle k_, py::handle sparsity_) : k(k_), sparsity(sparsity_) {
  if (!k.is_none()) {
    k_value = to_integer("k", k);
  } else if (!sparsity.is_none()) {
    sparsity_value = to_number("sparsity", sparsity);
  }
}

std::size_t KeepCount::of(std::size_t n) const {
  if (!k.is_none()) {
    return in_range("k", k_value, 0, n, k);
  }
  std::size_t kept = 0;
  if (sc_keep_count(n, sparsity_value, &kept) != SC_OK) {
    refuse("sparsity", "a number from 0 to 1", sparsity);
  }
  return kept;
}

void require_one(std::initializer_list<std::pair<const char*, py::handle>> options) {
  std::string names;
  std::string received;
  int given = 0;
  for (const auto& [name, value] : options) {
    if (!value.is_none()) {
      ++given;
    }
  }
  if (given == 1) {
    return;
  }
  for (const auto& [name, value] : options) {
    names += (names.empty() ? "" : ", ") + std::string(name);
    if (!value.is_none()) {
      received += (received.empty() ? "" : ", ") + std::string(name) + "=" + shown(value);
    }
  }
  throw py::value_error("exactly one of " + names + " must be given, got " +
                        (received.empty() ? "none" : received));
}

Input floats(py::handle w, const std::string& name, const char* of_integers) {
  return {name, w, float_dtypes(), [&](const py::dtype& given) {
    return of_integers != nullptr && is_integer_dtype(given)
               ? std::string(of_integers)
               : "; " + name + ".astype(...) converts";
  }};
}

ScoresArgument::ScoresArgument(py::handle scores, const std::string& label) {
  if (scores.is_none()) {
    return;
  }
  const auto parts = py::reinterpret_borrow<py::tuple>(scores);
  const bool are_values = parts[0].cast<bool>();
  const std::string name = (are_values ? "scores" : "factors") + label;
  array_.emplace(floats(parts[1], name));
  given_.emplace(floats(parts[3], name));
  core_.scoring = are_values ? SC_SCORING_VALUES : SC_SCORING_PRODUCTS;
  core_.dtype = array_->core_dtype();
  core_.period = array_->size();
  core_.repeat = parts[2].cast<std::size_t>();
}

void ScoresArgument::require_fit(const Input& w) const {
  if (array_ && core_.scoring == SC_SCORING_VALUES) {
    array_->require_shape(shape_of(w.given()), "that of w");
  }
}

void ScoresArgument::transpose(const AxisOrder& order, const Input& w) {
  if (!array_ || !given_ || w.size() == 0) {
    return;
  }
  if (core_.scoring == SC_SCORING_PRODUCTS) {
    const py::object expanded = py::module_::import("numpy").attr("broadcast_to")(
        given_->given(), py::cast(shape_of(w.given())));
    array_.emplace(floats(expanded, given_->name()));
    core_.period = array_->size();
    core_.repeat = 1;
  }
  array_->transpose(order);
}

void ScoresArgument::prepare() {
  if (array_) {
    array_->prepare();
    core_.data = array_->data();
  }
}

std::string last_error() {
  const std::string_view message = sc_last_error();
  const auto decoded = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
      message.data(), static_cast<py::ssize_t>(message.size()), "backslashreplace"));
  if (!decoded) {
    throw py::error_already_set();
  }
  return decoded.cast<std::string>();
}

void check(sc_status status, const char* remedy) {
  switch (status) {
    case SC_OK:
      return;
    case SC_ERROR_NAN:
      throw py::value_error(last_error() + "; " + remedy);
    case SC_ERROR_MEMORY:
      PyErr_SetString(PyExc_MemoryError, last_error().c_str());
      throw py::error_already_set();
    case SC_ERROR_OVERFLOW:
      PyErr_SetString(PyExc_OverflowError, last_error().c_str());
      throw py::error_already_set();
    case SC_ERROR_INTERRUPTED:
      throw py::error_already_set();  // the exception that a signal handler has raised
    case SC_ERROR_ARGUMENT:
    case SC_ERROR_UNSUPPORTED:
      throw py::value_error(last_error());
    default:
      throw std::runtime_error(last_error());
  }
}

}  // namespace secateur::python
