// N:M patterns: of each group of M elements, its members, the N of largest key are kept.
//
// Lanes run across groups: member j of as many groups as there are lanes is one vector, and groups
// are ranked by comparing whole vectors. Along any axis but the last they lie in memory like that:
// the members of a group are `inner` elements apart, those of the next group beside them. Along the
// last, vectors of whole groups are transposed in registers.
#pragma once

#include "kernels/select.hpp"
#include "kernels/sort.hpp"
#include "kernels/transpose.hpp"
#include "kernels/words.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// Results are put together in L1, a tile at a time, and go out from there: so stores past the
// caches are of whole lines wherever groups begin, and a vector may be stored that is not all
// results. Tiles are short, of groups in line and of whole bands, for the stores of one go on while
// the next is read.
inline constexpr size_t kTileOfGroups = size_t{2} << 10;
inline constexpr size_t kTileOfBands = size_t{4} << 10;
// Of long rows a tile has stretches: so much that turning from row to row does not matter, if there
// is room for as much of each.
inline constexpr size_t kStretch = size_t{1} << 10;
inline constexpr size_t kRoomOfTile = size_t{16} << 10;

// ---- Ranking --------------------------------------------------------------------------------

// Floats are ranked by magnitude and kept as they are.
template <class E>
struct FloatMembers : KeyOf<E> {
  using KeyOf<E>::KeyOf;
  SECATEUR_INLINE Vec<E> kept(Vec<E> x) const { return x; }
};

// Keys that stand for other elements are ranked as they are; -1 says that they are kept.
template <class E>
struct KeyMembers {
  explicit KeyMembers(Order) {}
  SECATEUR_INLINE Vec<E> operator()(Vec<E> key) const { return key; }
  SECATEUR_INLINE Vec<E> kept(Vec<E>) const { return Set(E{-1}); }
};

// Which members are kept. x[j] is member j, for j < count <= kRoom; it becomes 0 where that is not.
template <class E, class Members>
class Ranking {
 public:
  Ranking(Pattern pattern, Order order) : members_(order), keep_(pattern.keep) {}

  [[nodiscard]] Vec<E> largest() const { return largest_; }

  template <size_t kRoom>
  SECATEUR_INLINE void operator()(Vec<E>* x, size_t count) {
    if constexpr (kRoom <= 8) {
      compare_all<kRoom>(x, count);
    } else {
      sort_all<kRoom>(x, count);
    }
  }

 private:
  // Few: each with each, in registers and without a branch. Kept are those that fewer than N others
  // come before.
  template <size_t kRoom>
  SECATEUR_INLINE void compare_all(Vec<E>* x, size_t count) {
    Vec<E> key[kRoom], before[kRoom];
#pragma GCC unroll 8
    for (size_t j = 0; j < kRoom; ++j) {
      key[j] = j < count ? members_(x[j]) : Set(kNoKey<E>);
      largest_ = Max(largest_, key[j]);
      before[j] =
          Set(static_cast<E>(j));  // all that have a lower index, less those of a smaller key
#pragma GCC unroll 8
      for (size_t i = 0; i < j; ++i) {
        const Mask<E> larger = Gt(key[j], key[i]);
        before[i] = CountIf(before[i], larger);
        before[j] = DiscountIf(before[j], larger);
      }
    }
    const Vec<E> keep = Set(static_cast<E>(keep_));
#pragma GCC unroll 8
    for (size_t j = 0; j < kRoom; ++j) {
      if (j < count) {
        x[j] = IfThenElseZero(Gt(keep, before[j]), members_.kept(x[j]));
      }
    }
  }

  // Many: a copy of the keys is sorted, and kept is what reaches the N-th. Only where the next one
  // ties with that do members have to be gone through in order.
  template <size_t kRoom>
  SECATEUR_INLINE void sort_all(Vec<E>* x, size_t count) {
    Vec<E> sorted[kRoom + 1];
    for (size_t j = 0; j <= kRoom; ++j) {
      sorted[j] = j < count ? members_(x[j]) : Set(kNoKey<E>);
    }
    sort<kRoom>(sorted);
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
    const Vec<E> below = Add(nth, Set(E{-1})), last = Set(static_cast<E>(keep_ - 1));
    // Those that come before a tie: all above, and earlier ties
    Vec<E> before = Set(E{0});
    for (size_t j = 0; j < count; ++j) {
      before = CountIf(before, Gt(members_(x[j]), nth));
    }
    for (size_t j = 0; j < count; ++j) {
      const Vec<E> key = members_(x[j]);
      const Mask<E> ties = AndNot(Gt(key, nth), Gt(key, below));
      const Vec<E> pivot = CountIf(below, Gt(before, last));
      before = CountIf(before, ties);
      x[j] = IfThenElseZero(Gt(key, pivot), members_.kept(x[j]));
    }
  }

  Members members_;
  size_t keep_;
  Vec<E> largest_ = Set(kNoKey<E>);
};

// ---- Tiles ----------------------------------------------------------------------------------

