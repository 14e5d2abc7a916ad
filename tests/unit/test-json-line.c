/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines that come whole, in pieces, too long or not at all; peers that do not read or
 * never stop; a connection that is freed wherever it tells something. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "guest/qemu/json-line.h"
#include "line-peer.h"

typedef struct Subject {
        JsonLine *line;
        unsigned n_objects, n_closed;
        const char *reason;
        GString *heard;                 /* the objects, one after the other; NULL: only counted */
        unsigned free_at;               /* frees the connection from this object on */
        unsigned drop_at;
        bool free_when_closed;
        bool echo;
} Subject;

static void on_object(JsonObject *object, void *userdata) {
        Subject *subject = userdata;

        g_assert_cmpuint(subject->n_closed, ==, 0);
        subject->n_objects++;
        if (subject->heard)
                g_string_append(subject->heard, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
        if (subject->echo)
                g_assert_cmpint(json_line_send(subject->line, object), ==, 0);
        if (subject->n_objects == subject->drop_at)
                json_line_drop(subject->line, "the test says so");
        if (subject->n_objects == subject->free_at) {
                subject->line = json_line_free(subject->line);
                /* The object is there until we return. */
                g_assert_true(json_object_is_type(object, json_type_object));
        }
}

static void on_closed(const char *reason, void *userdata) {
        Subject *subject = userdata;

        subject->n_closed++;
        subject->reason = reason;
        if (subject->free_when_closed)
                subject->line = json_line_free(subject->line);
}

static const JsonLineHandlers handlers = { .object = on_object, .closed = on_closed };

static Subject *subject_new(Peer *peer) {
        Subject *subject = g_new0(Subject, 1);

        subject->heard = g_string_new(NULL);
        subject->free_when_closed = true;
        g_assert_cmpint(json_line_new(peer->event, peer_take_fd(peer), &handlers, subject, &subject->line), ==, 0);
        return subject;
}

static void subject_free(Subject *subject) {
        json_line_free(subject->line);
        g_string_free(subject->heard, TRUE);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

static void wait_closed(Peer *peer, Subject *subject) {
        while (subject->n_closed == 0)
                g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
        peer_settle(peer);
        g_assert_cmpuint(subject->n_closed, ==, 1);
}

static void lines_come_in_pieces(void) {
        static const char text[] = "{\"a\":1}\r\n\n\r\n  {\"b\":\"\xe2\x82\xac\"} \n{}\n";

        /* Cut into pieces of each size, which are read one by one. */
        for (size_t size = 1; size < sizeof text; size++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);

                for (size_t at = 0; at < sizeof text - 1; at += size) {
                        peer_send_bytes(peer, text + at, MIN(size, sizeof text - 1 - at));
                        peer_settle(peer);
                }
                g_assert_cmpstr(subject->heard->str, ==, "{\"a\":1}{\"b\":\"\xe2\x82\xac\"}{}");
                g_assert_cmpuint(subject->n_closed, ==, 0);
        }
}

static const struct { const char *text; size_t length; unsigned n_before; } garbage[] = {
#define BYTES(text) text, sizeof text - 1
        { BYTES("x\n"), 0 },
        { BYTES("[]\n"), 0 },
        { BYTES("1\n"), 0 },
        { BYTES("null\n"), 0 },
        { BYTES(" \n"), 0 },
        { BYTES("{}\n{\n"), 1 },
        { BYTES("{}{}\n"), 0 },
        { BYTES("{\"a\":\n1}\n"), 0 },
        { BYTES("{}\n{'a':1}\n{}\n"), 1 },
        { BYTES("{}\n{\"a\":NaN}\n{}\n"), 1 },
        { BYTES("{}\n{}\n{\"a\":\"\xc0\x80\"}\n{}\n"), 2 },
        { BYTES("{\"a\":\"\xff\"}\n"), 0 },
        { BYTES("\xff{}\n"), 0 },
        { BYTES("\0\n"), 0 },
        { BYTES("{}\0\n"), 0 },
        { BYTES("{\"a\\u0000\":1}\n"), 0 },
        { BYTES("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n"), 0 },
        { BYTES("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}"
                "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}\n"), 0 },
        { BYTES("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) "), 0 },
};

static void garbage_ends_the_connection(void) {
        for (size_t i = 0; i < ELEMENTSOF(garbage); i++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);

                g_test_message("row %zu", i);
                peer_send_bytes(peer, garbage[i].text, garbage[i].length);
                wait_closed(peer, subject);
                g_assert_cmpstr(subject->reason, ==, "it sent what is no JSON object");
                g_assert_cmpuint(subject->n_objects, ==, garbage[i].n_before);
        }
}

