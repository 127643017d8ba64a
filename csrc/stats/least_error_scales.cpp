#include "stats/least_error_scales.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "core/scratch.hpp"
#include "stats/rounding.hpp"
#include "stats/rounding_errors.hpp"

namespace secateur {
namespace {

// Candidate 0 is the scale of the range. The others are smaller, by a linear scale in each octave.
constexpr int kStepsPerOctave = 100;
constexpr int kLastStep = 16 * kStepsPerOctave;

// A search first tries candidates that are so far apart that it misses no minimum between them. The
// errors of large groups, and those on coarse grids, change less from one candidate to the next.
constexpr std::size_t kLargeGroup = 4096;  // elements
constexpr double kFewIntegers = 32;
constexpr int kMaxStride = 16;
int stride_of(std::size_t size, double lowest, double highest) {
  return size >= kLargeGroup ? kMaxStride : highest - lowest < kFewIntegers ? 8 : 2;
}

constexpr auto kRatios = [] {  // of each candidate to the first
  std::array<double, kLastStep + 2 * kMaxStride> ratios{};
  double octave = 1;
  for (int j = 0; j < static_cast<int>(ratios.size()); ++j) {
    const int linear = j % kStepsPerOctave;
    octave /= j != 0 && linear == 0 ? 2 : 1;
    ratios[static_cast<std::size_t>(j)] =
        static_cast<double>(2 * kStepsPerOctave - linear) / (2 * kStepsPerOctave) * octave;
  }
  return ratios;
}();

// The indices of candidates that are tried together, in this order. Candidate 0 takes the place of
// those that do not exist: it is the first that a search tries, and no error is less than itself.
using Candidates = std::array<int, kSteps>;

// What the search of a group is about.
struct ScaleProblem {
  double first;            // candidate 0, or 0 if all elements are 0
  double lowest, highest;  // the integers
};

// Searches, for each group, the candidate of the least error.
template <class T>
class ScaleSearch {
 public:
  ScaleSearch(const Calibration& calibration, const ScaleProblem* problems)
      : calibration_(calibration),
        is_nearest_(grid_rounding(calibration.rounding) == GridRounding::nearest),
        count_(calibration.groups.groups()),
        groups_(count_),
        steps_(count_),
        errors_(count_) {
    for_indices(count_, [&](std::size_t i) {
      // 1 / step and all sums are then far from overflow and underflow in float.
      constexpr double kLeast = 0x1p-80;
      constexpr double kMost = 0x1p100;
      const auto& [first, lowest, highest] = problems[i];
      const std::size_t size = calibration.groups.elements_of(i);
      // The errors of modes that do not round to nearest jump at integers.
      const int stride = is_nearest_ ? stride_of(size, lowest, highest) : 1;
      // In units of a step, the error of an element that does not saturate is at most 1/2, or 1.
      const double most_granular = static_cast<double>(size) * (is_nearest_ ? 0.25 : 1);
      groups_[i] = {.first = first,
                    .inverse = first != 0 ? 1 / first : 0,
                    .least = std::numeric_limits<double>::infinity(),
                    .best = 0,
                    .stride = stride,
                    .most_granular = most_granular,
                    .is_active = first != 0,
                    .tried = {}};
      active_ += first != 0 ? 1U : 0U;
      const bool in_float = std::is_same_v<T, float> && first >= kLeast && first <= kMost;
      steps_[i] = {{}, lowest, highest, in_float};
    });
  }

  void run() {
    for (int begin = 0; active_ != 0 && begin <= kLastStep; begin += static_cast<int>(kSteps)) {
      try_candidates([](const Group& group) { return group.is_active ? kSteps : 0; },
                     [&](const Group& group, std::size_t k) {
        const int j = (begin + static_cast<int>(k)) * group.stride;
        return j <= kLastStep ? j : 0;
      }, [&](Group& group, int j, double step, double sum, double squared_ratio) {
        // Elements that saturate have the rest of the error, and more of it with all smaller steps.
        const double saturated = (sum - group.most_granular) * squared_ratio;
        group.is_active = group.least != 0 && saturated < group.least &&
                          j + group.stride <= kLastStep && step > kLeastStep;
        active_ -= group.is_active ? 0U : 1U;
        return group.is_active;
      });
    }
    refine(4, 8);
    refine(2, 3);
    refine(1, kMaxStride);
  }

