// A process ends when its main thread has ended and the helper threads are idle.
#include <pthread.h>

#include <vector>

#include "require.hpp"

int main() {
  const std::vector<float> w(std::size_t{1} << 20, 1.0f);
  float kth = 0;
  require(sc_set_num_threads(3));
  require(sc_kth_magnitude(w.data(), SC_DTYPE_FLOAT32, w.size(), 7, nullptr, SC_NAN_RAISE, &kth));
  pthread_exit(nullptr);
}
