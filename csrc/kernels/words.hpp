// The loop under every kernel: words of 64 elements, with the ragged ends run through the same
// lanes by way of a padded copy, so that no element is ever treated by other code.
#pragma once

#include "kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr uint64_t kAllValid = ~uint64_t{0};

template <class T>
inline constexpr size_t kGroupLanes = kGroup<T> * kLanes<T>;

SECATEUR_INLINE uint64_t first_bits(size_t count) {
  return count >= kWord ? kAllValid : (uint64_t{1} << count) - 1;
}

SECATEUR_INLINE void copy_bytes(void* to, const void* from, size_t bytes) {
  __builtin_memcpy(to, from, bytes);
}

template <bool kStream, class T>
SECATEUR_INLINE void store(Vec<T> v, T* p) {
  if constexpr (kStream) {
    Stream(v, p);
  } else {
    StoreU(v, p);
  }
}

// As the others do that are not written twice for it: a branch that always goes the same way is cheap.
template <class T>
SECATEUR_INLINE void store(bool stream, Vec<T> v, T* p) {
  kCanStream&& stream ? Stream(v, p) : StoreU(v, p);
}

// A group of vectors of integers, narrowed to Q.
template <class Q>
SECATEUR_INLINE void store_demoted(bool stream, const Vec<int32_t>* q, Q* p) {
  for (size_t v = 0; v < kGroup<int32_t>; v += kDemoteInputs<Q>) {
    store(stream, DemoteTo<Q>(q + v), p + v * kLanes<int32_t>);
  }
}

// Where results of type T go, element by element.
template <class T, bool kStream>
struct Elements {
  static constexpr bool kStreams = kStream;
  unsigned char* data;

  explicit Elements(const Output& out) : data(static_cast<unsigned char*>(out.data)) {}
  [[nodiscard]] static constexpr bool streams() { return kStream; }
  unsigned char* at(size_t i) const { return data + i * sizeof(T); }
  static constexpr size_t bytes(size_t count) { return count * sizeof(T); }
};

// Elements whose places are counted from the begin of a part.
template <class T>
struct FromBegin : Elements<T, false> {
  size_t begin;

  FromBegin(const Output& out, size_t first) : Elements<T, false>(out), begin(first) {}
  unsigned char* at(size_t i) const { return Elements<T, false>::at(i - begin); }
};

// Those that are streamed or not.
template <class T>
struct MayStream : Elements<T, false> {
  static constexpr bool kStreams = kCanStream;
  bool stream;

  explicit MayStream(const Output& out) : Elements<T, false>(out), stream(out.stream) {}
  [[nodiscard]] bool streams() const { return kCanStream && stream; }
};

// Integers of which it is known at run time alone how they are stored.
class Integers {
 public:
  static constexpr bool kStreams = kCanStream;

  Integers(const Integral& integral, const Output& out)
      : data_(static_cast<unsigned char*>(out.data)),
        bytes_(integral.bytes),
        is_signed_(integral.is_signed),
        stream_(out.stream) {}
  [[nodiscard]] bool streams() const { return kCanStream && stream_; }
  unsigned char* at(size_t i) const { return data_ + i * bytes_; }
  [[nodiscard]] size_t bytes(size_t count) const { return count * bytes_; }
  // A group, from a lane on.
  SECATEUR_INLINE void store(const Vec<int32_t>* q, unsigned char* to, size_t lane) const {
    if (bytes_ == 1) {
      is_signed_ ? store_demoted(stream_, q, reinterpret_cast<int8_t*>(to) + lane)
                 : store_demoted(stream_, q, reinterpret_cast<uint8_t*>(to) + lane);
    } else {
      is_signed_ ? store_demoted(stream_, q, reinterpret_cast<int16_t*>(to) + lane)
                 : store_demoted(stream_, q, reinterpret_cast<uint16_t*>(to) + lane);
    }
  }

 private:
  unsigned char* data_;
  uint32_t bytes_;
  bool is_signed_, stream_;
};

// How many elements lie between i and the next one whose place is aligned, where they are streamed.
template <class Sink>
SECATEUR_INLINE size_t unaligned_head(const Sink& sink, size_t i) {
  if constexpr (!Sink::kStreams) {
    return 0;
  }
  if (sink.streams()) {
    const size_t past = reinterpret_cast<uintptr_t>(sink.at(i)) % kLine;
    return past == 0 ? 0 : (kLine - past) / sink.bytes(1);
  }
  return 0;
}

// How far ahead of their use elements are asked for. The processor looks ahead too, but hardly past
// the next 4 KiB, and loses its place where it is kept busy between two loads.
inline constexpr size_t kPrefetchBytes = size_t{8} << 10;

SECATEUR_INLINE Part whole(const void* array, size_t n) { return {array, 0, n, n}; }