  // Tries some candidates of the only group.
  void try_candidates(const Candidates& candidates) {
    try_candidates([](const Group&) { return kSteps; },
                   [&](const Group&, std::size_t k) { return std::max(candidates[k], 0); }, kGoOn);
  }

  [[nodiscard]] int best(std::size_t i) const { return groups_[i].best; }
  [[nodiscard]] T scale(std::size_t i) const {
    return static_cast<T>(step_of(groups_[i].first, groups_[i].best));
  }

 private:
  struct Group {
    double first, inverse;  // candidate 0, and 1 / candidate 0
    double least;           // error so far, in units of the square of candidate 0
    int best;               // the candidate of that error
    int stride;             // of the candidates that are tried first
    double most_granular;   // error of all elements if none saturates, in units of a squared step
    bool is_active;         // whether more multiples of the stride are tried
    Candidates tried;
  };

  static constexpr double kLeastStep = static_cast<double>(std::numeric_limits<T>::min());
  static constexpr auto kGoOn = [](Group&, int, double, double, double) { return true; };

  static double step_of(double first, int j) {
    const double exact = first * kRatios[static_cast<std::size_t>(j)];
    return std::max(static_cast<double>(static_cast<T>(exact)), kLeastStep);
  }

  // Tries the candidates at these distances from the best, if they are less than the stride.
  void refine(int near, int far) {
    try_candidates([&](const Group& group) {
      return group.least == 0 || near >= group.stride ? 0
             : far < group.stride                     ? kSteps
                                                      : kSteps / 2;
    }, [&](const Group& group, std::size_t k) {
      const int distance = k < kSteps / 2 ? near : far;
      return std::max(group.best + (k % 2 == 0 ? -distance : distance), 0);
    }, kGoOn);
  }

  // Tries count_of(group) candidates of each group, half or all of kSteps or none: index_of(group,
  // k) is the k-th. Updates the least errors. After each candidate, calls goes_on(group, j, step,
  // sum, squared_ratio) with the sum of squared errors in units of the squared step, and with the
  // square of the ratio of the step to candidate 0. If this is false, the rest of the candidates is
  // ignored.
  template <class CountOf, class IndexOf, class GoesOn>
  void try_candidates(const CountOf& count_of, const IndexOf& index_of, const GoesOn& goes_on) {
    bool is_any = false;
    for_indices(count_, [&](std::size_t i) {
      Group& group = groups_[i];
      double* const step = steps_[i].step;
      const std::size_t count = group.first == 0 ? 0 : count_of(group);
      for (std::size_t k = 0; k < count; ++k) {
        group.tried[k] = index_of(group, k);
        step[k] = step_of(group.first, group.tried[k]);
      }
      std::fill(step + count, step + kSteps, 0.0);
      is_any = is_any || count != 0;
    });
    if (!is_any) {
      return;
    }
    sum_rounding_errors(calibration_.groups, calibration_.w, calibration_.type,
                        grid_rounding(calibration_.rounding), steps_.data(), errors_.data());
    for_indices(count_, [&](std::size_t i) {
      const double* const step = steps_[i].step;
      const double* const sum = errors_[i].error;
      Group& group = groups_[i];
      for (std::size_t k = 0; k < kSteps && step[k] != 0; ++k) {
        // In units of candidate 0: the square of a step may overflow or underflow.
        const double ratio = step[k] * group.inverse;
        const double error = sum[k] * (ratio * ratio);
        group.best = error < group.least ? group.tried[k] : group.best;
        group.least = std::min(error, group.least);
        if (!goes_on(group, group.tried[k], step[k], sum[k], ratio * ratio)) {
          break;
        }
      }
    });
  }

