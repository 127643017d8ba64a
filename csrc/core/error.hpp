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

// Throws the Error for an input array whose contents have changed during the call. is_overwritten:
// the operation is in place, and has begun to write.
[[noreturn]] inline void throw_input_changed(bool is_overwritten = false) {
  std::string message("an input array was written to by another thread during the call");
  if (is_overwritten) {
    message += "; it is pruned in place, and has been overwritten in part";
  }
  throw Error(SC_ERROR_CHANGED, std::move(message));
}

}  // namespace secateur
