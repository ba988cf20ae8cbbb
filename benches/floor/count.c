// A minimal reader of output: runs a program, reads what it prints, 64 KiB at a time, and
// counts the lines. SIGTERM ends the program and then itself.
//
// usage: count PROGRAM [ARGUMENT...]
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ = 64 * 1024 };

static char bytes[READ];
static volatile uint64_t lines; // volatile: never read, and must not be optimised away
static volatile pid_t child;

static void end(int signal) { kill(child, signal); }

int main(int count, char **arguments) {
    int ends[2];
    if (count < 2 || pipe(ends) < 0) return 2;
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(arguments[1], arguments + 1);
        _exit(127);
    }
    signal(SIGTERM, end);
    close(ends[1]);
    for (ssize_t length; (length = read(ends[0], bytes, READ)) > 0;) {
        const char *place = bytes, *after = bytes + length;
        while ((place = memchr(place, '\n', (size_t)(after - place)))) {
            lines++;
            if (++place == after) break;
        }
    }
    waitpid(child, NULL, 0);
    return 0;
}
