// How many elements have which magnitude.
#include <string>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

// Adds a chunk of that dtype to the counts, which are one for each bin.
py::tuple count_magnitudes(py::handle chunk, py::handle dtype, py::handle nan, std::uint64_t first,
                           std::uint64_t last, py::array_t<std::uint64_t> counts) {
  static constexpr Choice<Dtype> kChoices[] = {
      {"float16", kFloat16}, {"bfloat16", kBFloat16}, {"float32", kFloat32}, {"float64", kFloat64}};
  const sc_nan policy = to_selecting_nan(nan);
  Input in("chunk", chunk, {to_choice("dtype", dtype, kChoices)});
  const sc_key_range range{first, last};
  std::uint64_t* const bins = counts.mutable_data();
  sc_tally tally{};
  in.settle();
  sc_status status = SC_OK;
  call(in, "", [&] {
    status =
        sc_count_magnitudes(in.data(), in.core_dtype(), in.size(), &range, policy, bins, &tally);
    return status == SC_ERROR_NAN ? SC_OK : status;
  });
  if (status == SC_ERROR_NAN) {  // in what the core calls w
    throw py::value_error("chunk" + std::string(sc_last_error()).substr(1) +
                          "; a sketch with nan='keep' or nan='prune' says what to do with it");
  }
  return py::make_tuple(in.size(), tally.above, tally.checksum);
}

}  // namespace

void define_histogram(py::module_& m) {
  m.def("count_magnitudes", &count_magnitudes, py::arg(), py::arg(), py::arg(), py::arg(),
        py::arg(), py::arg().noconvert());
}

}  // namespace secateur::python
