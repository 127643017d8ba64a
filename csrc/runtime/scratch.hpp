// Scratch memory. Fresh pages cost more than the work done in them, so released blocks are kept for
// the next call, up to a bound.
#pragma once

#include <cstddef>

namespace secateur {

namespace scratch {
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kKeptBytes = std::size_t{32} << 20;  // of all kept blocks together

void* acquire(std::size_t bytes);  // throws std::bad_alloc
void release(void* block) noexcept;
}  // namespace scratch

// Uninitialized room for `size` elements of a trivial type.
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
