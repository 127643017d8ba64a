// N:M patterns: each group of M elements, its members, keeps the N members of largest key.
//
// Each lane ranks one group. Vector j has member j of kLanes groups, so that comparisons of whole
// vectors rank all these groups at once. Along any axis but the last, memory has this layout: the
// members of a group are `inner` elements apart, and member j of the next group is adjacent to
// member j. Along the last axis, groups are contiguous, and vectors of whole groups are transposed
// in registers.
#pragma once

#include "core/kernels/block_loop.hpp"
#include "core/kernels/sort.hpp"
#include "core/kernels/transpose.hpp"
#include "prune/kernels/table.hpp"
#include "select/kernels/select.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Tuning: the bytes of a tile of contiguous groups, and of a tile of whole bands. The results of a
// tile are assembled in the L1 cache, and written to memory from there. Streaming stores can then
// write whole cache lines wherever groups begin, and a vector may be stored that also has elements
// which are not results. Tiles are short, because the stores of one tile overlap with the reads of
// the next.
inline constexpr size_t kGroupsTileBytes = size_t{2} << 10;
inline constexpr size_t kBandsTileBytes = size_t{4} << 10;
// If rows are longer, a tile has a stretch of each of the M rows of a band. A stretch has
// kStretchBytes bytes, so that changing from row to row costs little, or fewer if M stretches would
// exceed kTileCapacityBytes bytes.
inline constexpr size_t kStretchBytes = size_t{1} << 10;
inline constexpr size_t kTileCapacityBytes = size_t{16} << 10;

// ---- Ranking --------------------------------------------------------------------------------

// Floats are kept unmodified. Their results are at their own indices.
template <class E>
struct FloatMembers : KeyOf<E> {
  using KeyOf<E>::KeyOf;
  static constexpr bool kAreMarks = false;
  SECATEUR_INLINE Vec<E> kept(Vec<E> x) const { return x; }
};

// Members that are floats or stored keys. A kept member becomes the mark -1. Marks are contiguous.
template <class E>
struct MarkedMembers : KeyOf<E> {
  using KeyOf<E>::KeyOf;
  static constexpr bool kAreMarks = true;
  SECATEUR_INLINE Vec<E> kept(Vec<E>) const { return Set(E{-1}); }
};

// Ranks the members of kLanes groups. x[j] has member j of each group, for j < count. Members that
// are not kept become 0. kSlots is `count` rounded up to a size for which code is compiled.
template <class E, class Members>
class Ranking {
 public:
  Ranking(Pattern pattern, Order order) : members_(order), keep_(pattern.keep) {}

  [[nodiscard]] Vec<E> largest() const { return largest_; }

  template <size_t kSlots>
  SECATEUR_INLINE void operator()(Vec<E>* x, size_t count) {
    if constexpr (kSlots <= 8) {
      compare_all<kSlots>(x, count);
    } else {
      sort_all<kSlots>(x, count);
    }
  }

 private:
  // For small groups: compares every pair of members, in registers and without branches. A member
  // is kept if fewer than N others rank before it.
  template <size_t kSlots>
  SECATEUR_INLINE void compare_all(Vec<E>* x, size_t count) {
    Vec<E> key[kSlots], before[kSlots];
#pragma GCC unroll 8
    for (size_t j = 0; j < kSlots; ++j) {
      key[j] = j < count ? members_(x[j]) : Set(kNoKey<E>);
      largest_ = Max(largest_, key[j]);
      // before[j] begins as the number of members of lower index. The loop subtracts those of
      // smaller key, and counts members of higher index and larger key.
      before[j] = Set(static_cast<E>(j));
#pragma GCC unroll 8
      for (size_t i = 0; i < j; ++i) {
        const Mask<E> larger = Gt(key[j], key[i]);
        before[i] = IncrementIf(before[i], larger);
        before[j] = DecrementIf(before[j], larger);
      }
    }
    const Vec<E> keep = Set(static_cast<E>(keep_));
#pragma GCC unroll 8
    for (size_t j = 0; j < kSlots; ++j) {
      if (j < count) {
        x[j] = IfThenElseZero(Gt(keep, before[j]), members_.kept(x[j]));
      }
    }
  }

