#include "ops/source.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "dispatch/dispatch.hpp"
#include "ops/nan.hpp"

namespace secateur {
namespace {

constexpr std::size_t kPage = 4096;

bool by_values(const Source& source) { return source.scores.kind == Scores::Kind::values; }

// ---- Keys of float64 for those of other types ------------------------------------------------

// The bits of the float64 of the same value; NaN keep their order, and the place of their payload.
Key widened(Key magnitude, FloatType type) {
  const int significand = std::countr_zero(static_cast<std::uint64_t>(type.infinity));
  const int shift = std::countr_zero(static_cast<std::uint64_t>(kFloat64.infinity)) - significand;
  const Key exponent = magnitude >> significand;
  const Key bias = (type.infinity >> significand) / 2;
  if (magnitude >= type.infinity) {
    return ((magnitude - type.infinity) << shift) + kFloat64.infinity;
  }
  if (shift == 0) {
    return magnitude;
  }
  if (exponent == 0) {
    return std::bit_cast<Key>(
        std::ldexp(static_cast<double>(magnitude), static_cast<int>(1 - bias) - significand));
  }
  constexpr Key kBias = 1023;
  return (magnitude << shift) + ((kBias - bias) << (shift + significand));
}

// ---- What is ranked ----------------------------------------------------------------------------

// A part of floats as `type`, which is wide enough for them: the part itself, or one made in `room`.
Part as_type(const KernelTable& table, FloatType type, const Part& part, FloatType of, void* room) {
  if (type.kind == of.kind) {
    return part;
  }
  const FloatKernels& kernels = table.of_float[static_cast<std::size_t>(of.kind)];
  type.kind == Float::float64 ? kernels.to_float64(part, static_cast<double*>(room))
                              : kernels.to_float32(part, static_cast<float*>(room));
  return {room, 0, part.end - part.begin, part.end - part.begin};
}

const void* begin_of(const Part& part, std::size_t bytes_each) {
  return static_cast<const unsigned char*>(part.array) + part.begin * bytes_each;
}

// The factors of the elements [begin, end): where they are, or copied to `room`.
Part factors_of(const Source& source, std::size_t begin, std::size_t end, unsigned char* room) {
  const Scores& scores = source.scores;
  const std::size_t first = scores.repeat == 1 ? (source.first + begin) % scores.period : 0;
  if (scores.repeat == 1 && end - begin <= scores.period - first) {
    return {scores.data, first, first + end - begin, scores.period};
  }
  expand(scores, source.first + begin, end - begin, room);
  return {room, 0, end - begin, end - begin};
}

void multiply(const KernelTable& table, FloatType type, const Part& a, const void* b, void* out) {
  if (type.kind == Float::float64) {
    table.multiply_float64(a, static_cast<const double*>(b), static_cast<double*>(out));
  } else {
    table.multiply_float32(a, static_cast<const float*>(b), static_cast<float*>(out));
  }
}

// The products of the elements [begin, end) and their factors. They are made in pieces that stay in the
// nearest cache.
void make_products(const KernelTable& table, const Source& source, std::size_t begin,
                   std::size_t end, unsigned char* products) {
  constexpr std::size_t kPiece = 1024;
  alignas(kLine) unsigned char factors[kPiece * sizeof(double)];
  alignas(kLine) unsigned char wide[2][kPiece * sizeof(double)];
  const FloatType type = source.ranked_type();
  for (std::size_t i = begin; i < end; i += kPiece) {
    const std::size_t to = std::min(i + kPiece, end);
    const Part w = as_type(table, type, {source.w, i, to, source.n}, source.type, wide[0]);
    const Part x =
        as_type(table, type, factors_of(source, i, to, factors), source.scores.type, wide[1]);
    multiply(table, type, w, begin_of(x, type.bytes), products + (i - begin) * type.bytes);
  }
}

std::string name_of(const Scope& scope, const Source& source) {
  const auto numbered = [&](std::string name, const char* of_several) {
    if (!scope.is_one()) {
      name = of_several;
      name += '[';
      name += std::to_string(&source - scope.sources().data());
      name += ']';
    }
    return name;
  };
  std::string scores = numbered("scores", "scores");
  if (by_values(source)) {
    return scores;
  }
  std::string name = numbered("w", "arrays");
  if (source.is_made()) {
    name += " * ";
    name += scores;
  }
  return name;
}

}  // namespace

void expand(const Scores& scores, std::size_t index, std::size_t count, unsigned char* to) {
  const std::size_t bytes = scores.type.bytes;
  const auto* const data = static_cast<const unsigned char*>(scores.data);
  while (count != 0) {
    const std::size_t factor = index / scores.repeat % scores.period;
    std::size_t length = 0;
    if (scores.repeat == 1) {
      length = std::min(count, scores.period - factor);
      std::memcpy(to, data + factor * bytes, length * bytes);
    } else {
      length = std::min(count, scores.repeat - index % scores.repeat);
      for (std::size_t i = 0; i < length; ++i) {
        std::memcpy(to + i * bytes, data + factor * bytes, bytes);
      }
    }
    index += length;
    to += length * bytes;
    count -= length;
  }
}

FloatType Source::ranked_type() const {
  switch (scores.kind) {
    case Scores::Kind::magnitudes:
      break;
    case Scores::Kind::values:
      return scores.type;
    case Scores::Kind::products:
      return type.kind == Float::float64 || scores.type.kind == Float::float64 ? kFloat64
                                                                               : kFloat32;
  }
  return type;
}

Scope::Scope(std::span<Source> sources, sc_nan nan)
    : sources_(sources),
      refuses_nan_(nan == SC_NAN_RAISE),
      nan_low_(nan == SC_NAN_PRUNE || nan == SC_NAN_ZERO),
      key_type_(sources.front().ranked_type()),
      table_(secateur::kernels()) {
  const bool first_by_values = by_values(sources.front());
  for (Source& source : sources) {
    source.begin = n_;
    n_ += source.n;
    made_ = made_ || source.is_made();
    values_ = values_ || by_values(source);
    uniform_ = uniform_ && source.ranked_type().kind == key_type_.kind &&
               by_values(source) == first_by_values;
  }
  if (!uniform_) {
    key_type_ = kFloat64;
  }
}

std::size_t Scope::bytes() const {
  std::size_t bytes = 0;
  for (const Source& source : sources_) {
    bytes += source.n * source.type.bytes;
  }
  return bytes;
}

const Source& Scope::source_of(std::size_t i) const {
  // Of sources that begin there, all but the last are empty.
  const auto past = std::upper_bound(
      sources_.begin(), sources_.end(), i,
      [](std::size_t place, const Source& source) { return place < source.begin; });
  return *(past - 1);
}

Made Scope::made(const Source& source) const {
  const FloatType type = source.scores.type;
  return {source.scores.kind == Scores::Kind::values ? Made::As::values : Made::As::products,
          nan_low_,
          type.infinity,
          nullptr,
          0,
          0};
}

Order Scope::order(const Source& source) const {
  if (by_values(source)) {
    return kAsTheyAre;
  }
  const FloatType type = source.ranked_type();
  return {nan_low_ ? type.most - type.infinity : 0, type.most};
}

const void* Scope::bits(const Source& source, std::size_t begin, std::size_t end,
                        void* room) const {
  switch (source.scores.kind) {
    case Scores::Kind::magnitudes:
      return source.at(begin);
    case Scores::Kind::values:
      make(source, {source.ranked_at(0), begin, end, source.n}, nullptr, room);
      break;
    case Scores::Kind::products:
      make_products(table_, source, begin, end, static_cast<unsigned char*>(room));
      break;
  }
  return room;
}

void Scope::make(const Source& source, const Part& part, const void* factors, void* out) const {
  switch (source.scores.kind) {
    case Scores::Kind::magnitudes:
      break;
    case Scores::Kind::values:
      kernels(source).value_keys(part, source.scores.type.infinity, nan_low_, out);
      break;
    case Scores::Kind::products:
      multiply(table_, source.ranked_type(), part, factors, out);
      break;
  }
}

const void* Scope::made_of(const Source& source, const Made& made, Collected candidates,
                           std::size_t count, void* room) const {
  if (made.as == Made::As::they_are) {
    return candidates.bits;
  }
  const std::size_t bytes = source.ranked_type().bytes;
  auto* const factors = static_cast<unsigned char*>(room) + count * bytes;
  for (std::size_t i = 0; made.as == Made::As::products && i < count; ++i) {
    const std::size_t factor = (made.phase + candidates.offsets[i]) % made.period;
    std::memcpy(factors + i * bytes,
                static_cast<const unsigned char*>(made.factors) + factor * bytes, bytes);
  }
  make(source, {candidates.bits, 0, count, count}, factors, room);
  return room;
}

template <class K>
Key Scope::keys(const Source& source, const void* bits, std::size_t count, K* keys) const {
  const ElementKernels& of_source = kernels(source);
  if (uniform_ || source.ranked_type().bytes == sizeof(K)) {
    const Key largest = of_source.keys(bits, count, order(source), keys);
    for (std::size_t i = 0; !uniform_ && i < count; ++i) {
      keys[i] = static_cast<K>(to_common(source, keys[i]));
    }
    return largest;
  }
  // Narrower keys go to the upper half of their places, from where they can be widened in order.
  auto* const narrow =
      reinterpret_cast<unsigned char*>(keys) + count * (sizeof(K) - sizeof(std::int32_t));
  const Key largest = of_source.keys(bits, count, order(source), narrow);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t own = 0;
    std::memcpy(&own, narrow + i * sizeof own, sizeof own);
    keys[i] = static_cast<K>(to_common(source, own));
  }
  return largest;
}
template Key Scope::keys(const Source&, const void*, std::size_t, std::int32_t*) const;
template Key Scope::keys(const Source&, const void*, std::size_t, std::int64_t*) const;

