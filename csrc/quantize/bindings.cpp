// Python bindings of quantization.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/codes.hpp"
#include "python/formats.hpp"
#include "python/module.hpp"
#include "quantize/rounding_table.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// ---- Options ---------------------------------------------------------------------------------

// Converts an integer from 0 to 2^64 - 1.
std::uint64_t to_uint64(const char* name, const std::string& allowed, py::handle value) {
  const py::object index = to_index(name, value);
  const std::uint64_t number = PyLong_AsUnsignedLongLong(index.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse(name, allowed, value);
  }
  return number;
}

std::uint64_t to_seed(sc_rounding rounding, py::handle seed) {
  if (rounding != SC_ROUNDING_STOCHASTIC) {
    if (!seed.is_none()) {
      refuse("seed", "None unless rounding is 'stochastic'", seed);
    }
    return 0;
  }
  constexpr char kAllowed[] =
      "an integer from 0 to 18446744073709551615 where rounding is 'stochastic'";
  if (seed.is_none()) {
    refuse("seed", kAllowed, seed);
  }
  return to_uint64("seed", kAllowed, seed);
}

sc_nan to_quantization_nan(py::handle nan) {
  static constexpr Choice<sc_nan> kNanPolicies[] = {{"raise", SC_NAN_RAISE}, {"zero", SC_NAN_ZERO}};
  return to_choice("nan", nan, kNanPolicies);
}

sc_quantize_options to_options(py::handle rounding, py::handle overflow, py::handle nan,
                               py::handle seed, py::handle index_offset) {
  static constexpr Choice<sc_overflow> kOverflows[] = {
      {"saturate", SC_OVERFLOW_SATURATE},
      {"saturate_symmetric", SC_OVERFLOW_SATURATE_SYMMETRIC},
      {"saturate_zero", SC_OVERFLOW_SATURATE_ZERO},
      {"wrap", SC_OVERFLOW_WRAP},
      {"raise", SC_OVERFLOW_RAISE}};
  const sc_rounding mode = to_rounding(rounding);
  return {mode, to_choice("overflow", overflow, kOverflows), to_quantization_nan(nan),
          to_seed(mode, seed),
          to_uint64("index_offset", "an integer from 0 to 18446744073709551615", index_offset)};
}

// The order of axes in which the core reads `in`: that of the memory, if an element is quantized
// whatever its index is.
AxisOrder quantization_order(const Input& in, const sc_quantize_options& options) {
  return options.rounding == SC_ROUNDING_STOCHASTIC ? AxisOrder{} : in.memory_order();
}

// Raises OverflowError if the status says so. In the message, the repr of the format replaces its
// name.
void check_overflow(sc_status status, py::handle fmt, std::string_view name) {
  if (status == SC_ERROR_OVERFLOW) {
    std::string message = last_error();
    message.replace(message.find(name), name.size(), shown(fmt));
    PyErr_SetString(PyExc_OverflowError, message.c_str());
    throw py::error_already_set();
  }
}

// Throws the exception for a failed quantization.
void check_quantize(sc_status status, py::handle fmt, const Format& format) {
  check_overflow(status, fmt, "fmt");
  check(status, format.is_affine() ? "nan='zero' quantizes it to the zero point"
                                   : "nan='zero' quantizes it to 0");
}

// Calls core(format, result) for `in` with its axes in the order for which `fitted` was made. The
// core may write the result in part before it fails.
template <class F>
void call_quantize(Input& in, py::handle fmt, const Format& format, const FittedFormat& fitted,
                   const AxisOrder& order, Result& result, const F& core) {
  const auto call_core = [&](const AxisOrder& axes, const sc_format* core_format, void* out) {
    in.transpose(axes);
    in.prepare();
    return without_gil(in.size(), [&] { return core(core_format, out); });
  };
  const sc_status status = call_core(order, fitted.get(), result.data());
  check_quantize(with_index_of_caller(status, order,
                                      [&] {
    const FittedFormat again(format, shape_of(in.given()), in.core_dtype(),
                             ScaleConstraint::positive_and_normal);
    Result unused(result.dtype(), shape_of(in.given()));
    return call_core({}, again.get(), unused.data());
  }),
                 fmt, format);
}

constexpr char kOfIntegers[] =
    "; for integers of a format use secateur.requantize, for plain numbers w.astype(np.float32)";

// ---- Codes -----------------------------------------------------------------------------------

// The remedy for codes in an array of another dtype.
std::string remedy_for_codes(const py::dtype& given, const CodeEncoding& encoding,
                             const std::string& format) {
  const std::string dtype = encoding.dtype().name;
  if (given.kind() == 'f') {
    return "; secateur.quantize converts floats to integers";
  }
  if (!is_integer_dtype(given) || encoding.packed) {
    return "; q.astype(...) converts";
  }
  const DtypeInfo other = integer_dtype(encoding.bits, !encoding.is_signed);
  if (given.num() == dtype_of(other).number) {
    return "; " + format + " with signed=" + (encoding.is_signed ? "False" : "True") + " has " +
           other.name + " integers";
  }
  return "; q.astype(np." + dtype + ") is safe if every integer fits, and a " + format +
         " with other bits= has another dtype";
}

