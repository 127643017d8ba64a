#include "python/codes.hpp"

#include <string>

#include "python/arguments.hpp"

namespace secateur::python {

CodeEncoding::CodeEncoding(const Format& format, py::handle fmt, bool is_packed,
                           py::handle bitorder)
    : bits(format.bits()), is_signed(format.is_signed()) {
  const sc_dtype packed_dtype =
      to_bitorder(bitorder) == SC_BITORDER_LITTLE ? SC_DTYPE_PACKED_LITTLE : SC_DTYPE_PACKED_BIG;
  if (is_packed && bits > SC_MAX_PACKED_BITS) {
    refuse("fmt.bits", "at most " + std::to_string(SC_MAX_PACKED_BITS) + " to be packed", fmt);
  }
  if (is_packed) {
    packed = packed_dtype;
  }
}

std::vector<Dtype> dtypes_of(const CodeEncoding& encoding) {
  std::vector<Dtype> dtypes{encoding.dtype()};
  if (encoding.packed || encoding.bits >= 8) {
    return dtypes;  // no other dtype is possible; skip the search
  }
  for (const DtypeInfo& info : kDtypes) {
    if (info.dtype != dtypes.front().core &&
        holds_codes(info.dtype, encoding.bits, encoding.is_signed)) {
      dtypes.push_back(dtype_of(info));
    }
  }
  return dtypes;
}

CodeResult::CodeResult(py::handle out, const Input& in, const CodeEncoding& encoding,
                       const std::string& name)
    : CodeResult(out, in, encoding, result_dtype(out, encoding), name) {}

CodeResult::ResultDtype CodeResult::result_dtype(py::handle out, const CodeEncoding& encoding) {
  const std::vector<Dtype> dtypes = dtypes_of(encoding);
  for (const Dtype& candidate : dtypes) {
    if (candidate.number == kRegistered && is_array_of(out, candidate)) {
      return {py::reinterpret_borrow<py::array>(out).dtype(), candidate};
    }
  }
  return {py::dtype(dtypes.front().number), dtypes.front()};
}

CodeResult::CodeResult(py::handle out, const Input& in, const CodeEncoding& encoding,
                       const ResultDtype& as, const std::string& name)
    : core_(encoding.core_dtype(as.spec.core)),
      result_(out, as.dtype, encoding.stored_shape(shape_of(in.given()), in.size()), in, false,
              nullptr, name) {}

}  // namespace secateur::python
