#include "ops/select.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "ops/blocks.hpp"
#include "ops/sample.hpp"
#include "ops/scan.hpp"
#include "ops/ties.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Scattered accesses to keep under way at once.
constexpr std::size_t kAhead = 32;

// Intervals from samples that may miss before the range of keys is cut in thirds instead.
constexpr std::uint64_t kSampledAttempts = 3;

// Of so many elements, one may be collected rather than marked in a mask: then its key and its place take
// about as much memory.
constexpr std::size_t kFewOf = 96;

// How keys of this scope are kept.
template <class Body>
auto with_key_type(const Scope& scope, const Body& body) {
  return scope.key_type().bytes == sizeof(std::int64_t) ? body(std::int64_t{})
                                                        : body(std::int32_t{});
}

// ---- In cache --------------------------------------------------------------------------------

// Sources as one array of keys, where floats of their own cannot serve as such.
template <class K>
bool needs_keys(const Scope& scope) {
  return !scope.is_plain() || !scope.is_one() || scope.key_type().bytes != sizeof(K);
}

void check(const Scope& scope, const Source& source, Key largest) {
  if (scope.is_nan(source, largest)) {
    scope.refuse_nan();
  }
}

template <class K>
void all_keys(const Scope& scope, K* keys) {
  const Room room(scope);
  for (const Source& source : scope.sources()) {
    for (std::size_t begin = 0; begin < source.n; begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, source.n);
      const void* const bits = scope.bits(source, begin, end, room.beside(source.ranked_at(begin)));
      check(scope, source, scope.keys(source, bits, end - begin, keys + source.begin + begin));
    }
  }
}

// The k-th largest and, if wanted, the selection of the k largest.
template <class K>
Selection select_in_cache(const Scope& scope, std::size_t k, bool with_ties) {
  const std::size_t n = scope.size();
  const bool made = needs_keys<K>(scope);
  const Buffer<K> keys(made ? n : 0);
  const void* ranked = scope.first().w;
  Order order = scope.order(scope.first());
  Key largest = 0;
  if (made) {
    all_keys(scope, keys.data());
    ranked = keys.data();
    order = kAsTheyAre;
  }
  const Ranked kth = select_in_cache<K>(scope.table(), ranked, n, order, k, &largest);
  if (!made) {
    check(scope, scope.first(), largest);
  }
  const std::size_t ties = k - kth.above;
  if (!with_ties || ties == kth.equal) {
    return {kth.key, n};
  }
  return {kth.key, end_of_ties(kernels_of(scope.table(), sizeof(K)), ranked, sizeof(K), n, order,
                               kth.key, ties)};
}

Selection select_in_cache(const Scope& scope, std::size_t k, bool with_ties) {
  return with_key_type(
      scope, [&](auto zero) { return select_in_cache<decltype(zero)>(scope, k, with_ties); });
}

// ---- From memory -----------------------------------------------------------------------------

// The selection of the first r elements with that key, and of those above it.
Selection with_ties(const Scope& scope, Key key, std::size_t r) {
  const Room room(scope);
  for (const Source& source : scope.sources()) {
    const Selection own = scope.local(source, {key, scope.size()});
    if (own.tie_end == 0) {
      continue;  // none of its keys stands for that value
    }
    const ElementKernels& kernels = scope.kernels(source);
    const Order order = scope.order(source);
    for (std::size_t begin = 0; begin < source.n; begin += kBlock) {
      const std::size_t length = std::min(kBlock, source.n - begin);
      const void* const bits =
          scope.bits(source, begin, begin + length, room.beside(source.ranked_at(begin)));
      const std::size_t here = kernels.count_above(bits, length, order, own.threshold - 1) -
                               kernels.count_above(bits, length, order, own.threshold);
      if (here >= r) {
        return {key, source.begin + begin +
                         end_of_ties(kernels, bits, source.ranked_type().bytes, length, order,
                                     own.threshold, r)};
      }
      r -= here;
    }
  }
  return {key, scope.size()};  // somebody writes to an array meanwhile
}

