// Python bindings of the functions for fixed-point and affine formats.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// ---- Options ---------------------------------------------------------------------------------

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
  const py::object index = to_index("seed", seed);
  const std::uint64_t number = PyLong_AsUnsignedLongLong(index.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse("seed", kAllowed, seed);
  }
  return number;
}

sc_nan to_quantizing_nan(py::handle nan) {
  static constexpr Choice<sc_nan> kNanPolicies[] = {{"raise", SC_NAN_RAISE}, {"zero", SC_NAN_ZERO}};
  return to_choice("nan", nan, kNanPolicies);
}

sc_quantize_options to_options(py::handle rounding, py::handle overflow, py::handle nan,
                               py::handle seed) {
  static constexpr Choice<sc_rounding> kRoundings[] = {{"nearest_even", SC_ROUNDING_NEAREST_EVEN},
                                                       {"nearest_away", SC_ROUNDING_NEAREST_AWAY},
                                                       {"nearest_zero", SC_ROUNDING_NEAREST_ZERO},
                                                       {"nearest_up", SC_ROUNDING_NEAREST_UP},
                                                       {"nearest_down", SC_ROUNDING_NEAREST_DOWN},
                                                       {"floor", SC_ROUNDING_FLOOR},
                                                       {"ceil", SC_ROUNDING_CEIL},
                                                       {"trunc", SC_ROUNDING_TRUNC},
                                                       {"stochastic", SC_ROUNDING_STOCHASTIC}};
  static constexpr Choice<sc_overflow> kOverflows[] = {
      {"saturate", SC_OVERFLOW_SATURATE},
      {"saturate_symmetric", SC_OVERFLOW_SATURATE_SYMMETRIC},
      {"saturate_zero", SC_OVERFLOW_SATURATE_ZERO},
      {"wrap", SC_OVERFLOW_WRAP},
      {"raise", SC_OVERFLOW_RAISE}};
  const sc_rounding mode = to_choice("rounding", rounding, kRoundings);
  return {mode, to_choice("overflow", overflow, kOverflows), to_quantizing_nan(nan),
          to_seed(mode, seed)};
}

constexpr char kNanRemedy[] = "nan='zero' quantizes it to 0";

// As call(), but raises OverflowError for elements out of range, with the repr of the format in the
// message in place of its name.
template <class F>
void call_quantize(const Input& in, py::handle fmt, const F& core) {
  const sc_status status = without_gil(in.size(), core);
  if (status == SC_ERROR_OVERFLOW) {
    std::string message = last_error();
    constexpr std::string_view kName = "fmt";
    message.replace(message.find(kName), kName.size(), shown(fmt));
    PyErr_SetString(PyExc_OverflowError, message.c_str());
    throw py::error_already_set();
  }
  check(status, kNanRemedy);
}

// ---- Codes -----------------------------------------------------------------------------------

// How the codes of a format are stored: in an integer dtype, or bit-packed in some bit order.
struct CodeLayout {
  int bits;
  bool is_signed;
  std::optional<sc_dtype> packed;

  CodeLayout(int bits_, bool is_signed_, bool is_packed, py::handle bitorder)
      : bits(bits_), is_signed(is_signed_) {
    static constexpr Choice<sc_dtype> kBitOrders[] = {{"little", SC_DTYPE_PACKED_LITTLE},
                                                      {"big", SC_DTYPE_PACKED_BIG}};
    const sc_dtype packed_dtype = to_choice("bitorder", bitorder, kBitOrders);
    if (is_packed) {
      packed = packed_dtype;
    }
  }

  [[nodiscard]] Dtype dtype() const {
    if (packed) {
      return kUInt8;
    }
    if (bits <= 8) {
      return is_signed ? kInt8 : kUInt8;
    }
    if (bits <= 16) {
      return is_signed ? kInt16 : kUInt16;
    }
    return is_signed ? kInt32 : kUInt32;
  }
  // The dtype that the core receives for codes in an array of dtype `array_dtype`.
  [[nodiscard]] sc_dtype core_dtype(sc_dtype array_dtype) const {
    return packed ? *packed : array_dtype;
  }
  // The shape of the array that stores the n codes of an array of a given shape.
  [[nodiscard]] Shape stored_shape(const Shape& shape, std::size_t n) const {
    if (!packed) {
      return shape;
    }
    const auto width = static_cast<std::size_t>(bits);
    return {static_cast<py::ssize_t>(n / 8 * width + (n % 8 * width + 7) / 8)};
  }
};

