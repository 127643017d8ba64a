#include "stats/choosing.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "core/blocks.hpp"
#include "core/float_state.hpp"
#include "core/scratch.hpp"
#include "stats/ranges.hpp"
#include "stats/rounding.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur {
namespace {

constexpr int kMaxFracBits = 256;  // frac_bits are from -kMaxFracBits to kMaxFracBits

// The range of the elements of each group and 0.
class Ranges {
 public:
  explicit Ranges(const Calibration& calibration)
      : extremes_(calibration.groups.groups()),
        count_(calibration.groups.groups()),
        is_finite_(
            find_ranges(calibration.groups, calibration.w, calibration.type, extremes_.data())) {}

  // Clips each range to the percentile of the magnitudes of its group.
  void clip(const Calibration& calibration) {
    if (calibration.groups.elements() == 0) {
      return;
    }
    const Buffer<double> limits(count_);
    find_percentiles(calibration.groups, calibration.w, calibration.type, calibration.percentile,
                     limits.data());
    for_indices(count_, [&](std::size_t i) {
      auto& [positive, negative] = extremes_[i];
      positive = std::min(positive, limits[i]);
      negative = std::min(negative, limits[i]);
    });
  }

  // Makes ranges begin at 0, as those of unsigned integers do.
  void drop_negatives() {
    for_indices(count_, [&](std::size_t i) { extremes_[i].negative = 0; });
  }

  [[nodiscard]] bool is_finite() const { return is_finite_; }  // whether all elements are
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] double lowest(std::size_t i) const { return 0 - extremes_[i].negative; }
  [[nodiscard]] double highest(std::size_t i) const { return extremes_[i].positive; }
  [[nodiscard]] bool is_zero(std::size_t i) const { return lowest(i) == 0 && highest(i) == 0; }

 private:
  Buffer<Extremes> extremes_;
  std::size_t count_;
  bool is_finite_;
};

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

// ---- Fixed point -------------------------------------------------------------------------------

// x = significand * 2^(exponent - 1075), with the leading bit of the significand at kMantissaBits.
struct Bits {
  static constexpr int kMantissaBits = 52;
  std::uint64_t significand;
  int exponent;

  // Requires x > 0.
  explicit Bits(double x) {
    constexpr std::uint64_t kLeading = std::uint64_t{1} << kMantissaBits;
    const auto bits = std::bit_cast<std::uint64_t>(x);
    significand = (bits % kLeading) | kLeading;
    exponent = static_cast<int>(bits >> kMantissaBits);
    if (exponent == 0) {  // subnormal
      significand = bits << std::countl_zero(bits) >> (63 - kMantissaBits);
      exponent = 12 - std::countl_zero(bits);
    }
  }
};

// The largest e with x * 2^e < limit, or x * 2^e <= limit if `includes_limit`. Requires x > 0.
int largest_exponent(double x, double limit, bool includes_limit) {
  const Bits of_x(x);
  const Bits of_limit(limit);
  const bool fits = includes_limit ? of_x.significand <= of_limit.significand
                                   : of_x.significand < of_limit.significand;
  return of_limit.exponent - of_x.exponent - (fits ? 0 : 1);
}

// The largest frac_bits with which no number of a range that includes 0 is rounded out of range. If the
// range is only 0, or for unsigned integers does not exceed 0: the frac_bits with which the integers
// represent -1 (unsigned: 0) to nearly 1.
int largest_frac_bits(double lowest, double highest, int bits, bool is_signed,
                      const Margins& margins) {
  const int magnitude_bits = bits - (is_signed ? 1 : 0);
  const double count = std::ldexp(1.0, magnitude_bits);
  const auto& [below, above] = margins;
  int frac_bits = std::numeric_limits<int>::max();
  if (highest > 0) {
    frac_bits = largest_exponent(highest, count - 1 + above.distance, above.is_included);
  }
  if (is_signed && lowest < 0) {
    frac_bits =
        std::min(frac_bits, largest_exponent(-lowest, count + below.distance, below.is_included));
  }
  return frac_bits == std::numeric_limits<int>::max()
             ? magnitude_bits
             : std::clamp(frac_bits, -kMaxFracBits, kMaxFracBits);
}

