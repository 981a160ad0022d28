#include "awake.h"

#include <sched.h>
#include <time.h>

enum { AWAKE_MS = 50 };

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

int poll_awake(int poller, struct epoll_event *events, int events_max, int wait_ms)
{
    static long busy_until_ms;
    int count = epoll_wait(poller, events, events_max, 0);
    if (count != 0) {
        busy_until_ms = now_ms() + AWAKE_MS;
        return count;
    }
    if (now_ms() >= busy_until_ms)
        return epoll_wait(poller, events, events_max, wait_ms);
    sched_yield();
    return 0;
}