// The dtypes that hold the codes: one of NumPy, and the 4- and 2-bit ones of ml_dtypes if wide
// enough.
std::vector<Dtype> dtypes_of(const CodeLayout& layout) {
  std::vector<Dtype> dtypes{layout.dtype()};
  if (!layout.packed && layout.bits <= 2) {
    dtypes.push_back(layout.is_signed ? kInt2 : kUInt2);
  }
  if (!layout.packed && layout.bits <= 4) {
    dtypes.push_back(layout.is_signed ? kInt4 : kUInt4);
  }
  return dtypes;
}

// The array that the codes of `in` are written to: `out`, or a new array. A new array has the given
// dtype, or NumPy's dtype of the format.
class CodeResult {
 public:
  CodeResult(py::handle out, const Input& in, const CodeLayout& layout,
             py::handle dtype = py::none())
      : CodeResult(out, in, layout, result_dtype(out, layout, dtype)) {}

  [[nodiscard]] void* data() { return result_.data(); }
  [[nodiscard]] sc_dtype core_dtype() const { return core_; }
  py::object finish() { return result_.finish(); }

 private:
  struct ResultDtype {
    py::dtype dtype;
    Dtype spec;
  };
  static ResultDtype result_dtype(py::handle out, const CodeLayout& layout, py::handle dtype) {
    const std::vector<Dtype> dtypes = dtypes_of(layout);
    if (!dtype.is_none() && !layout.packed) {
      const auto given = py::reinterpret_borrow<py::dtype>(dtype);
      return {given, to_dtype("dtype", given, dtypes)};
    }
    for (const Dtype& candidate : dtypes) {
      if (candidate.number == kRegistered && is_array_of(out, candidate)) {
        return {py::reinterpret_borrow<py::array>(out).dtype(), candidate};
      }
    }
    return {py::dtype(layout.dtype().number), layout.dtype()};
  }
  CodeResult(py::handle out, const Input& in, const CodeLayout& layout, const ResultDtype& as)
      : core_(layout.core_dtype(as.spec.core)),
        result_(out, as.dtype, layout.stored_shape(shape_of(in.given()), in.size()), in, false,
                nullptr, "out") {}

  sc_dtype core_;
  Result result_;
};

// The codes to dequantize, and the shape of the result: that of the codes, or the given one if they
// are packed.
struct StoredCodes {
  Input in;
  Shape shape;
  std::size_t n;
  sc_dtype core_dtype;

  StoredCodes(py::handle q, const CodeLayout& layout, py::handle shape_given)
      : in("q", q, dtypes_of(layout)),
        shape(shape_of(in.given())),
        n(in.size()),
        core_dtype(layout.core_dtype(in.core_dtype())) {
    if (!layout.packed) {
      return;
    }
    shape = shape_given.cast<Shape>();
    n = 1;
    for (const py::ssize_t length : shape) {
      n *= static_cast<std::size_t>(length);
    }
    in.require_shape(layout.stored_shape(shape, n), "which is what the integers take");
  }
};

// ---- Formats ---------------------------------------------------------------------------------

// Converts None or a Granularity. A subclass of FixedPoint may return anything else, which is
// refused.
sc_granularity to_granularity(py::handle granularity) {
  if (granularity.is_none()) {
    return {};
  }
  if (!PyTuple_Check(granularity.ptr()) || py::len(granularity) != 4) {
    throw py::type_error("a granularity must be None or a Granularity, got " + shown(granularity));
  }
  const auto parts = py::reinterpret_borrow<py::tuple>(granularity);
  const auto length = [&](const char* name, std::size_t field, std::size_t least) {
    return to_count(name, parts[field], least, PTRDIFF_MAX);
  };
  return {length("granularity.length", 0, 0), length("granularity.inner", 1, 0),
          length("granularity.block", 2, 1), to_bool("granularity.shared", parts[3]) ? 1 : 0};
}

// The number of parameters of an array of n elements. The core refuses a granularity that does not
// divide n.
std::size_t parameter_count(const sc_granularity& granularity, std::size_t n) {
  const auto& [length, inner, block, shared] = granularity;
  if (length == 0) {
    return 1;
  }
  return (shared != 0 ? 1 : n / length) * ((length - 1) / block + 1);
}

// Checks the number of parameters. Python code of the caller may have changed an array since the
// parameters were matched to it, or may have created the parameters.
void require_count(const char* name, const py::array& parameters, const sc_granularity& granularity,
                   std::size_t n) {
  const std::size_t count = parameter_count(granularity, n);
  if (n != 0 && static_cast<std::size_t>(parameters.size()) != count) {
    throw py::value_error(std::string(name) + " must have as many elements as the granularity, " +
                          std::to_string(count) + ", got " + std::to_string(parameters.size()));
  }
}