// Stores past the caches are not fenced here: one fence costs as much as a thousand of them, and one is
// enough for all the blocks that a thread works on (KernelTable::fence).
//
// Not past the array of n: looking for a page that is not there takes as long as a cache miss.
template <class In>
SECATEUR_INLINE void prefetch_ahead(const unsigned char* array, size_t i, size_t n) {
  const size_t ahead = i + kPrefetchBytes / sizeof(In);
  const size_t last = n < kWord ? 0 : n - kWord;
  for (size_t line = 0; line < kWord * sizeof(In); line += kLine) {
    __builtin_prefetch(array + (ahead < last ? ahead : last) * sizeof(In) + line);
  }
}

// body(from, valid, to, i) for each word: 64 elements at from, of which the low bits of valid say
// which are real; to takes the 64 results; i is the index of the first.
template <class In, class Sink, class Body>
SECATEUR_INLINE void for_words(const Part& in, const Sink& sink, const Body& body) {
  const unsigned char* source = static_cast<const unsigned char*>(in.array);
  const auto ragged = [&](size_t i, size_t count) {
    alignas(kLine) In padded[kWord] = {};
    alignas(kLine) unsigned char results[kWord * sizeof(int64_t)];
    copy_bytes(padded, source + i * sizeof(In), count * sizeof(In));
    body(padded, first_bits(count), results, i);
    if (sink.bytes(count) != 0) {
      copy_bytes(sink.at(i), results, sink.bytes(count));
    }
  };
  // What precedes and what follows the words is done in one place, which is half the code of two.
  size_t i = in.begin;
  const size_t head = unaligned_head(sink, i);
  size_t count = head <= in.end - i ? head : 0;
  for (bool before = Sink::kStreams;; before = false) {
    if (!before) {
      for (; i + kWord <= in.end; i += kWord) {
        prefetch_ahead<In>(source, i, in.n);
        body(reinterpret_cast<const In*>(source + i * sizeof(In)), kAllValid, sink.at(i), i);
      }
      count = in.end - i;
    }
    if (count != 0) {
      ragged(i, count);
      i += count;
    }
    if (!before) {
      return;
    }
  }
}

// body(from, to, i) for each word where what becomes of an element depends on that alone: those that only fill
// up a ragged one are 0, and as good as real. Its code is there once then, where for_words has it twice.
inline constexpr bool kFromCache = true;
template <class In, bool kIsInCache = false, class Sink, class Body>
SECATEUR_INLINE void map_words(const Part& in, const Sink& sink, const Body& body) {
  const unsigned char* source = static_cast<const unsigned char*>(in.array);
  size_t head = unaligned_head(sink, in.begin);
  for (size_t i = in.begin; i != in.end; head = 0) {
    alignas(kLine) In padded[kWord];
    alignas(kLine) unsigned char results[kWord * sizeof(int64_t)];
    const size_t left = in.end - i;
    const size_t here = head != 0 && head <= left ? head : left;
    const bool is_ragged = here < kWord;
    const unsigned char* from = source + i * sizeof(In);
    unsigned char* to = sink.at(i);
    if (is_ragged) {
      __builtin_memset(padded, 0, sizeof padded);
      copy_bytes(padded, from, here * sizeof(In));
      from = reinterpret_cast<const unsigned char*>(padded);
      to = results;
    }
    const size_t end = is_ragged ? i + kWord : i + here / kWord * kWord;
    for (size_t word = i; word != end; word += kWord) {
      if constexpr (!kIsInCache) {
        prefetch_ahead<In>(source, word, in.n);
      }
      body(reinterpret_cast<const In*>(from), to, word);
      from += kWord * sizeof(In);
      to += sink.bytes(kWord);
    }
    if (is_ragged) {
      copy_bytes(sink.at(i), results, sink.bytes(here));
    }
    i = is_ragged ? i + here : end;
  }
}

// Out of a tile: whole lines, and the bytes before and after them.
template <bool kStream>
SECATEUR_INLINE void write_out(const unsigned char* from, unsigned char* to, size_t bytes) {
  constexpr size_t kVector = kLanes<int64_t> * sizeof(int64_t);
  const size_t past = reinterpret_cast<uintptr_t>(to) % kLine;
  size_t i = 0;
  if (kStream && past != 0) {
    i = kLine - past < bytes ? kLine - past : bytes;
    copy_bytes(to, from, i);
  }
  for (; i + kLine <= bytes; i += kLine) {
    for (size_t v = i; v < i + kLine; v += kVector) {
      store<kStream>(LoadU(reinterpret_cast<const int64_t*>(from + v)),
                     reinterpret_cast<int64_t*>(to + v));
    }
  }
  if (i != bytes) {
    copy_bytes(to + i, from + i, bytes - i);
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
