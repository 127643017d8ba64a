// Prediction of the threshold of a slice from those of the previous slices, and arithmetic on
// brackets.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "select/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Tuning: of the slices processed in one vector, every kNoteInterval-th is noted.
inline constexpr size_t kNoteInterval = 4;

// Tuning: number of cuts after which a bracket is tightened to the keys that it holds. If many keys
// are equal or nearly so, cuts in thirds alone converge slowly.
inline constexpr size_t kTightenInterval = 4;

SECATEUR_INLINE uint64_t distance(Key lo, Key hi) {
  return static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo);
}
SECATEUR_INLINE Key offset_key(Key key, uint64_t by) {
  return static_cast<Key>(static_cast<uint64_t>(key) + by);
}

// The ends of the middle third of a bracket that has two keys or more. The ends may be equal.
SECATEUR_INLINE Bracket middle_third(Bracket bracket) {
  const uint64_t gap = distance(bracket.lo, bracket.hi);
  const uint64_t third = gap / 3 + (gap % 3 != 0 ? 1 : 0);
  return {offset_key(bracket.lo, third), offset_key(bracket.hi, -third)};
}

// `inner` with its ends clamped to [bracket.lo + 1, bracket.hi - 1]. The bracket has two keys or
// more.
SECATEUR_INLINE Bracket clamped(Bracket bracket, Bracket inner) {
  const Key lo = bracket.lo + 1, hi = bracket.hi - 1;
  const auto clamp = [&](Key key) { return key < lo ? lo : key > hi ? hi : key; };
  return {clamp(inner.lo), clamp(inner.hi)};
}

// Tuning: whether the predictor has an estimate. Two thresholds give a first one of their spread.
SECATEUR_INLINE bool has_estimate(const ThresholdPredictor& predictor) {
  return predictor.slices >= 2;
}

// Tuning: the bracket that probably holds the next threshold: a single key, if all thresholds were
// equal.
SECATEUR_INLINE Bracket predicted(const ThresholdPredictor& predictor, Bracket range) {
  constexpr double kReaches = 4;
  if (!has_estimate(predictor)) {
    return middle_third(range);
  }
  constexpr double kMost = 0x1p62;
  const double reach = kReaches * predictor.reach;
  const auto step = static_cast<uint64_t>(reach < kMost ? reach : kMost);
  const bool has_lo = distance(range.lo, predictor.center) > step + 1;
  const bool has_hi = distance(predictor.center, range.hi) > step;
  return clamped(range, {has_lo ? offset_key(predictor.center, -step - 1) : range.lo,
                         has_hi ? offset_key(predictor.center, step) : range.hi});
}

// Tuning: adds a threshold to the running means. The first kEquallyWeighted thresholds count
// equally, later ones at weight 1 / kEquallyWeighted.
SECATEUR_INLINE void note(ThresholdPredictor& predictor, Key threshold) {
  constexpr size_t kEquallyWeighted = 8;
  if (predictor.slices++ == 0) {
    predictor.center = threshold;
    return;
  }
  // The distance between two keys may overflow a key. Thresholds so far apart cannot be predicted
  // anyway.
  const auto deviation =
      static_cast<double>(static_cast<Key>(distance(predictor.center, threshold)));
  const size_t divisor = predictor.slices < kEquallyWeighted ? predictor.slices : kEquallyWeighted;
  predictor.center =
      offset_key(predictor.center,
                 static_cast<uint64_t>(static_cast<Key>(deviation / static_cast<double>(divisor))));
  predictor.reach += ((deviation < 0 ? -deviation : deviation) - predictor.reach) /
                     static_cast<double>(divisor - 1);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