using Int32Array = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;

// A FixedPoint object as a struct of the core.
class FixedPointFormat {
 public:
  FixedPointFormat(py::handle fmt, bool is_packed, py::handle bitorder)
      : given_(fmt), layout_(read(fmt, is_packed, bitorder)) {}

  [[nodiscard]] const CodeLayout& layout() const { return layout_; }
  // The struct for an array of a given shape.
  const sc_fixed_point* fit(const Shape& shape) {
    if (frac_bits_) {
      const py::object granularity = given_.attr("for_shape")(py::tuple(py::cast(shape)));
      core_.granularity = to_granularity(granularity);
      core_.each = frac_bits_->data();
      std::size_t n = 1;
      for (const py::ssize_t length : shape) {
        n *= static_cast<std::size_t>(length);
      }
      require_count("fmt.frac_bits", *frac_bits_, core_.granularity, n);
    }
    return &core_;
  }

 private:
  CodeLayout read(py::handle fmt, bool is_packed, py::handle bitorder) {
    // Looked up once per process.
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
    core_.bits = static_cast<std::int32_t>(
        in_range("fmt.bits", to_integer("fmt.bits", get(names.bits)), 2, 32, fmt));
    core_.is_signed = to_bool("fmt.signed", get(names.is_signed)) ? 1 : 0;
    const py::object frac_bits = get(names.frac_bits);
    if (py::isinstance<py::array>(frac_bits)) {
      // A subclass of FixedPoint may return an array of anything, which a cast would wrap.
      frac_bits_ = (is_array_of(frac_bits, kInt32)
                        ? frac_bits
                        : py::module_::import("secateur.formats")
                              .attr("integers_in")("fmt.frac_bits", frac_bits, -256, 256))
                       .cast<Int32Array>();
    } else {
      core_.frac_bits = static_cast<std::int32_t>(
          std::clamp<std::int64_t>(to_integer("fmt.frac_bits", frac_bits), -257, 257));
    }
    if (is_packed && core_.bits > 8) {
      refuse("fmt.bits", "at most 8 to be packed", fmt);
    }
    return {core_.bits, core_.is_signed != 0, is_packed, bitorder};
  }

  py::handle given_;
  sc_fixed_point core_{};
  std::optional<Int32Array> frac_bits_;
  CodeLayout layout_;
};

// An affine format as a struct of the core. secateur.affine passes scales of float32 or float64,
// zero points of int32 or None, and their granularity.
class AffineFormat {
 public:
  AffineFormat(const CodeLayout& layout, py::handle scale, py::handle zero_point,
               py::handle granularity)
      : scale_(py::reinterpret_borrow<py::array>(scale)) {
    core_.bits = layout.bits;
    core_.is_signed = layout.is_signed ? 1 : 0;
    core_.scale = scale_.data();
    core_.granularity = to_granularity(granularity);
    if (!zero_point.is_none()) {
      zero_points_ = zero_point.cast<Int32Array>();
      core_.zero_point = zero_points_->data();
    }
  }
  // The struct for n elements of float64 or of a narrower type.
  [[nodiscard]] const sc_affine* data(std::size_t n, bool in_float64) const {
    if (scale_.itemsize() != (in_float64 ? 8 : 4)) {
      throw std::runtime_error("an array was changed while it was being looked at");
    }
    require_count("scale", scale_, core_.granularity, n);
    if (zero_points_) {
      require_count("zero_point", *zero_points_, core_.granularity, n);
    }
    return &core_;
  }

 private:
  py::array scale_;
  std::optional<Int32Array> zero_points_;
  sc_affine core_{};
};

// Converts a floating-point dtype.
Dtype to_float(py::handle dtype) {
  static constexpr Dtype kFloats[] = {kFloat16, kBFloat16, kFloat32, kFloat64};
  return to_dtype("dtype", py::reinterpret_borrow<py::dtype>(dtype), kFloats);
}

// ---- Functions -------------------------------------------------------------------------------

py::object quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                    py::handle nan, py::handle seed, py::handle packed, py::handle bitorder,
                    py::handle out) {
  FixedPointFormat format(fmt, to_bool("packed", packed), bitorder);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  Input in = floats(w);
  const sc_fixed_point* const core_format = format.fit(shape_of(in.given()));
  CodeResult q(out, in, format.layout());
  in.settle();
  call_quantize(in, fmt, [&, data = q.data()] {
    return sc_quantize(in.data(), in.core_dtype(), in.size(), core_format, &options, data,
                       q.core_dtype());
  });
  return q.finish();
}

