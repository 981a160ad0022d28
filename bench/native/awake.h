/* Waiting without falling asleep, for programs that stand in for peers on other machines. */
#ifndef POINTSMAN_BENCH_AWAKE_H
#define POINTSMAN_BENCH_AWAKE_H

#include <sys/epoll.h>

/* As epoll_wait, but as long as anything happened within the last AWAKE_MS it returns at once and lets the other
 * programs of this core run, instead of sleeping: whoever writes to a sleeping peer pays for waking it, which on a
 * loopback (and doubly in a virtual machine) costs as much as relaying a request, and over a network costs nothing.
 * May return 0 before wait_ms is over. */
int poll_awake(int poller, struct epoll_event *events, int events_max, int wait_ms);

#endif
