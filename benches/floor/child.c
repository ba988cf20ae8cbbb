// The child whose start is measured: reads the clock before anything else, reports it, and
// waits to be killed.
//
// It has no C library, because the start of one would be measured as well: on a virtual
// machine glibc alone takes 200 µs, for the instructions by which it identifies the CPU.
//
// usage: child FIFO NUMBER
#include "stamp.h"

#include <sys/syscall.h>

// The entry point; the stack holds the count of arguments, then the arguments.
#if defined __x86_64__
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined __aarch64__
__asm__(".globl _start\n_start: mov x0, sp\n bl begin\n");

static long call(long number, long first, long second, long third) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register long x1 __asm__("x1") = second;
    register long x2 __asm__("x2") = third;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
#else
#error "add the system call convention of this architecture"
#endif

static uint32_t number(const char *text) {
    uint32_t value = 0;
    while (*text) value = value * 10 + (uint32_t)(*text++ - '0');
    return value;
}

__attribute__((noreturn, used)) void begin(const long *stack) {
    struct timespec start;
    call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&start, 0);
    const char *const *arguments = (const char *const *)(stack + 1);
    if (stack[0] != 3) call(SYS_exit_group, 2, 0, 0);
    struct stamp record = {
        .nanoseconds = nanoseconds(start),
        .pid = (uint32_t)call(SYS_getpid, 0, 0, 0),
        .number = number(arguments[2]),
    };
    long fifo = call(SYS_openat, AT_FDCWD, (long)arguments[1], O_WRONLY);
    if (call(SYS_write, fifo, (long)&record, sizeof record) != sizeof record)
        call(SYS_exit_group, 1, 0, 0);
    call(SYS_close, fifo, 0, 0);
    const unsigned long no_signals = 0;
    for (;;) call(SYS_rt_sigsuspend, (long)&no_signals, sizeof no_signals, 0);
}
