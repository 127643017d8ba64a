// Conversion and checks of arguments that are not arrays, and calls of the core. Errors name the
// argument, the allowed values and the received value.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "python/arrays.hpp"
#include "python/gil.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// Whether a value is a Python bool or a NumPy bool.
bool is_bool(py::handle value);

// The repr of a value as valid UTF-8, abbreviated if it is long. Does not fail for any value.
std::string shown(py::handle value);

// Throws ValueError: "<name> must be <allowed>, got <received>".
[[noreturn]] void refuse(const char* name, const std::string& allowed, py::handle received);

// Converts a bool argument. Throws TypeError for other values than bools of Python and NumPy.
bool to_bool(const char* name, py::handle value);

// Converts an integer argument to a Python int. Throws TypeError for other values, including bools.
py::object to_index(const char* name, py::handle value);

// Converts an integer argument. Integers that do not fit become INT64_MIN or INT64_MAX. Throws
// TypeError for other values, including bools.
std::int64_t to_integer(const char* name, py::handle value);

// Returns `number` if it is in [min, max]; throws ValueError otherwise. `received` is the argument
// that the message shows.
std::size_t in_range(const char* name, std::int64_t number, std::size_t min, std::size_t max,
                     py::handle received);

// Converts an integer argument in [min, max].
std::size_t to_count(const char* name, py::handle value, std::size_t min, std::size_t max);

// Converts the argument row_align: None becomes 0, the others are 8 and, if `words`, 32.
std::int32_t to_row_align(py::handle row_align, bool words);

// Converts the argument bitorder.
sc_bitorder to_bitorder(py::handle bitorder);

// The shape of the packed rows of an array of this shape: the last axis becomes bytes, or words if
// row_align is 32. Throws ValueError if the array has no axis; `name` is the argument that has the
// shape.
Shape aligned_rows(const std::string& name, Shape shape, std::int32_t bits, std::int32_t row_align);

// Converts a number to the nearest double. Throws TypeError for other values, including bools.
double to_number(const char* name, py::handle value);

// The same, to the largest double that does not exceed the number: a double is larger than the
// number if and only if it is larger than the result.
double to_lower_number(const char* name, py::handle value);

// An allowed value of a string argument, and the value that represents it in C++.
template <class Value>
struct Choice {
  const char* word;
  Value value;
};

// Converts a string argument. Throws ValueError if it is none of the choices.
template <class Value, std::size_t N>
Value to_choice(const char* name, py::handle value, const Choice<Value> (&choices)[N]) {
  std::string allowed;
  for (const auto& choice : choices) {
    if (PyUnicode_Check(value.ptr()) &&
        PyUnicode_CompareWithASCIIString(value.ptr(), choice.word) == 0) {
      return choice.value;
    }
  }
  for (const auto& choice : choices) {
    allowed += (allowed.empty() ? "'" : " or '") + std::string(choice.word) + "'";
  }
  refuse(name, allowed, value);
}

sc_nan to_selection_nan(py::handle nan);

sc_rounding to_rounding(py::handle rounding);

// Refuses stochastic rounding.
sc_rounding to_deterministic_rounding(py::handle rounding);

// Throws ValueError unless exactly one of the options is not None.
void require_one(std::initializer_list<std::pair<const char*, py::handle>> options);

// The arguments k and sparsity, which determine how many elements are kept. At most one of them is
// not None; of() requires one. The constructor converts them before any array is accessed: the
// conversion may run code of the caller, which may change the array.
struct KeepCount {
  py::handle k, sparsity;
  std::int64_t k_value = 0;
  double sparsity_value = 0;

  KeepCount(py::handle k_, py::handle sparsity_);
  // The number of elements that are kept out of n.
  [[nodiscard]] std::size_t of(std::size_t n) const;
};

// An input array of any floating-point dtype. `of_integers` is the remedy for arrays of integers;
// null: astype.
Input floats(py::handle w, const std::string& name = "w", const char* of_integers = nullptr);

// The scores or factors that rank elements instead of their magnitudes. The argument is what
// secateur.scores.core_scores returns: None, or a tuple of a bool, an array, the number `repeat`,
// and the array that the caller has given. If the bool is true, the first array contains the
// ranking values. Otherwise it contains factors, to which `repeat` applies.
class ScoresArgument {
 public:
  // `label` follows "scores" or "factors" in error messages.
  explicit ScoresArgument(py::handle scores, const std::string& label = "");
  // Throws ValueError unless an array of values has the shape of w.
  void require_fit(const Input& w) const;
  // Makes the core read the scores with the axes of w in this order. Must be called before
  // prepare().
  void transpose(const AxisOrder& order, const Input& w);
  // Must be called before data().
  void prepare();
  [[nodiscard]] const sc_scores* data() const { return array_ ? &core_ : nullptr; }
  [[nodiscard]] bool are_values() const { return array_ && core_.scoring == SC_SCORING_VALUES; }
  // The array of the caller, which no output may overlap.
  [[nodiscard]] const Input* given() const { return given_ ? &*given_ : nullptr; }

 private:
  std::optional<Input> array_;
  std::optional<Input> given_;
  sc_scores core_{SC_SCORING_VALUES, SC_DTYPE_FLOAT32, nullptr, 0, 1};
};

// The message of sc_last_error as valid UTF-8, which Python exceptions require. The core may quote
// bytes from the environment. Bytes that are not valid UTF-8 become escapes such as \xff.
std::string last_error();

// Throws the Python exception of a status, unless it is SC_OK. `remedy` completes the message about
// NaN.
void check(sc_status status, const char* remedy);

inline constexpr char kSelectionRemedy[] = "nan='keep' or nan='prune' says what to do with it";

// Calls core() as without_gil does and checks its status.
template <class F>
void call(const Input& in, const char* remedy, const F& core) {
  check(without_gil(in.size(), core), remedy);
}

}  // namespace secateur::python