py::object dequantize(py::handle q, py::handle fmt, py::handle dtype, py::handle shape,
                      py::handle bitorder, py::handle out) {
  FixedPointFormat format(fmt, !shape.is_none(), bitorder);
  const Dtype out_dtype = to_float(dtype);
  StoredCodes stored(q, format.layout(), shape);
  const sc_fixed_point* const core_format = format.fit(stored.shape);
  Result result(out, py::reinterpret_borrow<py::dtype>(dtype), stored.shape, stored.in, false,
                nullptr, "out");
  stored.in.settle();
  call(stored.in, "", [&, data = result.data()] {
    return sc_dequantize(stored.in.data(), stored.core_dtype, stored.n, core_format, data,
                         out_dtype.core);
  });
  return result.finish();
}

py::object fake_quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                         py::handle nan, py::handle seed, py::handle out) {
  FixedPointFormat format(fmt, false, py::str("little"));
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  Input in = floats(w);
  const sc_fixed_point* const core_format = format.fit(shape_of(in.given()));
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call_quantize(in, fmt, [&, data = result.data()] {
    return sc_fake_quantize(in.data(), in.core_dtype(), in.size(), core_format, &options, data);
  });
  return result.finish();
}

py::object prune_quantize(py::handle w, py::handle fmt, py::handle k, py::handle sparsity,
                          py::handle rounding, py::handle overflow, py::handle nan, py::handle seed,
                          py::handle packed, py::handle bitorder, py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  FixedPointFormat format(fmt, to_bool("packed", packed), bitorder);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  const Kept keep(k, sparsity);
  Input in = floats(w);
  const std::size_t kept = keep.of(in.size());
  const sc_fixed_point* const core_format = format.fit(shape_of(in.given()));
  CodeResult q(out, in, format.layout());
  in.settle();
  call_quantize(in, fmt, [&, data = q.data()] {
    return sc_prune_quantize(in.data(), in.core_dtype(), in.size(), kept, core_format, &options,
                             data, q.core_dtype());
  });
  return q.finish();
}

py::object quantize_affine(py::handle w, py::handle scale, py::handle zero_point,
                           py::handle granularity, int bits, bool is_signed, py::handle dtype,
                           py::handle nan, py::handle packed, py::handle bitorder, py::handle out) {
  const CodeLayout layout(bits, is_signed, to_bool("packed", packed), bitorder);
  const AffineFormat affine(layout, scale, zero_point, granularity);
  const sc_nan nan_policy = to_quantizing_nan(nan);
  Input in = floats(w);
  CodeResult q(out, in, layout, dtype);
  in.settle();
  const sc_affine* const core_format = affine.data(in.size(), in.core_dtype() == SC_DTYPE_FLOAT64);
  call(in, "nan='zero' quantizes it to the zero point", [&, data = q.data()] {
    return sc_quantize_affine(in.data(), in.core_dtype(), in.size(), core_format, nan_policy, data,
                              q.core_dtype());
  });
  return q.finish();
}

py::object dequantize_affine(py::handle q, py::handle scale, py::handle zero_point,
                             py::handle granularity, int bits, bool is_signed, py::handle dtype,
                             py::handle shape, py::handle bitorder, py::handle out) {
  const CodeLayout layout(bits, is_signed, !shape.is_none(), bitorder);
  const AffineFormat affine(layout, scale, zero_point, granularity);
  const Dtype out_dtype = to_float(dtype);
  StoredCodes stored(q, layout, shape);
  Result result(out, py::reinterpret_borrow<py::dtype>(dtype), stored.shape, stored.in, false,
                nullptr, "out");
  stored.in.settle();
  const sc_affine* const core_format = affine.data(stored.n, out_dtype.core == SC_DTYPE_FLOAT64);
  call(stored.in, "", [&, data = result.data()] {
    return sc_dequantize_affine(stored.in.data(), stored.core_dtype, stored.n, core_format, data,
                                out_dtype.core);
  });
  return result.finish();
}

}  // namespace

void define_quantize(py::module_& m) {
  m.def("quantize", &quantize);
  m.def("dequantize", &dequantize);
  m.def("fake_quantize", &fake_quantize);
  m.def("prune_quantize", &prune_quantize);
  m.def("quantize_affine", &quantize_affine);
  m.def("dequantize_affine", &dequantize_affine);
}

}  // namespace secateur::python