  // For large groups: sorts a copy of the keys, and keeps the members whose key is at least the
  // N-th largest. If the next key equals the N-th, keep_first_ties decides among the members in
  // order.
  template <size_t kSlots>
  SECATEUR_INLINE void sort_all(Vec<E>* x, size_t count) {
    Vec<E> sorted[kSlots + 1];
    for (size_t j = 0; j <= kSlots; ++j) {
      sorted[j] = j < count ? members_(x[j]) : Set(kNoKey<E>);
    }
    sort<kSlots>(sorted);
    largest_ = Max(largest_, sorted[0]);
    const Vec<E> nth = sorted[keep_ - 1];
    const Vec<E> below = Add(nth, Set(E{-1}));
    if (BitsFromMask(Gt(sorted[keep_], below)) != 0) {
      return keep_first_ties(x, count, nth);
    }
    for (size_t j = 0; j < count; ++j) {
      x[j] = IfThenElseZero(Gt(members_(x[j]), below), members_.kept(x[j]));
    }
  }

  __attribute__((noinline)) void keep_first_ties(Vec<E>* x, size_t count, Vec<E> nth) const {
    const Vec<E> below = Add(nth, Set(E{-1}));
    const Vec<E> max_before = Set(static_cast<E>(keep_ - 1));
    // The number of members that rank before a tie: all of larger key, and earlier ties.
    Vec<E> before = Set(E{0});
    for (size_t j = 0; j < count; ++j) {
      before = IncrementIf(before, Gt(members_(x[j]), nth));
    }
    for (size_t j = 0; j < count; ++j) {
      const Vec<E> key = members_(x[j]);
      const Mask<E> ties = AndNot(Gt(key, nth), Gt(key, below));
      const Vec<E> pivot = IncrementIf(below, Gt(before, max_before));
      before = IncrementIf(before, ties);
      x[j] = IfThenElseZero(Gt(key, pivot), members_.kept(x[j]));
    }
  }

  Members members_;
  size_t keep_;
  Vec<E> largest_ = Set(kNoKey<E>);
};

// ---- Tiles ----------------------------------------------------------------------------------

// The unit of work: `bands` bands, each of M rows of `columns` elements.
template <class E>
struct Tile {
  const E* from;
  size_t from_stride;  // between rows
  E* to;
  size_t to_stride;
  size_t bands;
  size_t columns;
  size_t ahead;  // the distance from an element that is read to the one that is prefetched

  SECATEUR_INLINE void prefetch(const E* p) const { __builtin_prefetch(p + ahead); }
};

template <class E>
inline constexpr size_t kLineLanes = kLine / sizeof(E);

// Prunes contiguous groups, each in kSlots elements. If a vector has at least kSlots lanes, it has
// one or more whole groups. Otherwise a group is kVectors vectors, and the vectors that are
// transposed together are from kSide different groups.
//
// Groups of fewer than kSlots elements are first copied to `spread`, where they begin kSlots
// elements apart. After ranking they are copied to the tile without gaps. Each copy moves kSlots
// elements. The ranking ignores elements that are not of the group, and the copy of the next group
// overwrites them in the tile.
template <size_t kSlots, class E, class Members>
SECATEUR_INLINE void prune_groups(const Tile<E>& tile, size_t count, Ranking<E, Members>& rank) {
  constexpr size_t kSide = least(kSlots, kLanes<E>);
  constexpr size_t kVectors = kSlots / kSide;
  const auto vector_offset = [](size_t v) {
    return (v % kSide * kVectors + v / kSide) * kLanes<E>;
  };
  const bool is_shorter = count < kSlots;
  alignas(kLine) E spread[kGroupsTileBytes / sizeof(E)];
  if (is_shorter) {
    for (size_t i = 0; i < round_up(tile.bands, kLanes<E>); ++i) {
      tile.prefetch(tile.from + i * count);
      copy_bytes(spread + i * kSlots, tile.from + i * count, kSlots * sizeof(E));
    }
  }
  const E* const from = is_shorter ? spread : tile.from;
  E* const to = is_shorter ? spread : tile.to;
  for (size_t i = 0; i < tile.bands * kSlots; i += kSlots * kLanes<E>) {
    Vec<E> x[kSlots];
#pragma GCC unroll 32
    for (size_t v = 0; v < kSlots; ++v) {
      if (!is_shorter && vector_offset(v) % kLineLanes<E> == 0) {
        tile.prefetch(from + i + vector_offset(v));
      }
      x[v] = LoadU(from + i + vector_offset(v));
    }
    for (size_t v = 0; v < kSlots; v += kSide) {
      transpose_square<kSide, false>(x + v);
    }
    rank.template operator()<kSlots>(x, count);
    for (size_t v = 0; v < kSlots; v += kSide) {
      transpose_square<kSide, true>(x + v);
    }
#pragma GCC unroll 32
    for (size_t v = 0; v < kSlots; ++v) {
      StoreU(x[v], to + i + vector_offset(v));
    }
  }
  if (is_shorter) {
    for (size_t i = 0; i < tile.bands; ++i) {
      copy_bytes(tile.to + i * count, spread + i * kSlots, kSlots * sizeof(E));
    }
  }
}

