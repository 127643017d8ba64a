// What is selected from: arrays, and what ranks their elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/table.hpp"
#include "ops/blocks.hpp"
#include "ops/conversion.hpp"
#include "ops/float_type.hpp"
#include "runtime/scratch.hpp"
#include "secateur/secateur.h"

namespace secateur {

// Elements in a block where what is ranked is made: it is to stay in the nearest cache, beside w.
inline constexpr std::size_t kMadeBlock = 4096;

// What ranks the elements of an array w: their magnitude, the values of an array beside it, or the
// magnitudes of the products of w and factors. That of element i is the factor (i / repeat) % period.
struct Scores {
  enum class Kind { magnitudes, values, products };

  Kind kind = Kind::magnitudes;
  const void* data = nullptr;
  FloatType type = kFloat32;  // of data
  std::size_t period = 0;
  std::size_t repeat = 1;
};

// Copies the factors of the elements from `index` on.
void expand(const Scores& scores, std::size_t index, std::size_t count, unsigned char* to);

// One array, or a slice of one.
struct Source {
  const void* w;
  std::size_t n;
  FloatType type;  // of w
  Output out{};
  Scores scores{};
  std::size_t begin = 0;  // of its first element among those of all sources
  std::size_t first = 0;  // of its first element in the array that it is a slice of
  const Conversion* conversion =
      nullptr;  // of the floats that are written; `out` says but their form

  // The type of what is ranked: of the scores, or of the products.
  [[nodiscard]] FloatType ranked_type() const;
  // Whether what is ranked is made, rather than being w itself.
  [[nodiscard]] bool is_made() const { return scores.kind != Scores::Kind::magnitudes; }
  // Whether kernels read w itself to rank it: as it is, or multiplied by factors of its own type.
  [[nodiscard]] bool ranks_itself() const {
    return !is_made() || (scores.kind == Scores::Kind::products && type.kind == scores.type.kind &&
                          type.kind == ranked_type().kind);
  }
  // Whether kernels make what is ranked as they go: not where floats of two types are multiplied.
  [[nodiscard]] bool is_made_in_passing() const {
    return is_made() && (scores.kind == Scores::Kind::values || ranks_itself());
  }
  // Where results go, and the bytes of each; 0 where several share one.
  [[nodiscard]] bool become_integers() const {
    return conversion != nullptr || out.form == Form::integers;
  }
  [[nodiscard]] unsigned char* results() const {
    return static_cast<unsigned char*>(conversion != nullptr ? conversion->data : out.data);
  }
  [[nodiscard]] std::size_t bytes_of_result() const {
    return conversion != nullptr        ? conversion->bytes_each
           : out.form == Form::integers ? out.integral->bytes
                                        : bytes_of(out.form, type.bytes);
  }
  [[nodiscard]] std::size_t scores_bytes() const {
    return (scores.kind == Scores::Kind::values ? n : scores.period) * scores.type.bytes;
  }
  [[nodiscard]] const unsigned char* at(std::size_t i) const {
    return static_cast<const unsigned char*>(w) + i * type.bytes;
  }
  // Where what ranks the elements from i on is read, or what it is multiplied with.
  [[nodiscard]] const unsigned char* ranked_at(std::size_t i) const {
    return scores.kind == Scores::Kind::values
               ? static_cast<const unsigned char*>(scores.data) + (first + i) * scores.type.bytes
               : at(i);
  }
  // Asks for what ranks the elements from i on, a cache line or two of them.
  void prefetch(std::size_t i, std::size_t count) const {
    const auto ask = [&](const unsigned char* line, std::size_t bytes_each) {
      __builtin_prefetch(line);
      __builtin_prefetch(line + count * bytes_each - 1);
    };
    ask(ranked_at(i), scores.kind == Scores::Kind::values ? scores.type.bytes : type.bytes);
    if (scores.kind == Scores::Kind::products) {
      const std::size_t factor = (first + i) / scores.repeat % scores.period;
      ask(static_cast<const unsigned char*>(scores.data) + factor * scores.type.bytes,
          scores.type.bytes);
    }
  }
};

// Arrays whose elements are compared with each other: those of the first come before those of the
// second. Where all are ranked alike, by floats of one type, keys are of that; else of float64, which
// holds all values.
class Scope {
 public:
  // Sets the `begin` of the sources.
  Scope(std::span<Source> sources, sc_nan nan);

