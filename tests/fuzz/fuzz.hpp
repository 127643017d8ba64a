// Helpers of the fuzz targets: arguments and arrays drawn from the bytes of the fuzzer, calls on
// every ISA, and conversions of floats that do not use the library.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <sanitizer/asan_interface.h>
#include <secateur/secateur.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace fuzz {

// Aborts if a check fails, as the sanitizers do; the fuzzer then keeps the input.
inline void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "failed: %s\nlast error: %s\n", what, sc_last_error());
    std::abort();
  }
}

inline void require_same(std::uint64_t actual, std::uint64_t expected, std::size_t i,
                         const char* what) {
  if (actual != expected) {
    std::fprintf(stderr, "element %zu is %#llx, not %#llx\n", i,
                 static_cast<unsigned long long>(actual),
                 static_cast<unsigned long long>(expected));
  }
  require(actual == expected, what);
}

// ---- Arrays ----------------------------------------------------------------------------------

// A heap array of exactly the given size, so that AddressSanitizer detects accesses before and
// after it.
class Bytes {
 public:
  Bytes() : Bytes(0) {}
  // Begins `offset` bytes after an address that is aligned for every type.
  explicit Bytes(std::size_t size, std::size_t offset = 0)
      : memory_(static_cast<unsigned char*>(std::malloc(offset + size))),
        offset_(offset),
        size_(size) {
    require(memory_ != nullptr || offset + size == 0, "the fuzzer has memory");
    __asan_poison_memory_region(memory_, offset);
    std::fill_n(data(), size, static_cast<unsigned char>(0xa5));
  }
  Bytes(const Bytes& other) : Bytes(other.size_, other.offset_) {
    std::copy_n(other.data(), size_, data());
  }
  Bytes(Bytes&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        offset_(std::exchange(other.offset_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(offset_, other.offset_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() {
    __asan_unpoison_memory_region(memory_, offset_);
    std::free(memory_);
  }

  [[nodiscard]] unsigned char* data() { return memory_ + offset_; }
  [[nodiscard]] const unsigned char* data() const { return memory_ + offset_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  bool operator==(const Bytes& other) const {
    return size_ == other.size_ && std::equal(data(), data() + size_, other.data());
  }

  template <class T>
  [[nodiscard]] T get(std::size_t i) const {
    T value;
    std::memcpy(&value, data() + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T>
  void set(std::size_t i, T value) {
    std::memcpy(data() + i * sizeof(T), &value, sizeof(T));
  }

 private:
  unsigned char* memory_;
  std::size_t offset_;
  std::size_t size_;
};

// ---- Floats ----------------------------------------------------------------------------------

struct FloatType {
  sc_dtype dtype;
  std::size_t bytes;
  int exponent_bits, fraction_bits;

  [[nodiscard]] std::uint64_t sign() const { return std::uint64_t{1} << (8 * bytes - 1); }
  [[nodiscard]] std::uint64_t infinity() const {
    return ((std::uint64_t{1} << exponent_bits) - 1) << fraction_bits;
  }
};
inline constexpr FloatType kFloat32{SC_DTYPE_FLOAT32, 4, 8, 23};
inline constexpr FloatType kFloat64{SC_DTYPE_FLOAT64, 8, 11, 52};
inline constexpr FloatType kFloat16{SC_DTYPE_FLOAT16, 2, 5, 10};
inline constexpr FloatType kBFloat16{SC_DTYPE_BFLOAT16, 2, 8, 7};
inline constexpr std::array kFloats{kFloat32, kFloat64, kFloat16, kBFloat16};

inline std::uint64_t bits_at(const Bytes& array, std::size_t i, std::size_t bytes_each) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, array.data() + i * bytes_each, bytes_each);  // assumes little-endian
  return bits;
}
inline void set_bits(Bytes& array, std::size_t i, std::size_t bytes_each, std::uint64_t bits) {
  std::memcpy(array.data() + i * bytes_each, &bits, bytes_each);
}

// Converts to a wider float type. A NaN keeps its payload in the upper bits, and a signaling one
// does not become quiet.
inline std::uint64_t widened(std::uint64_t bits, const FloatType& from, const FloatType& to) {
  const std::uint64_t sign = (bits & from.sign()) != 0 ? to.sign() : 0;
  const std::uint64_t magnitude = bits & (from.sign() - 1);
  if (magnitude >= from.infinity()) {
    return sign | to.infinity() |
           (magnitude - from.infinity()) << (to.fraction_bits - from.fraction_bits);
  }
  const int bias = (1 << (from.exponent_bits - 1)) - 1;
  const auto exponent = static_cast<int>(magnitude >> from.fraction_bits);
  const std::uint64_t fraction = magnitude & ((std::uint64_t{1} << from.fraction_bits) - 1);
  const std::uint64_t mantissa =
      exponent == 0 ? fraction : fraction | std::uint64_t{1} << from.fraction_bits;
  const double value =
      std::ldexp(static_cast<double>(mantissa), std::max(exponent, 1) - bias - from.fraction_bits);
  return sign | (to.bytes == 8 ? std::bit_cast<std::uint64_t>(value)
                               : std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}

inline double value_of(std::uint64_t bits, const FloatType& type) {
  return std::bit_cast<double>(widened(bits, type, kFloat64));
}
inline bool is_nan(std::uint64_t bits, const FloatType& type) {
  return (bits & (type.sign() - 1)) > type.infinity();
}

// ---- Arguments -------------------------------------------------------------------------------

class Draw {
 public:
  Draw(const std::uint8_t* data, std::size_t size) : data_(data, size) {}

  template <class T>
  T in(T least, T most) {
    return data_.ConsumeIntegralInRange<T>(least, most);
  }
  template <class T>
  T any() {
    return data_.ConsumeIntegral<T>();
  }
  // True with a probability of 1 / times; false once the bytes of the fuzzer are exhausted.
  bool once_in(std::uint8_t times) { return in<std::uint8_t>(0, times - 1) == times - 1; }
  bool coin() { return data_.ConsumeBool(); }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[in<std::size_t>(0, values.size() - 1)];
  }
  template <class T, std::size_t count>
  const T& one_of(const std::array<T, count>& values) {
    return values[in<std::size_t>(0, count - 1)];
  }

  const FloatType& float_type() { return one_of(kFloats); }

  // Most sizes are small. The others are near a size where the library switches algorithms. Large
  // sizes are rare, because they take much longer.
  std::size_t size() {
    if (!once_in(8)) {
      return in<std::size_t>(0, 300);
    }
    const std::size_t about = once_in(8) ? one_of<std::size_t>({16384, 65536, 140'000, 280'000})
                                         : one_of<std::size_t>({64, 1024, 4096});
    return about - 64 + in<std::size_t>(0, 130);
  }

  // The distance of an array from an aligned address: 0 to 15 elements, in bytes.
  std::size_t offset(std::size_t bytes_each) { return in<std::size_t>(0, 15) * bytes_each; }

  // Floats with random bits, or with a distribution that is difficult for selection.
  Bytes floats(const FloatType& type, std::size_t n) {
    Bytes array(n * type.bytes, offset(type.bytes));
    const std::uint64_t all = type.sign() | (type.sign() - 1);
    std::uint64_t state = any<std::uint32_t>();
    const auto random = [&] {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return (state ^ (state >> 29)) * 0xbf58476d1ce4e5b9u;
    };
    const auto style = in<int>(0, 5);
    std::array<std::uint64_t, 8> few{};
    for (std::uint64_t& one : few) {
      one = any<std::uint64_t>() & all;
    }
    const std::uint64_t near_one = type.infinity() / 2;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t bits = random();
      const std::uint64_t sign = bits & type.sign();
      std::uint64_t value = bits & all;
      if (style == 1) {
        value = few[bits >> 61];
      } else if (style == 2) {  // near 1
        const std::uint64_t span = std::uint64_t{6} << type.fraction_bits;
        value = sign | (near_one - span / 2 + (bits >> 8) % span);
      } else if (style == 3) {  // ascending
        value = near_one + i % (std::uint64_t{1} << type.fraction_bits);
      } else if (style == 4) {  // mostly zeros
        value = (bits >> 40) % 8 == 0 ? value : sign;
      } else if (style == 5) {  // bits that the fuzzer chooses
        value = i < 64 ? any<std::uint64_t>() & all : few[i % 8];
      }
      set_bits(array, i, type.bytes, value);
    }
    if (!coin()) {  // only finite values, since a call that refuses NaN tests little else
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t bits = bits_at(array, i, type.bytes);
        if ((bits & (type.sign() - 1)) >= type.infinity()) {
          set_bits(array, i, type.bytes, bits ^ type.infinity());
        }
      }
    }
    return array;
  }

  Bytes bytes(std::size_t n, std::size_t offset = 0) {
    Bytes array(n, offset);
    std::uint32_t state = any<std::uint32_t>();
    for (std::size_t i = 0; i < n; ++i) {
      state = state * 1664525u + 1013904223u;
      array.data()[i] = i < 16 ? any<std::uint8_t>() : static_cast<unsigned char>(state >> 24);
    }
    return array;
  }

  sc_nan selection_nan() { return one_of({SC_NAN_KEEP, SC_NAN_PRUNE, SC_NAN_RAISE}); }

 private:
  FuzzedDataProvider data_;
};

// ---- Overlaps --------------------------------------------------------------------------------

// Places arrays at random positions in a single block of memory, so that some overlap. The block is
// filled with one repeated word.
class OverlapArena {
 public:
  OverlapArena(Draw& draw, std::size_t bytes, std::uint32_t word) : draw_(draw), memory_(bytes) {
    for (std::size_t i = 0; i < bytes / sizeof word; ++i) {
      memory_.set(i, word);
    }
    before_ = memory_;
  }

  // An array in the block, aligned for every type.
  struct Region {
    unsigned char* data;
    std::size_t bytes;

    [[nodiscard]] bool overlaps(const Region& other) const {
      return bytes != 0 && other.bytes != 0 && data < other.data + other.bytes &&
             other.data < data + bytes;
    }
    [[nodiscard]] bool operator==(const Region& other) const = default;
  };
  Region take(std::size_t bytes) {
    return {memory_.data() + draw_.in<std::size_t>(0, (memory_.size() - bytes) / 8) * 8, bytes};
  }

  // Requires that a call with an overlap is refused and writes nothing, and that another one
  // succeeds.
  void check(sc_status status, bool overlap) const {
    require(status == (overlap ? SC_ERROR_ARGUMENT : SC_OK),
            overlap ? "an overlap is refused" : "arrays that are apart are taken");
    require(!overlap || memory_ == before_, "nothing is written when an argument is refused");
  }

 private:
  Draw& draw_;
  Bytes memory_;
  Bytes before_;
};

// ---- Calls -----------------------------------------------------------------------------------

inline std::span<const char* const> isas() {
  static const std::vector<const char*> all = [] {
    std::vector<const char*> names(sc_isas(nullptr, 0));
    sc_isas(names.data(), names.size());
    return names;
  }();
  return all;
}

inline bool is_refusal(sc_status status) {
  return status == SC_ERROR_ARGUMENT || status == SC_ERROR_UNSUPPORTED;
}

struct Outcome {
  sc_status status;
  Bytes out;
};

// Runs call(null, out) on every ISA, with a random number of threads and an `out` of out_bytes
// bytes. If in_place is given, also runs call(copy, copy) on a copy of it. All statuses and results
// must agree. Returns the status and the result.
template <class Call>
Outcome on_every_isa(Draw& draw, std::size_t out_bytes, std::size_t offset, const Bytes* in_place,
                     const Call& call) {
  const auto attempt = [&](Bytes out, const void* in) {
    const sc_status status = call(in, out.data());
    return Outcome{status, std::move(out)};
  };
  Outcome first{};
  for (const char* isa : isas()) {
    require(sc_set_isa(isa) == SC_OK, "the ISA is set");
    require(sc_set_num_threads(draw.in<std::size_t>(1, 3)) == SC_OK, "the threads are set");
    Outcome next = attempt(Bytes(out_bytes, offset), nullptr);
    require(isa == isas()[0] || next.status == first.status, "every ISA has the same status");
    require(isa == isas()[0] || next.status != SC_OK || next.out == first.out,
            "every ISA has the same result");
    if (in_place != nullptr) {
      Bytes copy = *in_place;
      unsigned char* const data = copy.data();
      const sc_status status = call(data, data);
      require(status == next.status, "in place the status is the same");
      require(status != SC_OK || std::equal(data, data + copy.size(), next.out.data()),
              "in place the result is the same");
      require(status == SC_OK || copy == *in_place, "an array in place is left unmodified");
    }
    first = std::move(next);
  }
  return first;
}

}  // namespace fuzz
