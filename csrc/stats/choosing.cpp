#include "stats/choosing.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"
#include "stats/ranges.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur {
namespace {

constexpr int kMaxFracBits = 256;  // frac_bits are from -kMaxFracBits to kMaxFracBits

// The range of the elements of each group and 0.
class Ranges {
 public:
  explicit Ranges(const Calibration& calibration)
      : count_(calibration.groups.groups()), lowest_(count_), highest_(count_) {
    find_ranges(calibration.groups, calibration.w, calibration.type, lowest_.data(),
                highest_.data());
  }

  // Clips each range to the percentile of the magnitudes of its group.
  void clip(const Calibration& calibration) {
    if (calibration.groups.elements() == 0) {
      return;
    }
    const Buffer<double> limits(count_);
    find_percentiles(calibration.groups, calibration.w, calibration.type, calibration.percentile,
                     limits.data());
    for_indices(count_, [&](std::size_t i) {
      lowest_[i] = std::max(lowest_[i], -limits[i]);
      highest_[i] = std::min(highest_[i], limits[i]);
    });
  }

  // Makes ranges begin at 0, as those of unsigned integers do.
  void drop_negatives() { std::fill_n(lowest_.data(), count_, 0.0); }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] double lowest(std::size_t i) const { return lowest_[i]; }
  [[nodiscard]] double highest(std::size_t i) const { return highest_[i]; }
  [[nodiscard]] bool is_zero(std::size_t i) const { return lowest_[i] == 0 && highest_[i] == 0; }

 private:
  std::size_t count_;
  Buffer<double> lowest_, highest_;
};

// ---- The least error ---------------------------------------------------------------------------

// The grids among which a search chooses for a group: grid j, from 0 to max_j, has the integers from
// lowest to highest.
struct CandidateGrids {
  int max_j;
  double lowest, highest;
};

// Finds, for each group, the j of the grid with the least error, and of several such the largest, but
// none that only rounding makes equal: one whose range is so small that the computed distance of the
// farthest element to it is that of grid j - 1. For a group of zeros, or if the error of grid 0
// overflows, finds 0. grids_of(group) returns the grids of a group, and step(group, j) the step of one,
// which is not larger than that of grid j - 1.
//
// The search of a group ends when the distances of its elements to the range of the next grid give a
// larger sum than the least error so far: the ranges of all further grids are smaller. The kernel
// computes this sum for the step current / ratio. If the next step is at most that, the range of its
// grid is no larger, and the sum is a lower bound of its error. Otherwise (the next step is the
// smallest normal number) the sum is not used.
template <class GridsOf, class Step>
void find_least_errors(const Calibration& calibration, const Ranges& ranges, double ratio,
                       const GridsOf& grids_of, const Step& step, int* chosen) {
  struct Search {
    bool is_active;
    double first, previous, current;  // steps
    double least;                     // error so far, in units of first^2
  };
  const std::size_t count = ranges.count();
  const Buffer<Search> searches(count);
  const Buffer<Grid> grids(count);
  const Buffer<RoundingSums> sums(count);
  bool are_active = false;
  for_indices(count, [&](std::size_t i) {
    const double first = step(i, 0);
    searches[i] = {!ranges.is_zero(i), first, first, first,
                   std::numeric_limits<double>::infinity()};
    chosen[i] = 0;
    are_active = are_active || searches[i].is_active;
  });
  for (int j = 0; are_active; ++j) {
    for_indices(count, [&](std::size_t i) {
      const CandidateGrids group = grids_of(i);
      const double multiplier = searches[i].is_active ? 1 / searches[i].current : 0;
      grids[i] = {multiplier, group.lowest, group.highest};
    });
    sum_rounding_errors(calibration.groups, calibration.w, calibration.type, grids.data(), ratio,
                        sums.data());
    are_active = false;
    for_indices(count, [&](std::size_t i) {
      auto& [is_active, first, previous, current, least] = searches[i];
      if (!is_active) {
        return;
      }
      // In units of the square of the first step: the square of a step may overflow or underflow.
      const auto in_units_of_first = [first = first](double sum, double of_step) {
        const double ratio_of_steps = of_step / first;
        return sum * (ratio_of_steps * ratio_of_steps);
      };
      const double error = in_units_of_first(sums[i].error, current);
      const CandidateGrids group = grids_of(i);
      // The distance of the farthest element beyond the range of a grid, in units of the first step.
      const auto beyond = [&, first = first](double of_step) {
        const double ratio_of_steps = of_step / first;
        return std::max(ranges.highest(i) / first - group.highest * ratio_of_steps,
                        group.lowest * ratio_of_steps - ranges.lowest(i) / first);
      };
      const auto is_resolved = [&](double of_step, double before) {
        const double distance = beyond(of_step);
        return distance <= 0 || distance != beyond(before);
      };
      if (error < least || (error == least && is_resolved(current, previous))) {
        least = error;
        chosen[i] = j;
      }
      const double next = step(i, j + 1);
      const bool sum_bounds_next_error = next * ratio <= current;
      const double bound = in_units_of_first(sums[i].finer, next);
      const bool may_tie = bound == least && is_resolved(next, current);
      is_active = j < group.max_j && std::isfinite(least) &&
                  (sum_bounds_next_error ? bound < least || may_tie : next < current);
      are_active = are_active || is_active;
      previous = current;
      current = next;
    });
  }
}

