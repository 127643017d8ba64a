// The Python binding of sc_count_magnitudes, which a magnitude sketch calls for each chunk of its
// data.
#include <string>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {
namespace {

constexpr std::size_t kTotals = sizeof(sc_key_totals) / sizeof(std::uint64_t);
static_assert(kTotals == 3 && alignof(sc_key_totals) == alignof(std::uint64_t));

// Checks that the core can write to the counts, one for each bin and then an sc_key_totals, and
// returns their memory.
std::uint64_t* writable_counts(const py::array_t<std::uint64_t>& counts,
                               const sc_key_range& range) {
  using Flags = py::detail::npy_api;
  constexpr int kRequiredFlags =
      Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_ALIGNED_ | Flags::NPY_ARRAY_WRITEABLE_;
  const std::size_t bins = count_bins(range);
  const bool fits = counts.ndim() == 1 && static_cast<std::size_t>(counts.size()) == bins + kTotals;
  if (!fits || (counts.flags() & kRequiredFlags) != kRequiredFlags) {
    throw py::value_error(
        "counts must be " + std::to_string(bins + kTotals) +
        " contiguous, aligned and writeable uint64, one for each bin and 3 totals");
  }
  return const_cast<std::uint64_t*>(counts.data());
}

// Adds the magnitudes of a chunk, which has the given dtype, to the counts and totals in one step:
// an exception of a signal handler is raised before it or after it.
void count_magnitudes(py::handle chunk, py::handle dtype, py::handle nan, std::uint64_t first,
                      std::uint64_t last, const py::array_t<std::uint64_t>& counts) {
#define SECATEUR_CHOICE(type, name, ...) {#name, k##type},
  static constexpr Choice<Dtype> kChoices[] = {SECATEUR_FLOATS(SECATEUR_CHOICE)};
#undef SECATEUR_CHOICE
  const sc_nan policy = to_selection_nan(nan);
  Input in("chunk", chunk, {to_choice("dtype", dtype, kChoices)});
  const sc_key_range range{first, last};
  in.prepare();
  std::uint64_t* const bins =
      writable_counts(counts, range);  // last: the checks above may run Python code
  auto* const totals = reinterpret_cast<sc_key_totals*>(bins + count_bins(range));
  sc_status status = SC_OK;
  call(in, "", [&] {
    status =
        sc_count_magnitudes(in.data(), in.core_dtype(), in.size(), &range, policy, bins, totals);
    return status == SC_ERROR_NAN ? SC_OK : status;
  });
  if (status == SC_ERROR_NAN) {  // the message of the core begins with w, its name for the chunk
    throw py::value_error("chunk" + last_error().substr(1) +
                          "; a sketch with nan='keep' or nan='prune' says what to do with it");
  }
}

}  // namespace

void define_sketch(py::module_& m) {
  m.def("count_magnitudes", &count_magnitudes, py::arg(), py::arg(), py::arg(), py::arg(),
        py::arg(), py::arg().noconvert());
}

}  // namespace secateur::python