static void marked_lines_alone_are_taken(void) {
        static const char text[] = "{\"a\":1}\nhalf\0\xffno\n{\"a\":2}\n\xff\r\n{\"a\":3}\n{\"a\":4}\n\xff[]\n\xff{\"half\xff{\"a\":5}\nhalf";

        for (size_t size = 1; size < sizeof text; size++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);

                json_line_take_marked(subject->line, '\xff');
                for (size_t at = 0; at < sizeof text - 1; at += size) {
                        peer_send_bytes(peer, text + at, MIN(size, sizeof text - 1 - at));
                        peer_settle(peer);
                }
                g_assert_cmpstr(subject->heard->str, ==, "{\"a\":3}{\"a\":5}");
                json_line_take_all(subject->line);
                peer_send(peer, "{\"a\":6}\n");
                peer_settle(peer);
                g_assert_cmpstr(subject->heard->str, ==, "{\"a\":3}{\"a\":5}{\"a\":6}");
                g_assert_cmpuint(subject->n_closed, ==, 0);
        }
}

/* An object of so many bytes. */
static char *make_line(size_t length) {
        char *text = g_malloc(length + 1);

        memset(text, 'x', length);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + length - 2, "\"}", 3);
        return text;
}

static void a_line_is_at_most_256_kib(void) {
        static const struct { size_t length; bool whole, fits; } lines[] = {
                { JSON_LINE_MAX, true, true },
                { JSON_LINE_MAX + 1, true, false },
                { JSON_LINE_MAX + 1000, true, false },
                { 4 * JSON_LINE_MAX, true, false },
                { 100 * JSON_LINE_MAX, false, false },  /* without an end */
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);
                g_autofree char *text = make_line(lines[i].length);

                g_test_message("row %zu", i);
                peer_send(peer, "{}\n");
                peer_send_bytes(peer, text, lines[i].length);
                if (lines[i].whole)
                        peer_send(peer, "\n{}\n");
                if (lines[i].fits) {
                        while (subject->n_objects < 3)
                                g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
                        g_assert_cmpuint(subject->heard->len, ==, lines[i].length + 4);
                        g_assert_cmpuint(subject->n_closed, ==, 0);
                } else {
                        wait_closed(peer, subject);
                        g_assert_cmpuint(subject->n_objects, ==, 1);
                        g_assert_cmpstr(subject->reason, ==, "it sent a line of more than 256 KiB");
                }
        }
}

/* A long line is at its end where the next begins, in the same piece. */
static void long_lines_follow_each_other(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        g_autofree char *text = make_line(JSON_LINE_MAX);

        for (unsigned i = 0; i < 10; i++) {
                peer_send(peer, text);
                peer_send(peer, "\n");
        }
        while (subject->n_objects < 10)
                g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
        g_assert_cmpuint(subject->n_closed, ==, 0);
}

static void the_end_is_told_once(void) {
        for (unsigned round = 0; round < 2; round++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);
                _cleanup_json_ JsonObject *object = json_object_new_object();

                subject->free_when_closed = round == 0;
                peer_send(peer, "{}\n{\"half\":");
                peer_hang_up(peer);
                wait_closed(peer, subject);
                g_assert_cmpuint(subject->n_objects, ==, 1);
                g_assert_cmpstr(subject->reason, ==, "it closed the connection");
                if (round == 1) {
                        g_assert_cmpint(json_line_send(subject->line, object), ==, -ENOTCONN);
                        json_line_drop(subject->line, "another reason");
                        peer_settle(peer);
                        g_assert_cmpuint(subject->n_closed, ==, 1);
                }
        }
}

