#define _GNU_SOURCE
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool named(const char *line, size_t size, const char *name, const char **value, size_t *value_size)
{
    size_t length = strlen(name);
    if (size <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
        return false;
    *value = line + length + 1;
    *value_size = size - length - 1;
    while (*value_size && **value == ' ') {
        (*value)++;
        (*value_size)--;
    }
    return true;
}

static void read_field(const char *line, size_t size, struct head *head)
{
    const char *value;
    size_t value_size;
    if (named(line, size, "content-length", &value, &value_size))
        head->content_length = strtol(value, NULL, 10);
    else if (named(line, size, "transfer-encoding", &value, &value_size))
        head->chunked = value_size >= 7 && strncasecmp(value + value_size - 7, "chunked", 7) == 0;
    else if (named(line, size, "connection", &value, &value_size))
        head->close = value_size >= 5 && strncasecmp(value, "close", 5) == 0;
}

int head_parse(const char *data, size_t size, struct head *head)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return size > 65536 ? -1 : 0;
    memset(head, 0, sizeof *head);
    head->length = (size_t)(end - data) + 4;
    head->content_length = -1;
    if (strncmp(data, "HTTP/1.", 7) == 0)
        head->status = atoi(data + 9);
    const char *line = memchr(data, '\n', size);
    while (line && line < end) {
        line++;
        const char *stop = memchr(line, '\r', (size_t)(end + 1 - line));
        if (!stop)
            return -1;
        read_field(line, (size_t)(stop - line), head);
        line = memchr(stop, '\n', (size_t)(end + 2 - stop));
    }
    return 1;
}

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static void size_byte(struct chunked *decoder, char byte)
{
    int value = decoder->state == CHUNK_SIZE ? hex(byte) : -1;
    if (value >= 0) {
        decoder->left = decoder->left * 16 + (size_t)value;
        decoder->any_digit = true;
    } else if (byte == '\n') {
        decoder->state = !decoder->any_digit ? CHUNK_BAD : decoder->left ? CHUNK_DATA : CHUNK_TRAILER;
        decoder->line = 0;
    } else {
        decoder->state = CHUNK_SIZE_REST;
    }
}

static void trailer_byte(struct chunked *decoder, char byte)
{
    if (byte == '\n') {
        if (decoder->line == 0)
            decoder->state = CHUNK_DONE;
        decoder->line = 0;
    } else if (byte != '\r') {
        decoder->line++;
    }
}

static void data_end_byte(struct chunked *decoder, char byte)
{
    if (byte == '\n') {
        decoder->state = CHUNK_SIZE;
        decoder->left = 0;
        decoder->any_digit = false;
    } else if (byte != '\r') {
        decoder->state = CHUNK_BAD;
    }
}

size_t chunked_step(struct chunked *decoder, const char *data, size_t size, const char **span, size_t *span_size)
{
    *span_size = 0;
    size_t used = 0;
    while (used < size && decoder->state < CHUNK_DONE) {
        if (decoder->state == CHUNK_DATA) {
            *span = data + used;
            *span_size = size - used < decoder->left ? size - used : decoder->left;
            decoder->left -= *span_size;
            if (decoder->left == 0)
                decoder->state = CHUNK_DATA_END;
            return used + *span_size;
        }
        char byte = data[used++];
        if (decoder->state == CHUNK_DATA_END)
            data_end_byte(decoder, byte);
        else if (decoder->state == CHUNK_TRAILER)
            trailer_byte(decoder, byte);
        else
            size_byte(decoder, byte);
    }
    return used;
}