// The source of each place, of places that rise.
class Cursor {
 public:
  explicit Cursor(const Scope& scope) : source_(scope.sources().data()) {}
  const Source& at(std::size_t place) {
    while (!Scope::is_in(*source_, place)) {
      ++source_;
    }
    return *source_;
  }

 private:
  const Source* source_;
};

// Goes over the pieces of runs that lie in one source each: piece(source, place in it, length, place in
// the sample).
template <class Body>
void for_pieces(const Scope& scope, const Runs& runs, std::size_t count, const Body& piece) {
  Cursor cursor(scope);
  Cursor ahead(scope);
  for (std::size_t run = 0; run < count; ++run) {
    const std::size_t later = runs[std::min(run + kAhead, count - 1)];
    const Source& later_source = ahead.at(later);
    later_source.prefetch(later - later_source.begin, kRun);
    std::size_t place = runs[run];
    for (std::size_t i = 0; i < kRun;) {
      const Source& source = cursor.at(place);
      const std::size_t inside = place - source.begin;
      const std::size_t length = std::min(kRun - i, source.n - inside);
      piece(source, inside, length, run * kRun + i);
      place += length;
      i += length;
    }
  }
}

// The keys of runs of kRun neighbours.
template <class K>
void take(const Scope& scope, const Runs& runs, std::size_t count, K* keys) {
  const Source& first = scope.first();
  if (!scope.is_plain() && !(scope.is_one() && first.is_made_in_passing())) {
    for_pieces(scope, runs, count,
               [&](const Source& source, std::size_t place, std::size_t length, std::size_t to) {
      std::int64_t room[kRun];
      scope.keys(source, scope.bits(source, place, place + length, room), length, keys + to);
    });
    return;
  }
  // All of them together: bits of 16 go to the upper half of their place, from where they can be widened
  // in order.
  const std::size_t bytes = scope.key_type().bytes;
  const std::size_t size = count * kRun;
  unsigned char* const bits = reinterpret_cast<unsigned char*>(keys) + size * (sizeof(K) - bytes);
  const bool products = first.scores.kind == Scores::Kind::products;
  const Buffer<unsigned char> factors(products ? size * bytes : 0);
  if (scope.is_one() && scope.is_plain()) {  // with nothing to look up for each run
    for (std::size_t run = 0; run < count; ++run) {
      const unsigned char* const later = first.at(runs[std::min(run + kAhead, count - 1)]);
      __builtin_prefetch(later);
      __builtin_prefetch(later + kRun * bytes - 1);
      std::memcpy(bits + run * kRun * bytes, first.at(runs[run]), kRun * bytes);
    }
    scope.kernels(first).keys(bits, size, scope.order(first), keys);
    return;
  }
  for_pieces(scope, runs, count,
             [&](const Source& source, std::size_t place, std::size_t length, std::size_t to) {
    std::memcpy(bits + to * bytes, source.ranked_at(place), length * bytes);
    if (products) {
      expand(source.scores, source.first + place, length, factors.data() + to * bytes);
    }
  });
  scope.make(first, {bits, 0, size, size}, factors.data(), bits);
  scope.kernels(first).keys(bits, size, scope.order(first), keys);
}

