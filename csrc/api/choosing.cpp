// What a format is chosen by.
#include <algorithm>
#include <cmath>
#include <string>

#include "api/checks.hpp"
#include "ops/choosing.hpp"

using namespace secateur;
using namespace secateur::api;

sc_status sc_find_ranges(const void* w, sc_dtype dtype, size_t n, const sc_cells* cells,
                         double* lowest, double* highest) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    const Cells of = require_cells(cells, n);
    require_array("lowest", lowest, of.count(), alignof(double));
    require_array("highest", highest, of.count(), alignof(double));
    find_ranges(of, w, float_type(dtype), lowest, highest);
  });
}

sc_status sc_sum_rounding_errors(const void* w, sc_dtype dtype, size_t n, const sc_cells* cells,
                                 const sc_grid* grids, double ratio, sc_rounding_sums* sums) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    const Cells of = require_cells(cells, n);
    const std::size_t count = of.count();
    require_array("grids", grids, count, alignof(sc_grid));
    require_array("sums", sums, count, alignof(sc_rounding_sums));
    if (!(ratio >= 1) || !(ratio <= 2)) {
      refuse("ratio", "a number from 1 to 2", std::to_string(ratio));
    }
    const Buffer<Grid> own(count);
    std::transform(grids, grids + count, own.data(), [](const sc_grid& grid) {
      if (!(grid.multiplier >= 0) || !(grid.lowest <= 0) || !(grid.highest >= 0)) {
        refuse("grids", "of multiplier >= 0 and lowest <= 0 <= highest", "another");
      }
      return Grid{grid.multiplier, grid.lowest, grid.highest};
    });
    const Buffer<RoundingSums> found(count);
    sum_rounding_errors(of, w, float_type(dtype), own.data(), ratio, found.data());
    std::transform(found.data(), found.data() + count, sums, [](const RoundingSums& s) {
      return sc_rounding_sums{s.coarser, s.error, s.finer};
    });
  });
}
