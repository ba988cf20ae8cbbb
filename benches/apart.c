// Preloaded into a daemon that valgrind runs. Valgrind stops at a child that shares the table of descriptors of its
// parent for a moment, as those of the daemon do: here each has a copy from the beginning, as after fork.
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
