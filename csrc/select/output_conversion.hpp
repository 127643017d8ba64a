// The conversion of selected floats to an output format that the selection kernels do not write.
#pragma once

#include <cstddef>
#include <memory>

namespace secateur {

class OutputConversion {
 public:
  virtual ~OutputConversion() = default;

  // The converter of one thread.
  class Writer {
   public:
    virtual ~Writer() = default;
    // Converts `count` floats and stores them as the results of the elements from `begin` on.
    virtual void write(const void* floats, std::size_t begin, std::size_t count) = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<Writer> writer() const = 0;

  // The results, and the bytes of each; 0 where several results share a byte.
  void* data = nullptr;
  std::size_t bytes_each = 0;
  // Whether writers must receive the final selection only, and each element once: because the
  // conversion refuses some values, or because the result of a removed element is not 0.
  bool needs_final_selection = false;
};

}  // namespace secateur
