#include "stats/least_error_scales.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

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
  std::array<double, kLastStep + kMaxStride + 1> ratios{};
  double octave = 1;
  for (int j = 0; j < static_cast<int>(ratios.size()); ++j) {
    const int linear = j % kStepsPerOctave;
    octave /= j != 0 && linear == 0 ? 2 : 1;
    ratios[static_cast<std::size_t>(j)] =
        static_cast<double>(2 * kStepsPerOctave - linear) / (2 * kStepsPerOctave) * octave;
  }
  return ratios;
}();

// Candidates that are tried together, in this order.
struct Candidates {
  std::array<int, kSteps> index;
  std::size_t count = 0;

  void add(int j) { index[count++] = j; }
  void add_if(bool condition, int j) {
    if (condition) {
      add(j);
    }
  }
};

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
      groups_[i] = {first,     std::numeric_limits<double>::infinity(), 0, stride, most_granular,
                    first != 0};
      active_ += first != 0 ? 1U : 0U;
      const bool in_float = std::is_same_v<T, float> && first >= kLeast && first <= kMost;
      steps_[i] = {{}, lowest, highest, in_float};
    });
  }

  void run() {
    for (int begin = 0; active_ != 0 && begin <= kLastStep; begin += static_cast<int>(kSteps)) {
      evaluate([&](const Group& group) {
        Candidates tried;
        for (int i = begin; i < begin + static_cast<int>(kSteps); ++i) {
          tried.add_if(group.is_active && i * group.stride <= kLastStep, i * group.stride);
        }
        return tried;
      }, [&](Group& group, int j, double sum, double squared_ratio) {
        // Elements that saturate have the rest of the error, and more of it with all smaller steps.
        const double saturated = (sum - group.most_granular) * squared_ratio;
        group.is_active = group.least != 0 && saturated < group.least &&
                          j + group.stride <= kLastStep &&
                          step_of(group.first, j + group.stride) < step_of(group.first, j);
        active_ -= group.is_active ? 0U : 1U;
        return group.is_active;
      });
    }
    for (const auto& [far, near] : {std::pair{8, 4}, std::pair{3, 2}, std::pair{1, 1}}) {
      evaluate([far = far, near = near](const Group& group) {
        const bool is_far = group.least != 0 && far < group.stride;
        const bool is_near = group.least != 0 && near < group.stride && near != far;
        Candidates tried;
        tried.add_if(is_far && group.best >= far, group.best - far);
        tried.add_if(is_near && group.best >= near, group.best - near);
        tried.add_if(is_near, group.best + near);
        tried.add_if(is_far, group.best + far);
        return tried;
      }, [](Group&, int, double, double) { return true; });
    }
  }

  // Tries some candidates of the only group.
  void try_candidates(const Candidates& tried) {
    evaluate([&](const Group&) { return tried; }, [](Group&, int, double, double) { return true; });
  }

  [[nodiscard]] int best(std::size_t i) const { return groups_[i].best; }
  [[nodiscard]] T scale(std::size_t i) const {
    return static_cast<T>(step_of(groups_[i].first, groups_[i].best));
  }

 private:
  struct Group {
    double first;          // candidate 0
    double least;          // error so far, in units of the square of candidate 0
    int best;              // the candidate of that error
    int stride;            // of the candidates that are tried first
    double most_granular;  // error of all elements if none saturates, in units of a squared step
    bool is_active;        // whether more multiples of the stride are tried
  };

  static double step_of(double first, int j) {
    const double exact = first * kRatios[static_cast<std::size_t>(j)];
    return static_cast<double>(std::max(static_cast<T>(exact), std::numeric_limits<T>::min()));
  }

  // Tries candidates_of(group) of each group, and updates the least errors. After each candidate, calls
  // goes_on(group, j, sum, squared_ratio) with the sum in units of the squared candidate, and with the
  // square of its ratio to candidate 0. If this is false, the rest of the candidates is ignored.
  template <class CandidatesOf, class GoesOn>
  void evaluate(const CandidatesOf& candidates_of, const GoesOn& goes_on) {
    bool is_any = false;
    for_indices(count_, [&](std::size_t i) {
      const Group& group = groups_[i];
      const Candidates tried = group.first != 0 ? candidates_of(group) : Candidates{};
      double* const step = steps_[i].step;
      std::fill_n(step, kSteps, 0.0);
      for (std::size_t k = 0; k < tried.count; ++k) {
        step[k] = step_of(group.first, tried.index[k]);
      }
      // Kernels compute two or all of the errors.
      if (tried.count % 2 != 0) {
        step[tried.count] = step[tried.count - 1];
      }
      is_any = is_any || tried.count != 0;
    });
    if (!is_any) {
      return;
    }
    sum_rounding_errors(calibration_.groups, calibration_.w, calibration_.type,
                        grid_rounding(calibration_.rounding), steps_.data(), errors_.data());
    for_indices(count_, [&](std::size_t i) {
      if (steps_[i].step[0] == 0) {
        return;
      }
      Group& group = groups_[i];
      const Candidates tried = candidates_of(group);
      for (std::size_t k = 0; k < tried.count; ++k) {
        // In units of candidate 0: the square of a step may overflow or underflow.
        const double ratio = steps_[i].step[k] / group.first;
        const double error = errors_[i].error[k] * (ratio * ratio);
        if (error < group.least) {
          group.least = error;
          group.best = tried.index[k];
        }
        if (!goes_on(group, tried.index[k], errors_[i].error[k], ratio * ratio)) {
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

// A group of at least kMinSampled consecutive elements is searched in a sample first. The sample has
// kSampleRuns runs of kSampleRunLength elements, one from each of kSampleRuns stretches of the group.
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
    constexpr std::uint32_t kGolden = 0x9E3779B1;
    const std::uint64_t fraction = static_cast<std::uint32_t>(i) * kGolden;
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
  Candidates tried;
  tried.add(0);
  tried.add_if(expected > kSampleReach, expected - kSampleReach);
  tried.add_if(expected != 0, expected);
  tried.add(expected + kSampleReach);
  ScaleSearch<T> in_group(calibration, &problem);
  in_group.try_candidates(tried);
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