// ---- Fixed point -------------------------------------------------------------------------------

// The largest e with x * 2^e < limit, or x * 2^e <= limit if `includes_limit`. Requires x > 0.
int largest_exponent(double x, double limit, bool includes_limit) {
  int exponent = 0;
  int exponent_of_limit = 0;
  const double fraction = std::frexp(x, &exponent);
  const double fraction_of_limit = std::frexp(limit, &exponent_of_limit);
  const bool fits = includes_limit ? fraction <= fraction_of_limit : fraction < fraction_of_limit;
  return exponent_of_limit - exponent - (fits ? 0 : 1);
}

// The largest frac_bits with which no number of a range that includes 0 saturates when it is rounded
// half to even. If the range is only 0, or for unsigned integers does not exceed 0: the frac_bits
// with which the integers represent -1 (unsigned: 0) to nearly 1.
int largest_frac_bits(double lowest, double highest, int bits, bool is_signed) {
  const int magnitude_bits = bits - (is_signed ? 1 : 0);
  int frac_bits = std::numeric_limits<int>::max();
  if (highest > 0) {  // the highest integer is odd, so that half a step above it is out of range
    frac_bits = largest_exponent(highest, std::ldexp(1.0, magnitude_bits) - 0.5, false);
  }
  if (is_signed && lowest < 0) {  // the lowest integer is even
    frac_bits =
        std::min(frac_bits, largest_exponent(-lowest, std::ldexp(1.0, magnitude_bits) + 0.5, true));
  }
  return frac_bits == std::numeric_limits<int>::max()
             ? magnitude_bits
             : std::clamp(frac_bits, -kMaxFracBits, kMaxFracBits);
}

// Returns what choose_frac_bits returns.
double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               std::int32_t* frac_bits) {
  double most_negative = 0;
  for_indices(ranges.count(), [&](std::size_t i) {
    const double lowest = ranges.lowest(i);
    frac_bits[i] = largest_frac_bits(lowest, ranges.highest(i), bits, is_signed);
    if (!is_signed && std::ldexp(lowest, frac_bits[i]) < -0.5) {
      most_negative = std::min(most_negative, lowest);
    }
  });
  return most_negative;
}

// Replaces the largest frac_bits with which no element saturates by those of the least error.
void write_least_error_frac_bits(const Calibration& calibration, const Ranges& ranges, int bits,
                                 bool is_signed, std::int32_t* frac_bits) {
  const IntegerRange range = integer_range(bits, is_signed);
  const auto lowest = static_cast<double>(range.lowest);
  const auto highest = static_cast<double>(range.highest);
  const Buffer<int> extra_frac_bits(ranges.count());
  find_least_errors(calibration, ranges, 2, [&](std::size_t i) {
    return CandidateGrids{kMaxFracBits - frac_bits[i], lowest, highest};
  }, [&](std::size_t i, int j) {
    return std::ldexp(1.0, -(frac_bits[i] + j));
  }, extra_frac_bits.data());
  for_indices(ranges.count(), [&](std::size_t i) { frac_bits[i] += extra_frac_bits[i]; });
}

// Tuning: arrays of at least kMinSampled elements are searched from a sample, of kSampleRuns runs of
// kSampleRunLength elements at equal distances. After kMaxSampledPasses passes over the array, the
// search from the sample gives up.
constexpr std::size_t kMinSampled = std::size_t{1} << 17;
constexpr std::size_t kSampleRuns = 256;
constexpr std::size_t kSampleRunLength = 64;
constexpr int kMaxSampledPasses = 3;

