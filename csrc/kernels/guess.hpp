// Where the threshold of a slice probably is, going by those before it; brackets around it.
#pragma once

#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

SECATEUR_INLINE uint64_t apart(Key lo, Key hi) {
  return static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo);
}
SECATEUR_INLINE Key moved(Key key, uint64_t by) {
  return static_cast<Key>(static_cast<uint64_t>(key) + by);
}

inline constexpr size_t kLearned = 4;  // from one slice of so many

// As a key within (lo, hi), which is not empty.
SECATEUR_INLINE Key clamped(double key, Bracket range) {
  return key <= static_cast<double>(range.lo)   ? range.lo + 1
         : key >= static_cast<double>(range.hi) ? range.hi - 1
                                                : static_cast<Key>(key);
}

// Of a bracket with two keys or more: ends within it, which may be the same.
SECATEUR_INLINE Bracket middle_third(Bracket bracket) {
  const uint64_t gap = apart(bracket.lo, bracket.hi);
  const uint64_t third = gap / 3 + (gap % 3 != 0 ? 1 : 0);
  return {moved(bracket.lo, third), moved(bracket.hi, -third)};
}

// Between which keys the next threshold probably lies.
SECATEUR_INLINE Bracket guessed(const Guess& guess, Bracket range) {
  constexpr double kReaches = 4;
  if (guess.reach < 0) {
    return middle_third(range);
  }
  return {clamped(guess.center - kReaches * guess.reach - 1, range),
          clamped(guess.center + kReaches * guess.reach, range)};
}

SECATEUR_INLINE void learn(Guess& guess, Key threshold, Bracket range) {
  constexpr double kWeight = 0.125;
  const auto key = static_cast<double>(threshold);
  if (guess.reach < 0) {
    guess = {key, static_cast<double>(apart(range.lo, range.hi)) / 1024};
    return;
  }
  const double off = key - guess.center;
  guess.center += kWeight * off;
  guess.reach += kWeight * ((off < 0 ? -off : off) - guess.reach);
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
