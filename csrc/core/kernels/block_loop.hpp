// The loops that kernels use. They process words of 64 elements. A ragged word at either end is
// copied to a padded buffer and processed by the same code, so all elements get the same treatment.
#pragma once

#include "core/kernel_types.hpp"
#include "targets/target.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

inline constexpr uint64_t kAllValid = ~uint64_t{0};

template <class T>
inline constexpr size_t kGroupLanes = kGroup<T> * kLanes<T>;

// A mask of the first `count` elements of a word.
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

// The same with a choice at run time, for loops that are not instantiated twice. The branch always
// goes the same way, so it is cheap.
template <class T>
SECATEUR_INLINE void store(bool stream, Vec<T> v, T* p) {
  kCanStream&& stream ? Stream(v, p) : StoreU(v, p);
}

// Narrows a group of vectors of integers to Q and stores them.
template <class Q>
SECATEUR_INLINE void store_demoted(bool stream, const Vec<int32_t>* q, Q* p) {
  for (size_t v = 0; v < kGroup<int32_t>; v += kDemoteInputs<Q>) {
    store(stream, DemoteTo<Q>(q + v), p + v * kLanes<int32_t>);
  }
}

// A destination describes where the loops below write results:
//   at(i)         the address of the result of element i
//   bytes(count)  the size of `count` results
//   streams()     whether results are written with streaming stores; kStreams is false if never

// A destination for results of type T.
template <class T, bool kStream>
struct Elements {
  static constexpr bool kStreams = kStream;
  unsigned char* data;

  explicit Elements(const Output& out) : data(static_cast<unsigned char*>(out.data)) {}
  [[nodiscard]] static constexpr bool streams() { return kStream; }
  unsigned char* at(size_t i) const { return data + i * sizeof(T); }
  static constexpr size_t bytes(size_t count) { return count * sizeof(T); }
};

// A destination that writes nothing.
struct NoDestination {
  static constexpr bool kStreams = false;
  explicit NoDestination(const Output&) {}
  static constexpr bool streams() { return false; }
  unsigned char* at(size_t) const { return nullptr; }
  static constexpr size_t bytes(size_t) { return 0; }
  template <class E>
  void write(const Vec<E>*, const Mask<E>*, unsigned char*, size_t) const {}
  void write_bits(uint64_t, uint64_t, unsigned char*, size_t) const {}
};

// A destination for the results of a part: the result of its first element is at out.data.
template <class T>
struct FromBegin : Elements<T, false> {
  size_t begin;

  FromBegin(const Output& out, size_t first) : Elements<T, false>(out), begin(first) {}
  unsigned char* at(size_t i) const { return Elements<T, false>::at(i - begin); }
};

// A destination that uses streaming stores if Output::stream is set.
template <class T>
struct MayStream : Elements<T, false> {
  static constexpr bool kStreams = kCanStream;
  bool stream;

  explicit MayStream(const Output& out) : Elements<T, false>(out), stream(out.stream) {}
  [[nodiscard]] bool streams() const { return kCanStream && stream; }
};

// A destination for integers whose width and signedness are known only at run time.
class Integers {
 public:
  static constexpr bool kStreams = kCanStream;

  Integers(const IntegerTarget& target, const Output& out)
      : data_(static_cast<unsigned char*>(out.data)),
        bytes_(target.bytes),
        is_signed_(target.is_signed),
        stream_(out.stream) {}
  [[nodiscard]] bool streams() const { return kCanStream && stream_; }
  unsigned char* at(size_t i) const { return data_ + i * bytes_; }
  [[nodiscard]] size_t bytes(size_t count) const { return count * bytes_; }
  // Stores a group of vectors as the results `lane`, lane + 1, ... of the word at `results`.
  SECATEUR_INLINE void store(const Vec<int32_t>* q, unsigned char* results, size_t lane) const {
    if (bytes_ == 1) {
      is_signed_ ? store_demoted(stream_, q, reinterpret_cast<int8_t*>(results) + lane)
                 : store_demoted(stream_, q, reinterpret_cast<uint8_t*>(results) + lane);
    } else {
      is_signed_ ? store_demoted(stream_, q, reinterpret_cast<int16_t*>(results) + lane)
                 : store_demoted(stream_, q, reinterpret_cast<uint16_t*>(results) + lane);
    }
  }

 private:
  unsigned char* data_;
  uint32_t bytes_;
  bool is_signed_, stream_;
};

// The number of elements from i to the next one whose result is aligned to a cache line; 0 if
// results are not streamed.
template <class Destination>
SECATEUR_INLINE size_t unaligned_head(const Destination& destination, size_t i) {
  if constexpr (!Destination::kStreams) {
    return 0;
  }
  if (destination.streams()) {
    const size_t misalignment = reinterpret_cast<uintptr_t>(destination.at(i)) % kLine;
    return misalignment == 0 ? 0 : (kLine - misalignment) / destination.bytes(1);
  }
  return 0;
}

// Tuning: the prefetch distance in bytes. The hardware prefetcher rarely crosses a 4 KiB boundary,
// and it stops if there is much work between two loads.
inline constexpr size_t kPrefetchBytes = size_t{8} << 10;

