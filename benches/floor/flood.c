// The child whose output is measured: prints lines of 100 bytes as fast as they are read,
// 64 KiB in one write, reports when it began (0) and when the last was written (1), and waits.
//
// usage: flood FIFO MEBIBYTES
#include "stamp.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE = 100, WRITE = 64 * 1024 };

// True on success.
static int report(const char *path, uint32_t number) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct stamp record = {nanoseconds(now), (uint32_t)getpid(), number};
    int fifo = open(path, O_WRONLY | O_CLOEXEC);
    int written = fifo >= 0 && write(fifo, &record, sizeof record) == sizeof record;
    close(fifo);
    return written;
}

int main(int count, char **arguments) {
    static char text[WRITE + LINE];
    if (count != 3) return 1;
    for (size_t place = 0; place < sizeof text; place++)
        text[place] = place % LINE == LINE - 1 ? '\n' : (char)('a' + place % LINE % 26);

    // Ends on a whole line, so that the reader's lines can be counted.
    uint64_t total = strtoull(arguments[2], NULL, 10) * 1024 * 1024 / LINE * LINE;
    if (!report(arguments[1], 0)) return 1;
    for (uint64_t done = 0; done < total;) {
        size_t wanted = total - done < WRITE ? (size_t)(total - done) : WRITE;
        ssize_t written = write(STDOUT_FILENO, text + done % LINE, wanted);
        if (written < 0) return 1;
        done += (uint64_t)written;
    }
    if (!report(arguments[1], 1)) return 1;
    for (;;) pause();
}
