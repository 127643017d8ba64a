// The ranges of groups, from which formats are chosen.
#pragma once

#include <algorithm>

#include "core/scratch.hpp"
#include "stats/calibration.hpp"
#include "stats/ranges.hpp"

namespace secateur {

// The range of the elements of each group and 0.
class Ranges {
 public:
  explicit Ranges(const Calibration& calibration)
      : min_max_(calibration.groups.groups()),
        count_(calibration.groups.groups()),
        is_finite_(
            find_ranges(calibration.groups, calibration.w, calibration.type, min_max_.data())) {}

  // Clips each range to the percentile of the magnitudes of its group.
  void clip(const Calibration& calibration) {
    if (calibration.groups.elements() == 0) {
      return;
    }
    const Buffer<double> limits(count_);
    find_percentiles(calibration.groups, calibration.w, calibration.type, calibration.percentile,
                     limits.data());
    for_indices(count_, [&](std::size_t i) {
      auto& [positive, negative] = min_max_[i];
      positive = std::min(positive, limits[i]);
      negative = std::min(negative, limits[i]);
    });
  }

  // Makes ranges begin at 0, as those of unsigned integers do.
  void drop_negatives() {
    for_indices(count_, [&](std::size_t i) { min_max_[i].negative = 0; });
  }

  [[nodiscard]] bool is_finite() const { return is_finite_; }  // whether all elements are
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] double lowest(std::size_t i) const { return 0 - min_max_[i].negative; }
  [[nodiscard]] double highest(std::size_t i) const { return min_max_[i].positive; }
  [[nodiscard]] bool is_zero(std::size_t i) const { return lowest(i) == 0 && highest(i) == 0; }

 private:
  Buffer<MinMax<double>> min_max_;
  std::size_t count_;
  bool is_finite_;
};

}  // namespace secateur
