// Fixed point.
#include <algorithm>
#include <cstdint>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

sc_quantize_options to_options(py::handle rounding, py::handle overflow, py::handle nan) {
  static constexpr Choice<sc_rounding> kRoundings[] = {{"nearest_even", SC_ROUND_NEAREST_EVEN}};
  static constexpr Choice<sc_overflow> kOverflows[] = {{"saturate", SC_OVERFLOW_SATURATE}};
  static constexpr Choice<sc_nan> kNaNs[] = {{"raise", SC_NAN_RAISE}, {"zero", SC_NAN_ZERO}};
  return {to_choice("rounding", rounding, kRoundings), to_choice("overflow", overflow, kOverflows),
          to_choice("nan", nan, kNaNs)};
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

Input float32s(py::handle w) { return {"w", w, {kFloat32}}; }

constexpr char kQuantizingRemedy[] = "nan='zero' quantizes it to 0";

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

}  // namespace

void define_fixed_point(py::module_& m) {
  m.def("quantize", &quantize);
  m.def("dequantize", &dequantize);
  m.def("fake_quantize", &fake_quantize);
  m.def("prune_quantize", &prune_quantize);
}

}  // namespace secateur::python