// Returns what choose_frac_bits returns.
double write_largest_frac_bits(const Ranges& ranges, int bits, bool is_signed,
                               const Margins& margins, std::int32_t* frac_bits) {
  double most_negative = 0;
  for_indices(ranges.count(), [&](std::size_t i) {
    const double lowest = ranges.lowest(i);
    frac_bits[i] = largest_frac_bits(lowest, ranges.highest(i), bits, is_signed, margins);
    if (!is_signed && lowest < 0) {
      const double magnitude =
          std::max(std::ldexp(-lowest, frac_bits[i]), std::numeric_limits<double>::denorm_min());
      const auto& [distance, is_included] = margins.below;
      const bool becomes_0 = magnitude < distance || (magnitude == distance && is_included);
      most_negative = becomes_0 ? most_negative : std::min(most_negative, lowest);
    }
  });
  return most_negative;
}

// Replaces the largest frac_bits with which no element saturates by those of the least error. Of
// several such frac_bits, these are the largest, but none that only rounding makes equal: none whose
// range is so small that the computed distance of the farthest element to it is that of one bit less.
// Frac_bits remain where all elements are 0, or where the first error overflows.
//
// The search of a group ends when the distances of its elements to the range of the next grid give a
// larger sum than the least error so far: the ranges of all further grids are smaller.
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
  std::int32_t frac_bits = largest_frac_bits(ranges.lowest(0), ranges.highest(0), bits, true,
                                             margins_of(calibration.rounding));
  write_least_error_frac_bits(of_sample, ranges, bits, true, &frac_bits);
  return frac_bits;
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
    const Grid grid{step, lowest, highest};
    RoundingSums sums{};
    sum_rounding_errors(calibration.groups, calibration.w, calibration.type,
                        grid_rounding(calibration.rounding), &grid, &sums);
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

// Computes the scale and the zero point of a range that includes 0.
template <class T>
class RangeToAffine {
 public:
  RangeToAffine(std::int64_t qmin, std::int64_t qmax, bool is_symmetric, sc_rounding rounding)
      : low_(static_cast<double>(qmin)),
        high_(static_cast<double>(qmax)),
        middle_(qmin < 0 ? 0 : (high_ + 1) / 2),
        is_symmetric_(is_symmetric),
        rounding_(rounding),
        is_nearest_(grid_rounding(rounding) == GridRounding::nearest) {}

  [[nodiscard]] ScaleAndZeroPoint<T> operator()(double lowest, double highest) const {
    if (lowest == 0 && highest == 0) {
      return {1, is_symmetric_ ? static_cast<std::int32_t>(middle_) : 0};
    }
    // Rounding to nearest, this suffices unless the zero point was nearly a tie.
    const double steps = is_symmetric_ ? high_ - middle_ : high_ - low_;
    const double exact =
        is_symmetric_ ? std::max(highest, -lowest) / steps : highest / steps - lowest / steps;
    const T scale = std::max(static_cast<T>(exact), std::numeric_limits<T>::min());
    if (is_nearest_ && is_symmetric_) {
      return {scale, static_cast<std::int32_t>(middle_)};
    }
    const double unrounded = low_ - lowest / static_cast<double>(scale);
    const double zero_point = nearest_integer(unrounded);
    constexpr double kAlmostHalf = 0.48;
    if (is_nearest_ && std::abs(zero_point - unrounded) < kAlmostHalf) {
      return {scale, static_cast<std::int32_t>(std::clamp(zero_point, low_, high_))};
    }
    return enlarged(lowest, highest);
  }

 private:
  // Requires |x| < 2^51.
  static double nearest_integer(double x) {
    constexpr double kShift = 0x1.8p52;
    return (x + kShift) - kShift;
  }

