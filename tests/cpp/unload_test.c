/* Loads and unloads a shared object that contains the library, as a program with plugins may. It
 * does this many times without a call, which must not use up resources, and while helper threads
 * wait for work. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int failed(const char* what) {
  fprintf(stderr, "failed: %s\n", what);
  return EXIT_FAILURE;
}

int main(int argc, char** argv) {
  const char* const path = argv[argc - 1];
  for (int round = 0; round < 2 * PTHREAD_KEYS_MAX; ++round) {
    void* const guest = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (guest == NULL || dlclose(guest) != 0) {
      return failed("a guest that is not called");
    }
  }
  pthread_key_t key;
  if (dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL || pthread_key_create(&key, NULL) != 0) {
    return failed("a guest that is not called leaves nothing");
  }
  for (int round = 0; round < 2; ++round) {
    void* const guest = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    int (*work)(int) = NULL;
    if (guest != NULL) {
      *(void**)&work = dlsym(guest, "guest_work");
    }
    if (work == NULL || work(1) != 0 || dlclose(guest) != 0) {
      return failed("the work of a guest");
    }
    if (dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL) {
      return failed("code that threads still run stays in memory");
    }
    sleep(3); /* longer than helpers wait for work */
  }
  return EXIT_SUCCESS;
}
