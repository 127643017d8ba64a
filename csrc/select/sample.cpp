#include "select/sample.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/scratch.hpp"
#include "select/locate.hpp"
#include "select/ties.hpp"

namespace secateur {
namespace {

// Tuning: number of keys up to which bisection is faster than sampling.
constexpr std::size_t kBisectKeys = 1024;

// Tuning: elements sampled in cache. The bracket of such a small sample may hold a fifth of all
// keys, but a larger sample would cost more than the next round.
constexpr std::size_t kSample = 256;

// Tuning: half the width of an interval, in standard deviations of a rank in the sample. One
// interval in a thousand misses, which costs another pass.
constexpr double kDeviations = 3.3;

// Tuning: number of brackets tried before all keys are bisected.
constexpr std::uint64_t kAttempts = 3;

// Tuning: significant bits of the ends of a bracket in cache; the ends are rounded outward.
constexpr int kEndBits = 19;

// The k-th largest key, determined bit by bit. The time does not depend on the distribution of the
// keys.
template <class K>
Ranked bisect(const KernelTable& kernels, const K* keys, std::size_t n, std::size_t k) {
  const K key = kernels.select.keys.of<K>().bisect(keys, n, k, 1);
  const auto count_above = kernels.select.elements[sizeof(K)].count_above;
  const std::size_t above = count_above(keys, n, kIdentityOrder, key);
  return {key, above, count_above(keys, n, kIdentityOrder, Key{key} - 1) - above};
}

// Half the width, in ranks of the sample, of an interval that almost surely holds the k-th largest
// key of all, given the variance of its rank.
double half_width(double variance) { return kDeviations * std::sqrt(variance) + 1; }

// The ranks of the ends of an interval. Rank 0 or m + 1 means that the interval has no such end.
struct Ranks {
  std::size_t hi, lo;
};
Ranks ranks_around(double center, double half, std::size_t m) {
  return {static_cast<std::size_t>(std::max(0.0, std::floor(center - half))),
          static_cast<std::size_t>(std::min(static_cast<double>(m + 1), std::ceil(center + half)))};
}

template <class K>
constexpr Key kNone = -Key{kMagnitudeMask<K>} - 1;  // below all keys

// The keys between two keys of a sample, which are rounded outward and excluded.
template <class K>
Bracket bracket_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                         std::size_t k, std::uint64_t attempt) {
  K sample[kSample];
  const Runs places(n, kSample, 1, attempt);
  for (std::size_t i = 0; i < kSample; ++i) {
    std::memcpy(&sample[i], static_cast<const K*>(w) + places[i], sizeof(K));
  }
  const Key largest = kernels.select.elements[sizeof(K)].keys(sample, kSample, order, sample);
  const double p = static_cast<double>(k) / static_cast<double>(n);
  const Ranks ranks = ranks_around(p * kSample, half_width(p * (1 - p) * kSample), kSample);
  // Only the upper bits of the ends are determined.
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
  const auto step = static_cast<K>(Key{1} << std::max(bits - kEndBits, 0));
  const auto floor_of = [&](std::size_t rank) {
    return kernels.select.keys.of<K>().bisect(sample, kSample, rank, step);
  };
  return {ranks.lo > kSample ? kNone<K> : Key{floor_of(ranks.lo)},
          (ranks.hi == 0 ? Key{kMagnitudeMask<K>} : Key{floor_of(ranks.hi) | (step - 1)}) - 1};
}

}  // namespace