  // The zero point with which the lowest number, in steps, is rounded to an integer in range. Directed
  // modes round the quotient before the sum, in which a tiny quotient would be lost.
  [[nodiscard]] double zero_point_of(double lowest_in_steps) const {
    return rounding_ == SC_ROUNDING_FLOOR || rounding_ == SC_ROUNDING_AWAY
               ? low_ + std::ceil(-lowest_in_steps)
           : rounding_ == SC_ROUNDING_CEIL ? low_ + std::floor(-lowest_in_steps)
                                           : nearest_integer(low_ - lowest_in_steps);
  }

  // The smallest scale, from that of the range on, with which both ends are rounded to integers in
  // range.
  [[nodiscard]] ScaleAndZeroPoint<T> enlarged(double lowest, double highest) const {
    // Away from zero, both ends may be rounded out by up to one step in all.
    const bool loses_step = rounding_ == SC_ROUNDING_AWAY && lowest < 0 && highest > 0;
    const double steps = high_ - low_ - (loses_step ? 1 : 0);
    const double exact = is_symmetric_ ? std::max(highest, -lowest) / (high_ - middle_)
                                       : highest / steps - lowest / steps;
    T scale = std::max(static_cast<T>(exact), std::numeric_limits<T>::min());
    for (;;) {
      const double lowest_in_steps = lowest / static_cast<double>(scale);
      const double zero_point =
          is_symmetric_ ? middle_ : std::clamp(zero_point_of(lowest_in_steps), low_, high_);
      const auto integer_of = [&](double x) {
        return zero_point + round_by(rounding_, static_cast<double>(static_cast<T>(x) / scale));
      };
      if (integer_of(lowest) >= low_ && integer_of(highest) <= high_) {
        return {scale, static_cast<std::int32_t>(zero_point)};
      }
      scale = std::nextafter(scale, std::numeric_limits<T>::infinity());
    }
  }

  double low_, high_, middle_;
  bool is_symmetric_;
  sc_rounding rounding_;
  bool is_nearest_;
};

// The steps that a search for the least error tries: step 0, and smaller ones, by a linear scale in
// each octave. The search tries every kCoarse-th of them, and then those around the best. The errors of
// groups of at least kLargeGroup elements change less from step to step: the search begins with every
// kCoarsest-th. The errors of modes that do not round to nearest jump at integers: it tries all steps.
constexpr int kStepsPerOctave = 100;
constexpr int kLastStep = 16 * kStepsPerOctave;
constexpr int kCoarse = 4;
constexpr int kCoarsest = 16;
constexpr std::size_t kLargeGroup = 4096;

constexpr auto kRatios = [] {  // of each step to step 0
  std::array<double, kLastStep + kCoarsest + 1> ratios{};
  double octave = 1;
  for (int j = 0; j < static_cast<int>(ratios.size()); ++j) {
    const int linear = j % kStepsPerOctave;
    octave /= j != 0 && linear == 0 ? 2 : 1;
    ratios[static_cast<std::size_t>(j)] =
        static_cast<double>(2 * kStepsPerOctave - linear) / (2 * kStepsPerOctave) * octave;
  }
  return ratios;
}();

