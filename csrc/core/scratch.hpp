// Scratch memory. The first access to a fresh page costs more than the work that uses it. Released
// blocks are therefore kept for later calls, up to a limit.
#pragma once

#include <cstddef>

namespace secateur {

namespace scratch {
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kKeptBytes = std::size_t{32} << 20;  // limit for all kept blocks

void* acquire(std::size_t bytes);  // throws std::bad_alloc
void release(void* block) noexcept;
}  // namespace scratch

// Uninitialized scratch memory for `size` elements of a trivial type.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size)
      : data_(size == 0 ? nullptr : static_cast<T*>(scratch::acquire(size * sizeof(T)))) {}
  ~Buffer() {
    if (data_ != nullptr) {
      scratch::release(data_);
    }
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] T* data() const noexcept { return data_; }
  T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  T* data_;
};

}  // namespace secateur
