// Tests of constants, loads and stores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <thread>

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class F>
void for_lane_types(F f) {
  for_types<int16_t, int32_t, int64_t, float, double>(f);
}
template <class F>
void for_stored_types(F f) {
  for_types<int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t, float, double>(f);
}

void test_kLanes() {
  for_stored_types([]<class T>() {
    expect_equal(kLanes<T> * sizeof(T), sizeof(Vec<T>), "size of a vector");
    expect_equal(kLanes<T> * sizeof(T), kLanes<int64_t> * (kLanes<int64_t> == 1 ? sizeof(T) : 8),
                 "all vectors have one size, or all have one lane");
  });
}

void test_kBlockLanes() {
  for_lane_types([]<class T>() {
    expect_equal(kBlockLanes<T>, kLanes<T> == 1 ? size_t{1} : 16 / sizeof(T), "lanes per block");
  });
}

void test_kGroup() {
  for_ints([]<class T>() {
    expect_equal(kGroup<T>, kLanes<T> < 16 ? size_t{4} : 64 / kLanes<T>, "vectors per group");
    expect_equal(64 % (kGroup<T> * kLanes<T>), size_t{0}, "a word is a number of groups");
  });
}

void test_kDemoteInputs() {
  for_types<int8_t, uint8_t, int16_t, uint16_t, int32_t>(
      []<class Q>() { expect_equal(kDemoteInputs<Q> * kLanes<int32_t>, kLanes<Q>, "lanes"); });
}

void test_kWidened() {
  for_floats([]<class T>() { expect_equal(kWidened<T> * kLanes<double>, kLanes<T>, "lanes"); });
}

void test_kCanStream() { expect_equal(kCanStream, kLanes<int64_t> > 1, "whether ISAs can stream"); }

void test_Set() {
  for_lane_types([]<class T>() {
    for (const T x : values_of<T>()) {
      for (const T lane : lanes_of<T>(Set(x))) {
        expect_equal(lane, x, "lane");
      }
    }
  });
}

// Loads vectors at every offset of whole elements, up to the end of the accessible memory.
template <class T, class Load>
void check_load(Load load) {
  constexpr std::size_t kBytes = sizeof(Lanes<T>);
  const GuardedBytes memory(3 * kBytes);
  memory.fill_random();
  for (std::size_t offset = 0; offset + kBytes <= memory.size(); offset += sizeof(T)) {
    const uint8_t* from = memory.begin() + memory.size() - kBytes - offset;
    const Lanes<T> got = lanes_of<T>(load(reinterpret_cast<const T*>(from)));
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      T expected;
      std::memcpy(&expected, from + i * sizeof(T), sizeof(T));
      expect_equal(got[i], expected, "lane", i);
    }
  }
}

void test_LoadU() {
  for_stored_types([]<class T>() { check_load<T>([](const T* p) { return LoadU(p); }); });
}

void test_LoadOnce() {
  for_lane_types([]<class T>() { check_load<T>([](const T* p) { return LoadOnce(p); }); });
}

// Stores at every multiple of `step` bytes. Each store changes only the bytes of the vector.
template <class T, class Store>
void check_store(Store store, std::size_t step) {
  constexpr std::size_t kBytes = sizeof(Lanes<T>);
  const GuardedBytes memory(4 * kBytes);
  for (std::size_t offset = 0; offset + kBytes <= memory.size(); offset += step) {
    memory.watch();
    Lanes<T> lanes;
    for (T& lane : lanes) {
      lane = random_value<T>();
    }
    uint8_t* to = memory.begin() + offset;
    store(load_lanes(lanes.data()), reinterpret_cast<T*>(to));
    FlushStream();
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      T got;
      std::memcpy(&got, to + i * sizeof(T), sizeof(T));
      expect_equal(got, lanes[i], "element", i);
    }
    memory.expect_untouched(offset, offset + kBytes);
  }
}

void test_StoreU() {
  for_stored_types(
      []<class T>() { check_store<T>([](Vec<T> v, T* p) { StoreU(v, p); }, sizeof(T)); });
}

void test_Stream() {
  for_stored_types(
      []<class T>() { check_store<T>([](Vec<T> v, T* p) { Stream(v, p); }, sizeof(Lanes<T>)); });
}

// If another thread sees a store after FlushStream, it also sees the streaming stores before it.
// Without the flush, a vector smaller than a cache line stays in a buffer of the CPU for a while.
// The thread then mostly reads too early, if both threads run at the same time.
void test_FlushStream() {
  constexpr int64_t kRounds = 1000;
  struct alignas(64) Line {
    int64_t lanes[8];
  };
  const auto lines = std::make_unique<Line[]>(kRounds);
  std::atomic<int64_t> written{0}, read{0};
  const auto wait_for = [](const std::atomic<int64_t>& count, int64_t least) {
    for (int tries = 1; count.load(std::memory_order_acquire) < least; ++tries) {
      if (tries % 1000 == 0) {
        std::this_thread::yield();
      }
    }
  };
  int64_t too_early = 0;
  std::thread reader([&] {
    for (int64_t round = 0; round < kRounds; ++round) {
      wait_for(written, round + 1);
      const volatile Line& line = lines[static_cast<std::size_t>(round)];
      too_early += line.lanes[0] != round + 1;
      read.store(round + 1, std::memory_order_release);
    }
  });
  for (int64_t round = 0; round < kRounds; ++round) {
    wait_for(read, round);
    Stream(Set(round + 1), lines[static_cast<std::size_t>(round)].lanes);
    FlushStream();
    written.store(round + 1, std::memory_order_release);
  }
  reader.join();
  expect_equal(too_early, int64_t{0}, "lines that another thread reads too early");
}

