// The C API of magnitude sketches.
#include <cstdint>
#include <string>

#include "select/arguments.hpp"
#include "sketch/histogram.hpp"

using namespace secateur;
using namespace secateur::api;

static_assert(SC_MAX_BINS == kMaxBins);

sc_status sc_count_magnitudes(const void* w, sc_dtype dtype, size_t n, const sc_key_range* range,
                              sc_nan nan, uint64_t* counts, sc_key_totals* totals) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const MemoryRange range_memory = checked_array("range", range, 1);
    const MemoryRange totals_memory = checked_array("totals", totals, 1);
    const auto max_key = static_cast<std::uint64_t>(float_type(dtype).most);
    if (range->first > range->last || range->last > max_key) {
      refuse("range", "such that first <= last <= " + std::to_string(max_key),
             std::to_string(range->first) + " to " + std::to_string(range->last));
    }
    const Bins bins = bins_of(static_cast<Key>(range->first), static_cast<Key>(range->last));
    const MemoryRange counts_memory = checked_array("counts", counts, bins.count());
    require_no_overlap({counts_memory, totals_memory}, {in, range_memory});
    require_selection_nan(nan);
    Operand operand = checked_operand(w, dtype, n, nullptr);
    const HistogramTotals found = count_keys(SelectionProblem({&operand, 1}, nan), bins, counts);
    totals->above += found.above;
    totals->below += n - found.above - found.within;
    totals->checksum += found.checksum;
  });
}
