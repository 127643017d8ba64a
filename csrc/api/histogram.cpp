// How many elements have which magnitude.
#include <cstdint>
#include <string>

#include "api/checks.hpp"
#include "ops/histogram.hpp"

using namespace secateur;
using namespace secateur::api;

static_assert(SC_MAX_BINS == kMostBins);

sc_status sc_count_magnitudes(const void* w, sc_dtype dtype, size_t n, const sc_key_range* range,
                              sc_nan nan, uint64_t* counts, sc_tally* tally) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_array("range", range, 1, alignof(sc_key_range));
    require_array("tally", tally, 1, alignof(sc_tally));
    const auto most = static_cast<std::uint64_t>(float_type(dtype).most);
    if (range->first > range->last || range->last > most) {
      refuse("range", "from a key to one that is not smaller, of 0 to " + std::to_string(most),
             std::to_string(range->first) + " to " + std::to_string(range->last));
    }
    const Bins bins = bins_of(static_cast<Key>(range->first), static_cast<Key>(range->last));
    require_array("counts", counts, bins.count(), alignof(std::uint64_t));
    require_apart("counts", counts, bins.count() * sizeof *counts, w, n * float_type(dtype).bytes);
    require_selecting(nan);
    Source source = require_source(w, dtype, n, nullptr);
    const Tally counted = count_keys(Scope({&source, 1}, nan), bins, counts);
    tally->above += counted.above;
    tally->below += n - counted.above - counted.within;
    tally->checksum += counted.checksum;
  });
}