// What is pruned at once: M rows of `columns` elements, times `bands`.
template <class E>
struct Tile {
  const E* from;
  size_t from_stride;  // from row to row
  E* to;
  size_t to_stride;
  size_t bands;
  size_t columns;
  size_t ahead;  // how much later what is to be prefetched is read

  SECATEUR_INLINE void prefetch(const E* p) const { __builtin_prefetch(p + ahead); }
};

template <class E>
inline constexpr size_t kLineLanes = kLine / sizeof(E);

// Groups that lie in line. With kRoom elements for each, a vector has some of them; or a group is
// kVectors vectors, and what is transposed is one vector of each group. Shorter groups are spread
// first and moved together after; copies are as long as the room, in an order in which what was too
// much is overwritten.
template <size_t kRoom, class E, class Members>
SECATEUR_INLINE void prune_groups(const Tile<E>& tile, size_t count, Ranking<E, Members>& rank) {
  constexpr size_t kSide = least(kRoom, kLanes<E>);
  constexpr size_t kVectors = kRoom / kSide;
  const auto place = [](size_t v) { return (v % kSide * kVectors + v / kSide) * kLanes<E>; };
  const bool shorter = count < kRoom;
  alignas(kLine) E spread[kTileOfGroups / sizeof(E)];
  if (shorter) {
    for (size_t i = 0; i < round_up(tile.bands, kLanes<E>); ++i) {
      tile.prefetch(tile.from + i * count);
      copy_bytes(spread + i * kRoom, tile.from + i * count, kRoom * sizeof(E));
    }
  }
  const E* const from = shorter ? spread : tile.from;
  E* const to = shorter ? spread : tile.to;
  for (size_t i = 0; i < tile.bands * kRoom; i += kRoom * kLanes<E>) {
    Vec<E> x[kRoom];
#pragma GCC unroll 32
    for (size_t v = 0; v < kRoom; ++v) {
      if (!shorter && place(v) % kLineLanes<E> == 0) {
        tile.prefetch(from + i + place(v));
      }
      x[v] = LoadU(from + i + place(v));
    }
    for (size_t v = 0; v < kRoom; v += kSide) {
      transpose_square<kSide, false>(x + v);
    }
    rank.template operator()<kRoom>(x, count);
    for (size_t v = 0; v < kRoom; v += kSide) {
      transpose_square<kSide, true>(x + v);
    }
#pragma GCC unroll 32
    for (size_t v = 0; v < kRoom; ++v) {
      StoreU(x[v], to + i + place(v));
    }
  }
  if (shorter) {
    for (size_t i = 0; i < tile.bands; ++i) {
      copy_bytes(tile.to + i * count, spread + i * kRoom, kRoom * sizeof(E));
    }
  }
}

// A vector that is longer than its row is has some of the next one, whose turn comes later: the
// last columns are taken first.
template <size_t kRoom, class E, class Members>
SECATEUR_INLINE void prune_rows(const Tile<E>& tile, size_t count, Ranking<E, Members>& rank) {
  for (size_t band = 0; band < tile.bands; ++band) {
    for (size_t c = round_up(tile.columns, kLanes<E>); c != 0;) {
      c -= kLanes<E>;
      const E* const from = tile.from + band * count * tile.from_stride + c;
      E* const to = tile.to + band * count * tile.to_stride + c;
      const bool prefetch = c % kLineLanes<E> == 0;
      Vec<E> x[kRoom];
#pragma GCC unroll 8
      for (size_t j = 0; j < kRoom; ++j) {
        if (j < count) {
          if (prefetch) {
            tile.prefetch(from + j * tile.from_stride);
          }
          x[j] = LoadU(from + j * tile.from_stride);
        } else {
          x[j] = Set(E{0});
        }
      }
      rank.template operator()<kRoom>(x, count);
#pragma GCC unroll 8
      for (size_t j = 0; j < kRoom; ++j) {
        if (j < count) {
          StoreU(x[j], to + j * tile.to_stride);
        }
      }
    }
  }
}

// kCount: M, or 0 where the compiler is not told. Returns the largest key.
template <class E, class Members, size_t kRoom, size_t kCount = 0>
Vec<E> prune_tile(const Tile<E>& given, bool in_line, Pattern pattern, Order order) {
  const size_t count = kCount != 0 ? kCount : pattern.of;
  const Tile<E> tile = given;  // of its own, which no store can change
  Ranking<E, Members> rank(pattern, order);
  if (in_line) {
    prune_groups<kRoom>(tile, count, rank);
  } else {
    prune_rows<kRoom>(tile, count, rank);
  }
  return rank.largest();
}

// The room that groups of m are ranked in.
constexpr size_t room_for(size_t m) {
  return m == 2 ? 2 : m <= 4 ? 4 : m <= 8 ? 8 : m <= 16 ? 16 : 32;
}