/* A peer that reads nothing and closes: its end is an error, and told as one end. */
static void a_broken_connection_is_told_once(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        _cleanup_json_ JsonObject *object = json_object_new_object();

        g_assert_cmpint(json_line_send(subject->line, object), ==, 0);
        peer_hang_up(peer);
        /* Both succeed or say that it is over; neither tells anything itself. */
        (void) json_line_send(subject->line, object);
        g_assert_cmpint(json_line_send(subject->line, object), ==, -ENOTCONN);
        g_assert_cmpuint(subject->n_closed, ==, 0);
        wait_closed(peer, subject);
        g_assert_cmpstr(subject->reason, ==, "the connection broke");
}

/* More than one piece of it. */
static void last_words_are_heard_though_sending_failed(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        _cleanup_json_ JsonObject *object = json_object_new_object();
        g_autofree char *text = make_line(80 * 1024);

        peer_send(peer, text);
        peer_send(peer, "\n{\"last\":1}\n");
        g_assert_cmpuint(subject->n_objects, ==, 0);
        peer_hang_up(peer);
        g_assert_cmpint(json_line_send(subject->line, object), ==, 0);
        g_assert_cmpint(json_line_send(subject->line, object), ==, -ENOTCONN);
        wait_closed(peer, subject);
        g_assert_cmpuint(subject->n_objects, ==, 2);
        g_assert_true(g_str_has_suffix(subject->heard->str, "{\"last\":1}"));
}

/* One that shuts its reading side only, and stays: no event tells that. */
static void a_peer_that_takes_nothing_more_is_dropped(void) {
        for (unsigned n_before = 0; n_before <= 1; n_before++) {
                g_autoptr(Peer) peer = peer_new(NULL);
                g_autoptr(Subject) subject = subject_new(peer);
                _cleanup_json_ JsonObject *object = json_object_new_object();

                if (n_before > 0)
                        peer_send(peer, "{}\n");
                g_assert_cmpint(shutdown(peer->fd, SHUT_RD), ==, 0);
                g_assert_cmpint(json_line_send(subject->line, object), ==, 0);
                g_assert_cmpuint(subject->n_closed, ==, 0);
                wait_closed(peer, subject);
                g_assert_cmpuint(subject->n_objects, ==, n_before);
                g_assert_cmpstr(subject->reason, ==, "the connection broke");
        }
}

static void dropping_is_told_later_and_once(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);

        peer_send(peer, "{}\n");
        json_line_drop(subject->line, "first");
        json_line_drop(subject->line, "second");
        g_assert_cmpuint(subject->n_closed, ==, 0);
        wait_closed(peer, subject);
        g_assert_cmpstr(subject->reason, ==, "first");
        g_assert_cmpuint(subject->n_objects, ==, 0);
}

static void nothing_is_handed_on_after_dropping(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);

        subject->drop_at = 2;
        peer_send(peer, "{}\n{}\n{}\n{}\n");
        wait_closed(peer, subject);
        g_assert_cmpuint(subject->n_objects, ==, 2);
        g_assert_cmpstr(subject->reason, ==, "the test says so");
}

static void freeing_from_an_object_ends_it_there(void) {
        for (unsigned at = 1; at <= 3; at++)
                for (unsigned drop = 0; drop <= 1; drop++) {
                        g_autoptr(Peer) peer = peer_new(NULL);
                        g_autoptr(Subject) subject = subject_new(peer);

                        subject->free_at = at;
                        subject->drop_at = drop * at;
                        peer_send(peer, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":4}\n{\"a\":");
                        while (subject->line)
                                g_assert_cmpint(sd_event_run(peer->event, UINT64_MAX), >=, 0);
                        peer_settle(peer);
                        g_assert_cmpuint(subject->n_objects, ==, at);
                        g_assert_cmpuint(subject->n_closed, ==, 0);
                        g_assert_true(peer->ended);
                }
}

