// Plays init for a supervisor whose children are not its own: runs a program, adopts the orphans it makes and reaps
// them, so that the supervisor sees them end.
//
// usage: adopt PROGRAM [ARGUMENT...]
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 2) return 2;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (fork() == 0) {
        execvp(arguments[1], arguments + 1);
        _exit(127);
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
