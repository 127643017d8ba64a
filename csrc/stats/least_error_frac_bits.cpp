#include "stats/least_error_frac_bits.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "core/dtypes.hpp"
#include "core/scratch.hpp"
#include "stats/frac_bits_of_range.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur {
namespace {

// Tuning: a sample has kSampleRuns runs of kSampleRunLength elements at equal distances. After
// kMaxSampledPasses passes over the array, the search from the sample gives up.
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
  const Calibration of_sample{Layout::whole(kSampleRuns * kSampleRunLength),
                              elements,
                              calibration.type,
                              SC_CHOICE_METHOD_MSE,
                              0,
                              calibration.rounding};
  const Ranges ranges(of_sample);
  if (!ranges.is_finite()) {
    return std::nullopt;
  }
  std::int32_t frac_bits = FracBitsOfRange(bits, true, margins_of(calibration.rounding))(
      ranges.lowest(0), ranges.highest(0));
  write_least_error_frac_bits(of_sample, ranges, bits, true, &frac_bits);
  return frac_bits;
}

// The frac_bits of the least error, among all that bounds of the errors do not exclude. A pass
// gives the error of a candidate and two lower bounds: the distances of the elements to the range
// of the next finer grid bound the error for all larger frac_bits, and their distances to the
// points of the next coarser grid bound it for all smaller ones.
class BoundedSearch {
 public:
  void add(int frac_bits, double bound_below, double error, double bound_above) {
    up_to_[frac_bits - 1] = bound_below;
    errors_[frac_bits] = error;
    from_[frac_bits + 1] = bound_above;
    least_ = std::min(least_, error);
  }

  // The candidate without an error that is closest to `near`; nothing if the bounds exclude all.
  [[nodiscard]] std::optional<int> next(int near) const {
    int low = -kMaxFracBits;
    for (const auto& [frac_bits, bound] : up_to_) {
      low = bound >= least_ ? std::max(low, frac_bits + 1) : low;
    }
    int high = kMaxFracBits;
    for (const auto& [frac_bits, bound] : from_) {
      high = bound > least_ ? std::min(high, frac_bits - 1) : high;
    }
    std::optional<int> found;
    for (int i = low; i <= high; ++i) {
      if (!errors_.contains(i) && (!found || std::abs(i - near) < std::abs(*found - near))) {
        found = i;
      }
    }
    return found;
  }

  // The largest frac_bits of the least error.
  [[nodiscard]] int best() const {
    int best = -kMaxFracBits;
    for (const auto& [frac_bits, error] : errors_) {
      best = error == least_ ? std::max(best, frac_bits) : best;
    }
    return best;
  }

 private:
  double least_ = std::numeric_limits<double>::infinity();
  std::map<int, double> errors_;
  // Lower bounds of the errors of all frac_bits up to a number, and of all from a number on.
  std::map<int, double> up_to_, from_;
};

}  // namespace

// The search of a group ends when the distances of its elements to the range of the next grid give
// a larger sum than the least error so far: the ranges of all further grids are smaller.
void write_least_error_frac_bits(const Calibration& calibration, const Ranges& ranges, int bits,
                                 bool is_signed, std::int32_t* frac_bits) {
  struct Search {
    bool is_active;
    std::int32_t first;  // frac_bits
    double least;        // error so far, in units of the first step squared
  };
  const IntegerRange range = integer_range(bits, is_signed);
  const auto lowest = static_cast<double>(range.lowest);
  const auto highest = static_cast<double>(range.highest);
  const std::size_t count = ranges.count();
  const Buffer<Search> searches(count);
  const Buffer<Grid> grids(count);
  const Buffer<RoundingSums> sums(count);
  bool are_active = false;
  for_indices(count, [&](std::size_t i) {
    searches[i] = {!ranges.is_zero(i), frac_bits[i], std::numeric_limits<double>::infinity()};
    are_active = are_active || searches[i].is_active;
  });
  for (int j = 0; are_active; ++j) {
    for_indices(count, [&](std::size_t i) {
      const double step = std::ldexp(1.0, -(searches[i].first + j));
      grids[i] = {searches[i].is_active ? step : 0, lowest, highest};
    });
    sum_rounding_errors(calibration.groups, calibration.w, calibration.type,
                        grid_rounding(calibration.rounding), grids.data(), sums.data());
    // In units of the first step or its square: the square of a step may overflow or underflow.
    const double step = std::ldexp(1.0, -j);
    are_active = false;
    for_indices(count, [&](std::size_t i) {
      auto& [is_active, first, least] = searches[i];
      if (!is_active) {
        return;
      }
      const auto distance_to_range = [&, multiplier = std::ldexp(1.0, first)](double of_step) {
        return std::max(ranges.highest(i) * multiplier - highest * of_step,
                        lowest * of_step - ranges.lowest(i) * multiplier);
      };
      const auto is_resolved = [&](double of_step) {
        const double distance = distance_to_range(of_step);
        return distance <= 0 || distance != distance_to_range(of_step * 2);
      };
      const double error = sums[i].error * (step * step);
      if (error < least || (error == least && is_resolved(step))) {
        least = error;
        frac_bits[i] = first + j;
      }
      const double bound = sums[i].finer * (step * step / 4);
      is_active = first + j < kMaxFracBits && std::isfinite(least) &&
                  (bound < least || (bound == least && is_resolved(step / 2)));
      are_active = are_active || is_active;
    });
  }
}

// This search does not need the range of the array.
std::optional<int> least_error_frac_bits_from_sample(const Calibration& calibration, int bits) {
  std::optional<int> candidate = frac_bits_of_sample(calibration, bits);
  const IntegerRange range = integer_range(bits, true);
  BoundedSearch search;
  for (int pass = 0; candidate && pass < kMaxSampledPasses; ++pass) {
    const double step = std::ldexp(1.0, -*candidate);
    const Grid grid{step, static_cast<double>(range.lowest), static_cast<double>(range.highest)};
    RoundingSums sums{};
    sum_rounding_errors(calibration.groups, calibration.w, calibration.type,
                        grid_rounding(calibration.rounding), &grid, &sums);
    // The sums of the coarser and the finer grid are in squares of their own steps.
    const double square = step * step;
    const double coarser = sums.coarser * square * 4;
    const double error = sums.error * square;
    const double finer = sums.finer * square / 4;
    if (!std::isfinite(coarser) || !std::isfinite(error) || !std::isfinite(finer)) {
      return std::nullopt;
    }
    search.add(*candidate, coarser, error, finer);
    candidate = search.next(*candidate);
    if (!candidate) {
      return search.best();
    }
  }
  return std::nullopt;
}

}  // namespace secateur
