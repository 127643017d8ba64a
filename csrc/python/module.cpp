// The Python module: takes arguments apart, calls secateur.h as any other program would, and puts
// results and errors together. What the arguments mean is documented in python/secateur.
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "arrays.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// ---- Arguments ---------------------------------------------------------------------------------

std::string shown(py::handle value) {
  // A lone surrogate, which a repr may hold, has no place in UTF-8.
  return py::repr(value).attr("encode")("utf-8", "backslashreplace").cast<std::string>();
}

[[noreturn]] void refuse(const char* name, const std::string& allowed, py::handle came) {
  throw py::value_error(std::string(name) + " must be " + allowed + ", got " + shown(came));
}

bool is_bool(py::handle value) {
  const std::string_view type = Py_TYPE(value.ptr())->tp_name;
  return PyBool_Check(value.ptr()) || type == "numpy.bool" || type == "numpy.bool_";
}

std::int64_t to_integer(const char* name, py::handle value) {
  if (is_bool(value) || !PyIndex_Check(value.ptr()) || py::isinstance<py::array>(value)) {
    throw py::type_error(std::string(name) + " must be an integer, got " + shown(value));
  }
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!index) {
    throw py::error_already_set();
  }
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  return overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN : number;
}

std::size_t in_range(const char* name, std::int64_t number, std::size_t least, std::size_t most,
                     py::handle came) {
  if (number < static_cast<std::int64_t>(least) || number > static_cast<std::int64_t>(most)) {
    refuse(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most), came);
  }
  return static_cast<std::size_t>(number);
}

std::size_t to_count(const char* name, py::handle value, std::size_t least, std::size_t most) {
  return in_range(name, to_integer(name, value), least, most, value);
}

double to_number(const char* name, py::handle value) {
  if (!is_bool(value) && PyNumber_Check(value.ptr())) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred() == nullptr) {
      return number;
    }
    const bool overflow = PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
    if (!overflow && PyErr_ExceptionMatches(PyExc_TypeError) == 0) {
      throw py::error_already_set();
    }
    PyErr_Clear();
    if (overflow) {  // an int that no float holds: out of every range, but below infinity
      constexpr double kMost = std::numeric_limits<double>::max();
      return value < py::int_(0) ? -kMost : kMost;
    }
  }
  throw py::type_error(std::string(name) + " must be a number, got " + shown(value));
}

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

sc_nan to_selecting_nan(py::handle nan) {
  static constexpr Choice<sc_nan> kChoices[] = {
      {"raise", SC_NAN_RAISE}, {"keep", SC_NAN_KEEP}, {"prune", SC_NAN_PRUNE}};
  return to_choice("nan", nan, kChoices);
}

sc_quantize_options to_options(py::handle rounding, py::handle overflow, py::handle nan) {
  static constexpr Choice<sc_rounding> kRoundings[] = {{"nearest_even", SC_ROUND_NEAREST_EVEN}};
  static constexpr Choice<sc_overflow> kOverflows[] = {{"saturate", SC_OVERFLOW_SATURATE}};
  static constexpr Choice<sc_nan> kNaNs[] = {{"raise", SC_NAN_RAISE}, {"zero", SC_NAN_ZERO}};
  return {to_choice("rounding", rounding, kRoundings), to_choice("overflow", overflow, kOverflows),
          to_choice("nan", nan, kNaNs)};
}

// How many are kept: exactly one of k and sparsity, taken apart before any array is looked at, for
// that may run code of the caller's, which may change the array.
struct Kept {
  py::handle k, sparsity;
  std::int64_t count = 0;
  double removed = 0;

  Kept(py::handle k_, py::handle sparsity_) : k(k_), sparsity(sparsity_) {
    if (!k.is_none()) {
      count = to_integer("k", k);
    } else if (!sparsity.is_none()) {
      removed = to_number("sparsity", sparsity);
    }
  }
  [[nodiscard]] std::size_t of(std::size_t n) const {
    if (!k.is_none()) {
      return in_range("k", count, 0, n, k);
    }
    std::size_t kept = 0;
    if (sc_keep_count(n, removed, &kept) != SC_OK) {
      refuse("sparsity", "a number from 0 to 1", sparsity);
    }
    return kept;
  }
};

void require_one(std::initializer_list<std::pair<const char*, py::handle>> options) {
  std::string names;
  std::string came;
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
      came += (came.empty() ? "" : ", ") + std::string(name) + "=" + shown(value);
    }
  }
  throw py::value_error("exactly one of " + names + " must be given, got " +
                        (came.empty() ? "none" : came));
}

struct Format {
  sc_fixed_point core;
  Dtype dtype;

  [[nodiscard]] py::dtype numpy_dtype() const { return py::dtype(dtype.number); }
};

