/* The load generator: one thread, epoll, keep-alive HTTP/1.1 POSTs of one body.
 *
 *   closed   each connection sends its next request when the reply to the last is complete
 *   open     requests are due at fixed times; latency counts from the DUE time, so a stalled server cannot hide
 *            its stall by slowing the generator down (no coordinated omission)
 *   hold     each connection starts one stream; when all have their first body byte a line of JSON is printed, and
 *            the streams stay open until standard input ends
 *
 * Prints one JSON object. A reply counts as right when its status is 200 and its decoded body equals --expect byte
 * for byte, or, without --expect, when it contains --marker and has --events lines that begin with "data:". */
#define _GNU_SOURCE
#include "awake.h"
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HEAD_ROOM 16384

struct client {
    int fd; /* -1 while there is no connection */
    bool busy, in_body, counted_first;
    size_t written;
    double due, first;
    struct head head;
    char *head_bytes;
    size_t head_size;
    struct chunked decoder;
    size_t body_size;
    bool differs;
    char *body; /* kept only without --expect */
    size_t body_room;
    int idle_next;
};

struct samples {
    float *values;
    size_t count, room;
};

static struct {
    int port, connections, ramp, events;
    double rate, seconds, drain_seconds;
    long requests;
    char mode; /* c, o or h */
    const char *marker, *path;
} options = {.path = "/v1/chat/completions", .connections = 1, .seconds = 1, .drain_seconds = 10, .mode = 'c', .marker = ""};

static struct {
    long sent, completed, wrong_status, wrong_body, broken, connects, events;
} counters;

static struct client *clients;
static struct samples first_byte, total, lateness;
static char *request, *expected;
static size_t request_size, expected_size, expected_events;
static int poller, timer_fd, idle_head = -1;
static struct sockaddr_in server;
static double started, ended;
static bool finishing;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void record(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 65536;
        samples->values = realloc(samples->values, samples->room * sizeof(float));
        if (!samples->values)
            fail("loadgen: memory");
    }
    samples->values[samples->count++] = (float)value;
}

static int ascending(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static void print_quantiles(const char *name, struct samples *samples)
{
    static const double points[] = {0.5, 0.9, 0.99, 0.999, 1.0};
    static const char *names[] = {"p50", "p90", "p99", "p999", "max"};
    if (samples->count)
        qsort(samples->values, samples->count, sizeof(float), ascending);
    printf("\"%s\":{", name);
    for (int i = 0; i < 5; i++) {
        size_t at = (size_t)(points[i] * (double)samples->count);
        if (at >= samples->count)
            at = samples->count ? samples->count - 1 : 0;
        printf("%s\"%s\":%.1f", i ? "," : "", names[i], samples->count ? samples->values[at] : 0.0);
    }
    printf("},");
}

static void report(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"sent\":%ld,\"completed\":%ld,\"wrong_status\":%ld,\"wrong_body\":%ld,\"broken\":%ld,\"connects\":%ld,\"events\":%ld,"
           "\"elapsed_s\":%.6f,\"cpu_s\":%.4f,",
           counters.sent, counters.completed, counters.wrong_status, counters.wrong_body, counters.broken, counters.connects,
           counters.events, (ended - started) / 1e6, cpu);
    print_quantiles("first_byte_us", &first_byte);
    print_quantiles("total_us", &total);
    print_quantiles("lateness_us", &lateness);
    printf("\"in_flight\":%ld}\n", counters.sent - counters.completed - counters.broken);
    fflush(stdout);
}

static void push_idle(struct client *client)
{
    client->idle_next = idle_head;
    idle_head = (int)(client - clients);
}

static void open_connection(struct client *client)
{
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail("loadgen: socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event);
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        fail("loadgen: connect");
    counters.connects++;
}

static void lose_connection(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    if (client->busy) {
        client->busy = false;
        counters.broken++;
        push_idle(client);
    }
}

static void write_request(struct client *client)
{
    while (client->written < request_size) {
        ssize_t count = send(client->fd, request + client->written, request_size - client->written, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno != EAGAIN && errno != ENOTCONN)
                lose_connection(client);
            return;
        }
        client->written += (size_t)count;
    }
}

static void fire(struct client *client, double due)
{
    client->busy = true;
    client->in_body = client->differs = client->counted_first = false;
    client->written = client->head_size = client->body_size = 0;
    client->due = due;
    client->decoder = (struct chunked){0};
    counters.sent++;
    if (options.mode == 'o')
        record(&lateness, now_us() - due);
    if (client->fd < 0)
        open_connection(client);
    write_request(client);
}

