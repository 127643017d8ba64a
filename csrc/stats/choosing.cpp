#include "stats/choosing.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "core/blocks.hpp"
#include "core/float_state.hpp"
#include "quantize/parameters.hpp"
#include "stats/affine_of_range.hpp"
#include "stats/frac_bits_of_range.hpp"
#include "stats/group_ranges.hpp"
#include "stats/least_error_frac_bits.hpp"
#include "stats/least_error_scales.hpp"

namespace secateur {
namespace {

// Calls choose(part, first_group) for parts of the array with whole groups, on several threads.
// `choose` returns false if an element is not finite; for_parts then throws Error.
template <class Choose>
void for_parts(const Calibration& calibration, const Choose& choose) {
  const auto refuse = [&] {
    refuse_not_finite(calibration.w, calibration.groups.elements(), calibration.type);
  };
  const bool is_divided =
      calibration.groups.elements() != 0 && calibration.method != SC_CHOICE_METHOD_PERCENTILE;
  // Tuning: parts are small for "mse": each pass covers the whole part until its slowest group is
  // done.
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
      const GroupParts::Part part = parts[task];
      if (!choose(calibration.part(part), part.first_group)) {
        is_finite.store(false);
        tasks.stop();
      }
    }
  });
  if (!is_finite.load()) {
    refuse();
  }
}

// Writes the codes of a part of the array, for whose groups the scheme has the parameters.
void quantize_chosen(const Calibration& calibration, const Scheme& scheme) {
  const std::size_t n = calibration.groups.elements();
  if (calibration.q.data != nullptr && n != 0) {
    sc_quantize_options options{};
    options.rounding = calibration.rounding;
    quantize_part(calibration.w, calibration.type, n, scheme, options, calibration.q,
                  calibration.streams);
  }
}

Scheme fixed_point_scheme(const Calibration& calibration, int bits, bool is_signed,
                          const std::int32_t* frac_bits) {
  const auto [lowest, highest] = integer_range(bits, is_signed);
  Scheme scheme{bits, is_signed, lowest, highest, calibration.groups, frac_bits, nullptr, nullptr};
  scheme.powers_fit_float =
      all_within(frac_bits, calibration.groups.groups(), -kMaxFloatExponent, kMaxFloatExponent);
  return scheme;
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

// choose_frac_bits for a part of the array. Returns false if an element is not finite, and else
// sets `refused`.
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
      quantize_chosen(calibration, fixed_point_scheme(calibration, bits, is_signed, frac_bits));
      return 0;
    }
  }
  double refused = 0;
  std::mutex mutex;
  for_parts(calibration, [&](const Calibration& part, std::size_t first_group) {
    double refused_in_part = 0;
    std::int32_t* const chosen = frac_bits + first_group;
    if (!write_frac_bits(part, bits, is_signed, chosen, refused_in_part)) {
      return false;
    }
    if (refused_in_part < 0) {
      const std::scoped_lock lock(mutex);
      refused = std::min(refused, refused_in_part);
    } else {
      quantize_chosen(part, fixed_point_scheme(part, bits, is_signed, chosen));
    }
    return true;
  });
  return refused;
}

template <class T>
void choose_affine(const Calibration& calibration, int bits, bool is_signed, bool is_symmetric,
                   T* scale, std::int32_t* zero_point) {
  // Not a structured binding, because lambdas of Clang 14 cannot capture one.
  const IntegerRange range = integer_range(bits, is_signed);
  const bool are_zero = is_symmetric && is_signed;  // all zero points
  for_parts(calibration, [&](const Calibration& part, std::size_t first_group) {
    T* const scales = scale + first_group;
    std::int32_t* const zero_points = zero_point + first_group;
    if (!write_scales(part, range.lowest, range.highest, is_symmetric, scales, zero_points)) {
      return false;
    }
    quantize_chosen(part, {bits, is_signed, range.lowest, range.highest, part.groups, nullptr,
                           scales, are_zero ? nullptr : zero_points});
    return true;
  });
}

template void choose_affine(const Calibration&, int, bool, bool, float*, std::int32_t*);
template void choose_affine(const Calibration&, int, bool, bool, double*, std::int32_t*);

}  // namespace secateur