Format to_format(py::handle fmt) {
  // What is looked up once, for the life of the process.
  struct Names {
    py::object type = py::module_::import("secateur.formats").attr("FixedPoint");
    py::str bits{"bits"}, frac_bits{"frac_bits"}, is_signed{"signed"};
  };
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<Names> once;
  const Names& names = once.call_once_and_store_result([] { return Names(); }).get_stored();
  if (!py::isinstance(fmt, names.type)) {
    throw py::type_error("fmt must be a FixedPoint, got " + shown(fmt));
  }
  const auto get = [&](const py::str& name) { return py::object(py::getattr(fmt, name)); };
  const auto bits = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(to_integer("fmt.bits", get(names.bits)), 0, 64));
  const auto frac_bits = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(to_integer("fmt.frac_bits", get(names.frac_bits)), -257, 257));
  const bool is_signed = py::bool_(get(names.is_signed));
  if (bits != 8 && bits != 16) {
    throw py::value_error("fmt.bits must be 8 or 16, got " + shown(fmt));
  }
  const sc_fixed_point core{bits, frac_bits, is_signed ? 1 : 0};
  if (bits == 8) {
    return is_signed ? Format{core, kInt8} : Format{core, kUInt8};
  }
  return is_signed ? Format{core, kInt16} : Format{core, kUInt16};
}

Input floats(py::handle w) { return {"w", w, {kFloat16, kBFloat16, kFloat32, kFloat64}}; }
Input float32s(py::handle w) { return {"w", w, {kFloat32}}; }

// ---- Calls -------------------------------------------------------------------------------------

void check(sc_status status, const char* remedy) {
  switch (status) {
    case SC_OK:
      return;
    case SC_ERROR_NAN:
      throw py::value_error(std::string(sc_last_error()) + "; " + remedy);
    case SC_ERROR_MEMORY:
      PyErr_SetString(PyExc_MemoryError, sc_last_error());
      throw py::error_already_set();
    case SC_ERROR_ARGUMENT:
    case SC_ERROR_UNSUPPORTED:
      throw py::value_error(sc_last_error());
    default:
      throw std::runtime_error(sc_last_error());
  }
}

// Calls the core; other Python threads run meanwhile, unless the work is over before they could.
template <class F>
void call(const Input& in, const char* remedy, const F& core) {
  constexpr std::size_t kWorthReleasing = 4096;
  if (in.size() < kWorthReleasing) {
    check(core(), remedy);
    return;
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
  check(status, remedy);
}

constexpr char kSelectingRemedy[] = "nan='keep' or nan='prune' says what to do with it";
constexpr char kQuantizingRemedy[] = "nan='zero' quantizes it to 0";

py::object kth_magnitude(py::handle w, py::handle k, py::handle nan) {
  const std::int64_t rank_given = to_integer("k", k);
  Input in = floats(w);
  if (in.size() == 0) {
    throw py::value_error("w must have at least one element, got shape " +
                          shown(in.given().attr("shape")));
  }
  const std::size_t rank = in_range("k", rank_given, 1, in.size(), k);
  const sc_nan policy = to_selecting_nan(nan);
  Result value(in.numpy_dtype(), {});
  in.settle();
  call(in, kSelectingRemedy, [&, data = value.data()] {
    return sc_kth_magnitude(in.data(), in.core_dtype(), in.size(), rank, policy, data);
  });
  return value.finish()[py::tuple()];  // the scalar of a 0-d array
}

py::object topk_mask(py::handle w, py::handle k, py::handle sparsity, py::handle packed,
                     py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool bits = py::bool_(py::reinterpret_borrow<py::object>(packed));
  Input in = floats(w);
  const std::size_t kept = keep.of(in.size());
  Result mask =
      bits ? Result(py::dtype(kUInt8.number), {static_cast<py::ssize_t>((in.size() + 7) / 8)})
           : Result(py::dtype(kBool.number), shape_of(in.given()));
  in.settle();
  call(in, kSelectingRemedy, [&, data = mask.data()] {
    return sc_topk_mask(in.data(), in.core_dtype(), in.size(), kept, policy, data,
                        bits ? SC_MASK_BITS : SC_MASK_BOOLS);
  });
  return mask.finish();
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle nan, py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_number("threshold", threshold) : 0;
  if (!(limit >= 0)) {
    refuse("threshold", "a number, at least 0", threshold);
  }
  Input in = floats(w);
  const std::size_t kept = by_threshold ? 0 : keep.of(in.size());
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return by_threshold
               ? sc_prune_threshold(in.data(), in.core_dtype(), in.size(), limit, policy, data)
               : sc_prune(in.data(), in.core_dtype(), in.size(), kept, policy, data);
  });
  return result.finish();
}

