// What is made of the floats that a selection writes, where kernels cannot write it themselves.
#pragma once

#include <cstddef>
#include <memory>

namespace secateur {

class Conversion {
 public:
  virtual ~Conversion() = default;

  // What one thread converts with.
  class Hand {
   public:
    virtual ~Hand() = default;
    // The floats of the elements from `begin` on, to their place.
    virtual void write(const void* floats, std::size_t begin, std::size_t count) = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<Hand> hand() const = 0;

  // Where the results go, and how large each is; 0 where several share a byte.
  void* data = nullptr;
  std::size_t bytes_each = 0;
  // Whether it looks for what is refused: then it is given what is kept, once, and nothing else.
  bool refuses = false;
};

}  // namespace secateur
