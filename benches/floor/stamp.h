// The record by which a program under measurement reports when something happened.
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <time.h>

// Parsed by measure/place.py (STAMP). Shorter than PIPE_BUF, so that records never mix.
struct stamp {
    uint64_t nanoseconds; // CLOCK_MONOTONIC, which all processes share
    uint32_t pid;
    uint32_t number; // of the child, or of the event
};

static inline uint64_t nanoseconds(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
