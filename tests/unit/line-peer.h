/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The other end of a connection on which each line is a JSON object, in the same loop
 * as the end that is tested. It writes down what it gets, line by line. */

#include <glib.h>
#include <systemd/sd-event.h>

#include "lib/json.h"

typedef struct Peer {
        sd_event *event;
        sd_event_source *source;
        int fd;
        int other_fd;           /* until it is taken */
        GString *input;
        gboolean ended;         /* the other end has closed */
} Peer;

/* In a loop of its own, or in that of another peer. */
Peer *peer_new(sd_event *event);
Peer *peer_free(Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)

/* The end that is to be tested. */
int peer_take_fd(Peer *peer);

/* Sends, and runs the loop while there is no room. Stops if the other end closes. */
void peer_send(Peer *peer, const char *text);
void peer_send_bytes(Peer *peer, const char *bytes, gsize n);

/* Runs the loop until a line has come. Free the result; NULL if the other end closed
 * without one. */
char *peer_wait_line(Peer *peer);

/* Runs the loop until nothing is left to do. */
void peer_settle(Peer *peer);

/* Reads no more. */
void peer_turn_deaf(Peer *peer);

void peer_hang_up(Peer *peer);

JsonObject *json_read(const char *text);
