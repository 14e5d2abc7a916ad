/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-line.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* How much is read in one turn of the loop: a peer that sends without end waits for
 * all the others after each such piece. */
#define READ_BYTES (64u * 1024u)

struct JsonLine {
        sd_event_source *io_source;
        sd_event_source *close_source;  /* tells the end outside of any call of ours */
        int fd;
        JsonLineHandlers handlers;
        void *userdata;

        char *input;
        size_t n_input, input_allocated;
        char *output;
        size_t n_output, output_allocated;

        bool marked;                    /* only a line after a "mark" is one */
        char mark;
        bool skipping;                  /* no mark yet, since the last line */
        bool forgiving;
        size_t n_skipped;               /* in all */

        bool broken;                    /* takes nothing more; what it sent before is still read */
        const char *reason;             /* why it is over; NULL while it is not */
        bool *freed;                    /* set if a handler frees the connection */
};

void json_line_drop(JsonLine *line, const char *reason) {
        if (line->reason)
                return;
        line->reason = reason;
        (void) sd_event_source_set_enabled(line->io_source, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(line->close_source, SD_EVENT_ONESHOT);
}

static int on_close(sd_event_source *source, void *userdata) {
        JsonLine *line = userdata;

        line->handlers.closed(line->reason, line->userdata);
        return 0;
}

static int buffer_reserve(char **buffer, size_t *allocated, size_t wanted) {
        size_t size = *allocated ?: 1024;
        char *larger;

        if (wanted <= *allocated)
                return 0;
        while (size < wanted)
                size *= 2;
        larger = realloc(*buffer, size);
        if (!larger)
                return -ENOMEM;
        *buffer = larger;
        *allocated = size;
        return 0;
}

/* An idle connection holds no buffers: there may be five hundred. */
static void buffer_release(char **buffer, size_t *allocated) {
        free(*buffer);
        *buffer = NULL;
        *allocated = 0;
}

/* The last words of a peer that is gone may be why it went. */
static void line_end_broken(JsonLine *line) {
        char byte;

        if (line->broken && recv(line->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
                json_line_drop(line, "the connection broke");
}

static void line_write(JsonLine *line) {
        size_t sent = 0;

        while (sent < line->n_output) {
                ssize_t n = send(line->fd, line->output + sent, line->n_output - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno != EAGAIN) {
                                line->broken = true;
                                sent = line->n_output;
                        }
                        break;
                }
                sent += (size_t) n;
        }

        if (sent > 0)
                memmove(line->output, line->output + sent, line->n_output - sent);
        line->n_output -= sent;
        if (line->n_output == 0)
                buffer_release(&line->output, &line->output_allocated);
        if (!line->reason)
                (void) sd_event_source_set_io_events(line->io_source, EPOLLIN | (line->n_output > 0 ? EPOLLOUT : 0));
        line_end_broken(line);
}

/* Passes over so many bytes. */
static void line_skip(JsonLine *line, size_t n) {
        line->n_skipped += n;
        if (line->n_skipped > JSON_LINE_SKIP_MAX)
                json_line_drop(line, "it sent more than 4 MiB that nobody waits for");
}

/* Finds where a marked line starts, at "start" or behind it; nothing between "start" and
 * "from" is a mark. The end of what is there if there is no mark. */
static size_t line_find_mark(JsonLine *line, size_t start, size_t from) {
        const char *newline, *mark;
        size_t end = line->n_input;

        if (line->skipping) {
                mark = memchr(line->input + start, line->mark, line->n_input - start);
                if (!mark)
                        return end;
                line->skipping = false;
                from = start = (size_t) (mark + 1 - line->input);
        }
        /* Another one in the line: whoever wrote its first half was reset. */
        newline = memchr(line->input + from, '\n', line->n_input - from);
        if (newline)
                end = (size_t) (newline - line->input);
        mark = memrchr(line->input + from, line->mark, end - from);
        return mark ? (size_t) (mark + 1 - line->input) : start;
}

/* Hands on the lines that are whole. "from" is where the new bytes start: what was
 * there before has no end of line. What is left then is the start of a line, or one
 * that is too long. Returns false if the connection was freed. */
static bool line_split(JsonLine *line, size_t from) {
        size_t start = 0;
        bool freed = false;

        line->freed = &freed;
        for (;;) {
                _cleanup_json_ JsonObject *object = NULL;
                const char *end;
                size_t length;

                if (line->marked) {
                        size_t skipped = line_find_mark(line, start, from) - start;

                        start += skipped;
                        if (from < start)
                                from = start;
                        line_skip(line, skipped);
                        if (line->reason)
                                break;
                }
                end = memchr(line->input + from, '\n', line->n_input - from);
                if (!end)
                        break;
                length = (size_t) (end - (line->input + start));
                if (length > JSON_LINE_MAX)
                        break;
                from = start + length + 1;
                while (length > 0 && line->input[start + length - 1] == '\r')
                        length--;
                if (length > 0) {
                        bool is_object = json_parse(line->input + start, length, &object) >= 0 && json_object_is_type(object, json_type_object);

                        line->skipping = line->marked;
                        if (is_object)
                                line->handlers.object(object, line->userdata);
                        else if (line->marked || line->forgiving)
                                line_skip(line, length);
                        else
                                json_line_drop(line, "it sent what is no JSON object");
                        if (freed)
                                return false;
                        if (line->reason)
                                break;
                }
                start = from;
        }
        line->freed = NULL;

        memmove(line->input, line->input + start, line->n_input - start);
        line->n_input -= start;
        if (line->n_input == 0)
                buffer_release(&line->input, &line->input_allocated);
        return true;
}

/* Returns false if the connection was freed. */
static bool line_read(JsonLine *line) {
        char piece[READ_BYTES];
        size_t from = line->n_input;
        ssize_t n;

        n = recv(line->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        json_line_drop(line, "the connection broke");
                return true;
        }
        if (n == 0) {
                json_line_drop(line, "it closed the connection");
                return true;
        }

        if (buffer_reserve(&line->input, &line->input_allocated, line->n_input + (size_t) n) < 0) {
                json_line_drop(line, "there is not enough memory for what it sends");
                return true;
        }
        memcpy(line->input + line->n_input, piece, (size_t) n);
        line->n_input += (size_t) n;
        if (!line_split(line, from))
                return false;
        if (line->n_input > JSON_LINE_MAX)
                json_line_drop(line, "it sent a line of more than 256 KiB");
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        JsonLine *line = userdata;

        if (revents & EPOLLOUT)
                line_write(line);
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR) && !line->reason && line_read(line))
                line_end_broken(line);
        return 0;
}