// The codes to dequantize, and the shape of the result: that of the codes, or the given one if they
// are packed.
struct StoredCodes {
  Input in;
  Shape shape;
  std::size_t n;
  sc_dtype core_dtype;

  StoredCodes(py::handle q, const CodeEncoding& encoding, py::handle shape_given)
      : in("q", require_unpacked(q, encoding), dtypes_of(encoding),
           [&](const py::dtype& given) { return remedy_for_codes(given, encoding, "fmt"); }),
        shape(shape_of(in.given())),
        n(in.size()),
        core_dtype(encoding.core_dtype(in.core_dtype())) {
    if (!encoding.packed) {
      return;
    }
    shape = shape_given.cast<Shape>();
    n = element_count(shape);
    const std::size_t bytes = static_cast<std::size_t>(encoding.stored_shape(shape, n)[0]);
    if (in.size() != bytes) {
      throw py::value_error("q must have " + std::to_string(bytes) + " bytes, those of " +
                            std::to_string(n) + " packed integers, got shape " +
                            shown(in.given().attr("shape")));
    }
  }

  // Checks the status of a call that read the codes. Bytes that narrower integers cannot be may be
  // packed integers, given without their shape.
  void check_read(sc_status status, const CodeEncoding& encoding) const {
    if (status == SC_ERROR_ARGUMENT && encoding.bits < 8 && core_dtype == SC_DTYPE_UINT8) {
      throw py::value_error(last_error() + kIfPacked);
    }
    check(status, "");
  }

 private:
  static constexpr char kIfPacked[] = "; if q holds packed integers, pass shape=";

  // Returns q. Throws TypeError if it has bytes, and the integers of the format have signs and are
  // narrower.
  static py::handle require_unpacked(py::handle q, const CodeEncoding& encoding) {
    if (!encoding.packed && encoding.bits < 8 && encoding.is_signed && is_array_of(q, kUInt8)) {
      throw py::type_error("q must be " +
                           std::string(integer_dtype(encoding.bits, encoding.is_signed).name) +
                           " for this fmt, got uint8" + kIfPacked);
    }
    return q;
  }
};

// Converts a floating-point dtype.
Dtype to_float(py::handle dtype) {
  return to_dtype("dtype", py::reinterpret_borrow<py::dtype>(dtype), float_dtypes());
}

// ---- Functions -------------------------------------------------------------------------------

py::object quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                    py::handle nan, py::handle seed, py::handle index_offset, py::handle packed,
                    py::handle bitorder, py::handle out) {
  const FormatArgument format(fmt);
  const CodeEncoding encoding(*format, fmt, to_bool("packed", packed), bitorder);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed, index_offset);
  Input in = floats(w, "w", kOfIntegers);
  const AxisOrder order = encoding.packed ? AxisOrder{} : quantization_order(in, options);
  const FittedFormat fitted(*format, shape_of(in.given()), in.core_dtype(),
                            ScaleConstraint::positive_and_normal, order);
  CodeResult q(out, in, encoding);
  q.array().follow(order);
  call_quantize(in, fmt, *format, fitted, order, q.array(), [&](const sc_format* core, void* data) {
    return sc_quantize(in.data(), in.core_dtype(), in.size(), core, &options, data, q.core_dtype());
  });
  return q.array().finish();
}

py::object dequantize(py::handle q, py::handle fmt, py::handle dtype, py::handle shape,
                      py::handle bitorder, py::handle sign_extend, py::handle out) {
  const FormatArgument format(fmt);
  const CodeEncoding encoding(*format, fmt, !shape.is_none(), bitorder);
  const int extends = to_bool("sign_extend", sign_extend) ? 1 : 0;
  const Dtype out_dtype = to_float(dtype);
  StoredCodes stored(q, encoding, shape);
  const AxisOrder order = encoding.packed ? AxisOrder{} : stored.in.memory_order();
  const auto fitted = [&](const AxisOrder& axes) {
    return FittedFormat(*format, stored.shape, out_dtype.core, ScaleConstraint::finite, axes);
  };
  const FittedFormat core_format = fitted(order);
  const auto result_type = py::reinterpret_borrow<py::dtype>(dtype);
  Result result(out, result_type, stored.shape, stored.in, false, nullptr, "out");
  result.follow(order);
  const auto call_core = [&](const AxisOrder& axes, const FittedFormat& with, void* data) {
    stored.in.transpose(axes);
    stored.in.prepare();
    return without_gil(stored.in.size(), [&] {
      return sc_dequantize(stored.in.data(), stored.core_dtype, stored.n, with.get(), extends, data,
                           out_dtype.core);
    });
  };
  const sc_status status = call_core(order, core_format, result.data());
  const sc_status checked = with_index_of_caller(status, order, [&] {
    Result unused(result_type, stored.shape);
    return call_core({}, fitted({}), unused.data());
  });
  stored.check_read(checked, encoding);
  return result.finish();
}

