// Python bindings of statistics, for quantization-error metrics and for choosing a format.
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/codes.hpp"
#include "python/formats.hpp"
#include "python/layouts.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

constexpr py::ssize_t kSumsPerGroup = sizeof(sc_error_sums) / sizeof(double);

// `shape` with further axes before and after it.
Shape extended(const Shape& shape, std::initializer_list<py::ssize_t> before,
               std::initializer_list<py::ssize_t> after) {
  Shape all = before;
  all.insert(all.end(), shape.begin(), shape.end());
  all.insert(all.end(), after);
  return all;
}

// Returns sums for each group: an array of the shape of the groups, with a last axis for the fields
// of sc_error_sums, 8 bytes each. `fmt` is a format or None.
py::object compare(py::handle w, py::handle w_hat, py::handle axis, py::handle group_size,
                   py::handle fmt, py::handle rounding) {
  const sc_rounding mode = to_deterministic_rounding(rounding);
  Groups groups(axis, group_size);
  std::optional<FormatArgument> format;
  if (!fmt.is_none()) {
    format.emplace(fmt);
  }
  Input a = floats(w, "w", "; secateur.dequantize(w, fmt) computes the values of integers");
  Input b =
      floats(w_hat, "w_hat", "; secateur.dequantize(w_hat, fmt) computes the values of integers");
  const Shape shape = shape_of(a.given());
  b.require_shape(shape, "that of w");
  groups.fit(shape);
  std::optional<FittedFormat> fitted;
  if (format) {
    fitted.emplace(**format, shape, a.core_dtype(), ScaleConstraint::positive_and_normal,
                   AxisOrder{}, &groups);
  }
  Result sums(py::dtype(kFloat64.number), extended(groups.result_shape(), {}, {kSumsPerGroup}));
  sums.transpose(groups.result_order(0, 1));
  a.transpose(groups.order());
  b.transpose(groups.order());
  a.prepare();
  b.prepare();
  auto* const results = static_cast<sc_error_sums*>(sums.data());
  const sc_status status = without_gil(a.size(), [&] {
    return sc_compare(a.data(), a.core_dtype(), b.data(), b.core_dtype(), a.size(), groups.layout(),
                      fitted ? fitted->get() : nullptr, mode, results);
  });
  check(status, "");
  return sums.finish();
}

constexpr Choice<sc_choice_method> kMethods[] = {{"max", SC_CHOICE_METHOD_MAX},
                                                 {"percentile", SC_CHOICE_METHOD_PERCENTILE},
                                                 {"mse", SC_CHOICE_METHOD_MSE}};

// What choose_format and choose_affine have in common.
class FormatChooser {
 public:
  // Where the core writes integers; null if it does not.
  struct CodeOutput {
    void* data = nullptr;
    sc_dtype dtype = SC_DTYPE_INT8;
  };

  FormatChooser(py::handle bits, std::size_t max_bits, py::handle is_signed, py::handle method,
                py::handle percentile, py::handle rounding, py::handle axis, py::handle group_size)
      : bits_(static_cast<int>(to_count("bits", bits, 2, max_bits))),
        is_signed_(to_bool("signed", is_signed)),
        method_(to_choice("method", method, kMethods)),
        percentile_(to_number("percentile", percentile)),
        rounding_(to_deterministic_rounding(rounding)),
        groups_(axis, group_size) {
    if (!(percentile_ >= 0) || !(percentile_ <= 100)) {
      refuse("percentile", "a number from 0 to 100", percentile);
    }
  }

  // Memory for the parameters of all groups, of `bytes` bytes for each group. fit() must have been
  // called. One allocation instead of two: when a format is deleted, glibc keeps one large block,
  // but returns two to the system, and the parameters of the next format would be written to fresh
  // pages.
  [[nodiscard]] py::object memory(std::size_t bytes) const {
    return new_bytes(groups_.count() * bytes);
  }

  // A new array over this memory, with a parameter for each group, after `before` bytes for each.
  // The format will refer to it.
  [[nodiscard]] Result parameters(const py::object& memory, Dtype dtype,
                                  std::size_t before = 0) const {
    Result result(array_over_bytes(memory, groups_.count() * before, py::dtype(dtype.number),
                                   groups_.result_shape()));
    result.transpose(groups_.result_order(0, 0));
    return result;
  }

  // Takes the argument `quantized`: None, or the array to which w is quantized. fit() must have
  // been called.
  void quantize_to(py::handle quantized, const Input& w) {
    if (!quantized.is_none()) {
      quantized_.emplace(quantized, w, CodeEncoding(bits_, is_signed_), "quantized");
      quantized_->array().transpose(groups_.order());
    }
  }