// Prunes groups whose members are in different rows. The last vector of a row may extend into the
// next row. Columns are processed from the last to the first, so that correct results later
// overwrite the excess ones.
template <size_t kSlots, class E, class Members>
SECATEUR_INLINE void prune_rows(const Tile<E>& tile, size_t count, Ranking<E, Members>& rank) {
  for (size_t band = 0; band < tile.bands; ++band) {
    for (size_t c = round_up(tile.columns, kLanes<E>); c != 0;) {
      c -= kLanes<E>;
      const E* const from = tile.from + band * count * tile.from_stride + c;
      E* const to = tile.to + band * count * tile.to_stride + c;
      const bool prefetch = c % kLineLanes<E> == 0;
      Vec<E> x[kSlots];
#pragma GCC unroll 8
      for (size_t j = 0; j < kSlots; ++j) {
        if (j < count) {
          if (prefetch) {
            tile.prefetch(from + j * tile.from_stride);
          }
          x[j] = LoadU(from + j * tile.from_stride);
        } else {
          x[j] = Set(E{0});
        }
      }
      rank.template operator()<kSlots>(x, count);
#pragma GCC unroll 8
      for (size_t j = 0; j < kSlots; ++j) {
        if (j < count) {
          StoreU(x[j], to + j * tile.to_stride);
        }
      }
    }
  }
}

// kCount is M if that is known at compile time, else 0. Returns the largest key.
template <class E, class Members, size_t kSlots, size_t kCount = 0>
Vec<E> prune_tile(const Tile<E>& given, bool is_contiguous, Pattern pattern, Order order) {
  const size_t count = kCount != 0 ? kCount : pattern.of;
  const Tile<E> tile = given;  // a local copy, which no store can alias
  Ranking<E, Members> rank(pattern, order);
  if (is_contiguous) {
    prune_groups<kSlots>(tile, count, rank);
  } else {
    prune_rows<kSlots>(tile, count, rank);
  }
  return rank.largest();
}

// The kSlots for groups of m members.
constexpr size_t slots_for(size_t m) {
  return m == 2 ? 2 : m <= 4 ? 4 : m <= 8 ? 8 : m <= 16 ? 16 : 32;
}

template <class E, class Members>
auto tile_pruner(size_t m) {
  switch (slots_for(m)) {
    case 2:
      return prune_tile<E, Members, 2, 2>;
    case 4:
      return m == 4 ? prune_tile<E, Members, 4, 4> : prune_tile<E, Members, 4>;
    case 8:
      return m == 8 ? prune_tile<E, Members, 8, 8> : prune_tile<E, Members, 8>;
    case 16:
      return prune_tile<E, Members, 16>;
    default:
      return prune_tile<E, Members, 32>;
  }
}

// ---- Arrays ---------------------------------------------------------------------------------

// Prunes bands, one tile at a time.
template <class E, class Members, bool kStream>
class PatternPass {
 public:
  PatternPass(const Bands& w, Pattern pattern, Order order, const Output& out)
      : w_(w),
        array_(static_cast<const E*>(w.array)),
        out_(static_cast<unsigned char*>(out.data)),
        m_(pattern.of),
        pattern_(pattern),
        order_(order),
        prune_tile_(tile_pruner<E, Members>(pattern.of)) {}

  // Returns the largest key.
  Key run() {
    if (w_.columns == w_.inner && w_.inner <= stretch()) {
      prune_whole_bands();
    } else {
      for (size_t b = 0; b < w_.count; ++b) {
        prune_by_columns(b);
      }
    }
    return ReduceMax(largest_);
  }

 private:
  static constexpr size_t kCapacity = kTileCapacityBytes / sizeof(E);

  // The contiguous parts of the array that form a tile: one stretch of whole bands, or one per row.
  struct Stretches {
    size_t begin, count, length;
    size_t out_begin;    // the index of the first result
    size_t out_stride;   // from the results of a stretch to those of the next
    size_t read_length;  // how many elements vectors read, from the begin of a stretch
    size_t readable;     // how many elements this pass may read from there
  };

  [[nodiscard]] size_t band() const { return m_ * w_.inner; }
  [[nodiscard]] size_t stretch() const {
    return round_down(least(kStretchBytes / sizeof(E), kCapacity / m_), kLineLanes<E>);
  }

