/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A socket on which each line is a JSON object, as QEMU's monitor and its guest agent
 * speak. Nothing here blocks; a peer that sends too much, or what is no JSON, is
 * dropped with a reason. */

#include <systemd/sd-event.h>

#include "lib/json.h"

typedef struct JsonLine JsonLine;

/* The longest line that is taken. QEMU's longest answers (query-hotpluggable-cpus of
 * 288 CPUs) are a fifth of it. */
#define JSON_LINE_MAX (256u * 1024u)

/* What is queued for a peer that does not read; more, and it is dropped. */
#define JSON_LINE_QUEUE_MAX (1024u * 1024u)

/* What is passed over at most, in all (json_line_take_marked(), json_line_forgive()). */
#define JSON_LINE_SKIP_MAX (4u * 1024u * 1024u)

typedef struct JsonLineHandlers {
        /* An object came. The connection may be freed from here. */
        void (*object)(JsonObject *object, void *userdata);
        /* It is over; called once, and never from within a call of json_line_send().
         * The connection may be freed from here. */
        void (*closed)(const char *reason, void *userdata);
} JsonLineHandlers;

/* Takes over a connected stream socket, also on failure. */
int json_line_new(sd_event *event, int fd, const JsonLineHandlers *handlers, void *userdata, JsonLine **ret);
JsonLine *json_line_free(JsonLine *line);
DEFINE_CLEANUP(JsonLine *, json_line_free)

/* Queues an object to be sent. Returns -ENOTCONN once it is over, -ENOBUFS if the peer
 * does not read (it is dropped then), -ENOMEM. */
int json_line_send(JsonLine *line, JsonObject *object);

/* Queues bytes as they are: the guest agent's protocol starts with one that is no
 * JSON. */
int json_line_send_bytes(JsonLine *line, const void *bytes, size_t n);

/* From here on only a line that follows this byte is handed on, and only if it is an
 * object; all else is passed over: answers that somebody else did not wait for, the half
 * of a line. What was read, and not handed on yet, counts as coming. More than
 * JSON_LINE_SKIP_MAX in the life of the connection, and the peer is dropped. */
void json_line_take_marked(JsonLine *line, char mark);

/* From here on every line is, as at the start. Both may be called from "object". */
void json_line_take_all(JsonLine *line);

/* Passes over lines that are no objects too, or stops doing so: on a connection that
 * somebody else used before us, the first may be the half of one. They count like what
 * json_line_take_marked() passes over. */
void json_line_forgive(JsonLine *line, bool forgiving);

/* Gives the peer up: "closed" follows, with this reason, a constant. Nothing more is
 * read or sent. */
void json_line_drop(JsonLine *line, const char *reason);

int json_line_fd(const JsonLine *line);
