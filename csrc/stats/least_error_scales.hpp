// The scales of affine formats of the least sum of squared errors.
#pragma once

#include "stats/group_ranges.hpp"

namespace secateur {

// Replaces the scales that hold the ranges by those of the least error, with the same zero points.
template <class T>
void write_least_error_scales(const Calibration& calibration, const Ranges& ranges,
                              std::int64_t qmin, std::int64_t qmax, const std::int32_t* zero_point,
                              T* scale);
extern template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                              std::int64_t, const std::int32_t*, float*);
extern template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                              std::int64_t, const std::int32_t*, double*);

}  // namespace secateur