// Lanes, and those of them with the bits of a mask.
template <class T>
struct Compressed {
  Lanes<T> lanes;
  std::vector<T> kept;

  explicit Compressed(uint64_t bits) {
    for (std::size_t i = 0; i < kLanes<T>; ++i) {
      lanes[i] = random_value<T>();
      if ((bits >> i & 1) != 0) {
        kept.push_back(lanes[i]);
      }
    }
  }
};

// Checks an operation that compresses lanes.
template <class T, class Operation>
void check_compressed(bool dirty, Operation operation) {
  const GuardedBytes memory(sizeof(Lanes<T>));
  for (const uint64_t bits : mask_bits<T>(dirty)) {
    const Compressed<T> expected(bits);
    memory.watch();
    const std::size_t count =
        operation(load_lanes(expected.lanes.data()), bits, reinterpret_cast<T*>(memory.begin()));
    expect_equal(count, expected.kept.size(), "number of lanes");
    for (std::size_t i = 0; i < expected.kept.size(); ++i) {
      T got;
      std::memcpy(&got, memory.begin() + i * sizeof(T), sizeof(T));
      expect_equal(got, expected.kept[i], "element", i);
    }
    memory.expect_untouched(0, memory.size());
  }
}

void test_CompressStore() {
  for_types<int32_t, int64_t>([]<class T>() {
    check_compressed<T>(false, [](Vec<T> v, uint64_t bits, T* p) {
      return CompressStore(v, MaskFromBits<T>(bits), p);
    });
  });
}

void test_CompressBits() {  // ignores the bits above the lanes
  for_types<int8_t, int16_t, int32_t, int64_t>([]<class T>() {
    check_compressed<T>(true,
                        [](Vec<T> v, uint64_t bits, T* p) { return CompressBits(v, bits, p); });
  });
}

void test_ExpandBits() {
  for_types<int8_t, int16_t, int32_t, int64_t>([]<class T>() {
    const GuardedBytes memory(sizeof(Lanes<T>));
    for (const uint64_t bits : mask_bits<T>(true)) {
      const Compressed<T> expected(bits);
      memory.fill_random();
      std::ranges::copy(std::as_bytes(std::span(expected.kept)),
                        reinterpret_cast<std::byte*>(memory.begin()));
      const Lanes<T> got =
          lanes_of<T>(ExpandBits(bits, reinterpret_cast<const T*>(memory.begin())));
      for (std::size_t i = 0; i < kLanes<T>; ++i) {
        expect_equal(got[i], (bits >> i & 1) != 0 ? expected.lanes[i] : T{0}, "lane", i);
      }
    }
  });
}

std::vector<uint64_t> words() {
  std::vector<uint64_t> words{0, ~uint64_t{0}, 0x5555555555555555u, 0xaaaaaaaaaaaaaaaau};
  for (int i = 0; i < 64; ++i) {
    words.push_back(uint64_t{1} << i);
    words.push_back((uint64_t{1} << i) - 1);
  }
  for (int i = 0; i < 1000; ++i) {
    words.push_back(random_bits());
  }
  return words;
}

template <class Store>
void check_store_bools(Store store, std::size_t step) {
  const GuardedBytes memory(128);
  for (const uint64_t bits : words()) {
    for (std::size_t offset = 0; offset <= 64; offset += step) {
      memory.watch();
      store(bits, memory.begin() + offset);
      FlushStream();
      for (std::size_t i = 0; i < 64; ++i) {
        expect_equal<uint8_t>(memory.begin()[offset + i], bits >> i & 1, "bool", i);
      }
      memory.expect_untouched(offset, offset + 64);
    }
  }
}

void test_StoreBools() {
  check_store_bools([](uint64_t bits, uint8_t* p) { StoreBools(bits, p); }, 13);
}

void test_StreamBools() {
  check_store_bools([](uint64_t bits, uint8_t* p) { StreamBools(bits, p); }, 64);
}

void test_LoadBools() {
  const GuardedBytes memory(128);
  for (const uint64_t bits : words()) {
    memory.fill_random();
    for (std::size_t offset = 0; offset <= 64; offset += 13) {
      uint8_t* from = memory.begin() + 64 - offset;
      for (std::size_t i = 0; i < 64; ++i) {
        const auto any = static_cast<uint8_t>(1u << (random_bits() % 8));
        from[i] = (bits >> i & 1) != 0 ? any : uint8_t{0};
      }
      expect_equal(LoadBools(from), bits, "bits");
    }
  }
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
