// Integer codes of formats in arrays of Python.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "python/arrays.hpp"
#include "python/formats.hpp"

namespace secateur::python {

// How the codes of a format are stored: in an integer dtype, or bit-packed in some bit order.
struct CodeEncoding {
  int bits;
  bool is_signed;
  std::optional<sc_dtype> packed;

  CodeEncoding(int width, bool has_sign) : bits(width), is_signed(has_sign) {}
  // Throws ValueError if codes of `fmt` are to be packed, but too wide.
  CodeEncoding(const Format& format, py::handle fmt, bool is_packed, py::handle bitorder);

  // The NumPy dtype that stores the codes.
  [[nodiscard]] Dtype dtype() const {
    return packed ? kUInt8 : dtype_of(integer_dtype(bits, is_signed));
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

// The dtypes that hold the codes: that of NumPy, and narrower ones of ml_dtypes.
std::vector<Dtype> dtypes_of(const CodeEncoding& encoding);

// The array that the codes of `in` are written to: `out`, or a new array of NumPy's dtype of the
// format.
class CodeResult {
 public:
  // `name` is that of the argument `out`.
  CodeResult(py::handle out, const Input& in, const CodeEncoding& encoding,
             const std::string& name = "out");

  Result& array() { return result_; }
  [[nodiscard]] sc_dtype core_dtype() const { return core_; }

 private:
  struct ResultDtype {
    py::dtype dtype;
    Dtype spec;
  };
  static ResultDtype result_dtype(py::handle out, const CodeEncoding& encoding);
  CodeResult(py::handle out, const Input& in, const CodeEncoding& encoding, const ResultDtype& as,
             const std::string& name);

  sc_dtype core_;
  Result result_;
};

}  // namespace secateur::python
