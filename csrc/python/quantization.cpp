// Fixed point, and affine integers.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// ---- Options ---------------------------------------------------------------------------------

std::uint64_t to_seed(sc_rounding rounding, py::handle seed) {
  if (rounding != SC_ROUND_STOCHASTIC) {
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
  to_integer("seed", seed);
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(seed.ptr()));
  const std::uint64_t number = PyLong_AsUnsignedLongLong(index.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse("seed", kAllowed, seed);
  }
  return number;
}

sc_nan to_quantizing_nan(py::handle nan) {
  static constexpr Choice<sc_nan> kNaNs[] = {{"raise", SC_NAN_RAISE}, {"zero", SC_NAN_ZERO}};
  return to_choice("nan", nan, kNaNs);
}

sc_quantize_options to_options(py::handle rounding, py::handle overflow, py::handle nan,
                               py::handle seed) {
  static constexpr Choice<sc_rounding> kRoundings[] = {{"nearest_even", SC_ROUND_NEAREST_EVEN},
                                                       {"nearest_away", SC_ROUND_NEAREST_AWAY},
                                                       {"nearest_zero", SC_ROUND_NEAREST_ZERO},
                                                       {"nearest_up", SC_ROUND_NEAREST_UP},
                                                       {"nearest_down", SC_ROUND_NEAREST_DOWN},
                                                       {"floor", SC_ROUND_FLOOR},
                                                       {"ceil", SC_ROUND_CEIL},
                                                       {"trunc", SC_ROUND_TRUNC},
                                                       {"stochastic", SC_ROUND_STOCHASTIC}};
  static constexpr Choice<sc_overflow> kOverflows[] = {
      {"saturate", SC_OVERFLOW_SATURATE},
      {"saturate_symmetric", SC_OVERFLOW_SATURATE_SYMMETRIC},
      {"saturate_zero", SC_OVERFLOW_SATURATE_ZERO},
      {"wrap", SC_OVERFLOW_WRAP},
      {"raise", SC_OVERFLOW_RAISE}};
  const sc_rounding how = to_choice("rounding", rounding, kRoundings);
  return {how, to_choice("overflow", overflow, kOverflows), to_quantizing_nan(nan),
          to_seed(how, seed)};
}

bool to_bool(const char* name, py::handle value) {
  if (!is_bool(value)) {
    throw py::type_error(std::string(name) + " must be a bool, got " + shown(value));
  }
  return py::bool_(py::reinterpret_borrow<py::object>(value));
}

constexpr char kQuantizingRemedy[] = "nan='zero' quantizes it to 0";

// As call(), with the format in the place of its name where an element is out of its range.
template <class F>
void quantizing(const Input& in, py::handle fmt, const F& core) {
  const sc_status status = without_gil(in.size(), core);
  if (status == SC_ERROR_OVERFLOW) {
    std::string message = sc_last_error();
    constexpr std::string_view kName = "fmt";
    message.replace(message.find(kName), kName.size(), shown(fmt));
    PyErr_SetString(PyExc_OverflowError, message.c_str());
    throw py::error_already_set();
  }
  check(status, kQuantizingRemedy);
}

// ---- Integers --------------------------------------------------------------------------------

// How integers of a format are kept: one by one, or packed, in an order.
struct Kind {
  int bits;
  bool is_signed;
  std::optional<sc_dtype> packed;