Key Scope::least_of(const Source& source) const { return values_ ? -source.ranked_type().most : 0; }

Key Scope::to_common(const Source& source, Key own) const {
  const FloatType type = source.ranked_type();
  if (by_values(source)) {
    return own < 0 ? -widened(-own, type) : widened(own, type);
  }
  const Order from = order(source);
  if (values_ && own < from.rotation) {
    return own - kFloat64.most;  // NaN that is below zero is below the negative values too
  }
  const Key to_rotation = nan_low_ && !values_ ? kFloat64.most - kFloat64.infinity : 0;
  const Key magnitude = (own - from.rotation) & from.mask;
  const auto turned = static_cast<std::uint64_t>(widened(magnitude, type)) +
                      static_cast<std::uint64_t>(to_rotation);
  return static_cast<Key>(turned) & kFloat64.most;
}

// The largest of the source's keys that does not exceed the common one, or the one below them all.
Key Scope::from_common(const Source& source, Key common) const {
  Key below = least_of(source) - 1;
  Key above = source.ranked_type().most;
  while (below < above) {
    const auto gap = static_cast<std::uint64_t>(above) - static_cast<std::uint64_t>(below);
    const Key middle = above - static_cast<Key>(gap / 2);
    if (to_common(source, middle) <= common) {
      below = middle;
    } else {
      above = middle - 1;
    }
  }
  return below;
}

