// Helpers of the tests of threads.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "secateur/secateur.h"

inline void require(bool ok, const char* what) {
  if (!ok) {
    std::fprintf(stderr, "failed: %s\n", what);
    std::_Exit(EXIT_FAILURE);  // without destructors: other threads may still wait for this one
  }
}

inline void require(sc_status status) { require(status == SC_OK, sc_last_error()); }

// Waits until a condition that other threads establish holds. Fails after a minute.
template <class Condition>
void wait_until(const Condition& condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    require(std::chrono::steady_clock::now() < deadline, what);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}