template <class E, class Members>
auto tile_pruner(size_t m) {
  switch (room_for(m)) {
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

// Goes over bands tile by tile.
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
      whole_bands();
    } else {
      for (size_t b = 0; b < w_.count; ++b) {
        columns_of_band(w_.begin + b * band());
      }
    }
    return ReduceMax(largest_);
  }

 private:
  static constexpr size_t kTile = kRoomOfTile / sizeof(E);

  // What lies in line in the array: one stretch of whole bands, or one of each row.
  struct Stretches {
    size_t begin, count, length;
    size_t reach;  // past what vectors read
    size_t left;   // until the end of the part that this pass may read
  };

  [[nodiscard]] size_t band() const { return m_ * w_.inner; }
  [[nodiscard]] size_t stretch() const {
    return round_down(least(kStretch / sizeof(E), kTile / m_), kLineLanes<E>);
  }

  void whole_bands() {
    const bool in_line = w_.inner == 1;
    const size_t fit =
        in_line ? kTileOfGroups / sizeof(E) / room_for(m_) : kTileOfBands / sizeof(E) / band();
    const size_t most = fit == 0 ? 1 : fit;
    for (size_t b = 0; b < w_.count; b += most) {
      const size_t bands = least(most, w_.count - b);
      const size_t reach = in_line ? round_up(bands, kLanes<E>) * m_ + room_for(m_) - m_
                                   : (bands * m_ - 1) * w_.inner + round_up(w_.inner, kLanes<E>);
      prune({w_.begin + b * band(), 1, bands * band(), reach, (w_.count - b) * band()}, bands,
            w_.inner, w_.inner);
    }
  }

  // Vectors are aligned in the first row, and in all if rows are whole lines.
  void columns_of_band(size_t begin) {
    const size_t past = reinterpret_cast<uintptr_t>(array_ + begin) % kLine / sizeof(E);
    for (size_t c = 0, end = 0; c < w_.columns; c = end) {
      end = least(round_down(c + past + stretch(), kLineLanes<E>) - past, w_.columns);
      const size_t columns = end - c;
      prune({begin + c, m_, columns, round_up(columns, kLanes<E>), w_.columns - c}, 1, columns,
            stretch() + kLineLanes<E>);
    }
  }

  void prune(const Stretches& s, size_t bands, size_t columns, size_t to_stride) {
    E* const to = written_ + kLineLanes<E>;
    Tile<E> tile{array_ + s.begin, w_.inner, to, to_stride, bands, columns, 0};
    if (s.reach > s.left) {
      pad(s);
      tile.from = padded_;
      tile.from_stride = s.count == 1 ? w_.inner : s.reach;
    } else if (s.begin + (s.count - 1) * w_.inner + 3 * s.reach <= w_.n) {
      tile.ahead = 2 * s.reach;  // not past the array, see for_words()
    }
    largest_ = Max(largest_, prune_tile_(tile, w_.inner == 1, pattern_, order_));
    for (size_t i = 0; i < s.count; ++i) {
      write(reinterpret_cast<unsigned char*>(to + i * to_stride),
            out_ + (s.begin + i * w_.inner) * sizeof(E), s.length * sizeof(E), s.length == s.left,
            waiting_[i]);
    }
  }

  // Copies, with zeros for what is not there.
  void pad(const Stretches& s) {
    for (size_t i = 0; i < s.count; ++i) {
      E* const copy = padded_ + i * s.reach;
      copy_bytes(copy, array_ + s.begin + i * w_.inner, s.length * sizeof(E));
      for (size_t rest = s.length; rest < s.reach; ++rest) {
        copy[rest] = 0;
      }
    }
  }

  // The beginning of a line waits before the tile for the rest.
  static void write(unsigned char* from, unsigned char* to, size_t bytes, bool last,
                    size_t& waiting) {
    const size_t rest = kStream && !last ? reinterpret_cast<uintptr_t>(to + bytes) % kLine : 0;
    write_out<kStream>(from - waiting, to - waiting, waiting + bytes - rest);
    if (rest != 0) {
      copy_bytes(from - rest, from + bytes - rest, kLine);
    }
    waiting = rest;
  }

  const Bands& w_;
  const E* array_;
  unsigned char* out_;
  size_t m_;
  Pattern pattern_;
  Order order_;
  Vec<E> (*prune_tile_)(const Tile<E>&, bool, Pattern, Order);
  Vec<E> largest_ = Set(kNoKey<E>);
  size_t waiting_[kMostMembers] = {};
  alignas(kLine) E padded_[kTile + kWord];
  alignas(kLine) E written_[kTile + (1 + kMostMembers) * kLineLanes<E> + kWord];
};

template <class E>
Key prune_pattern(const Bands& w, Pattern pattern, Order order, const Output& out) {
  return kCanStream && out.stream
             ? PatternPass<E, FloatMembers<E>, true>(w, pattern, order, out).run()
             : PatternPass<E, FloatMembers<E>, false>(w, pattern, order, out).run();
}

template <class K>
void mark_pattern(const Bands& keys, Pattern pattern, const Output& out) {
  PatternPass<K, KeyMembers<K>, false>(keys, pattern, kAsTheyAre, out).run();
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