int json_line_new(sd_event *event, int fd, const JsonLineHandlers *handlers, void *userdata, JsonLine **ret) {
        _cleanup_(json_line_freep) JsonLine *line = NULL;
        int r;

        line = calloc(1, sizeof *line);
        if (!line) {
                (void) close(fd);
                return -ENOMEM;
        }
        line->fd = fd;
        line->handlers = *handlers;
        line->userdata = userdata;

        r = sd_event_add_io(event, &line->io_source, fd, EPOLLIN, on_io, line);
        if (r >= 0)
                r = sd_event_add_defer(event, &line->close_source, on_close, line);
        if (r >= 0)
                r = sd_event_source_set_enabled(line->close_source, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(line);
        return 0;
}

JsonLine *json_line_free(JsonLine *line) {
        if (!line)
                return NULL;
        if (line->freed)
                *line->freed = true;
        (void) sd_event_source_disable_unref(line->io_source);
        (void) sd_event_source_disable_unref(line->close_source);
        (void) close(line->fd);
        free(line->input);
        free(line->output);
        free(line);
        return NULL;
}

int json_line_send_bytes(JsonLine *line, const void *bytes, size_t n) {
        bool was_empty = line->n_output == 0;
        int r;

        if (line->reason || line->broken)
                return -ENOTCONN;
        if (n > JSON_LINE_QUEUE_MAX - line->n_output) {
                json_line_drop(line, "it does not read what it is sent");
                return -ENOBUFS;
        }
        r = buffer_reserve(&line->output, &line->output_allocated, line->n_output + n);
        if (r < 0)
                return r;
        memcpy(line->output + line->n_output, bytes, n);
        line->n_output += n;
        if (was_empty)
                line_write(line);
        return 0;
}

int json_line_send(JsonLine *line, JsonObject *object) {
        _cleanup_free_ char *text = NULL;
        const char *json;
        size_t length;

        json = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
        if (!json)
                return -ENOMEM;
        text = malloc(length + 1);
        if (!text)
                return -ENOMEM;
        memcpy(text, json, length);
        text[length] = '\n';
        return json_line_send_bytes(line, text, length + 1);
}

void json_line_take_marked(JsonLine *line, char mark) {
        line->marked = line->skipping = true;
        line->mark = mark;
}

void json_line_take_all(JsonLine *line) {
        line->marked = line->skipping = false;
}

void json_line_forgive(JsonLine *line, bool forgiving) {
        line->forgiving = forgiving;
}

int json_line_fd(const JsonLine *line) {
        return line->fd;
}
