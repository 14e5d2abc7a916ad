/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "line-peer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Peer *peer = userdata;
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

        if (n > 0)
                g_string_append_len(peer->input, piece, n);
        else if (n == 0 || errno != EAGAIN) {
                peer->ended = TRUE;
                g_assert_cmpint(sd_event_source_set_enabled(source, SD_EVENT_OFF), >=, 0);
        }
        return 0;
}

Peer *peer_new(sd_event *event) {
        Peer *peer = g_new0(Peer, 1);
        int fds[2];

        if (event)
                peer->event = sd_event_ref(event);
        else
                g_assert_cmpint(sd_event_new(&peer->event), >=, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        peer->fd = fds[0];
        peer->other_fd = fds[1];
        peer->input = g_string_new(NULL);
        g_assert_cmpint(sd_event_add_io(peer->event, &peer->source, peer->fd, EPOLLIN, on_input, peer), >=, 0);
        return peer;
}

Peer *peer_free(Peer *peer) {
        sd_event_source_disable_unref(peer->source);
        if (peer->fd >= 0)
                (void) close(peer->fd);
        if (peer->other_fd >= 0)
                (void) close(peer->other_fd);
        sd_event_unref(peer->event);
        g_string_free(peer->input, TRUE);
        g_free(peer);
        return NULL;
}

int peer_take_fd(Peer *peer) {
        g_assert_cmpint(peer->other_fd, >=, 0);
        return TAKE_FD(peer->other_fd);
}

void peer_send_bytes(Peer *peer, const char *bytes, gsize n) {
        while (n > 0) {
                ssize_t sent = send(peer->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (sent >= 0) {
                        bytes += sent;
                        n -= (gsize) sent;
                } else if (errno == EPIPE || errno == ECONNRESET)
                        return;
                else {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
                }
        }
}

void peer_send(Peer *peer, const char *text) {
        peer_send_bytes(peer, text, strlen(text));
}

char *peer_wait_line(Peer *peer) {
        char *line, *end;

        while (!(end = strchr(peer->input->str, '\n'))) {
                if (peer->ended)
                        return NULL;
                g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
        }
        line = g_strndup(peer->input->str, (gsize) (end - peer->input->str));
        g_string_erase(peer->input, 0, (gssize) strlen(line) + 1);
        return line;
}

void peer_settle(Peer *peer) {
        int r;

        while ((r = sd_event_run(peer->event, 0)) > 0)
                ;
        g_assert_cmpint(r, ==, 0);
}

void peer_turn_deaf(Peer *peer) {
        g_assert_cmpint(sd_event_source_set_enabled(peer->source, SD_EVENT_OFF), >=, 0);
}

void peer_hang_up(Peer *peer) {
        peer->source = sd_event_source_disable_unref(peer->source);
        (void) close(TAKE_FD(peer->fd));
}

JsonObject *json_read(const char *text) {
        JsonObject *object = NULL;

        if (json_parse(text, strlen(text), &object) < 0)
                g_error("%s is no JSON", text);
        return object;
}
