/* Makes all allocations of helper threads fail. Calls must then fail or work without these threads,
 * and the process must not abort. The program is plain C, so that dlopen also loads the C++
 * library, and the dynamic loader allocates its thread-local variables in each thread that uses
 * them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

static volatile int exhausted;

static int must_fail(void) {
  if (exhausted && syscall(SYS_gettid) != getpid()) {
    errno = ENOMEM;
    return 1;
  }
  return 0;
}

/* The dynamic loader also allocates thread-local variables with these functions. */
void* malloc(size_t bytes) { return must_fail() ? NULL : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) {
  return must_fail() ? NULL : __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) { return must_fail() ? NULL : __libc_realloc(old, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) {
  return must_fail() ? NULL : __libc_memalign(alignment, bytes);
}

int main(int argc, char** argv) {
  void* const guest = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL);
  int (*start)(void) = NULL;
  int (*work)(int) = NULL;
  if (guest != NULL) {
    *(void**)&start = dlsym(guest, "guest_start");
    *(void**)&work = dlsym(guest, "guest_work");
  }
  if (start == NULL || work == NULL) {
    fprintf(stderr, "failed: a guest\n");
    return EXIT_FAILURE;
  }
  exhausted = 1; /* while helper threads start */
  int wrong = work(0);
  exhausted = 0;
  sleep(3); /* until the helper threads have ended */
  wrong |= start();
  sleep(1);
  exhausted = 1; /* while the helper threads wait for work */
  wrong |= work(0);
  exhausted = 0;
  wrong |= work(1);
  if (wrong) {
    fprintf(stderr, "failed: the work of a guest\n");
  }
  return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