  Kind(int bits_, bool is_signed_, bool is_packed, py::handle order)
      : bits(bits_), is_signed(is_signed_) {
    static constexpr Choice<sc_dtype> kOrders[] = {{"low_first", SC_PACKED_LOW_FIRST},
                                                   {"high_first", SC_PACKED_HIGH_FIRST}};
    const sc_dtype in_order = to_choice("order", order, kOrders);
    if (is_packed) {
      packed = in_order;
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
  // As the core knows them, in an array of that dtype.
  [[nodiscard]] sc_dtype core_dtype(sc_dtype in) const { return packed ? *packed : in; }
  // Of an array of that shape.
  [[nodiscard]] Shape stored_shape(const Shape& shape, std::size_t n) const {
    if (!packed) {
      return shape;
    }
    const auto width = static_cast<std::size_t>(bits);
    return {static_cast<py::ssize_t>(n / 8 * width + (n % 8 * width + 7) / 8)};
  }
};

// The dtypes that hold these integers: NumPy's, and those of ml_dtypes that are as wide, or wider.
std::vector<Dtype> dtypes_of(const Kind& kind) {
  std::vector<Dtype> dtypes{kind.dtype()};
  if (!kind.packed && kind.bits <= 2) {
    dtypes.push_back(kind.is_signed ? kInt2 : kUInt2);
  }
  if (!kind.packed && kind.bits <= 4) {
    dtypes.push_back(kind.is_signed ? kInt4 : kUInt4);
  }
  return dtypes;
}

// Where the integers of an array like `in` go: `out`, or a new array of a dtype, or else of NumPy's own.
class Integers {
 public:
  Integers(py::handle out, const Input& in, const Kind& kind, py::handle dtype = py::none())
      : Integers(out, in, kind, chosen(out, kind, dtype)) {}

  [[nodiscard]] void* data() { return result_.data(); }
  [[nodiscard]] sc_dtype core_dtype() const { return core_; }
  py::object finish() { return result_.finish(); }

 private:
  struct Chosen {
    py::dtype dtype;
    Dtype known;
  };
  static Chosen chosen(py::handle out, const Kind& kind, py::handle dtype) {
    const std::vector<Dtype> dtypes = dtypes_of(kind);
    if (!dtype.is_none() && !kind.packed) {
      const auto given = py::reinterpret_borrow<py::dtype>(dtype);
      return {given, to_dtype("dtype", given, dtypes)};
    }
    for (const Dtype& narrow : dtypes) {
      if (narrow.number == kRegistered && is_array_of(out, narrow)) {
        return {py::reinterpret_borrow<py::array>(out).dtype(), narrow};
      }
    }
    return {py::dtype(kind.dtype().number), kind.dtype()};
  }
  Integers(py::handle out, const Input& in, const Kind& kind, const Chosen& as)
      : core_(kind.core_dtype(as.known.core)),
        result_(out, as.dtype, kind.stored_shape(shape_of(in.given()), in.size()), in, false,
                nullptr, "out") {}

  sc_dtype core_;
  Result result_;
};

// Integers to be made floats of, and the shape of these: their own, or the one that was packed.
struct Stored {
  Input in;
  Shape shape;
  std::size_t n;
  sc_dtype core_dtype;

  Stored(py::handle q, const Kind& kind, py::handle shape_given)
      : in("q", q, dtypes_of(kind)),
        shape(shape_of(in.given())),
        n(in.size()),
        core_dtype(kind.core_dtype(in.core_dtype())) {
    if (!kind.packed) {
      return;
    }
    shape = shape_given.cast<Shape>();
    n = 1;
    for (const py::ssize_t length : shape) {
      n *= static_cast<std::size_t>(length);
    }
    in.require_shape(kind.stored_shape(shape, n), "which is what the integers take");
  }
};

// ---- Formats ---------------------------------------------------------------------------------

sc_granularity to_granularity(py::handle granularity) {
  if (granularity.is_none()) {
    return {};
  }
  const auto parts = py::reinterpret_borrow<py::tuple>(granularity);
  return {parts[0].cast<std::size_t>(), parts[1].cast<std::size_t>(), parts[2].cast<std::size_t>(),
          parts[3].cast<bool>() ? 1 : 0};
}

// How many parameters an array of n has.
std::size_t count_of(const sc_granularity& granularity, std::size_t n) {
  const auto& [length, inner, block, shared] = granularity;
  if (length == 0) {
    return 1;
  }
  return (shared != 0 ? 1 : n / length) * ((length - 1) / block + 1);
}

// Code of the caller's may have changed an array since parameters were made to fit it.
void require_count(const py::array& parameters, const sc_granularity& granularity, std::size_t n) {
  if (n != 0 && static_cast<std::size_t>(parameters.size()) != count_of(granularity, n)) {
    throw std::runtime_error("an array was changed while it was being looked at");
  }
}

using Int32s = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;

// A FixedPoint.
class Format {
 public:
  Format(py::handle fmt, bool is_packed, py::handle order)
      : given_(fmt), kind_(read(fmt, is_packed, order)) {}

  [[nodiscard]] const Kind& kind() const { return kind_; }
  // For an array of that shape.
  const sc_fixed_point* fit(const Shape& shape) {
    if (each_) {
      const py::object fitting = given_.attr("for_shape")(py::tuple(py::cast(shape)));
      core_.granularity = to_granularity(fitting);
      core_.each = each_->data();
      std::size_t n = 1;
      for (const py::ssize_t length : shape) {
        n *= static_cast<std::size_t>(length);
      }
      require_count(*each_, core_.granularity, n);
    }
    return &core_;
  }

 private:
  Kind read(py::handle fmt, bool is_packed, py::handle order) {
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
    core_.bits = static_cast<std::int32_t>(
        in_range("fmt.bits", to_integer("fmt.bits", get(names.bits)), 2, 32, fmt));
    core_.is_signed = py::bool_(get(names.is_signed)) ? 1 : 0;
    const py::object frac_bits = get(names.frac_bits);
    if (py::isinstance<py::array>(frac_bits)) {
      each_ = frac_bits.cast<Int32s>();
    } else {
      core_.frac_bits = static_cast<std::int32_t>(
          std::clamp<std::int64_t>(to_integer("fmt.frac_bits", frac_bits), -257, 257));
    }
    if (is_packed && core_.bits > 8) {
      refuse("fmt.bits", "at most 8 to be packed", fmt);
    }
    return {core_.bits, core_.is_signed != 0, is_packed, order};
  }

  py::handle given_;
  sc_fixed_point core_{};
  std::optional<Int32s> each_;
  Kind kind_;
};

// Scales and zero points, as secateur.affine puts them: an array of float32 or float64, one of int32 or
// None, and their granularity.
class Affine {
 public:
  Affine(const Kind& kind, py::handle scale, py::handle zero_point, py::handle granularity)
      : scale_(py::reinterpret_borrow<py::array>(scale)) {
    core_.bits = kind.bits;
    core_.is_signed = kind.is_signed ? 1 : 0;
    core_.scale = scale_.data();
    core_.granularity = to_granularity(granularity);
    if (!zero_point.is_none()) {
      zero_points_ = zero_point.cast<Int32s>();
      core_.zero_point = zero_points_->data();
    }
  }
  // For n elements, in float64 or not.
  [[nodiscard]] const sc_affine* data(std::size_t n, bool in_float64) const {
    if (scale_.itemsize() != (in_float64 ? 8 : 4)) {
      throw std::runtime_error("an array was changed while it was being looked at");
    }
    require_count(scale_, core_.granularity, n);
    if (zero_points_) {
      require_count(*zero_points_, core_.granularity, n);
    }
    return &core_;
  }

 private:
  py::array scale_;
  std::optional<Int32s> zero_points_;
  sc_affine core_{};
};

// The type of float that a dtype is.
Dtype to_float(py::handle dtype) {
  static constexpr Dtype kFloats[] = {kFloat16, kBFloat16, kFloat32, kFloat64};
  return to_dtype("dtype", py::reinterpret_borrow<py::dtype>(dtype), kFloats);
}

// ---- Functions -------------------------------------------------------------------------------

py::object quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                    py::handle nan, py::handle seed, py::handle packed, py::handle order,
                    py::handle out) {
  Format format(fmt, to_bool("packed", packed), order);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  Input in = floats(w);
  const sc_fixed_point* const fitting = format.fit(shape_of(in.given()));
  Integers q(out, in, format.kind());
  in.settle();
  quantizing(in, fmt, [&, data = q.data()] {
    return sc_quantize(in.data(), in.core_dtype(), in.size(), fitting, &options, data,
                       q.core_dtype());
  });
  return q.finish();
}

py::object dequantize(py::handle q, py::handle fmt, py::handle dtype, py::handle shape,
                      py::handle order, py::handle out) {
  Format format(fmt, !shape.is_none(), order);
  const Dtype to = to_float(dtype);
  Stored stored(q, format.kind(), shape);
  const sc_fixed_point* const fitting = format.fit(stored.shape);
  Result result(out, py::reinterpret_borrow<py::dtype>(dtype), stored.shape, stored.in, false,
                nullptr, "out");
  stored.in.settle();
  call(stored.in, "", [&, data = result.data()] {
    return sc_dequantize(stored.in.data(), stored.core_dtype, stored.n, fitting, data, to.core);
  });
  return result.finish();
}

py::object fake_quantize(py::handle w, py::handle fmt, py::handle rounding, py::handle overflow,
                         py::handle nan, py::handle seed, py::handle out) {
  Format format(fmt, false, py::str("low_first"));
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  Input in = floats(w);
  const sc_fixed_point* const fitting = format.fit(shape_of(in.given()));
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  quantizing(in, fmt, [&, data = result.data()] {
    return sc_fake_quantize(in.data(), in.core_dtype(), in.size(), fitting, &options, data);
  });
  return result.finish();
}

py::object prune_quantize(py::handle w, py::handle fmt, py::handle k, py::handle sparsity,
                          py::handle rounding, py::handle overflow, py::handle nan, py::handle seed,
                          py::handle packed, py::handle order, py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  Format format(fmt, to_bool("packed", packed), order);
  const sc_quantize_options options = to_options(rounding, overflow, nan, seed);
  const Kept keep(k, sparsity);
  Input in = floats(w);
  const std::size_t kept = keep.of(in.size());
  const sc_fixed_point* const fitting = format.fit(shape_of(in.given()));
  Integers q(out, in, format.kind());
  in.settle();
  quantizing(in, fmt, [&, data = q.data()] {
    return sc_prune_quantize(in.data(), in.core_dtype(), in.size(), kept, fitting, &options, data,
                             q.core_dtype());
  });
  return q.finish();
}

py::object quantize_affine(py::handle w, py::handle scale, py::handle zero_point,
                           py::handle granularity, int bits, bool is_signed, py::handle dtype,
                           py::handle nan, py::handle packed, py::handle order, py::handle out) {
  const Kind kind(bits, is_signed, to_bool("packed", packed), order);
  const Affine affine(kind, scale, zero_point, granularity);
  const sc_nan nan_rule = to_quantizing_nan(nan);
  Input in = floats(w);
  Integers q(out, in, kind, dtype);
  in.settle();
  const sc_affine* const fitting = affine.data(in.size(), in.core_dtype() == SC_FLOAT64);
  call(in, "nan='zero' quantizes it to the zero point", [&, data = q.data()] {
    return sc_quantize_affine(in.data(), in.core_dtype(), in.size(), fitting, nan_rule, data,
                              q.core_dtype());
  });
  return q.finish();
}

py::object dequantize_affine(py::handle q, py::handle scale, py::handle zero_point,
                             py::handle granularity, int bits, bool is_signed, py::handle dtype,
                             py::handle shape, py::handle order, py::handle out) {
  const Kind kind(bits, is_signed, !shape.is_none(), order);
  const Affine affine(kind, scale, zero_point, granularity);
  const Dtype to = to_float(dtype);
  Stored stored(q, kind, shape);
  Result result(out, py::reinterpret_borrow<py::dtype>(dtype), stored.shape, stored.in, false,
                nullptr, "out");
  stored.in.settle();
  const sc_affine* const fitting = affine.data(stored.n, to.core == SC_FLOAT64);
  call(stored.in, "", [&, data = result.data()] {
    return sc_dequantize_affine(stored.in.data(), stored.core_dtype, stored.n, fitting, data,
                                to.core);
  });
  return result.finish();
}

}  // namespace

void define_quantization(py::module_& m) {
  m.def("quantize", &quantize);
  m.def("dequantize", &dequantize);
  m.def("fake_quantize", &fake_quantize);
  m.def("prune_quantize", &prune_quantize);
  m.def("quantize_affine", &quantize_affine);
  m.def("dequantize_affine", &dequantize_affine);
}

}  // namespace secateur::python