static bool may_fire(void)
{
    return !finishing && (!options.requests || counters.sent < options.requests);
}

static void fire_idle(void)
{
    while (idle_head >= 0 && may_fire()) {
        double now = now_us(), due = now;
        if (options.mode == 'o') {
            due = started + (double)counters.sent * 1e6 / options.rate;
            if (due > now)
                return;
        }
        if (options.mode == 'h' && counters.sent - (long)first_byte.count - counters.broken >= options.ramp)
            return;
        struct client *client = &clients[idle_head];
        idle_head = client->idle_next;
        fire(client, due);
    }
}

static size_t count_events(const char *body, size_t size)
{
    size_t found = 0;
    for (const char *at = body; (at = memmem(at, size - (size_t)(at - body), "data:", 5)); at += 5)
        found += at == body || at[-1] == '\n';
    return found;
}

static bool right_body(struct client *client, size_t *events)
{
    if (expected) {
        *events = expected_events;
        return !client->differs && client->body_size == expected_size;
    }
    *events = count_events(client->body, client->body_size);
    return memmem(client->body, client->body_size, options.marker, strlen(options.marker)) && (int)*events == options.events;
}

static void complete(struct client *client)
{
    double now = now_us();
    size_t events = 0;
    counters.completed++;
    if (client->head.status != 200)
        counters.wrong_status++;
    else if (!right_body(client, &events))
        counters.wrong_body++;
    counters.events += (long)events;
    record(&total, now - client->due);
    client->busy = false;
    push_idle(client);
    if (client->head.close) {
        close(client->fd);
        client->fd = -1;
    }
}

static void keep_body(struct client *client, const char *data, size_t size)
{
    if (client->body_size + size > client->body_room) {
        client->body_room = (client->body_size + size) * 2;
        client->body = realloc(client->body, client->body_room);
        if (!client->body)
            fail("loadgen: memory");
    }
    memcpy(client->body + client->body_size, data, size);
}

static void take_body(struct client *client, const char *data, size_t size)
{
    if (!client->counted_first) {
        client->counted_first = true;
        record(&first_byte, now_us() - client->due);
    }
    if (!expected)
        keep_body(client, data, size);
    else if (client->body_size + size > expected_size || memcmp(expected + client->body_size, data, size))
        client->differs = true;
    client->body_size += size;
}

/* Feeds body bytes; true when the reply is complete. */
static bool take_framed(struct client *client, const char *data, size_t size)
{
    if (!client->head.chunked) {
        if (size)
            take_body(client, data, size);
        return client->head.content_length >= 0 && client->body_size >= (size_t)client->head.content_length;
    }
    for (size_t used = 0; used < size && client->decoder.state < CHUNK_DONE;) {
        const char *span;
        size_t span_size;
        used += chunked_step(&client->decoder, data + used, size - used, &span, &span_size);
        if (span_size)
            take_body(client, span, span_size);
    }
    return client->decoder.state >= CHUNK_DONE;
}

static void take(struct client *client, const char *data, size_t size)
{
    if (!client->busy)
        return;
    if (client->in_body) {
        if (take_framed(client, data, size))
            complete(client);
        return;
    }
    size_t old = client->head_size, room = HEAD_ROOM - old, copied = size < room ? size : room;
    memcpy(client->head_bytes + old, data, copied);
    client->head_size += copied;
    int parsed = head_parse(client->head_bytes, client->head_size, &client->head);
    if (parsed < 0 || (parsed == 0 && client->head_size == HEAD_ROOM)) {
        lose_connection(client);
        return;
    }
    if (parsed == 0)
        return;
    client->in_body = true;
    size_t skipped = client->head.length - old;
    if (take_framed(client, data + skipped, size - skipped))
        complete(client);
}

static void readable(struct client *client, bool hung_up)
{
    static char scratch[262144];
    ssize_t count;
    do {
        count = recv(client->fd, scratch, sizeof scratch, 0);
        if (count > 0)
            take(client, scratch, (size_t)count);
    } while (client->fd >= 0 && count > 0 && (hung_up || count == (ssize_t)sizeof scratch));
    if (client->fd >= 0 && (count == 0 || (count < 0 && errno != EAGAIN)))
        lose_connection(client);
}

