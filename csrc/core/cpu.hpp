// CPU detection: which ISAs both the CPU and the operating system support.
#pragma once

namespace secateur::cpu {

constexpr bool has_scalar() { return true; }
bool has_avx2();
bool has_avx512();  // F, BW, DQ, VL and VBMI2: Ice Lake, Zen 4 and later

}  // namespace secateur::cpu