template <class K>
Interval sampled(const Scope& scope, std::size_t k, std::uint64_t attempt) {
  const std::size_t n = scope.size();
  const double target = 2 * std::pow(static_cast<double>(n), 2.0 / 3.0);
  std::size_t size = static_cast<std::size_t>(target) / kWord * kWord + kWord;
  // Alike neighbours ask for a wide interval, or for a larger sample, until that takes as much memory
  // as the candidates will. Then the interval is made to fit, and may miss.
  const std::size_t capacity = capacity_for(scope);
  // Ends that are told by index have up to a block more of them each, others a sixteenth.
  const double room = 0.94 * static_cast<double>(capacity - 2 * kBlock) / static_cast<double>(n);
  const std::size_t largest = std::min(capacity, n / 2) / kWord * kWord;
  for (;;) {
    const Buffer<K> keys(size);
    const Runs runs(n, size / kRun, kRun, attempt);
    take(scope, runs, size / kRun, keys.data());
    const Sample<K> sample(scope.table(), keys.data(), runs, size, n, k);
    if (size >= largest || sample.share() <= room) {
      return sample.interval(room, scope.least(), scope.most());
    }
    const double excess = sample.share() / room;  // falls as the root of the size
    const double wanted = 1.2 * excess * excess * static_cast<double>(size);
    size = wanted < static_cast<double>(largest) ? static_cast<std::size_t>(wanted) / kWord * kWord
                                                 : largest;
  }
}

// The keys among which the k-th largest is known to be, ends included.
class Range {
 public:
  explicit Range(const Scope& scope)
      : least_(scope.least()), most_(scope.most()), n_(scope.size()) {}

  // After an interval that did not lead to the key. Above means that the inner selection has some.
  void learn(Place place, const Interval& between) {
    const auto& [inner, outer, likely] = between;
    if (place == Place::above) {
      least_ = std::max(least_, inner.tie_end == 0 ? inner.threshold + 1 : inner.threshold);
    } else if (place == Place::below) {
      most_ = std::min(most_, outer.tie_end >= n_ ? outer.threshold - 1 : outer.threshold);
    } else {
      least_ = std::max(least_, outer.threshold);
      most_ = std::min(most_, inner.threshold);
    }
  }

  // Nothing is left, which cannot be unless somebody writes to w meanwhile.
  [[nodiscard]] bool empty() const { return least_ > most_; }

  // The part of an interval within the range, or where that is empty, the range's middle third.
  [[nodiscard]] Interval cut(Interval between) const {
    if (between.inner.threshold < least_ || between.outer.threshold > most_) {
      return middle_third();
    }
    if (between.inner.threshold > most_) {
      between.inner = {most_, 0};
    }
    if (between.outer.threshold < least_) {
      between.outer = {least_, n_};
    }
    return between;
  }

  // In the end of a single key.
  [[nodiscard]] Interval middle_third() const {
    // The distance of two keys of 64 bits may be more than a key holds.
    const auto third = static_cast<Key>(
        (static_cast<std::uint64_t>(most_) - static_cast<std::uint64_t>(least_)) / 3);
    const Key from = least_ + third;
    const Key to = third == 0 ? from : most_ - third;
    const Key middle = from + (to - from) / 2;
    return {.inner = {to, 0}, .outer = {from, n_}, .likely = middle};
  }

 private:
  Key least_;
  Key most_;
  std::size_t n_;
};

// Writes a selection that is known.
void emit(const Scope& scope, Selection selection) {
  const Parts parts(scope);
  Tasks tasks(parts.count());
  std::atomic<bool> nan{false};
  share(tasks, scope.bytes(), [&] {
    const Room room(scope);
    const Desk desk(scope);
    for (std::size_t i = 0; tasks.take(i);) {
      const auto [number, part] = parts[i];
      const Source& source = scope.sources()[number];
      const Order order = scope.order(source);
      const Ready at = desk.moved(source, part, ready(scope, source, part, source.out, room));
      Selection own = scope.local(source, selection);
      own.tie_end -= std::min(own.tie_end, at.moved);
      const auto kernel = scope.kernels(source).emit[static_cast<std::size_t>(source.out.form)];
      if (scope.is_nan(source, kernel(at.part, at.made, order, own, at.out))) {
        nan.store(true, std::memory_order_relaxed);
      }
      desk.convert(part);
    }
  });
  if (nan.load()) {
    scope.refuse_nan();
  }
}

// The same for a selection that no pass over the data has gone before, which would have met NaN.
void emit_first(const Scope& scope, Selection selection) {
  scope.check_nan_in_place();
  emit(scope, selection);
}