// The frac_bits of the least error in a sample. Nothing if the sample is not finite.
std::optional<int> frac_bits_of_sample(const Calibration& calibration, int bits) {
  const std::size_t bytes = calibration.type.bytes;
  const std::size_t distance = calibration.groups.elements() / kSampleRuns;
  const Buffer<std::uint64_t> sample(kSampleRuns * kSampleRunLength);  // of up to 8 bytes each
  auto* const elements = reinterpret_cast<unsigned char*>(sample.data());
  for (std::size_t i = 0; i < kSampleRuns; ++i) {
    std::memcpy(elements + i * kSampleRunLength * bytes,
                static_cast<const unsigned char*>(calibration.w) + i * distance * bytes,
                kSampleRunLength * bytes);
  }
  const Calibration of_sample{Layout::whole(kSampleRuns * kSampleRunLength), elements,
                              calibration.type, SC_CHOICE_METHOD_MSE, 0};
  try {
    const Ranges ranges(of_sample);
    std::int32_t frac_bits = largest_frac_bits(ranges.lowest(0), ranges.highest(0), bits, true);
    write_least_error_frac_bits(of_sample, ranges, bits, true, &frac_bits);
    return frac_bits;
  } catch (const Error& error) {
    if (error.status() != SC_ERROR_NAN) {
      throw;
    }
    return std::nullopt;
  }
}