py::object requantize(py::handle q, py::handle from_fmt, py::handle to_fmt, py::handle rounding,
                      py::handle overflow, py::handle seed, py::handle index_offset,
                      py::handle sign_extend, py::handle out) {
  const FormatArgument from(from_fmt, "from_fmt", kMaxIntegerBits);
  const FormatArgument to(to_fmt, "to_fmt");
  const py::str bitorder("little");  // unused: requantize does not pack
  const CodeEncoding from_encoding(*from, from_fmt, false, bitorder);
  const CodeEncoding to_encoding(*to, to_fmt, false, bitorder);
  const sc_quantize_options options =
      to_options(rounding, overflow, py::str("raise"), seed, index_offset);
  const int extends = to_bool("sign_extend", sign_extend) ? 1 : 0;
  Input in("q", q, dtypes_of(from_encoding), [&](const py::dtype& given) {
    return remedy_for_codes(given, from_encoding, "from_fmt");
  });
  const Shape shape = shape_of(in.given());
  const AxisOrder order = quantization_order(in, options);
  const auto fitted_from = [&](const AxisOrder& axes) {
    return FittedFormat(*from, shape, SC_DTYPE_FLOAT64, ScaleConstraint::finite, axes, nullptr,
                        "from_fmt");
  };
  const auto fitted_to = [&](const AxisOrder& axes) {
    return FittedFormat(*to, shape, SC_DTYPE_FLOAT64, ScaleConstraint::positive_and_normal, axes,
                        nullptr, "to_fmt");
  };
  const FittedFormat source = fitted_from(order);
  const FittedFormat target = fitted_to(order);
  CodeResult result(out, in, to_encoding);
  result.array().follow(order);
  const auto call_core = [&](const AxisOrder& axes, const FittedFormat& from_core,
                             const FittedFormat& to_core, void* data) {
    in.transpose(axes);
    in.prepare();
    return without_gil(in.size(), [&] {
      return sc_requantize(in.data(), in.core_dtype(), in.size(), from_core.get(), extends,
                           to_core.get(), &options, data, result.core_dtype());
    });
  };
  const sc_status status = call_core(order, source, target, result.array().data());
  const sc_status checked = with_index_of_caller(status, order, [&] {
    Result unused(result.array().dtype(), shape);
    return call_core({}, fitted_from({}), fitted_to({}), unused.data());
  });
  check_overflow(checked, to_fmt, "to_fmt");
  check(checked, "");
  return result.array().finish();
}

py::object fake_quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                         py::handle nan, py::handle seed, py::handle index_offset, py::handle out) {
  const FormatArgument format(fmt);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed, index_offset);
  Input in = floats(w, "w", kOfIntegers);
  const AxisOrder order = quantization_order(in, options);
  const FittedFormat fitted(*format, shape_of(in.given()), in.core_dtype(),
                            ScaleConstraint::positive_and_normal, order);
  Result result(out, in.numpy_dtype(), in, true);
  result.follow(order);
  call_quantize(in, fmt, *format, fitted, order, result, [&](const sc_format* core, void* data) {
    return sc_fake_quantize(in.data(), in.core_dtype(), in.size(), core, &options, data);
  });
  return result.finish();
}

py::object prune_quantize(py::handle w, py::handle fmt, py::handle k, py::handle sparsity,
                          py::handle rounding, py::handle overflow, py::handle nan, py::handle seed,
                          py::handle index_offset, py::handle packed, py::handle bitorder,
                          py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const FormatArgument format(fmt);
  const CodeEncoding encoding(*format, fmt, to_bool("packed", packed), bitorder);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed, index_offset);
  const KeepCount keep(k, sparsity);
  Input in = floats(w, "w", kOfIntegers);
  const std::size_t kept = keep.of(in.size());
  const FittedFormat fitted(*format, shape_of(in.given()), in.core_dtype(),
                            ScaleConstraint::positive_and_normal);
  CodeResult q(out, in, encoding);
  call_quantize(in, fmt, *format, fitted, {}, q.array(), [&](const sc_format* core, void* data) {
    return sc_prune_quantize(in.data(), in.core_dtype(), in.size(), kept, core, &options, data,
                             q.core_dtype());
  });
  return q.array().finish();
}

}  // namespace

void define_quantize(py::module_& m) {
  py::class_<Format>(m, "Format")
      .def(py::init<int, bool, py::object, py::object, py::object, py::object, std::int64_t,
                    std::int64_t, Shape, py::object, py::object, bool>());
  m.def("quantize", &quantize);
  m.def("dequantize", &dequantize);
  m.def("requantize", &requantize);
  m.def("fake_quantize", &fake_quantize);
  m.def("prune_quantize", &prune_quantize);
}

}  // namespace secateur::python
