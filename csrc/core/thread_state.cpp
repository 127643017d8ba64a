#include "core/thread_state.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>

#if defined(__ELF__)
#pragma weak dladdr
#pragma weak dlerror
#pragma weak dlopen
#endif

namespace secateur {
namespace {

// Whether the dynamic loader is available. The references to its functions are weak: a static
// executable links without them, and without the linker's warning about dlopen.
bool has_dynamic_loader() noexcept {
#if defined(__ELF__)
  return dladdr != nullptr && dlerror != nullptr && dlopen != nullptr;
#else
  return true;
#endif
}

// If this code is in a shared object, prevents dlclose from unloading it. Helper threads may still
// be executing its code.
void prevent_unloading() noexcept {
  static std::atomic<bool> done{false};
  if (done.exchange(true) || !has_dynamic_loader()) {
    return;
  }
  Dl_info object{};
  if (dladdr(reinterpret_cast<const void*>(&prevent_unloading), &object) != 0 &&
      dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == nullptr) {
    // The code is in the executable itself, which is never unloaded. Clear the error so that the
    // program does not see it.
    dlerror();
  }
}

// The C++ library keeps its exception state in a thread-local variable. The memory of this variable
// may be allocated on first access, and glibc aborts the process if that fails (see
// thread_state.hpp). This function accesses the variable while memory is available.
bool prepare_exceptions() noexcept {
  constexpr std::size_t kSufficientBytes = 4096;
  void* volatile reserve = std::malloc(kSufficientBytes);
  if (reserve == nullptr) {
    return false;
  }
  std::free(reserve);
  [[maybe_unused]] const volatile int accessed = std::uncaught_exceptions();
  return true;
}

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

// The pthread key of the thread states, created when a thread first needs its state. Never deleted:
// threads may still be in a call while the process ends. Not a function-local static: if a thread
// calls fork() while another one initializes a static, the static stays half initialized in the
// child.
class ThreadKey {
 public:
  // Returns false if the process has no more keys.
  bool get(pthread_key_t& key) noexcept {
    std::uint64_t known = key_plus_one_.load(std::memory_order_acquire);
    if (known == 0) {
      known = create();
    }
    key = static_cast<pthread_key_t>(known - 1);
    return known != 0;
  }

 private:
  // First prevents the unloading of this code, which the key would outlive.
  std::uint64_t create() noexcept {
    prevent_unloading();
    pthread_key_t key{};
    if (pthread_key_create(&key, &std::free) != 0) {
      return 0;
    }
    std::uint64_t known = 0;
    if (!key_plus_one_.compare_exchange_strong(known, std::uint64_t{key} + 1)) {
      pthread_key_delete(key);  // another thread has created one
      return known;
    }
    return std::uint64_t{key} + 1;
  }

  std::atomic<std::uint64_t> key_plus_one_{0};
};
constinit ThreadKey thread_key;

ThreadState* create(pthread_key_t key) noexcept {
  // Uses malloc because even operator new with std::nothrow may throw and catch an exception.
  std::unique_ptr<void, Free> memory(std::malloc(sizeof(ThreadState)));
  if (!memory || !prepare_exceptions() || pthread_setspecific(key, memory.get()) != 0) {
    return nullptr;
  }
  return new (memory.release()) ThreadState;
}

}  // namespace

ThreadState* thread_state_or_null() noexcept {
  pthread_key_t key{};
  if (!thread_key.get(key)) {
    return nullptr;
  }
  void* const state = pthread_getspecific(key);
  return state != nullptr ? static_cast<ThreadState*>(state) : create(key);
}

ThreadState& thread_state() {
  ThreadState* const state = thread_state_or_null();
  if (state == nullptr) {
    throw std::bad_alloc();
  }
  return *state;
}

}  // namespace secateur
