// Preloaded into a daemon that valgrind runs. Valgrind does not support a child that shares the descriptor table of its
// parent, as the daemon's children do until they exec: here each gets a copy, as after fork.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stdarg.h>

int clone(int (*begin)(void *), void *stack, int flags, void *argument, ...) {
    int (*next)(int (*)(void *), void *, int, void *, ...) = dlsym(RTLD_NEXT, "clone");
    va_list more;
    va_start(more, argument);
    void *handle = va_arg(more, void *);
    va_end(more);
    return next(begin, stack, flags & ~CLONE_FILES, argument, handle);
}
