// Where the threshold of a slice probably is, going by those before it; brackets around it.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr size_t kNoted = 4;  // one slice of so many, where there are many at once

// Where many keys are the same, or nearly, cuts in thirds get there slowly: after so many of them, a bracket is
// tightened to the keys that it holds.
inline constexpr size_t kTightened = 4;

SECATEUR_INLINE uint64_t distance(Key lo, Key hi) {
  return static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo);
}
SECATEUR_INLINE Key moved(Key key, uint64_t by) {
  return static_cast<Key>(static_cast<uint64_t>(key) + by);
}

// Of a bracket with two keys or more: ends within it, which may be the same.
SECATEUR_INLINE Bracket middle_third(Bracket bracket) {
  const uint64_t gap = distance(bracket.lo, bracket.hi);
  const uint64_t third = gap / 3 + (gap % 3 != 0 ? 1 : 0);
  return {moved(bracket.lo, third), moved(bracket.hi, -third)};
}

// The part of (at.lo, at.hi] that has its ends within another bracket of two keys or more.
SECATEUR_INLINE Bracket within(Bracket bracket, Bracket at) {
  const Key lo = bracket.lo + 1, hi = bracket.hi - 1;
  const auto clamped = [&](Key key) { return key < lo ? lo : key > hi ? hi : key; };
  return {clamped(at.lo), clamped(at.hi)};
}

// Two slices tell how much they differ.
SECATEUR_INLINE bool is_known(const Guess& guess) { return guess.slices >= 2; }

// Between which keys the next threshold probably lies: a single one, if all have been the same.
SECATEUR_INLINE Bracket guessed(const Guess& guess, Bracket range) {
  constexpr double kReaches = 4;
  if (!is_known(guess)) {
    return middle_third(range);
  }
  constexpr double kMost = 0x1p62;
  const double reach = kReaches * guess.reach;
  const auto step = static_cast<uint64_t>(reach < kMost ? reach : kMost);
  const bool has_lo = distance(range.lo, guess.center) > step + 1;
  const bool has_hi = distance(guess.center, range.hi) > step;
  return within(range, {has_lo ? moved(guess.center, -step - 1) : range.lo,
                        has_hi ? moved(guess.center, step) : range.hi});
}

// Means of all thresholds at first, later of the last ones rather.
SECATEUR_INLINE void note(Guess& guess, Key threshold) {
  constexpr size_t kAll = 8;
  if (guess.slices++ == 0) {
    guess.center = threshold;
    return;
  }
  // Keys are further apart than a key can say only where the guess is of no use anyway.
  const auto off = static_cast<double>(static_cast<Key>(distance(guess.center, threshold)));
  const size_t of = guess.slices < kAll ? guess.slices : kAll;
  guess.center =
      moved(guess.center, static_cast<uint64_t>(static_cast<Key>(off / static_cast<double>(of))));
  guess.reach += ((off < 0 ? -off : off) - guess.reach) / static_cast<double>(of - 1);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
