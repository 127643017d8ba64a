#include "core/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#endif

namespace secateur::cpu {

#if defined(__x86_64__)
namespace {

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(unsigned number) {
  Leaf leaf;  // stays zero if the CPU does not have this leaf
  __get_cpuid_count(number, 0, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx);
  return leaf;
}

bool has_all(unsigned value, unsigned bits) { return (value & bits) == bits; }

// Whether the operating system saves these registers on a context switch. `state` is a mask of
// XCR0 bits.
bool os_saves(unsigned state) {
  if (!has_all(cpuid(1).ecx, bit_OSXSAVE)) {
    return false;
  }
  unsigned low = 0;
  unsigned high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return has_all(low, state);
}

constexpr unsigned kXmmYmm = 0x06;
constexpr unsigned kXmmYmmOpmaskZmm = 0xe6;
constexpr unsigned kLzcnt = 1u << 5;  // leaf 0x80000001, ecx

}  // namespace

bool has_avx2() {
  return os_saves(kXmmYmm) && has_all(cpuid(1).ecx, bit_AVX | bit_FMA | bit_F16C | bit_POPCNT) &&
         has_all(cpuid(7).ebx, bit_AVX2 | bit_BMI | bit_BMI2) &&
         has_all(cpuid(0x80000001).ecx, kLzcnt);
}

bool has_avx512() {
  return has_avx2() && os_saves(kXmmYmmOpmaskZmm) &&
         has_all(cpuid(7).ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) &&
         has_all(cpuid(7).ecx, bit_AVX512VBMI2);
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif

}  // namespace secateur::cpu