static void freeing_after_dropping_tells_nothing(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);

        json_line_drop(subject->line, "x");
        subject->line = json_line_free(subject->line);
        peer_settle(peer);
        g_assert_cmpuint(subject->n_closed, ==, 0);
        g_assert_null(json_line_free(NULL));
}

static void what_is_sent_arrives_in_order(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        enum { N = 2000 };

        /* More than a socket holds, less than the queue. */
        for (int i = 0; i < N; i++) {
                _cleanup_json_ JsonObject *object = json_object_new_object();
                char filling[300] = {};

                memset(filling, '/', sizeof filling - 1);
                g_assert_cmpint(json_add_i64(object, "i", i), ==, 0);
                g_assert_cmpint(json_add_string(object, "filling", filling), ==, 0);
                g_assert_cmpint(json_line_send(subject->line, object), ==, 0);
        }
        for (int i = 0; i < N; i++) {
                g_autofree char *text = peer_wait_line(peer);
                _cleanup_json_ JsonObject *object = json_read(text);
                int64_t number;

                g_assert_cmpint(json_get_i64(object, "i", &number), ==, 0);
                g_assert_cmpint(number, ==, i);
        }
        /* And it is quiet then. */
        peer_settle(peer);
        g_assert_cmpuint(peer->input->len, ==, 0);
        g_assert_cmpuint(subject->n_closed, ==, 0);
}

static void an_answer_may_be_sent_from_an_object(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);

        subject->echo = true;
        peer_send(peer, "{\"a\":1}\n{\"a\":2}\n");
        for (int i = 1; i <= 2; i++) {
                g_autofree char *text = peer_wait_line(peer), *expected = g_strdup_printf("{\"a\":%d}", i);

                g_assert_cmpstr(text, ==, expected);
        }
}

static void a_peer_that_does_not_read_is_dropped(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        g_autofree char *piece = g_malloc0(64 * 1024);
        size_t n_queued = 0;
        int r;

        peer_turn_deaf(peer);
        while ((r = json_line_send_bytes(subject->line, piece, 64 * 1024)) >= 0) {
                n_queued += 64 * 1024;
                peer_settle(peer);
                g_assert_cmpuint(n_queued, <, 64 * JSON_LINE_QUEUE_MAX);
        }
        g_assert_cmpint(r, ==, -ENOBUFS);
        g_assert_cmpuint(n_queued, >=, JSON_LINE_QUEUE_MAX);
        g_assert_cmpuint(subject->n_closed, ==, 0);
        g_assert_cmpint(json_line_send_bytes(subject->line, piece, 1), ==, -ENOTCONN);
        wait_closed(peer, subject);
        g_assert_cmpstr(subject->reason, ==, "it does not read what it is sent");
}

static void too_much_at_once_is_refused(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        g_autoptr(Subject) subject = subject_new(peer);
        g_autofree char *piece = g_malloc0(JSON_LINE_QUEUE_MAX + 1);

        g_assert_cmpint(json_line_send_bytes(subject->line, piece, JSON_LINE_QUEUE_MAX + 1), ==, -ENOBUFS);
        wait_closed(peer, subject);
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static const char text[] = "{\"event\":\"A\"}\n{\"event\":\"A\"}\n{\"event\":\"A\"}\n{\"event\":\"A\"}\n";
        unsigned *n_left = userdata;

        while (*n_left > 0 && send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) sizeof text - 1)
                *n_left -= 1;
        if (*n_left == 0)
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* While one sends without end, another has its turn within a few. */
static void a_flood_leaves_others_their_turn(void) {
        g_autoptr(Peer) flooder = peer_new(NULL), peer = peer_new(flooder->event);
        g_autoptr(Subject) flooded = subject_new(flooder), subject = subject_new(peer);
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *flood = NULL;
        unsigned n_left = 25000, n_rounds = 0;

        g_string_free(flooded->heard, TRUE);
        flooded->heard = NULL;
        g_assert_cmpint(sd_event_add_io(flooder->event, &flood, dup(flooder->fd), EPOLLOUT, on_room, &n_left), >=, 0);
        g_assert_cmpint(sd_event_source_set_io_fd_own(flood, true), >=, 0);
        /* Not before the flood is there. */
        while (flooded->n_objects == 0)
                g_assert_cmpint(sd_event_run(flooder->event, UINT64_MAX), >=, 0);

        while (n_left > 0) {
                unsigned n_turns = 0, n_before = subject->n_objects;

                peer_send(peer, "{}\n");
                while (subject->n_objects == n_before) {
                        g_assert_cmpint(sd_event_run(flooder->event, UINT64_MAX), >=, 0);
                        n_turns++;
                }
                g_assert_cmpuint(n_turns, <=, 8);
                n_rounds++;
        }
        g_assert_cmpuint(n_rounds, >, 10);
        while (flooded->n_objects < 100000)
                g_assert_cmpint(sd_event_run(flooder->event, UINT64_MAX), >=, 0);
        peer_settle(flooder);
        g_assert_cmpuint(flooded->n_objects, ==, 100000);
        flooded->heard = g_string_new(NULL);
}

