/* A scripted upstream that speaks OpenAI's and Anthropic's dialects, fast enough never to be what is measured.
 *
 *   mock PORT
 *
 *   POST /v1/chat/completions   a fixed completion; with "stream":true a fixed stream of chat.completion.chunk events,
 *                               a usage event only when the body asks with include_usage, then [DONE]
 *   POST /v1/messages           the same answers as Anthropic gives them
 *   GET  /v1/models             one model
 *   GET  /stats                 the counters below, as JSON
 *   POST /pace?gap_us=N&tokens=M  pause between the events of later streams, and how many events carry text
 *
 * One thread, epoll, edge triggered. With a gap of 0 a whole stream leaves in one send. */
#define _GNU_SOURCE
#include "awake.h"
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ID "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"
#define CHUNK_OPEN "data: {\"id\":\"" ID "\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44a5d5e3c1\",\"choices\":["

struct buffer {
    char *data;
    size_t size, room;
};

struct connection {
    int fd;
    struct buffer in, out;
    size_t sent;
    bool streaming, wants_usage, closing, messages;
    int step;       /* next event of the stream: 0 role, 1..tokens text, then finish, usage, [DONE] */
    long due_us;
    struct connection *next, *previous;
};

static struct {
    unsigned long accepted, open, requests, streams, streams_open, streams_cut, events, renamed, keyed;
} counters;

static struct connection *streams;
static struct connection *dead;
static struct buffer completion, message, stream_head, models, whole_plain, whole_usage, whole_messages;
static long gap_us;
static int tokens = 48;
static int poller;

static long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void append(struct buffer *buffer, const char *data, size_t size)
{
    if (buffer->size + size > buffer->room) {
        buffer->room = (buffer->size + size) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data)
            abort();
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

static void append_chunk(struct buffer *buffer, const char *data)
{
    char size[24];
    int digits = snprintf(size, sizeof size, "%zx\r\n", strlen(data));
    append(buffer, size, (size_t)digits);
    append(buffer, data, strlen(data));
    append(buffer, "\r\n", 2);
}

static void append_document(struct buffer *buffer, const char *json)
{
    char head[320];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                        "x-request-id: req_0123456789abcdef0123456789abcdef\r\nopenai-processing-ms: 1\r\n\r\n",
                        strlen(json));
    append(buffer, head, (size_t)size);
    append(buffer, json, strlen(json));
}

