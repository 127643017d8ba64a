// How the core reports a failure to its own door, c_api.cpp, which turns it into a status.
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

}  // namespace secateur
