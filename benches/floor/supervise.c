// A minimal supervisor: starts COUNT children, and restarts each at once when it ends. One
// thread, epoll over a signalfd, vfork and exec; no output, no files, no policy. SIGTERM ends
// the children and then itself.
//
// usage: supervise COUNT PROGRAM [ARGUMENT...]     an ARGUMENT "%" is the child's number
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_MAX = 4096 };

static pid_t children[CHILDREN_MAX];
static int count, stopping;
static char **command;
static sigset_t none;

static pid_t spawn(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        setpgid(0, 0);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execv(command[0], command);
        _exit(127);
    }
    return pid;
}

static void start(int number) {
    char text[12];
    char **place = command;
    snprintf(text, sizeof text, "%d", number);
    while (*place && strcmp(*place, "%") != 0) place++;
    char *placeholder = *place;
    if (placeholder) *place = text;
    children[number] = spawn();
    *place = placeholder;
}

// Reaps all ended children. True when it is stopping and no child is left.
static int reap(void) {
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
        int number = 0;
        while (number < count && children[number] != ended) number++;
        if (number == count) continue;
        children[number] = 0;
        if (!stopping) start(number);
    }
    return stopping && ended < 0 && errno == ECHILD;
}

int main(int arguments, char **argument) {
    if (arguments < 3) return 2;
    count = atoi(argument[1]);
    command = argument + 2;
    if (count < 0 || count > CHILDREN_MAX) return 2;

    sigset_t watched;
    sigemptyset(&none);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (signals < 0 || poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, signals, &event) < 0) return 1;

    for (int number = 0; number < count; number++) start(number);
    for (;;) {
        struct signalfd_siginfo signal;
        epoll_wait(poll, &event, 1, -1);
        while (read(signals, &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo != SIGTERM) continue;
            stopping = 1;
            for (int number = 0; number < count; number++)
                if (children[number] > 0) kill(-children[number], SIGTERM);
        }
        if (reap()) return 0;
    }
}
