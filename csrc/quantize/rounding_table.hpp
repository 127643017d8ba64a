// The table of rounding modes. Kernel tables, checks and the names of Python follow from it. It
// consists of macros, so that the files that are compiled once for each ISA can include it.
//
// secateur.h defines the constants SC_ROUNDING_*. Their values must be consecutive and begin at 0:
// checked_options in quantize/c_api.cpp accepts that range. Builds with SECATEUR_WERROR check that
// the table has all constants (rounding_mode_of in quantize/stages.cpp).
#pragma once

// Calls KERNEL(name, type) for each way in which kernels round. `type` is the template in
// quantize/kernels/quantize.hpp.
#define SECATEUR_ROUNDING_KERNELS(KERNEL) \
  KERNEL(directed, Directed)              \
  KERNEL(away, Away)                      \
  KERNEL(tied, Tied)                      \
  KERNEL(stochastic, Stochastic)

// Calls MODE(name, constant, kernel, direction, tie, tie_has_sign) for each mode, in the order of
// error messages: the kernel, the direction in which the thread must round, and the fields of
// QuantizeRule for the kernel `tied`. The direction must also be correct for a product that
// underflows; `Away` scales magnitudes for that.
#define SECATEUR_ROUNDINGS(MODE)                                  \
  MODE("nearest_even", NEAREST_EVEN, directed, nearest, 0, false) \
  MODE("nearest_away", NEAREST_AWAY, tied, nearest, 0.5, true)    \
  MODE("nearest_zero", NEAREST_ZERO, tied, nearest, -0.5, true)   \
  MODE("nearest_up", NEAREST_UP, tied, nearest, 0.5, false)       \
  MODE("nearest_down", NEAREST_DOWN, tied, nearest, -0.5, false)  \
  MODE("floor", FLOOR, directed, down, 0, false)                  \
  MODE("ceil", CEIL, directed, up, 0, false)                      \
  MODE("trunc", TRUNC, directed, zero, 0, false)                  \
  MODE("away", AWAY, away, up, 0, false)                          \
  MODE("stochastic", STOCHASTIC, stochastic, zero, 0, false)
