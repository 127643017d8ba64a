#include "stats/choosing.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "core/blocks.hpp"
#include "core/float_state.hpp"
#include "stats/affine_of_range.hpp"
#include "stats/frac_bits_of_range.hpp"
#include "stats/group_ranges.hpp"
#include "stats/least_error_frac_bits.hpp"
#include "stats/least_error_scales.hpp"

namespace secateur {
namespace {

// Calls choose(part, first_group) for parts of the array with whole groups, on several threads. It
// returns false if an element is not finite. Throws Error then.
template <class Choose>
void for_parts(const Calibration& calibration, const Choose& choose) {
  const auto refuse = [&] {
    refuse_not_finite(calibration.w, calibration.groups.elements(), calibration.type);
  };
  const bool is_divided =
      calibration.groups.elements() != 0 && calibration.method != SC_CHOICE_METHOD_PERCENTILE;
  // Tuning: a search takes as many passes over a part as the group that takes most of them.
  const std::size_t elements = calibration.method == SC_CHOICE_METHOD_MSE ? kBlock : kLargeBlock;
  const GroupParts parts(is_divided ? calibration.groups : Layout::whole(1), elements);
  if (parts.count() == 1) {
    if (!choose(calibration, std::size_t{0})) {
      refuse();
    }
    return;
  }
  std::atomic<bool> is_finite{true};
  Tasks tasks(parts.count());
  share(tasks, calibration.groups.elements() * calibration.type.bytes, [&] {
    const FloatState float_state;
    for (std::size_t task = 0; tasks.take(task);) {
      const auto [groups, first_element, first_group] = parts[task];
      Calibration part = calibration;
      part.groups = groups;
      part.w =
          static_cast<const unsigned char*>(calibration.w) + first_element * calibration.type.bytes;
      if (!choose(part, first_group)) {
        is_finite.store(false);
        tasks.stop();
      }
    }
  });
  if (!is_finite.load()) {
    refuse();
  }
}

// choose_affine for a part of the array. Returns false if an element is not finite.
template <class T>
bool write_scales(const Calibration& calibration, std::int64_t qmin, std::int64_t qmax,
                  bool is_symmetric, T* scale, std::int32_t* zero_point) {
  Ranges ranges(calibration);
  if (!ranges.is_finite()) {
    return false;
  }
  if (calibration.method == SC_CHOICE_METHOD_PERCENTILE) {
    ranges.clip(calibration);
  }
  const AffineOfRange<T> parameters_of(qmin, qmax, is_symmetric, calibration.rounding);
  for_indices(ranges.count(), [&](std::size_t i) {
    const ScaleAndZeroPoint<T> chosen = parameters_of(ranges.lowest(i), ranges.highest(i));
    scale[i] = chosen.scale;
    zero_point[i] = chosen.zero_point;
  });
  if (calibration.method == SC_CHOICE_METHOD_MSE) {
    write_least_error_scales(calibration, ranges, qmin, qmax, zero_point, scale);
  }
  return true;
}

// choose_frac_bits for a part of the array. Returns false if an element is not finite, and else sets
// `refused`.
bool write_frac_bits(const Calibration& calibration, int bits, bool is_signed,
                     std::int32_t* frac_bits, double& refused) {
  Ranges ranges(calibration);
  if (!ranges.is_finite()) {
    return false;
  }
  const Margins margins = margins_of(calibration.rounding);
  refused = write_largest_frac_bits(ranges, bits, is_signed, margins, frac_bits);
  if (refused < 0 || calibration.method == SC_CHOICE_METHOD_MAX) {
    return true;
  }
  if (!is_signed) {
    ranges.drop_negatives();
  }
  if (calibration.method == SC_CHOICE_METHOD_PERCENTILE) {
    ranges.clip(calibration);
    write_largest_frac_bits(ranges, bits, is_signed, margins, frac_bits);
  } else {
    write_least_error_frac_bits(calibration, ranges, bits, is_signed, frac_bits);
  }
  return true;
}

}  // namespace

double choose_frac_bits(const Calibration& calibration, int bits, bool is_signed,
                        std::int32_t* frac_bits) {
  if (calibration.method == SC_CHOICE_METHOD_MSE && is_signed && calibration.groups.groups() == 1 &&
      calibration.groups.elements() >= kMinSampled) {
    if (const std::optional<int> found = least_error_frac_bits_from_sample(calibration, bits)) {
      *frac_bits = *found;
      return 0;
    }
  }
  double refused = 0;
  std::mutex mutex;
  for_parts(calibration, [&](const Calibration& part, std::size_t first_group) {
    double refused_in_part = 0;
    const bool is_finite =
        write_frac_bits(part, bits, is_signed, frac_bits + first_group, refused_in_part);
    if (refused_in_part < 0) {
      const std::scoped_lock lock(mutex);
      refused = std::min(refused, refused_in_part);
    }
    return is_finite;
  });
  return refused;
}

template <class T>
void choose_affine(const Calibration& calibration, std::int64_t qmin, std::int64_t qmax,
                   bool is_symmetric, T* scale, std::int32_t* zero_point) {
  for_parts(calibration, [&](const Calibration& part, std::size_t first_group) {
    return write_scales(part, qmin, qmax, is_symmetric, scale + first_group,
                        zero_point + first_group);
  });
}

template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, float*,
                            std::int32_t*);
template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, double*,
                            std::int32_t*);

}  // namespace secateur