  const Calibration& calibration_;
  bool is_nearest_;
  std::size_t count_;
  std::size_t active_ = 0;  // groups
  Buffer<Group> groups_;
  Buffer<Steps> steps_;
  Buffer<StepErrors> errors_;
};

// A group of at least kMinSampled consecutive elements is searched in a sample first. The sample
// has kSampleRuns runs of kSampleRunLength elements, one from each of kSampleRuns stretches of the
// group.
constexpr std::size_t kMinSampled = std::size_t{1} << 22;
constexpr std::size_t kSampleRuns = std::size_t{1} << 14;
constexpr std::size_t kSampleRunLength = 32;

// The distance to the best of the sample at which its neighbours are tried.
constexpr int kSampleReach = 8;

bool is_sampled(const Layout& groups) {
  return groups.elements() >= kMinSampled && groups.coalesced().inner_block == groups.elements();
}

// The scale of the only group if its errors confirm the best candidate of the sample; else nothing.
template <class T>
std::optional<T> scale_from_sample(const Calibration& calibration, const ScaleProblem& problem) {
  const std::size_t bytes = calibration.type.bytes;
  const std::size_t stretch = calibration.groups.elements() / kSampleRuns;
  const Buffer<unsigned char> sample(kSampleRuns * kSampleRunLength * bytes);
  for (std::size_t i = 0; i < kSampleRuns; ++i) {
    // A fraction of the golden ratio: unlike equal distances, it matches no rows of an array.
    constexpr std::uint64_t kGolden = 0x9E3779B1;
    const std::uint64_t fraction = static_cast<std::uint32_t>(i * kGolden);
    const std::size_t offset = fraction * (stretch - kSampleRunLength + 1) >> 32;
    std::memcpy(sample.data() + i * kSampleRunLength * bytes,
                static_cast<const unsigned char*>(calibration.w) + (i * stretch + offset) * bytes,
                kSampleRunLength * bytes);
  }
  Calibration of_sample = calibration;
  of_sample.groups = Layout::whole(kSampleRuns * kSampleRunLength);
  of_sample.w = sample.data();
  ScaleSearch<T> in_sample(of_sample, &problem);
  in_sample.run();
  const int expected = in_sample.best(0);
  ScaleSearch<T> in_group(calibration, &problem);
  in_group.try_candidates({0, expected - kSampleReach, expected, expected + kSampleReach});
  const bool is_confirmed =
      in_group.best(0) == expected || (in_group.best(0) == 0 && expected <= kSampleReach);
  return is_confirmed ? std::optional(in_group.scale(0)) : std::nullopt;
}

}  // namespace

template <class T>
void write_least_error_scales(const Calibration& calibration, const Ranges& ranges,
                              std::int64_t qmin, std::int64_t qmax, const std::int32_t* zero_point,
                              T* scale) {
  const std::size_t count = ranges.count();
  const Buffer<ScaleProblem> problems(count);
  for_indices(count, [&](std::size_t i) {
    problems[i] = {ranges.is_zero(i) ? 0 : static_cast<double>(scale[i]),
                   static_cast<double>(qmin - zero_point[i]),
                   static_cast<double>(qmax - zero_point[i])};
  });
  if (is_sampled(calibration.groups) && problems[0].first != 0) {
    if (const std::optional<T> found = scale_from_sample<T>(calibration, problems[0])) {
      scale[0] = *found;
      return;
    }
  }
  ScaleSearch<T> search(calibration, problems.data());
  search.run();
  for_indices(count, [&](std::size_t i) {
    if (problems[i].first != 0) {
      scale[i] = search.scale(i);
    }
  });
}

template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                       std::int64_t, const std::int32_t*, float*);
template void write_least_error_scales(const Calibration&, const Ranges&, std::int64_t,
                                       std::int64_t, const std::int32_t*, double*);

}  // namespace secateur