/* Appends event number step; false once the stream is over. */
static bool append_event(struct buffer *buffer, int step, bool wants_usage)
{
    if (step == 0)
        append_chunk(buffer, CHUNK_OPEN "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},"
                                        "\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    else if (step <= tokens)
        append_chunk(buffer, CHUNK_OPEN "{\"index\":0,\"delta\":{\"content\":\" hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    else if (step == tokens + 1)
        append_chunk(buffer, CHUNK_OPEN "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n");
    else if (step == tokens + 2 && wants_usage)
        append_chunk(buffer, CHUNK_OPEN "],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":48,\"total_tokens\":67,"
                                        "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
                                        "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}}}\n\n");
    else {
        append_chunk(buffer, "data: [DONE]\n\n");
        append(buffer, "0\r\n\r\n", 5);
        return false;
    }
    return true;
}

#define DELTA "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" hello\"}}"

/* The same for Anthropic's dialect. */
static bool append_message_event(struct buffer *buffer, int step)
{
    if (step == 0)
        append_chunk(buffer, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\","
                             "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"gpt-4o-mini\",\"content\":[],\"stop_reason\":null,"
                             "\"stop_sequence\":null,\"usage\":{\"input_tokens\":19,\"cache_creation_input_tokens\":0,"
                             "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
                             "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                             "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    else if (step <= tokens)
        append_chunk(buffer, "event: content_block_delta\ndata: " DELTA "\n\n");
    else if (step == tokens + 1)
        append_chunk(buffer, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    else if (step == tokens + 2)
        append_chunk(buffer, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
                             "\"stop_sequence\":null},\"usage\":{\"output_tokens\":48}}\n\n");
    else {
        append_chunk(buffer, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        append(buffer, "0\r\n\r\n", 5);
        return false;
    }
    return true;
}

static void prepare_messages(struct buffer *buffer)
{
    buffer->size = 0;
    append(buffer, stream_head.data, stream_head.size);
    for (int step = 0; append_message_event(buffer, step); step++)
        ;
}

static void prepare_stream(struct buffer *buffer, bool wants_usage)
{
    buffer->size = 0;
    append(buffer, stream_head.data, stream_head.size);
    for (int step = 0;; step++) {
        if (step == tokens + 2 && !wants_usage)
            continue;
        if (!append_event(buffer, step, wants_usage))
            return;
    }
}

static void prepare_replies(void)
{
    const char *head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
                       "Transfer-Encoding: chunked\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n\r\n";
    append(&stream_head, head, strlen(head));
    append_document(&completion,
                    "{\"id\":\"" ID "\",\"object\":\"chat.completion\",\"created\":1741569952,\"model\":\"gpt-4o-mini-2024-07-18\","
                    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How can I assist you today? "
                    "I am happy to help with questions.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
                    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":17,\"total_tokens\":36,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":"
                    "{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},"
                    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44a5d5e3c1\"}");
    append_document(&message,
                    "{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"gpt-4o-mini\","
                    "\"content\":[{\"type\":\"text\",\"text\":\"Hello! How can I assist you today? I am happy to help with questions.\"}],"
                    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":19,"
                    "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":17}}");
    append_document(&models, "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o-mini\",\"object\":\"model\",\"created\":1721172741,"
                             "\"owned_by\":\"system\"}]}");
    prepare_stream(&whole_plain, false);
    prepare_stream(&whole_usage, true);
    prepare_messages(&whole_messages);
}

static void stream_unlink(struct connection *connection)
{
    if (!connection->streaming)
        return;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        streams = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->streaming = false;
    connection->next = connection->previous = NULL;
    counters.streams_open--;
}

static void stream_link(struct connection *connection)
{
    connection->streaming = true;
    connection->previous = NULL;
    connection->next = streams;
    if (streams)
        streams->previous = connection;
    streams = connection;
    counters.streams_open++;
}

/* The struct is freed after the current batch of events, which may still point at it. */
static void drop(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    if (connection->streaming)
        counters.streams_cut++;
    stream_unlink(connection);
    close(connection->fd);
    connection->fd = -1;
    counters.open--;
    connection->next = dead;
    dead = connection;
}

static void bury(void)
{
    while (dead) {
        struct connection *connection = dead;
        dead = connection->next;
        free(connection->in.data);
        free(connection->out.data);
        free(connection);
    }
}

static bool flush(struct connection *connection)
{
    while (connection->sent < connection->out.size) {
        ssize_t count = send(connection->fd, connection->out.data + connection->sent, connection->out.size - connection->sent, MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN;
        connection->sent += (size_t)count;
    }
    connection->sent = connection->out.size = 0;
    return !(connection->closing && !connection->streaming);
}

static void stream_event(struct connection *connection)
{
    if (connection->step == tokens + 2 && !connection->wants_usage)
        connection->step++;
    int step = connection->step++;
    bool more = connection->messages ? append_message_event(&connection->out, step)
                                     : append_event(&connection->out, step, connection->wants_usage);
    counters.events++;
    connection->due_us += gap_us;
    if (!more)
        stream_unlink(connection);
}

static void answer_stream(struct connection *connection, bool wants_usage)
{
    counters.streams++;
    if (gap_us == 0) {
        struct buffer *whole = connection->messages ? &whole_messages : wants_usage ? &whole_usage : &whole_plain;
        append(&connection->out, whole->data, whole->size);
        counters.events += (unsigned long)(tokens + (wants_usage ? 4 : 3));
        return;
    }
    append(&connection->out, stream_head.data, stream_head.size);
    connection->wants_usage = wants_usage;
    connection->step = 0;
    connection->due_us = now_us();
    stream_link(connection);
    stream_event(connection);
}

static void answer_stats(struct connection *connection)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"accepted\":%lu,\"open\":%lu,\"requests\":%lu,\"streams\":%lu,\"streams_open\":%lu,\"streams_cut\":%lu,"
             "\"events\":%lu,\"renamed\":%lu,\"keyed\":%lu}",
             counters.accepted, counters.open, counters.requests, counters.streams, counters.streams_open, counters.streams_cut,
             counters.events, counters.renamed, counters.keyed);
    append_document(&connection->out, json);
}

static void answer_pace(struct connection *connection, const char *target)
{
    if (sscanf(target, "/pace?gap_us=%ld&tokens=%d", &gap_us, &tokens) != 2) {
        const char *refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        append(&connection->out, refusal, strlen(refusal));
        return;
    }
    prepare_stream(&whole_plain, false);
    prepare_stream(&whole_usage, true);
    prepare_messages(&whole_messages);
    append_document(&connection->out, "{}");
}

static bool has(const char *data, size_t size, const char *wanted)
{
    return memmem(data, size, wanted, strlen(wanted)) != NULL;
}

static void answer_completion(struct connection *connection, const struct head *head, const char *body, size_t size, bool messages)
{
    connection->messages = messages;
    counters.requests++;
    counters.renamed += has(body, size, "\"gpt-4o-mini\"");
    counters.keyed += has(connection->in.data, head->length, messages ? "x-api-key: sk-up\r\n" : "Bearer sk-up\r\n");
    if (has(body, size, "\"stream\":true") || has(body, size, "\"stream\": true"))
        answer_stream(connection, messages || has(body, size, "\"include_usage\":true") || has(body, size, "\"include_usage\": true"));
    else
        append(&connection->out, messages ? message.data : completion.data, messages ? message.size : completion.size);
}

static void answer(struct connection *connection, const struct head *head, const char *body, size_t size)
{
    char target[128] = "";
    sscanf(connection->in.data, "%*7s %127s", target);
    connection->closing = head->close;
    if (strncmp(target, "/v1/chat/completions", 20) == 0)
        answer_completion(connection, head, body, size, false);
    else if (strncmp(target, "/v1/messages", 12) == 0)
        answer_completion(connection, head, body, size, true);
    else if (strcmp(target, "/stats") == 0)
        answer_stats(connection);
    else if (strncmp(target, "/pace?", 6) == 0)
        answer_pace(connection, target);
    else if (strcmp(target, "/v1/models") == 0)
        append(&connection->out, models.data, models.size);
    else {
        const char *refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        append(&connection->out, refusal, strlen(refusal));
    }
}

/* 1: one request was answered. 0: incomplete. -1: malformed. */
static int serve_one(struct connection *connection)
{
    struct head head;
    int parsed = head_parse(connection->in.data, connection->in.size, &head);
    if (parsed <= 0)
        return parsed;
    char *body = connection->in.data + head.length;
    size_t available = connection->in.size - head.length, used = 0, size = 0;
    if (head.chunked) {
        struct chunked decoder = {0};
        struct buffer plain = {0};
        while (used < available && decoder.state < CHUNK_DONE) {
            const char *span;
            size_t span_size;
            used += chunked_step(&decoder, body + used, available - used, &span, &span_size);
            if (span_size)
                append(&plain, span, span_size);
        }
        if (decoder.state == CHUNK_DONE)
            answer(connection, &head, plain.data ? plain.data : "", plain.size);
        free(plain.data);
        if (decoder.state != CHUNK_DONE)
            return decoder.state == CHUNK_BAD ? -1 : 0;
    } else {
        size = head.content_length > 0 ? (size_t)head.content_length : 0;
        if (available < size)
            return 0;
        answer(connection, &head, body, size);
        used = size;
    }
    connection->in.size -= head.length + used;
    memmove(connection->in.data, body + used, connection->in.size);
    return 1;
}

static void readable(struct connection *connection, bool hung_up)
{
    static char scratch[262144];
    ssize_t count;
    do {
        count = recv(connection->fd, scratch, sizeof scratch, 0);
        if (count > 0)
            append(&connection->in, scratch, (size_t)count);
    } while (count > 0 && (hung_up || count == (ssize_t)sizeof scratch));
    bool gone = count == 0 || (count < 0 && errno != EAGAIN);
    int served = gone ? -1 : 1;
    while (served > 0 && connection->in.size >= 4)
        served = serve_one(connection);
    if (served < 0 || !flush(connection))
        drop(connection);
}

static void accept_all(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            abort();
        connection->fd = fd;
        counters.accepted++;
        counters.open++;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Sends what is due; returns how long to sleep, in milliseconds, -1 for ever. */
static int pump_streams(void)
{
    long now = now_us(), earliest = 0;
    for (struct connection *connection = streams, *next; connection; connection = next) {
        next = connection->next;
        while (connection->streaming && connection->due_us <= now)
            stream_event(connection);
        if (connection->streaming && (!earliest || connection->due_us < earliest))
            earliest = connection->due_us;
        if (connection->out.size && !flush(connection))
            drop(connection);
    }
    return earliest ? (int)((earliest - now + 999) / 1000) : -1;
}

static int listen_on(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("mock: listen");
        exit(1);
    }
    return listener;
}

static void loop(int listener)
{
    struct epoll_event events[512];
    for (;;) {
        int count = poll_awake(poller, events, 512, pump_streams());
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                accept_all(listener);
                continue;
            }
            if (connection->fd >= 0 && connection->out.size && (events[i].events & EPOLLOUT) && !flush(connection))
                drop(connection);
            if (connection->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                readable(connection, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        }
        bury();
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mock PORT\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prepare_replies();
    int listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    loop(listener);
}
