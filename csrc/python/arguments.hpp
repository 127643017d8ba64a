// Arguments other than arrays, and calls of the core: checked, with errors that name the argument, what
// came and what is allowed.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "arrays.hpp"
#include "secateur/secateur.h"

namespace secateur::python {

// Whether a value is a bool, of Python or of NumPy.
bool is_bool(py::handle value);

// What Python shows of a value.
std::string shown(py::handle value);

[[noreturn]] void refuse(const char* name, const std::string& allowed, py::handle came);

std::int64_t to_integer(const char* name, py::handle value);
std::size_t in_range(const char* name, std::int64_t number, std::size_t least, std::size_t most,
                     py::handle came);
std::size_t to_count(const char* name, py::handle value, std::size_t least, std::size_t most);
double to_number(const char* name, py::handle value);

// One of a few words.
template <class Value>
struct Choice {
  const char* word;
  Value value;
};

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

sc_nan to_selecting_nan(py::handle nan);

// Exactly one of these must be given.
void require_one(std::initializer_list<std::pair<const char*, py::handle>> options);

// How many are kept: exactly one of k and sparsity, taken apart before any array is looked at, for
// that may run code of the caller's, which may change the array.
struct Kept {
  py::handle k, sparsity;
  std::int64_t count = 0;
  double removed = 0;

  Kept(py::handle k_, py::handle sparsity_);
  [[nodiscard]] std::size_t of(std::size_t n) const;
};

Input floats(py::handle w, const std::string& name = "w");

// Where an axis is, counted from the front; None stands for all of them.
inline constexpr py::ssize_t kNoAxis = -1;
class Axis {
 public:
  explicit Axis(py::handle axis);
  // In an array of so many dimensions, of which there must be one.
  [[nodiscard]] py::ssize_t in(py::ssize_t ndim) const;

 private:
  py::handle given_;
  std::int64_t number_ = 0;
};

// A shape as slices along an axis, or as one slice.
struct Slices {
  sc_slices core;
  bool whole;

  Slices(const Shape& shape, py::ssize_t axis);
  [[nodiscard]] const sc_slices* data() const { return whole ? nullptr : &core; }
};

// A shape as cells: one for each index along an axis, or for each group of so many along it; or one for all.
class Cells {
 public:
  Cells(py::handle axis, py::handle group_size);
  // To be called before the others.
  void settle(const Shape& shape);
  [[nodiscard]] const sc_cells* data() const { return whole_ ? nullptr : &core_; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  Axis axis_;
  bool whole_;
  sc_cells core_{0, 1, 0};
  std::size_t count_ = 1;
};

// How many elements are compared with each other.
std::size_t length_along(const Input& in, const Slices& slices);

// What ranks elements instead of their magnitude, as secateur.scores describes it: None; or whether
// the array is of values rather than of factors, the array, and the `repeat` of factors.
class Scores {
 public:
  explicit Scores(py::handle scores, const std::string& name = "scores");
  // Values must be of the shape of w.
  void require_fit(const Input& w) const;
  void settle();
  [[nodiscard]] const sc_scores* data() const { return array_ ? &core_ : nullptr; }
  [[nodiscard]] bool are_values() const { return array_ && core_.scoring == SC_SCORE_VALUES; }
  [[nodiscard]] const Input* array() const { return array_ ? &*array_ : nullptr; }

 private:
  std::optional<Input> array_;
  sc_scores core_{SC_SCORE_VALUES, SC_FLOAT32, nullptr, 0, 1};
};

// Throws what a status stands for; `remedy` says what could be done about NaN.
void check(sc_status status, const char* remedy);

inline constexpr char kSelectingRemedy[] = "nan='keep' or nan='prune' says what to do with it";

// What the core returns; other Python threads run meanwhile, unless the work on n elements is over before
// they could.
template <class F>
sc_status without_gil(std::size_t n, const F& core) {
  constexpr std::size_t kWorthReleasing = 4096;
  if (n < kWorthReleasing) {
    return core();
  }
  PyThreadState* const state = PyEval_SaveThread();
  const sc_status status = core();
  try {
    PyEval_RestoreThread(state);
  } catch (...) {
    // The interpreter is shutting down and ends this thread by unwinding it, on which destructors
    // would touch Python objects without the GIL. As Python 3.14 does, let the thread sleep instead.
    for (;;) {
      pause();
    }
  }
  return status;
}

template <class F>
void call(const Input& in, const char* remedy, const F& core) {
  check(without_gil(in.size(), core), remedy);
}

}  // namespace secateur::python
