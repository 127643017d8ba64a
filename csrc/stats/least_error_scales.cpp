#include "stats/least_error_scales.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/scratch.hpp"
#include "stats/rounding.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur {
namespace {

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

}  // namespace

template <class T>
void write_least_error_scales(const Calibration& calibration, const Ranges& ranges,
                              std::int64_t qmin, std::int64_t qmax, const std::int32_t* zero_point,
                              T* scale) {
  ScaleSearch<T>(calibration, ranges, qmin, qmax, scale, zero_point).run();
}

template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                       std::int64_t, const std::int32_t*, float*);
template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                       std::int64_t, const std::int32_t*, double*);

}  // namespace secateur