// The frac_bits of least error for signed integers and the whole array, or nothing if the search
// from a sample does not find them.
//
// This search does not need the range of the array. Each pass gives two lower bounds of the error.
// The distances of the elements to the range of the next finer grid bound the error for all larger
// frac_bits. Their distances to the points of the next coarser grid bound it for all smaller
// frac_bits. The search ends when these bounds exclude all candidates that have not been evaluated.
std::optional<int> least_error_frac_bits_from_sample(const Calibration& calibration, int bits) {
  const std::optional<int> start = frac_bits_of_sample(calibration, bits);
  if (!start) {
    return std::nullopt;
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const IntegerRange range = integer_range(bits, true);
  const auto lowest = static_cast<double>(range.lowest);
  const auto highest = static_cast<double>(range.highest);
  std::map<int, double> errors;
  // Lower bounds of the errors of all frac_bits up to a number, and of all from a number on.
  std::map<int, double> up_to{{-kMaxFracBits - 1, kInfinity}};
  std::map<int, double> from{{kMaxFracBits + 1, kInfinity}};
  int candidate = *start;
  for (int pass = 0; pass < kMaxSampledPasses; ++pass) {
    const double step = std::ldexp(1.0, -candidate);
    const Grid grid{1 / step, lowest, highest};
    RoundingSums sums{};
    sum_rounding_errors(calibration.groups, calibration.w, calibration.type, &grid, 2, &sums);
    const double square = step * step;
    // The sums of the coarser and the finer grid are in squares of their own steps.
    const double coarser = sums.coarser * square * 4;
    const double error = sums.error * square;
    const double finer = sums.finer * square / 4;
    if (!std::isfinite(coarser) || !std::isfinite(error) || !std::isfinite(finer)) {
      return std::nullopt;
    }
    up_to[candidate - 1] = coarser;
    errors[candidate] = error;
    from[candidate + 1] = finer;
    double least = kInfinity;
    for (const auto& [frac_bits, found] : errors) {
      least = std::min(least, found);
    }
    int low = -kMaxFracBits;
    for (const auto& [frac_bits, bound] : up_to) {
      low = bound >= least ? std::max(low, frac_bits + 1) : low;
    }
    int high = kMaxFracBits;
    for (const auto& [frac_bits, bound] : from) {
      high = bound > least ? std::min(high, frac_bits - 1) : high;
    }
    std::optional<int> next;
    for (int i = low; i <= high; ++i) {
      if (!errors.contains(i) && (!next || std::abs(i - candidate) < std::abs(*next - candidate))) {
        next = i;
      }
    }
    if (!next) {
      int best = -kMaxFracBits;
      for (const auto& [frac_bits, found] : errors) {
        best = found == least ? std::max(best, frac_bits) : best;
      }
      return best;
    }
    candidate = *next;
  }
  return std::nullopt;
}

// ---- Affine ------------------------------------------------------------------------------------

// The scale and the zero point of a range that includes 0.
template <class T>
struct ScaleAndZeroPoint {
  T scale;
  std::int32_t zero_point;
};

template <class T>
ScaleAndZeroPoint<T> parameters_of(double lowest, double highest, std::int64_t qmin,
                                   std::int64_t qmax, bool is_symmetric) {
  const std::int64_t middle = qmin < 0 ? 0 : (qmax + 1) / 2;
  const bool is_zero = lowest == 0 && highest == 0;
  const auto integers = static_cast<double>(qmax - (is_symmetric ? middle : qmin));
  const double exact =
      is_symmetric ? std::max(highest, -lowest) / integers : highest / integers - lowest / integers;
  const T scale = is_zero ? 1 : std::max(static_cast<T>(exact), std::numeric_limits<T>::min());
  if (is_symmetric) {
    return {scale, static_cast<std::int32_t>(middle)};
  }
  const auto low = static_cast<double>(qmin);
  const double zero_point = std::clamp(std::nearbyint(low - lowest / static_cast<double>(scale)),
                                       low, static_cast<double>(qmax));
  return {scale, is_zero ? 0 : static_cast<std::int32_t>(zero_point)};
}

// 2^(-j / 4), rounded to nearest.
double quarter_power(int j) {
  constexpr double kPowers[] = {1, 0x1.ae89f995ad3adp-1, 0x1.6a09e667f3bcdp-1,
                                0x1.306fe0a31b715p-1};
  return std::ldexp(kPowers[j % 4], -(j / 4));
}

constexpr int kMaxQuarters = 64;  // scales are divided by up to 2^(64 / 4)
// A lower bound of the ratio of one scale to the next, after both are rounded.
constexpr double kMinRatio = 0x1.306fe0a31b715p+0 * (1 - 0x1p-16);

// Replaces the scales of the range by those of the least error.
template <class T>
void write_least_error_scales(const Calibration& calibration, const Ranges& ranges,
                              std::int64_t qmin, std::int64_t qmax, T* scale,
                              const std::int32_t* zero_point) {
  const auto step = [&](std::size_t i, int j) {
    const double exact = static_cast<double>(scale[i]) * quarter_power(j);
    return static_cast<double>(std::max(static_cast<T>(exact), std::numeric_limits<T>::min()));
  };
  const Buffer<int> chosen(ranges.count());
  find_least_errors(calibration, ranges, kMinRatio, [&](std::size_t i) {
    return CandidateGrids{kMaxQuarters, static_cast<double>(qmin - zero_point[i]),
                          static_cast<double>(qmax - zero_point[i])};
  }, step, chosen.data());
  for_indices(ranges.count(),
              [&](std::size_t i) { scale[i] = static_cast<T>(step(i, chosen[i])); });
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
  Ranges ranges(calibration);
  const double most_negative = write_largest_frac_bits(ranges, bits, is_signed, frac_bits);
  if (most_negative < 0 || calibration.method == SC_CHOICE_METHOD_MAX) {
    return most_negative;
  }
  if (!is_signed) {
    ranges.drop_negatives();
  }
  if (calibration.method == SC_CHOICE_METHOD_PERCENTILE) {
    ranges.clip(calibration);
    write_largest_frac_bits(ranges, bits, is_signed, frac_bits);
  } else {
    write_least_error_frac_bits(calibration, ranges, bits, is_signed, frac_bits);
  }
  return 0;
}

template <class T>
void choose_affine(const Calibration& calibration, std::int64_t qmin, std::int64_t qmax,
                   bool is_symmetric, T* scale, std::int32_t* zero_point) {
  Ranges ranges(calibration);
  if (calibration.method == SC_CHOICE_METHOD_PERCENTILE) {
    ranges.clip(calibration);
  }
  for_indices(ranges.count(), [&](std::size_t i) {
    const ScaleAndZeroPoint<T> chosen =
        parameters_of<T>(ranges.lowest(i), ranges.highest(i), qmin, qmax, is_symmetric);
    scale[i] = chosen.scale;
    zero_point[i] = chosen.zero_point;
  });
  if (calibration.method == SC_CHOICE_METHOD_MSE) {
    write_least_error_scales(calibration, ranges, qmin, qmax, scale, zero_point);
  }
}

template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, float*,
                            std::int32_t*);
template void choose_affine(const Calibration&, std::int64_t, std::int64_t, bool, double*,
                            std::int32_t*);

}  // namespace secateur