static void what_is_no_socket_is_refused_or_ends(void) {
        g_autoptr(Peer) peer = peer_new(NULL);
        Subject subject = { .free_when_closed = true };
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];

        /* A file cannot be waited for; it is closed all the same. */
        g_assert_cmpint(json_line_new(peer->event, fd, &handlers, &subject, &subject.line), <, 0);
        g_assert_null(subject.line);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);

        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        g_assert_cmpint(json_line_new(peer->event, fds[0], &handlers, &subject, &subject.line), ==, 0);
        g_assert_cmpint(json_line_fd(subject.line), ==, fds[0]);
        g_assert_cmpint(write(fds[1], "{}\n", 3), ==, 3);
        wait_closed(peer, &subject);
        g_assert_cmpstr(subject.reason, ==, "the connection broke");
        (void) close(fds[1]);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/json-line/lines-come-in-pieces", lines_come_in_pieces);
        g_test_add_func("/json-line/marked-lines-alone-are-taken", marked_lines_alone_are_taken);
        g_test_add_func("/json-line/garbage-ends-the-connection", garbage_ends_the_connection);
        g_test_add_func("/json-line/a-line-is-at-most-256-kib", a_line_is_at_most_256_kib);
        g_test_add_func("/json-line/long-lines-follow-each-other", long_lines_follow_each_other);
        g_test_add_func("/json-line/the-end-is-told-once", the_end_is_told_once);
        g_test_add_func("/json-line/a-broken-connection-is-told-once", a_broken_connection_is_told_once);
        g_test_add_func("/json-line/last-words-are-heard-though-sending-failed", last_words_are_heard_though_sending_failed);
        g_test_add_func("/json-line/a-peer-that-takes-nothing-more-is-dropped", a_peer_that_takes_nothing_more_is_dropped);
        g_test_add_func("/json-line/dropping-is-told-later-and-once", dropping_is_told_later_and_once);
        g_test_add_func("/json-line/nothing-is-handed-on-after-dropping", nothing_is_handed_on_after_dropping);
        g_test_add_func("/json-line/freeing-from-an-object-ends-it-there", freeing_from_an_object_ends_it_there);
        g_test_add_func("/json-line/freeing-after-dropping-tells-nothing", freeing_after_dropping_tells_nothing);
        g_test_add_func("/json-line/what-is-sent-arrives-in-order", what_is_sent_arrives_in_order);
        g_test_add_func("/json-line/an-answer-may-be-sent-from-an-object", an_answer_may_be_sent_from_an_object);
        g_test_add_func("/json-line/a-peer-that-does-not-read-is-dropped", a_peer_that_does_not_read_is_dropped);
        g_test_add_func("/json-line/too-much-at-once-is-refused", too_much_at_once_is_refused);
        g_test_add_func("/json-line/a-flood-leaves-others-their-turn", a_flood_leaves_others_their_turn);
        g_test_add_func("/json-line/what-is-no-socket-is-refused-or-ends", what_is_no_socket_is_refused_or_ends);
        return g_test_run();
}
