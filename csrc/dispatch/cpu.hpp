// What this CPU can do, and what its operating system lets it.
#pragma once

namespace secateur::cpu {

bool has_avx2();
bool has_avx512();  // F, BW, DQ, VL and VBMI2: Ice Lake, Zen 4 and later

}  // namespace secateur::cpu