py::object apply_mask(py::handle w, py::handle mask, py::handle out) {
  // Both become arrays before either is looked at.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input kept("mask", mask_array, {kBool, kUInt8});
  const bool bools = kept.is(kBool);
  if (bools) {
    kept.require_shape(shape_of(in.given()), "that of w");
  } else {
    kept.require_shape({static_cast<py::ssize_t>((in.size() + 7) / 8)},
                       "one bit for each element of w");
  }
  Result result(out, in.numpy_dtype(), in, true, &kept);
  in.settle();
  kept.settle();
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), kept.data(),
                         bools ? SC_MASK_BOOLS : SC_MASK_BITS, data);
  });
  return result.finish();
}

py::object quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                    py::handle nan, py::handle out) {
  const Format format = to_format(fmt);
  const sc_quantize_options options = to_options(rounding, overflow, nan);
  Input in = float32s(w);
  Result q(out, format.numpy_dtype(), in, false);
  in.settle();
  call(in, kQuantizingRemedy, [&, data = q.data()] {
    return sc_quantize(in.data(), SC_FLOAT32, in.size(), &format.core, &options, data,
                       format.dtype.core);
  });
  return q.finish();
}

py::object dequantize(py::handle q, py::handle fmt, py::handle out) {
  const Format format = to_format(fmt);
  Input in("q", q, {format.dtype});
  Result result(out, py::dtype(kFloat32.number), in, false);
  in.settle();
  call(in, "", [&, data = result.data()] {
    return sc_dequantize(in.data(), format.dtype.core, in.size(), &format.core, data, SC_FLOAT32);
  });
  return result.finish();
}

py::object fake_quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                         py::handle nan, py::handle out) {
  const Format format = to_format(fmt);
  const sc_quantize_options options = to_options(rounding, overflow, nan);
  Input in = float32s(w);
  Result result(out, py::dtype(kFloat32.number), in, true);
  in.settle();
  call(in, kQuantizingRemedy, [&, data = result.data()] {
    return sc_fake_quantize(in.data(), SC_FLOAT32, in.size(), &format.core, &options, data);
  });
  return result.finish();
}

py::object prune_quantize(py::handle w, py::handle fmt, py::handle k, py::handle sparsity,
                          py::handle rounding, py::handle overflow, py::handle nan,
                          py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Format format = to_format(fmt);
  const sc_quantize_options options = to_options(rounding, overflow, nan);
  const Kept keep(k, sparsity);
  Input in = float32s(w);
  const std::size_t kept = keep.of(in.size());
  Result q(out, format.numpy_dtype(), in, false);
  in.settle();
  call(in, kQuantizingRemedy, [&, data = q.data()] {
    return sc_prune_quantize(in.data(), SC_FLOAT32, in.size(), kept, &format.core, &options, data,
                             format.dtype.core);
  });
  return q.finish();
}

// ---- Host --------------------------------------------------------------------------------------

const char* isa() {
  const char* name = nullptr;
  check(sc_isa(&name), "");
  return name;
}

py::tuple isas() {
  std::vector<const char*> names(sc_isas(nullptr, 0));
  sc_isas(names.data(), names.size());
  py::tuple result(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    result[i] = py::str(names[i]);
  }
  return result;
}

std::size_t get_num_threads() {
  std::size_t count = 0;
  check(sc_get_num_threads(&count), "");
  return count;
}

void set_num_threads(py::handle n) {
  check(sc_set_num_threads(to_count("n", n, 1, SC_MAX_THREADS)), "");
}

std::size_t set_thread_num_threads(py::handle n, std::size_t least) {
  std::size_t previous = 0;
  check(sc_set_thread_num_threads(to_count("n", n, least, SC_MAX_THREADS), &previous), "");
  return previous;
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  // A setting in the environment that cannot be honoured is an error from the start.
  const char* name = nullptr;
  std::size_t count = 0;
  if (sc_isa(&name) != SC_OK || sc_get_num_threads(&count) != SC_OK) {
    throw py::import_error(sc_last_error());
  }

  m.attr("__version__") = sc_version();
  m.def("kth_magnitude", &kth_magnitude);
  m.def("topk_mask", &topk_mask);
  m.def("prune", &prune);
  m.def("apply_mask", &apply_mask);
  m.def("quantize", &quantize);
  m.def("dequantize", &dequantize);
  m.def("fake_quantize", &fake_quantize);
  m.def("prune_quantize", &prune_quantize);
  m.def("isa", &isa);
  m.def("isas", &isas);
  m.def("set_isa", [](const std::string& isa_name) { check(sc_set_isa(isa_name.c_str()), ""); });
  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_num_threads);
  m.def("set_thread_num_threads", &set_thread_num_threads);
}

}  // namespace secateur::python
