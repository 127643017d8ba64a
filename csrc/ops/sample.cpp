#include "ops/sample.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "ops/locate.hpp"
#include "ops/ties.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Up to here, counting bit by bit beats taking a sample first.
constexpr std::size_t kBisectKeys = 1024;

// Elements sampled in cache. The bracket of so few may hold a fifth of all keys, but a larger
// sample costs more to select from than the next round does.
constexpr std::size_t kSample = 256;

// Half the width of an interval, in standard deviations of a rank in the sample: one in a thousand
// misses, which costs another pass.
constexpr double kDeviations = 3.3;

constexpr std::uint64_t kAttempts = 3;

// Bits of the ends of a bracket in cache.
constexpr int kEndBits = 19;

// The k-th largest key, bit by bit: nothing can mislead it.
template <class K>
Ranked bisect(const KernelTable& kernels, const K* keys, std::size_t n, std::size_t k) {
  const K key = key_kernels_of<K>(kernels).bisect(keys, n, k, 1);
  const auto count_above = kernels_of(kernels, sizeof(K)).count_above;
  const std::size_t above = count_above(keys, n, kAsTheyAre, key);
  return {key, above, count_above(keys, n, kAsTheyAre, Key{key} - 1) - above};
}

// Half the ranks in a sample between which the k-th largest of all lies almost surely, where its
// expected rank has a variance.
double half_width(double variance) { return kDeviations * std::sqrt(variance) + 1; }

// Rank 0 or m + 1: there is no such end.
struct Ranks {
  std::size_t hi, lo;
};
Ranks ranks_around(double center, double half, std::size_t m) {
  return {static_cast<std::size_t>(std::max(0.0, std::floor(center - half))),
          static_cast<std::size_t>(std::min(static_cast<double>(m + 1), std::ceil(center + half)))};
}

template <class K>
constexpr Key kNone = -Key{kMagnitude<K>} - 1;  // below all keys

// The keys between two of the sample, or a little more.
template <class K>
Bracket bracket_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                         std::size_t k, std::uint64_t attempt) {
  K sample[kSample];
  const Runs places(n, kSample, 1, attempt);
  for (std::size_t i = 0; i < kSample; ++i) {
    std::memcpy(&sample[i], static_cast<const K*>(w) + places[i], sizeof(K));
  }
  const Key largest = kernels_of(kernels, sizeof(K)).keys(sample, kSample, order, sample);
  const double p = static_cast<double>(k) / static_cast<double>(n);
  const Ranks ranks = ranks_around(p * kSample, half_width(p * (1 - p) * kSample), kSample);
  // The ends need not be keys: their upper bits do.
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
  const auto step = static_cast<K>(Key{1} << std::max(bits - kEndBits, 0));
  const auto floor_of = [&](std::size_t rank) {
    return key_kernels_of<K>(kernels).bisect(sample, kSample, rank, step);
  };
  return {ranks.lo > kSample ? kNone<K> : Key{floor_of(ranks.lo)},
          (ranks.hi == 0 ? Key{kMagnitude<K>} : Key{floor_of(ranks.hi) | (step - 1)}) - 1};
}

}  // namespace

template <class K>
Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                       std::size_t k, Key* max_key) {
  Key unused = 0;
  Key& largest = max_key == nullptr ? unused : *max_key;
  const ElementKernels& elements = kernels_of(kernels, sizeof(K));
  if (n <= kBisectKeys) {
    K keys[kBisectKeys];
    largest = elements.keys(w, n, order, keys);
    return bisect(kernels, keys, n, k);
  }
  const Buffer<K> within(n + kWord);
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Bracket bracket = bracket_in_cache<K>(kernels, w, n, order, k, attempt);
    const Census census = key_kernels_of<K>(kernels).narrow(w, n, order, bracket, within.data());
    largest = census.max_key;
    const Place place = locate(census, k);
    if (place == Place::within) {
      // A bracket that holds more than half of the keys has not helped; nor would the next.
      const std::size_t rank = k - census.above();
      Ranked r = census.collected <= n / 2 ? select_in_cache<K>(kernels, within.data(),
                                                                census.collected, kAsTheyAre, rank)
                                           : bisect(kernels, within.data(), census.collected, rank);
      r.above += census.above();
      return r;
    }
    // Few keys may equal an end of the bracket, or most of them; so they are not collected, and
    // counted only now.
    if (place == Place::above) {
      const std::size_t above = elements.count_above(w, n, order, bracket.hi + 1);
      if (k > above) {
        return {bracket.hi + 1, above, census.above() - above};
      }
    } else {
      const std::size_t from_lo = elements.count_above(w, n, order, bracket.lo - 1);
      if (k <= from_lo) {
        return {bracket.lo, census.above_lo, from_lo - census.above_lo};
      }
    }
  }
  largest = elements.keys(w, n, order, within.data());
  return bisect(kernels, within.data(), n, k);
}