// Searches, for each group, the step of the least error.
template <class T>
class ScaleSearch {
 public:
  ScaleSearch(const Calibration& calibration, const Ranges& ranges, std::int64_t qmin,
              std::int64_t qmax, T* scale, const std::int32_t* zero_point)
      : calibration_(calibration),
        is_nearest_(grid_rounding(calibration.rounding) == GridRounding::nearest),
        scale_(scale),
        count_(ranges.count()),
        groups_(count_),
        grids_(count_),
        sums_(count_) {
    for_indices(count_, [&](std::size_t i) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      const bool is_large = calibration.groups.elements_of(i) >= kLargeGroup;
      const int stride = !is_nearest_ ? 1 : is_large ? kCoarsest : kCoarse;
      groups_[i] = {static_cast<double>(scale[i]), kInfinity, 0, 0, stride, !ranges.is_zero(i)};
      active_ += groups_[i].is_active ? 1U : 0U;
      grids_[i] = {0, static_cast<double>(qmin - zero_point[i]),
                   static_cast<double>(qmax - zero_point[i])};
    });
  }

  // Replaces the scales of the range by those of the least error.
  void run() {
    const int stride = is_nearest_ ? kCoarse : 1;
    for (int j = 0; active_ != 0 && j <= kLastStep; j += stride) {
      evaluate([&](const Group& group) {
        return group.is_active && j % group.stride == 0 ? j : kNone;
      }, [&](Group& group, double step, double clipped) {
        // The distances from the range bound the errors of all smaller steps.
        group.is_active = std::isfinite(group.least) && clipped < group.least &&
                          step_of(group, j + group.stride) < step;
        active_ -= group.is_active ? 0U : 1U;
      });
    }
    refine(kCoarsest, kCoarse);
    refine(kCoarse, 1);
    for_indices(count_, [&](std::size_t i) {
      scale_[i] = static_cast<T>(step_of(groups_[i], groups_[i].best));
    });
  }

 private:
  static constexpr int kNone = -1;

  struct Group {
    double first;      // step 0
    double least;      // error so far, in units of the square of step 0
    int best, center;  // the step of that error, and the one that refine() began with
    int stride;        // of the steps that are tried first
    bool is_active;
  };

  // Tries the multiples of `to` around the best step of each group that has tried those of `from`.
  void refine(int from, int to) {
    for_indices(count_, [&](std::size_t i) { groups_[i].center = groups_[i].best; });
    for (int offset = to - from; offset < from; offset += to) {
      evaluate([&](const Group& group) {
        const int j = group.center + offset;
        return group.stride < from || offset == 0 || j < 0 || !std::isfinite(group.least) ? kNone
                                                                                          : j;
      }, [](Group&, double, double) {});
    }
  }

  static double step_of(const Group& group, int j) {
    const double exact = group.first * kRatios[static_cast<std::size_t>(j)];
    return static_cast<double>(std::max(static_cast<T>(exact), std::numeric_limits<T>::min()));
  }

  // For each group for which index_of(group) is not kNone: computes the sums for that step, updates
  // the least error, and calls finish(group, step, clipped) with the sum of squared distances from
  // the range.
  template <class IndexOf, class Finish>
  void evaluate(const IndexOf& index_of, const Finish& finish) {
    bool is_any = false;
    for_indices(count_, [&](std::size_t i) {
      Group& group = groups_[i];
      const int j = index_of(group);
      is_any = is_any || j != kNone;
      grids_[i].step = j == kNone ? 0 : step_of(group, j);
    });
    if (!is_any) {
      return;
    }
    sum_rounding_errors(calibration_.groups, calibration_.w, calibration_.type,
                        grid_rounding(calibration_.rounding), grids_.data(), sums_.data());
    for_indices(count_, [&](std::size_t i) {
      if (grids_[i].step != 0) {
        Group& group = groups_[i];
        // In units of step 0: the square of a step may overflow or underflow.
        const double ratio = grids_[i].step / group.first;
        const double error = sums_[i].error * (ratio * ratio);
        if (error < group.least) {
          group.least = error;
          group.best = index_of(group);
        }
        finish(group, grids_[i].step, sums_[i].clipped * (ratio * ratio));
      }
    });
  }

  const Calibration& calibration_;
  bool is_nearest_;
  T* scale_;
  std::size_t count_;
  std::size_t active_ = 0;  // groups
  Buffer<Group> groups_;
  Buffer<Grid> grids_;
  Buffer<GridErrors> sums_;
};

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
  const RangeToAffine<T> parameters_of(qmin, qmax, is_symmetric, calibration.rounding);
  for_indices(ranges.count(), [&](std::size_t i) {
    const ScaleAndZeroPoint<T> chosen = parameters_of(ranges.lowest(i), ranges.highest(i));
    scale[i] = chosen.scale;
    zero_point[i] = chosen.zero_point;
  });
  if (calibration.method == SC_CHOICE_METHOD_MSE) {
    ScaleSearch<T>(calibration, ranges, qmin, qmax, scale, zero_point).run();
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