Selection Scope::local(const Source& source, Selection selection) const {
  const std::size_t tie_end =
      std::min(selection.tie_end - std::min(selection.tie_end, source.begin), source.n);
  if (uniform_) {
    return {selection.threshold, tie_end};
  }
  const Key own = from_common(source, selection.threshold);
  const bool ties = own >= least_of(source) && to_common(source, own) == selection.threshold;
  return {own, ties ? tie_end : 0};
}

void Scope::refuse_nan() const {
  const Room room(*this);
  for (const Source& source : sources_) {
    const bool values = source.scores.kind == Scores::Kind::values;
    NaNs found{0, source.n};
    for (std::size_t begin = 0; begin < source.n; begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, source.n);
      const FloatType type = source.ranked_type();
      const void* const floats =
          values ? source.ranked_at(begin)
                 : bits(source, begin, end, room.beside(source.ranked_at(begin)));
      const NaNs here = find_nan(floats, end - begin, type);
      found.first = found.count == 0 ? begin + here.first : found.first;
      found.count += here.count;
    }
    if (found.count != 0) {
      secateur::refuse_nan(found, name_of(*this, source).c_str());
    }
  }
  secateur::refuse_nan({0, 0}, "w");  // somebody writes to it meanwhile
}

bool Scope::is_in_place() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& source) {
    return source.n != 0 && source.out.data == source.w;
  });
}

void Scope::check_nan_in_place() const {
  if (refuses_nan_ && is_in_place()) {
    check_nan();
  }
}

void Scope::check_nan() const {
  const Parts parts(*this);
  Tasks tasks(parts.count());
  std::atomic<bool> nan{false};
  share(tasks, bytes(), [&] {
    const Room room(*this);
    for (std::size_t i = 0; tasks.take(i);) {
      const auto [number, part] = parts[i];
      const Source& source = sources_[number];
      const void* const ranked =
          bits(source, part.begin, part.end, room.beside(source.ranked_at(part.begin)));
      if (kernels(source).count_above(ranked, part.end - part.begin, order(source),
                                      source.ranked_type().infinity) != 0) {
        nan.store(true);
        tasks.stop();
      }
    }
  });
  if (nan.load()) {
    refuse_nan();
  }
}