template <class K>
Sample<K>::Sample(const KernelTable& kernels, const K* keys, const Runs& runs, std::size_t m,
                  std::size_t n, std::size_t k)
    : kernels_(kernels), keys_(keys), runs_(runs), m_(m), n_(n) {
  const double p = static_cast<double>(k) / static_cast<double>(n);
  center_ = p * static_cast<double>(m);
  // Neighbours may be alike; then the ranks of a sample of runs spread more than those of as many
  // lone elements. Runs of neighbouring strata, compared in pairs, tell by how much: how many of each
  // the selection around the middle has, ties included as far as they belong to it.
  const auto middle = static_cast<std::size_t>(std::clamp(center_, 1.0, static_cast<double>(m)));
  const Ranked mid = ranked(middle);
  likely_ = 2 * (middle - mid.above) >= mid.equal ? mid.key - 1 : mid.key;
  const std::size_t tie_end = end_of(mid, middle) / kWord * kWord;
  const auto run_spread = key_kernels_of<K>(kernels).run_spread;
  const auto key = static_cast<K>(mid.key);
  const std::uint64_t spread = run_spread(keys, tie_end, static_cast<K>(key - 1)) +
                               run_spread(keys + tie_end, m - tie_end, key);
  half_ = half_width(std::max(center_ * (1 - p), static_cast<double>(spread)));
}

// The end, in the sample, of what comes up to the element of that rank: of those that tie, the rank
// counts in order.
template <class K>
std::size_t Sample<K>::end_of(const Ranked& ranked, std::size_t rank) const {
  return end_of_ties(kernels_of(kernels_, sizeof(K)), keys_, sizeof(K), m_, kAsTheyAre, ranked.key,
                     rank - ranked.above);
}

// Where that element stands in w.
template <class K>
std::size_t Sample<K>::place_of(const Ranked& ranked, std::size_t rank) const {
  const std::size_t i = end_of(ranked, rank) - 1;
  return runs_[i / kRun] + i % kRun;
}

template <class K>
Interval Sample<K>::interval(double room, Key least, Key most) const {
  const Ranks ranks =
      ranks_around(center_, std::min(half_, room * static_cast<double>(m_) / 2), m_);
  // Where few tie with an end, all of them may as well be candidates.
  const std::size_t few = 2 + (ranks.lo - ranks.hi) / 32;
  Interval between{.inner = {most, 0}, .outer = {least, n_}, .likely = likely_};
  if (ranks.hi != 0) {
    const Ranked hi = ranked(ranks.hi);
    between.inner = {hi.key, hi.equal <= few ? 0 : place_of(hi, ranks.hi)};
  }
  if (ranks.lo <= m_) {
    const Ranked lo = ranked(ranks.lo);
    between.outer = {lo.key, lo.equal <= few ? n_ : place_of(lo, ranks.lo) + 1};
  }
  return between;
}

template class Sample<std::int32_t>;
template class Sample<std::int64_t>;
template Ranked select_in_cache<std::int32_t>(const KernelTable&, const void*, std::size_t, Order,
                                              std::size_t, Key*);
template Ranked select_in_cache<std::int64_t>(const KernelTable&, const void*, std::size_t, Order,
                                              std::size_t, Key*);

}  // namespace secateur