  void prune_whole_bands() {
    const bool is_contiguous = w_.inner == 1;
    const size_t fit = is_contiguous ? kGroupsTileBytes / sizeof(E) / slots_for(m_)
                                     : kBandsTileBytes / sizeof(E) / band();
    const size_t max_bands = fit == 0 ? 1 : fit;
    for (size_t b = 0; b < w_.count; b += max_bands) {
      const size_t bands = least(max_bands, w_.count - b);
      const size_t read_length = is_contiguous
                                     ? round_up(bands, kLanes<E>) * m_ + slots_for(m_) - m_
                                     : (bands * m_ - 1) * w_.inner + round_up(w_.inner, kLanes<E>);
      const size_t begin = w_.begin + b * band();
      prune({begin, 1, bands * band(), Members::kAreMarks ? begin - w_.begin : begin, 0,
             read_length, (w_.count - b) * band()},
            bands, w_.inner, w_.inner);
    }
  }

  // Vectors are aligned in the first row. If rows are whole cache lines, vectors are aligned in all
  // rows.
  void prune_by_columns(size_t number) {
    const size_t begin = w_.begin + number * band();
    const size_t out_begin = Members::kAreMarks ? number * m_ * w_.columns : begin;
    const size_t out_stride = Members::kAreMarks ? w_.columns : w_.inner;
    const size_t misalignment = reinterpret_cast<uintptr_t>(array_ + begin) % kLine / sizeof(E);
    for (size_t c = 0, end = 0; c < w_.columns; c = end) {
      end =
          least(round_down(c + misalignment + stretch(), kLineLanes<E>) - misalignment, w_.columns);
      const size_t columns = end - c;
      prune({begin + c, m_, columns, out_begin + c, out_stride, round_up(columns, kLanes<E>),
             w_.columns - c},
            1, columns, stretch() + kLineLanes<E>);
    }
  }

  void prune(const Stretches& s, size_t bands, size_t columns, size_t to_stride) {
    E* const to = results_ + kLineLanes<E>;
    Tile<E> tile{array_ + s.begin, w_.inner, to, to_stride, bands, columns, 0};
    if (s.read_length > s.readable) {
      pad(s);
      tile.from = padded_;
      tile.from_stride = s.count == 1 ? w_.inner : s.read_length;
    } else if (s.begin + (s.count - 1) * w_.inner + 3 * s.read_length <= w_.n) {
      tile.ahead = 2 * s.read_length;  // within the array, see prefetch_ahead()
    }
    largest_ = Max(largest_, prune_tile_(tile, w_.inner == 1, pattern_, order_));
    for (size_t i = 0; i < s.count; ++i) {
      write(reinterpret_cast<unsigned char*>(to + i * to_stride),
            out_ + (s.out_begin + i * s.out_stride) * sizeof(E), s.length * sizeof(E),
            s.length == s.readable, pending_[i]);
    }
  }

  // Copies the stretches, and fills them with zeros to the length that vectors read.
  void pad(const Stretches& s) {
    for (size_t i = 0; i < s.count; ++i) {
      E* const copy = padded_ + i * s.read_length;
      copy_bytes(copy, array_ + s.begin + i * w_.inner, s.length * sizeof(E));
      for (size_t rest = s.length; rest < s.read_length; ++rest) {
        copy[rest] = 0;
      }
    }
  }

  // Writes the results of a stretch. If stores are streamed and the results end within a cache
  // line, the bytes in that line are not written yet. They are copied to just before the stretch,
  // for the next tile, and `pending` is their number.
  static void write(unsigned char* from, unsigned char* to, size_t bytes, bool last,
                    size_t& pending) {
    const size_t rest = kStream && !last ? reinterpret_cast<uintptr_t>(to + bytes) % kLine : 0;
    write_out<kStream>(from - pending, to - pending, pending + bytes - rest);
    if (rest != 0) {
      copy_bytes(from - rest, from + bytes - rest, kLine);
    }
    pending = rest;
  }

  const Bands& w_;
  const E* array_;
  unsigned char* out_;
  size_t m_;
  Pattern pattern_;
  Order order_;
  Vec<E> (*prune_tile_)(const Tile<E>&, bool, Pattern, Order);
  Vec<E> largest_ = Set(kNoKey<E>);
  size_t pending_[kMaxGroupSize] = {};
  alignas(kLine) E padded_[kCapacity + kWord];
  alignas(kLine) E results_[kCapacity + (1 + kMaxGroupSize) * kLineLanes<E> + kWord];
};

template <class E>
Key prune_pattern(const Bands& w, Pattern pattern, Order order, const Output& out) {
  return kCanStream && out.stream
             ? PatternPass<E, FloatMembers<E>, true>(w, pattern, order, out).run()
             : PatternPass<E, FloatMembers<E>, false>(w, pattern, order, out).run();
}

template <class E>
Key mark_pattern(const Bands& w, Pattern pattern, Order order, const Output& out) {
  return PatternPass<E, MarkedMembers<E>, false>(w, pattern, order, out).run();
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