SECATEUR_INLINE Part whole(const void* array, size_t n) { return {array, 0, n, n}; }

// The loops below do not fence their streaming stores. A fence costs as much as a thousand stores.
// One fence is sufficient for all blocks that a thread processes (CoreKernels::fence).
//
// Tuning: prefetches end at the last word of the array of n elements. A prefetch from an unmapped
// page takes as long as a cache miss.
template <class In>
SECATEUR_INLINE void prefetch_ahead(const unsigned char* array, size_t i, size_t n) {
  const size_t ahead = i + kPrefetchBytes / sizeof(In);
  const size_t last = n < kWord ? 0 : n - kWord;
  for (size_t line = 0; line < kWord * sizeof(In); line += kLine) {
    __builtin_prefetch(array + (ahead < last ? ahead : last) * sizeof(In) + line);
  }
}

// Calls body(elements, valid, results, i) for each word. `elements` points to 64 elements. Bit j of
// `valid` is set unless element j is padding. `results` points to space for 64 results. i is the
// index of the first element.
template <class In, class Destination, class Body>
SECATEUR_INLINE void for_words(const Part& in, const Destination& destination, const Body& body) {
  const unsigned char* source = static_cast<const unsigned char*>(in.array);
  const auto process_ragged = [&](size_t i, size_t count) {
    alignas(kLine) In padded[kWord] = {};
    alignas(kLine) unsigned char results[kWord * sizeof(int64_t)];
    copy_bytes(padded, source + i * sizeof(In), count * sizeof(In));
    body(padded, first_bits(count), results, i);
    if (destination.bytes(count) != 0) {
      copy_bytes(destination.at(i), results, destination.bytes(count));
    }
  };
  // The ragged head and the ragged tail share one inlined copy of process_ragged, which halves the
  // code. If results may be streamed, the first pass of the loop processes the head. The last pass
  // processes the whole words and the tail.
  size_t i = in.begin;
  const size_t head = unaligned_head(destination, i);
  size_t count = head <= in.end - i ? head : 0;
  for (bool in_head = Destination::kStreams;; in_head = false) {
    if (!in_head) {
      for (; i + kWord <= in.end; i += kWord) {
        prefetch_ahead<In>(source, i, in.n);
        body(reinterpret_cast<const In*>(source + i * sizeof(In)), kAllValid, destination.at(i), i);
      }
      count = in.end - i;
    }
    if (count != 0) {
      process_ragged(i, count);
      i += count;
    }
    if (!in_head) {
      return;
    }
  }
}

// Calls body(elements, results, i) for each word, for bodies that compute each result from one
// element alone. A ragged word is padded with zeros, and the results of the padding are discarded.
// The body is inlined once; for_words inlines it twice. Elements that are in the cache need no
// prefetching.
enum class Prefetch { yes, no };
template <class In, Prefetch kPrefetch = Prefetch::yes, class Destination, class Body>
SECATEUR_INLINE void map_words(const Part& in, const Destination& destination, const Body& body) {
  const unsigned char* source = static_cast<const unsigned char*>(in.array);
  size_t head = unaligned_head(destination, in.begin);
  for (size_t i = in.begin; i != in.end; head = 0) {
    alignas(kLine) In padded[kWord];
    alignas(kLine) unsigned char results[kWord * sizeof(int64_t)];
    const size_t remaining = in.end - i;
    const size_t count = head != 0 && head <= remaining ? head : remaining;
    const bool is_ragged = count < kWord;
    const unsigned char* word_in = source + i * sizeof(In);
    unsigned char* word_out = destination.at(i);
    if (is_ragged) {
      __builtin_memset(padded, 0, sizeof padded);
      copy_bytes(padded, word_in, count * sizeof(In));
      word_in = reinterpret_cast<const unsigned char*>(padded);
      word_out = results;
    }
    const size_t end = is_ragged ? i + kWord : i + count / kWord * kWord;
    for (size_t word = i; word != end; word += kWord) {
      if constexpr (kPrefetch == Prefetch::yes) {
        prefetch_ahead<In>(source, word, in.n);
      }
      body(reinterpret_cast<const In*>(word_in), word_out, word);
      word_in += kWord * sizeof(In);
      word_out += destination.bytes(kWord);
    }
    if (is_ragged) {
      copy_bytes(destination.at(i), results, destination.bytes(count));
    }
    i = is_ragged ? i + count : end;
  }
}

// Copies `bytes` bytes from a scratch buffer to memory, in whole cache lines of `to` if kStream.
// The bytes before the first and after the last whole cache line are copied with normal stores.
template <bool kStream>
SECATEUR_INLINE void write_out(const unsigned char* from, unsigned char* to, size_t bytes) {
  constexpr size_t kVector = kLanes<int64_t> * sizeof(int64_t);
  const size_t misalignment = reinterpret_cast<uintptr_t>(to) % kLine;
  size_t i = 0;
  if (kStream && misalignment != 0) {
    i = kLine - misalignment < bytes ? kLine - misalignment : bytes;
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
