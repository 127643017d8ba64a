// Tests of packed codes. A vector consists of fields of several bytes.
#pragma once

#include "support.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

constexpr std::size_t kVectorBytes = sizeof(Lanes<int64_t>);
using Bytes = std::array<uint8_t, kVectorBytes>;

Bytes bytes_of(Vec<int64_t> v) {
  const Lanes<int64_t> lanes = lanes_of(v);
  Bytes bytes;
  std::memcpy(bytes.data(), lanes.data(), kVectorBytes);
  return bytes;
}
Vec<int64_t> vector_of(const Bytes& bytes) {
  Lanes<int64_t> lanes;
  std::memcpy(lanes.data(), bytes.data(), kVectorBytes);
  return LoadU(lanes.data());
}
void expect_bytes(const Bytes& got, const Bytes& expected, int bits) {
  for (std::size_t i = 0; i < kVectorBytes; ++i) {
    expect_equal(got[i], expected[i], "byte", static_cast<std::size_t>(bits) * 100 + i);
  }
}

template <class F>
void for_bits(F f) {
  for (int bits = 1; bits <= 7; ++bits) {
    for (int round = 0; round < 500; ++round) {
      f(bits);
    }
  }
}

std::size_t field_bytes(int bits) { return static_cast<std::size_t>(PackedField(bits)) / 8; }
std::size_t packed_bytes(int bits) {
  return field_bytes(bits) * static_cast<std::size_t>(bits) / 8;
}

void test_PackedField() {
  for (int bits = 1; bits <= 7; ++bits) {
    const int size = PackedField(bits);
    expect(size == 16 || size == 32 || size == 64, "16, 32 or 64 bits");
    expect(size / 8 * bits % 8 == 0, "packed codes fill whole bytes");
  }
}

// Random packed bytes, and the fields into which LoadPacked loads them.
struct PackedFields {
  std::vector<uint8_t> packed;
  Bytes fields{};

  PackedFields(int bits, bool msb_first) {
    const std::size_t size = packed_bytes(bits);
    for (std::size_t field = 0; field < kVectorBytes; field += field_bytes(bits)) {
      for (std::size_t i = 0; i < size; ++i) {
        packed.push_back(random_value<uint8_t>());
        fields[field + (msb_first ? size - 1 - i : i)] = packed.back();
      }
    }
  }
};

void test_LoadPacked() {
  const GuardedBytes memory(kVectorBytes);
  for_bits([&](int bits) {
    for (const bool msb_first : {false, true}) {
      const PackedFields expected(bits, msb_first);
      memory.fill_random();
      std::memcpy(memory.begin(), expected.packed.data(), expected.packed.size());
      expect_bytes(bytes_of(LoadPacked(memory.begin(), bits, msb_first)), expected.fields, bits);
    }
  });
}

void test_StorePacked() {
  const GuardedBytes memory(kVectorBytes);
  for_bits([&](int bits) {
    for (const bool msb_first : {false, true}) {
      const PackedFields expected(bits, msb_first);
      memory.watch();
      StorePacked(vector_of(expected.fields), bits, msb_first, memory.begin());
      for (std::size_t i = 0; i < expected.packed.size(); ++i) {
        expect_equal(memory.begin()[i], expected.packed[i], "packed byte", i);
      }
      memory.expect_untouched(0, kVectorBytes);
    }
  });
}

Bytes random_bytes() {
  Bytes bytes;
  for (uint8_t& byte : bytes) {
    byte = random_value<uint8_t>();
  }
  return bytes;
}

void test_ReverseFields() {
  for_bits([](int bits) {
    const Bytes bytes = random_bytes();
    Bytes expected;
    const std::size_t size = field_bytes(bits);
    for (std::size_t i = 0; i < kVectorBytes; ++i) {
      expected[i] = bytes[i - i % size + size - 1 - i % size];
    }
    expect_bytes(bytes_of(ReverseFields(vector_of(bytes), bits)), expected, bits);
  });
}

// Codes of `size` bytes each: random values of `bits` bits, 0, and the largest value.
Bytes random_codes(int bits, std::size_t size) {
  Bytes bytes{};
  for (std::size_t i = 0; i < kVectorBytes; i += size) {
    const uint64_t all = (uint64_t{1} << bits) - 1;
    const uint64_t choices[] = {0, all, random_bits() & all, random_bits() & all};
    const uint64_t code = choices[random_bits() % 4];
    std::memcpy(&bytes[i], &code, size);
  }
  return bytes;
}

// Checks that an operation joins adjacent codes of `size` bytes: the second one is shifted by
// `bits`.
template <class Operation>
void check_join(Operation operation, int bits, std::size_t size) {
  const Bytes bytes = random_codes(bits, size);
  Bytes expected{};
  for (std::size_t i = 0; i < kVectorBytes; i += 2 * size) {
    uint64_t low = 0, high = 0;
    std::memcpy(&low, &bytes[i], size);
    std::memcpy(&high, &bytes[i + size], size);
    const uint64_t joined = low | high << bits;
    std::memcpy(&expected[i], &joined, 2 * size);
  }
  expect_bytes(bytes_of(operation(vector_of(bytes))), expected, bits);
}

void test_JoinBytes() {
  for_bits([](int bits) { check_join([=](auto v) { return JoinBytes(v, bits); }, bits, 1); });
}

void test_JoinUint16s() {
  for_bits([](int bits) { check_join([=](auto v) { return JoinUint16s(v, bits); }, 2 * bits, 2); });
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
