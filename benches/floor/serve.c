// The least an HTTP server can do: writes the same bytes, those of FILE, for every request
// head that it reads. One thread, one epoll. Says on stdout which port it took.
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

static int listen_somewhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(door, (struct sockaddr *)&address, size) < 0 || listen(door, SOMAXCONN) < 0) return -1;
    getsockname(door, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return door;
}

static void welcome(int poll, int door) {
    int guest, one = 1;
    while ((guest = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(guest, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(poll, guest);
    }
}

// A client under measure sends a head in one piece, and the next when it has the answer.
static void answer_to(int guest) {
    ssize_t heard = read(guest, request, sizeof request);
    int whole = heard >= 4 && memcmp(request + heard - 4, "\r\n\r\n", 4) == 0;
    if (!whole || write(guest, answer, length) != (ssize_t)length) close(guest);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    FILE *file = fopen(arguments[1], "r");
    if (!file) return 1;
    length = fread(answer, 1, sizeof answer, file);
    fclose(file);
    int poll = epoll_create1(0), door = listen_somewhere();
    if (poll < 0 || door < 0 || watch(poll, door) < 0) return 1;
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == door) welcome(poll, door);
            else answer_to(events[i].data.fd);
        }
    }
}
