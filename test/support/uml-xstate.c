/*
 * Preloaded into User-Mode Linux on processors whose register state is larger than it knows (AMX): it keeps 2,696 bytes of each process,
 * the host takes back nothing but the whole, and without help every process dies at its first instruction. This widens the exchange: what
 * is read is read whole and cut, what is written is padded to the whole. The part beyond is tile registers, which nothing here uses.
 */
#include <stdarg.h>

struct iovec {
  void *base;
  unsigned long length;
};

long syscall(long number, ...);
int *__errno_location(void);
void *memcpy(void *, const void *, unsigned long);
void *memset(void *, int, unsigned long);

enum { SYS_PTRACE = 101, PEEK_TEXT = 1, PEEK_DATA = 2, PEEK_USER = 3, GET_REGSET = 0x4204, SET_REGSET = 0x4205, XSTATE = 0x202 };

/* The kernel calls from one thread at a time, on stacks too small for this. */
static char state[65536];
static unsigned long whole;

static long exchange(long request, long pid, struct iovec *asked) {
  struct iovec all = {state, sizeof state};
  long result;
  if (request == SET_REGSET) {
    if (whole <= asked->length) return syscall(SYS_PTRACE, request, pid, XSTATE, asked);
    memset(state, 0, whole);
    memcpy(state, asked->base, asked->length);
    /* bits 17 and 18 of the header say that there are tiles */
    *(unsigned long *)(state + 512) &= ~0x60000ul;
    all.length = whole;
    return syscall(SYS_PTRACE, request, pid, XSTATE, &all);
  }
  result = syscall(SYS_PTRACE, request, pid, XSTATE, &all);
  if (result < 0) return result;
  whole = all.length;
  if (asked->length > whole) asked->length = whole;
  memcpy(asked->base, state, asked->length);
  return result;
}

long ptrace(long request, ...) {
  va_list rest;
  long pid, address, result, word;
  void *data;
  va_start(rest, request);
  pid = va_arg(rest, int);
  address = va_arg(rest, long);
  data = va_arg(rest, void *);
  va_end(rest);
  request &= 0xffffffff;
  if ((request == GET_REGSET || request == SET_REGSET) && address == XSTATE) return exchange(request, pid, data);
  if (request < PEEK_TEXT || request > PEEK_USER) return syscall(SYS_PTRACE, request, pid, address, data);
  result = syscall(SYS_PTRACE, request, pid, address, &word);
  if (result < 0) return result;
  *__errno_location() = 0;
  return word;
}
