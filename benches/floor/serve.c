// A minimal HTTP server: writes the same bytes, those of FILE, for every request head that
// it reads. One thread, one epoll. Prints its port on stdout.
//
// usage: serve FILE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 256 * 1024, REQUEST_MAX = 8 * 1024, EVENTS = 64 };

static char answer[ANSWER_MAX], request[REQUEST_MAX];
static size_t length;

static int watch(int poll, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

static int listen_on_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, SOMAXCONN) < 0) return -1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void accept_all(int poll, int listener) {
    int client, one = 1;
    while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(poll, client);
    }
}

// wrk sends a head in one piece, and the next after the response.
static void respond(int client) {
    ssize_t received = read(client, request, sizeof request);
    int complete = received >= 4 && memcmp(request + received - 4, "\r\n\r\n", 4) == 0;
    if (!complete || write(client, answer, length) != (ssize_t)length) close(client);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    FILE *file = fopen(arguments[1], "r");
    if (!file) return 1;
    length = fread(answer, 1, sizeof answer, file);
    fclose(file);
    int poll = epoll_create1(0), listener = listen_on_free_port();
    if (poll < 0 || listener < 0 || watch(poll, listener) < 0) return 1;
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener) accept_all(poll, listener);
            else respond(events[i].data.fd);
        }
    }
}
