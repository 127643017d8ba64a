// The exception that the core throws. The C API functions convert it to a status.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "secateur/secateur.h"

namespace secateur {

class Error : public std::exception {
 public:
  Error(sc_status status, std::string message) : status_(status), message_(std::move(message)) {}
  [[nodiscard]] sc_status status() const noexcept { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  sc_status status_;
  std::string message_;
};

// Throws the Error for an input array whose contents have changed during the call.
[[noreturn]] inline void throw_input_changed() {
  throw Error(SC_ERROR_CHANGED, "an input array was written to by another thread during the call");
}

}  // namespace secateur