  // Calls the core: core(layout, q, bits, is_signed, method, percentile, rounding).
  template <class F>
  void call(Input& w, const F& core) {
    w.transpose(groups_.order());
    w.prepare();
    const auto call_with = [&](const sc_layout* layout, const CodeOutput& codes) {
      return without_gil(w.size(), [&] {
        return core(layout, codes, bits_, is_signed_, method_, percentile_, rounding_);
      });
    };
    const CodeOutput codes = quantized_
                                 ? CodeOutput{quantized_->array().data(), quantized_->core_dtype()}
                                 : CodeOutput{};
    sc_status status = call_with(groups_.layout(), codes);
    // Other refusals have no index, and would be those of another choice: for a single group.
    if (status == SC_ERROR_NAN) {
      status = with_index_of_caller(status, groups_.order(), [&] {
        w.transpose({});
        w.prepare();
        return call_with(nullptr, {});
      });
    }
    check(status, "a format can be chosen only if all elements are finite");
    if (quantized_) {
      quantized_->array().finish();
    }
  }

  // The parameters after the core has written them: a read-only array, or one number for a single
  // group.
  [[nodiscard]] py::object finish(Result& parameters) const {
    py::object array = parameters.finish();
    if (groups_.layout() == nullptr) {
      return array.attr("item")();
    }
    array.attr("setflags")(py::arg("write") = false);
    return array;
  }

  // The other arguments of the format.
  [[nodiscard]] py::dict format_arguments() const {
    using namespace py::literals;
    return py::dict("bits"_a = bits_, "signed"_a = is_signed_, "axis"_a = groups_.axes(),
                    "group_size"_a = groups_.group_size());
  }

  Groups& groups() { return groups_; }

 private:
  int bits_;
  bool is_signed_;
  sc_choice_method method_;
  double percentile_;
  sc_rounding rounding_;
  Groups groups_;
  std::optional<CodeResult> quantized_;
};

// Returns the fraction bits, an array of the shape of the groups or one number, and the other
// arguments of the format.
py::tuple choose_format(py::handle w, py::handle bits, py::handle is_signed, py::handle method,
                        py::handle percentile, py::handle rounding, py::handle axis,
                        py::handle group_size, py::handle quantized) {
  FormatChooser chooser(bits, 32, is_signed, method, percentile, rounding, axis, group_size);
  Input in = floats(w);
  chooser.groups().fit(shape_of(in.given()));
  chooser.quantize_to(quantized, in);
  Result frac_bits = chooser.parameters(chooser.memory(sizeof(std::int32_t)), kInt32);
  chooser.call(in,
               [&, out = static_cast<std::int32_t*>(frac_bits.data())](
                   const sc_layout* layout, const FormatChooser::CodeOutput& q, auto... arguments) {
    return sc_choose_format(in.data(), in.core_dtype(), in.size(), layout, arguments..., out,
                            q.data, q.dtype);
  });
  return py::make_tuple(chooser.finish(frac_bits), chooser.format_arguments());
}

// Returns the scales and the zero points, arrays of the shape of the groups or two numbers, and the
// other arguments of the format.
py::tuple choose_affine(py::handle w, py::handle bits, py::handle is_signed,
                        py::handle is_symmetric, py::handle method, py::handle percentile,
                        py::handle rounding, py::handle axis, py::handle group_size,
                        py::handle quantized) {
  FormatChooser chooser(bits, 16, is_signed, method, percentile, rounding, axis, group_size);
  const bool symmetric = to_bool("symmetric", is_symmetric);
  Input in = floats(w);
  chooser.groups().fit(shape_of(in.given()));
  chooser.quantize_to(quantized, in);
  const bool is_double = in.core_dtype() == SC_DTYPE_FLOAT64;
  const std::size_t scale_bytes = is_double ? sizeof(double) : sizeof(float);
  const py::object memory = chooser.memory(scale_bytes + sizeof(std::int32_t));
  Result scale = chooser.parameters(memory, is_double ? kFloat64 : kFloat32);
  Result zero_point = chooser.parameters(memory, kInt32, scale_bytes);
  chooser.call(
      in, [&, scales = scale.data(), zero_points = static_cast<std::int32_t*>(zero_point.data())](
              const sc_layout* layout, const FormatChooser::CodeOutput& q, int width, bool has_sign,
              auto... arguments) {
    return sc_choose_affine(in.data(), in.core_dtype(), in.size(), layout, width, has_sign,
                            symmetric, arguments..., scales, zero_points, q.data, q.dtype);
  });
  return py::make_tuple(chooser.finish(scale), chooser.finish(zero_point),
                        chooser.format_arguments());
}

}  // namespace

void define_stats(py::module_& m) {
  m.def("compare", &compare);
  m.def("choose_format", &choose_format);
  m.def("choose_affine", &choose_affine);
}

}  // namespace secateur::python
