/* The little of HTTP/1.1 that the mock upstream and the load generator share:
 * reading a head, and undoing chunked transfer coding span by span. */
#ifndef POINTSMAN_BENCH_HTTP_H
#define POINTSMAN_BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct head {
    size_t length;       /* bytes up to and including the empty line */
    int status;          /* of a reply; 0 for a request */
    long content_length; /* -1 when the head has none */
    bool chunked;
    bool close;          /* the sender will not reuse the connection */
};

/* 1: parsed. 0: more bytes are needed. -1: not HTTP. */
int head_parse(const char *data, size_t size, struct head *head);

struct chunked {
    enum { CHUNK_SIZE, CHUNK_SIZE_REST, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE, CHUNK_BAD } state;
    size_t left;       /* payload bytes still to come in this chunk */
    size_t line;       /* characters seen on this trailer line */
    bool any_digit;
};

/* Consumes some of data; returns how many bytes. A run of payload, if one was met, is in span. */
size_t chunked_step(struct chunked *decoder, const char *data, size_t size, const char **span, size_t *span_size);

#endif