template <class K>
Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                       std::size_t k, Key* max_key) {
  Key unused = 0;
  Key& largest = max_key == nullptr ? unused : *max_key;
  const ElementKernels& elements = kernels.select.elements[sizeof(K)];
  if (n <= kBisectKeys) {
    K keys[kBisectKeys];
    largest = elements.keys(w, n, order, keys);
    return bisect(kernels, keys, n, k);
  }
  const Buffer<K> within(n + kWord);
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Bracket bracket = bracket_in_cache<K>(kernels, w, n, order, k, attempt);
    const BracketCounts bracket_counts =
        kernels.select.keys.of<K>().narrow(w, n, order, bracket, within.data());
    largest = bracket_counts.max_key;
    const Position position = locate(bracket_counts, k);
    if (position == Position::within) {
      // If the bracket holds more than half of the keys, there are many ties or the data defeats
      // sampling; the next bracket would not be better.
      const std::size_t rank = k - bracket_counts.above();
      Ranked ranked = bracket_counts.collected <= n / 2
                          ? select_in_cache<K>(kernels, within.data(), bracket_counts.collected,
                                               kIdentityOrder, rank)
                          : bisect(kernels, within.data(), bracket_counts.collected, rank);
      ranked.above += bracket_counts.above();
      return ranked;
    }
    // The two excluded keys, bracket.lo and bracket.hi + 1, may be most of the keys. They are
    // counted only if the k-th lies outside the bracket.
    if (position == Position::above) {
      const std::size_t above = elements.count_above(w, n, order, bracket.hi + 1);
      if (k > above) {
        return {bracket.hi + 1, above, bracket_counts.above() - above};
      }
    } else {
      const std::size_t from_lo = elements.count_above(w, n, order, bracket.lo - 1);
      if (k <= from_lo) {
        return {bracket.lo, bracket_counts.above_lo, from_lo - bracket_counts.above_lo};
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
  // Consecutive elements may be similar. The variance of ranks in a sample of runs is then larger
  // than in a sample of independent elements. It is estimated from pairs of runs in neighbouring
  // strata: the sum of the squared differences between the numbers of their keys up to the middle
  // rank. Of keys equal to the middle key, those with a rank up to the middle count.
  const auto middle = static_cast<std::size_t>(std::clamp(center_, 1.0, static_cast<double>(m)));
  const Ranked mid = ranked(middle);
  likely_ = 2 * (middle - mid.above) >= mid.equal ? mid.key - 1 : mid.key;
  const std::size_t tie_end = end_of(mid, middle) / kWord * kWord;
  const auto run_spread = kernels.select.keys.of<K>().run_spread;
  const auto key = static_cast<K>(mid.key);
  const std::uint64_t spread = run_spread(keys, tie_end, static_cast<K>(key - 1)) +
                               run_spread(keys + tie_end, m - tie_end, key);
  half_ = half_width(std::max(center_ * (1 - p), static_cast<double>(spread)));
}

// The index in the sample after the element of that rank. Equal keys rank by their index.
template <class K>
std::size_t Sample<K>::end_of(const Ranked& ranked, std::size_t rank) const {
  return end_of_ties(kernels_.select.elements[sizeof(K)], keys_, sizeof(K), m_, kIdentityOrder,
                     ranked.key, rank - ranked.above);
}

// The index, among all elements, of the element of that rank in the sample.
template <class K>
std::size_t Sample<K>::index_of(const Ranked& ranked, std::size_t rank) const {
  const std::size_t i = end_of(ranked, rank) - 1;
  return runs_[i / kRun] + i % kRun;
}

template <class K>
Interval Sample<K>::interval(double max_share, Key least, Key most) const {
  const Ranks ranks =
      ranks_around(center_, std::min(half_, max_share * static_cast<double>(m_) / 2), m_);
  // If few keys equal an end, all of them become candidates; this saves the search for an index.
  const std::size_t few_ties = 2 + (ranks.lo - ranks.hi) / 32;
  Interval result{.inner = {most, 0}, .outer = {least, n_}, .likely = likely_};
  if (ranks.hi != 0) {
    const Ranked hi = ranked(ranks.hi);
    result.inner = {hi.key, hi.equal <= few_ties ? 0 : index_of(hi, ranks.hi)};
  }
  if (ranks.lo <= m_) {
    const Ranked lo = ranked(ranks.lo);
    result.outer = {lo.key, lo.equal <= few_ties ? n_ : index_of(lo, ranks.lo) + 1};
  }
  return result;
}

template class Sample<std::int32_t>;
template class Sample<std::int64_t>;
template Ranked select_in_cache<std::int32_t>(const KernelTable&, const void*, std::size_t, Order,
                                              std::size_t, Key*);
template Ranked select_in_cache<std::int64_t>(const KernelTable&, const void*, std::size_t, Order,
                                              std::size_t, Key*);

}  // namespace secateur