static void arm_timer(void)
{
    double due = started + (double)counters.sent * 1e6 / options.rate;
    long nanoseconds = (long)(due * 1e3);
    struct itimerspec when = {.it_value = {nanoseconds / 1000000000L, nanoseconds % 1000000000L}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void poll_once(int wait_ms)
{
    struct epoll_event events[512];
    int count = poll_awake(poller, events, 512, wait_ms);
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (!client) {
            unsigned long expirations;
            if (read(timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
                fail("loadgen: timer");
            continue;
        }
        if (client->fd >= 0 && client->busy && client->written < request_size && (events[i].events & EPOLLOUT))
            write_request(client);
        if (client->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
            readable(client, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    }
}

static void run_load(void)
{
    double deadline = started + options.seconds * 1e6;
    for (;;) {
        double now = now_us();
        if (now >= deadline)
            finishing = true;
        bool spent = options.requests && counters.sent >= options.requests;
        bool quiet = counters.sent == counters.completed + counters.broken;
        if ((finishing || spent) && (quiet || now > deadline + options.drain_seconds * 1e6))
            break;
        fire_idle();
        if (options.mode == 'o' && !finishing && idle_head >= 0)
            arm_timer();
        double left = finishing ? 100 : (deadline - now) / 1e3;
        poll_once(left < 100 ? (int)left + 1 : 100);
    }
    ended = now_us();
}

static void run_hold(void)
{
    double deadline = started + options.seconds * 1e6;
    while ((long)first_byte.count < options.connections && now_us() < deadline) {
        fire_idle();
        poll_once(50);
    }
    ended = now_us();
    report();
    for (char byte; read(0, &byte, 1) > 0;)
        ;
    exit(0);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, file) != *size)
        fail(path);
    fclose(file);
    data[*size] = 0;
    return data;
}

static void build_request(const char *body_path, const char *headers)
{
    size_t body_size;
    char *body = read_file(body_path, &body_size);
    int size = asprintf(&request,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/json\r\n"
                        "User-Agent: OpenAI/Python 2.9.0\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
                        options.path, options.port, body_size, headers, body);
    if (size < 0)
        fail("loadgen: memory");
    request_size = (size_t)size;
    free(body);
}

static void parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, 0, 'p'}, {"body", 1, 0, 'b'}, {"header", 1, 0, 'H'}, {"expect", 1, 0, 'e'}, {"events", 1, 0, 'n'},
        {"marker", 1, 0, 'k'}, {"connections", 1, 0, 'c'}, {"mode", 1, 0, 'm'}, {"rate", 1, 0, 'r'}, {"seconds", 1, 0, 's'},
        {"requests", 1, 0, 'q'}, {"path", 1, 0, 't'}, {"ramp", 1, 0, 'a'}, {"drain", 1, 0, 'd'}, {0, 0, 0, 0}};
    static char headers[8192];
    const char *body = NULL;
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'p': options.port = atoi(optarg); break;
        case 'b': body = optarg; break;
        case 'H':
            if (strlen(headers) + strlen(optarg) + 3 > sizeof headers)
                exit(2);
            strcat(strcat(headers, optarg), "\r\n");
            break;
        case 'e': expected = read_file(optarg, &expected_size); break;
        case 'n': options.events = atoi(optarg); break;
        case 'k': options.marker = optarg; break;
        case 't': options.path = optarg; break;
        case 'c': options.connections = atoi(optarg); break;
        case 'm': options.mode = optarg[0]; break;
        case 'r': options.rate = atof(optarg); break;
        case 's': options.seconds = atof(optarg); break;
        case 'q': options.requests = atol(optarg); break;
        case 'a': options.ramp = atoi(optarg); break;
        case 'd': options.drain_seconds = atof(optarg); break;
        default: exit(2);
        }
    }
    if (!options.port || !body || options.connections < 1 || (options.mode == 'o' && options.rate <= 0)) {
        fprintf(stderr, "loadgen: --port, --body and, in open mode, --rate are required\n");
        exit(2);
    }
    if (options.ramp < 1)
        options.ramp = options.connections;
    if (options.mode == 'h')
        options.requests = options.connections;
    expected_events = expected ? count_events(expected, expected_size) : 0;
    build_request(body, headers);
}

static void prepare(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would be added to every due time */
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    poller = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer_fd, &event);
    clients = calloc((size_t)options.connections, sizeof *clients);
    for (int i = options.connections - 1; clients && i >= 0; i--) {
        clients[i].fd = -1;
        clients[i].head_bytes = malloc(HEAD_ROOM);
        push_idle(&clients[i]);
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    prepare();
    started = now_us();
    if (options.mode == 'h')
        run_hold();
    run_load();
    report();
    return 0;
}