void decide_streaming(std::span<Source> sources) {
  std::size_t traffic = 0;
  for (const Source& source : sources) {
    traffic += source.n * (source.type.bytes + source.bytes_of_result());
  }
  for (Source& source : sources) {
    source.out.stream = worth_streaming(source.w, source.out.data, traffic);
  }
}

Room::Room(const Scope& scope) {
  if (scope.is_made()) {
    // The first block may be longer than others.
    data_.emplace(kBlock + 2 * kWord + kPage / sizeof(std::int64_t));
  }
}

void* Room::beside(const void* read) const {
  if (!data_) {
    return nullptr;
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(data_->data());
  const auto wanted = reinterpret_cast<std::uintptr_t>(read) + kPage / 2;
  return reinterpret_cast<unsigned char*>(data_->data()) + (wanted - begin) % kPage / kLine * kLine;
}

Ready ready(const Scope& scope, const Source& source, const Part& part, const Output& out,
            const Room& room) {
  Output to = out;
  to.others = source.w;
  if (!source.is_made()) {
    return {part, {}, to, 0};
  }
  // Not where elements of another width are written: that would be as much code again for each.
  const bool of_width = out.form == Form::none || out.form == Form::bools ||
                        out.form == Form::bits || source.type.bytes == source.scores.type.bytes;
  if (source.scores.kind == Scores::Kind::values && of_width) {
    return {{source.ranked_at(0), part.begin, part.end, part.n}, scope.made(source), to, 0};
  }
  void* const made = room.beside(source.at(part.begin));
  if (source.ranks_itself()) {
    const Scores& scores = source.scores;
    Made products = scope.made(source);
    if (scores.repeat == 1) {
      products.factors = scores.data;
      products.period = scores.period;
      products.phase = (source.first + part.begin) % scores.period;
    } else {
      products.factors = made;
      products.period = part.end - part.begin;
      expand(scores, source.first + part.begin, products.period, static_cast<unsigned char*>(made));
    }
    return {part, products, to, 0};
  }
  const std::size_t count = part.end - part.begin;
  if (out.form != Form::none) {
    to.data = static_cast<unsigned char*>(out.data) +
              (out.form == Form::bits ? part.begin / 8
                                      : part.begin * bytes_of(out.form, source.type.bytes));
    to.others = source.at(part.begin);
  }
  return {{scope.bits(source, part.begin, part.end, made), 0, count, count}, {}, to, part.begin};
}

Desk::Desk(const Scope& scope)
    : hand_(scope.is_one() && scope.first().conversion != nullptr ? scope.first().conversion->hand()
                                                                  : nullptr),
      floats_(hand_ ? kMadeBlock + 2 * kWord : 0) {}

Ready Desk::moved(const Source& source, const Part& part, Ready at) const {
  if (!hand_) {
    return at;
  }
  const auto at_begin = [&](const void* array, std::size_t bytes_each) {
    return static_cast<const unsigned char*>(array) + at.part.begin * bytes_each;
  };
  if (at.moved == 0) {
    at.part = {at_begin(at.part.array, source.ranked_type().bytes), 0, part.end - part.begin,
               at.part.n - at.part.begin};
    at.out.others = source.at(part.begin);
    at.moved = part.begin;
  }
  at.out.data = floats_.data();
  at.out.stream = false;
  return at;
}

Blocks Parts::blocks(const Source& source) {
  const bool in_room = (source.is_made() && !source.is_made_in_passing()) || source.conversion;
  return {source.w, source.n, source.results(), 8 * source.bytes_of_result(),
          in_room ? kMadeBlock : kBlock};
}

Parts::Parts(const Scope& scope) : sources_(scope.sources()) {
  if (scope.is_one()) {
    count_ = blocks(scope.first()).count();
    return;
  }
  count_ = 0;
  ends_.reserve(sources_.size());
  for (const Source& source : sources_) {
    count_ += source.n == 0 ? 0 : blocks(source).count();
    ends_.push_back(count_);
  }
}

Parts::Item Parts::operator[](std::size_t i) const {
  if (ends_.empty()) {
    return {0, blocks(sources_.front())[i]};
  }
  const auto found = std::upper_bound(ends_.begin(), ends_.end(), i);
  const auto number = static_cast<std::size_t>(found - ends_.begin());
  return {number, blocks(sources_[number])[i - (number == 0 ? 0 : ends_[number - 1])]};
}

}  // namespace secateur