  [[nodiscard]] std::span<const Source> sources() const { return sources_; }
  [[nodiscard]] std::size_t size() const { return n_; }
  [[nodiscard]] std::size_t bytes() const;  // that a pass reads
  // The source that holds the element of that index among those of all.
  [[nodiscard]] const Source& source_of(std::size_t i) const;
  [[nodiscard]] static bool is_in(const Source& source, std::size_t i) {
    return i - source.begin < source.n;  // a smaller i wraps around
  }
  // The first source; the only one where is_one().
  [[nodiscard]] const Source& first() const { return sources_.front(); }
  [[nodiscard]] bool is_one() const { return sources_.size() == 1; }
  [[nodiscard]] const KernelTable& table() const { return table_; }
  [[nodiscard]] bool refuses_nan() const { return refuses_nan_; }
  [[nodiscard]] FloatType key_type() const { return key_type_; }
  // The magnitudes of w itself rank all of them, as floats of one type.
  [[nodiscard]] bool is_plain() const { return uniform_ && !made_; }
  // Whether what ranks some of them is made.
  [[nodiscard]] bool is_made() const { return made_; }
  // Of the keys that can occur.
  [[nodiscard]] Key most() const { return key_type_.most; }
  [[nodiscard]] Key least() const { return values_ ? -key_type_.most : 0; }

  [[nodiscard]] const ElementKernels& kernels(const Source& source) const {
    return kernels_of(table_, source.ranked_type().bytes);
  }
  // How what is ranked in a source becomes keys of its own type.
  [[nodiscard]] Order order(const Source& source) const;
  // How kernels make what is ranked as they go.
  [[nodiscard]] Made made(const Source& source) const;
  // The bits of what is ranked: w's own, or made in `room`, which has place for them.
  [[nodiscard]] const void* bits(const Source& source, std::size_t begin, std::size_t end,
                                 void* room) const;
  // The same of elements that have been brought together, and their factors; out may be theirs.
  void make(const Source& source, const Part& part, const void* factors, void* out) const;
  // The bits of what is ranked of candidates that kernels made it of as they went: theirs, or made again
  // in `room`, which has place for twice as many.
  [[nodiscard]] const void* made_of(const Source& source, const Made& made, Collected candidates,
                                    std::size_t count, void* room) const;
  // Keys of the scope from bits of a source, as K; returns the largest of the source's own.
  template <class K>
  Key keys(const Source& source, const void* bits, std::size_t count, K* keys) const;
  // A selection of the scope as one of a source's own keys and places.
  [[nodiscard]] Selection local(const Source& source, Selection selection) const;

  [[nodiscard]] bool is_nan(const Source& source, Key own_key) const {
    return refuses_nan_ && own_key > source.ranked_type().infinity;
  }
  // Throws the error that says how many NaN the first source with such has, and where.
  [[noreturn]] void refuse_nan() const;
  // The same if there are any.
  void check_nan() const;
  // Whether one of the outputs is the array itself.
  [[nodiscard]] bool is_in_place() const;
  // Refuses NaN before something is written over what is read.
  void check_nan_in_place() const;

 private:
  [[nodiscard]] Key least_of(const Source& source) const;
  [[nodiscard]] Key to_common(const Source& source, Key own) const;
  [[nodiscard]] Key from_common(const Source& source, Key common) const;

  std::span<const Source> sources_;
  std::size_t n_ = 0;
  bool values_ = false;  // rank some of them
  bool made_ = false;
  bool uniform_ = true;
  bool refuses_nan_;
  bool nan_low_;
  FloatType key_type_;
  const KernelTable& table_;
};

// Whether results go past the caches: by how much is read and written in all.
void decide_streaming(std::span<Source> sources);

// Room for what is ranked in a part of one block, where it is made.
class Room {
 public:
  explicit Room(const Scope& scope);

  // For what is made of the elements at `read`. A load that follows a store to an address which is the
  // same in its lower 12 bits, or just behind, waits for it (4K aliasing), so that the room had better
  // begin half a page away.
  [[nodiscard]] void* beside(const void* read) const;

 private:
  std::optional<Buffer<std::int64_t>> data_;
};

// A part of a source, as kernels take it: what they rank is read there, or made as they go; or it has
// been made in a room, and then places in it are less by `moved`.
struct Ready {
  Part part;
  Made made;
  Output out;
  std::size_t moved;
};
Ready ready(const Scope& scope, const Source& source, const Part& part, const Output& out,
            const Room& room);

// Where a thread writes what is selected of a source: to its results, or, where those are converted, to a
// room from which they are.
class Desk {
 public:
  explicit Desk(const Scope& scope);

  // What is ready, but with the kernel's output in the room.
  [[nodiscard]] Ready moved(const Source& source, const Part& part, Ready at) const;
  // To be called when the kernel has written.
  void convert(const Part& part) const {
    if (hand_) {
      hand_->write(floats_.data(), part.begin, part.end - part.begin);
    }
  }

 private:
  std::unique_ptr<Conversion::Hand> hand_;
  Buffer<std::int64_t> floats_;
};

// The blocks of all sources, numbered through.
class Parts {
 public:
  explicit Parts(const Scope& scope);

  struct Item {
    std::size_t source;
    Part part;
  };
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] Item operator[](std::size_t i) const;

  static Blocks blocks(const Source& source);

 private:
  std::span<const Source> sources_;
  std::vector<std::size_t> ends_;  // of the numbers of each source, unless there is but one
  std::size_t count_;
};

}  // namespace secateur