// Whether the candidates are all that have a key: then they need not be collected.
bool is_single_key(const Interval& between, std::size_t n) {
  return between.inner.threshold == between.outer.threshold && between.inner.tie_end == 0 &&
         between.outer.tie_end >= n;
}

// Whether the scan may write: never in place, nor where results that share a byte would have to be put right.
bool may_write(const Scope& scope) {
  const Conversion* const conversion = scope.first().conversion;
  return !scope.is_in_place() &&
         (conversion == nullptr || (conversion->bytes_each != 0 && !conversion->refuses));
}

// Selects from memory and, if asked to, writes. Elsewhere than in place, the pass that selects
// writes as well: candidates are put right later.
template <class K>
Selection select_from_memory(const Scope& scope, std::size_t k, bool with_output) {
  const std::size_t n = scope.size();
  Range range(scope);
  for (std::uint64_t attempt = 0;; ++attempt) {
    if (range.empty()) {
      range = Range(scope);
    }
    Interval between = attempt < kSampledAttempts ? range.cut(sampled<K>(scope, k, attempt))
                                                  : range.middle_third();
    if (scope.first().become_integers()) {
      // Losers become 0, but winners would have to be converted
      between.likely = scope.least() - 1;
    }
    const bool write = with_output && may_write(scope);
    Scan<K> scan(scope, between, capacity_for(scope), write);
    const Place place = scan.run(k);
    if (place != Place::within || !(scan.complete() || is_single_key(between, n))) {
      range.learn(place, between);
      continue;
    }
    Selection selection{between.inner.threshold, n};
    if (!scan.complete()) {
      selection = with_ties(scope, selection.threshold, k - scan.above());
    } else {
      const Ranked kth = scan.kth(k);
      selection = with_output ? scan.selection(kth, k) : Selection{kth.key, n};
    }
    if (write && scan.complete()) {
      scan.settle(selection);
    } else if (with_output) {
      emit(scope, selection);
    }
    return selection;
  }
}

Selection select_from_memory(const Scope& scope, std::size_t k, bool with_output) {
  return with_key_type(
      scope, [&](auto zero) { return select_from_memory<decltype(zero)>(scope, k, with_output); });
}

// The places of the k largest, with all above the outer end of an interval as candidates.
template <class K>
bool collect_topk(const Scope& scope, std::size_t k, std::int64_t* places) {
  // Another sample than those that are taken if this one misses
  const Interval between{.inner = {scope.most(), 0},
                         .outer = sampled<K>(scope, k, kSampledAttempts).outer,
                         .likely = scope.most()};
  Scan<K> scan(scope, between, k + capacity_for(scope), false);
  const Place place = scan.run(k);
  if (place != Place::within || !scan.complete()) {
    return false;
  }
  scan.places_of(scan.selection(scan.kth(k), k), places);
  return true;
}

}  // namespace

Key kth_key(const Scope& scope, std::size_t k) {
  return (scope.size() <= kInCache ? select_in_cache(scope, k, false)
                                   : select_from_memory(scope, k, false))
      .threshold;
}

void write_topk(const Scope& scope, std::size_t k) {
  if (k == 0 || k == scope.size()) {
    emit_first(scope, {k == 0 ? scope.most() : scope.least() - 1, 0});
  } else if (scope.size() <= kInCache) {
    emit(scope, select_in_cache(scope, k, true));
  } else {
    select_from_memory(scope, k, true);
  }
}

bool find_topk(const Scope& scope, std::size_t k, std::int64_t* places) {
  if (k == 0 || k > scope.size() / kFewOf || scope.size() <= kInCache) {
    return false;
  }
  return with_key_type(scope,
                       [&](auto zero) { return collect_topk<decltype(zero)>(scope, k, places); });
}

void write_selection(const Scope& scope, Selection selection) { emit(scope, selection); }

void write_above(const Scope& scope, Key key) { emit_first(scope, {key, 0}); }

}  // namespace secateur
