/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A conversation with a monitor, ours and those recorded with QEMU; a monitor that
 * answers late, wrongly, unasked or never; and the connection freed wherever it tells
 * something.
 *
 * The recorded ones are no part of the project: $BERTH_FIXTURES/qmp, by default a
 * folder beside it, if it is there. */

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "guest/qemu/qmp.h"
#include "line-peer.h"

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[\"oob\"]}}\n"
#define LONG_USEC (UINT64_C(3600) * 1000000)

typedef enum When { NEVER, WHEN_READY, WHEN_EVENT, WHEN_CLOSED } When;

typedef struct Subject {
        Peer *peer;
        Qmp *qmp;
        unsigned n_ready, n_events, n_closed;
        const char *reason;
        char *event_name;               /* the last */
        JsonObject *event_data;
        GString *order;                 /* of ends of commands, and of the connection */
        When free_when;
} Subject;

/* How one command ended. */
typedef struct Outcome {
        Subject *subject;
        unsigned n;
        int error;
        JsonObject *value;
        char *class, *description;
        const char *letter;             /* for the order */
        bool frees;                     /* the connection */
        bool asks_again;
        int asked_again;                /* what that returned */
        QmpCommand **drops;
} Outcome;

static void let_go(Subject *subject, When when) {
        if (subject->free_when == when)
                subject->qmp = qmp_free(subject->qmp);
}

static void on_ready(void *userdata) {
        Subject *subject = userdata;

        g_assert_true(qmp_is_ready(subject->qmp));
        subject->n_ready++;
        let_go(subject, WHEN_READY);
}

static void on_event(const char *name, JsonObject *data, void *userdata) {
        Subject *subject = userdata;

        g_assert_cmpuint(subject->n_closed, ==, 0);
        subject->n_events++;
        g_free(subject->event_name);
        subject->event_name = g_strdup(name);
        json_object_putp(&subject->event_data);
        subject->event_data = json_object_get(data);
        let_go(subject, WHEN_EVENT);
}

static void on_closed(const char *reason, void *userdata) {
        Subject *subject = userdata;

        subject->n_closed++;
        subject->reason = reason;
        g_string_append(subject->order, "!");
        g_assert_false(qmp_is_ready(subject->qmp));
        let_go(subject, WHEN_CLOSED);
}

static const QmpHandlers handlers = { .ready = on_ready, .event = on_event, .closed = on_closed };

static void outcome_clear(Outcome *outcome) {
        json_object_putp(&outcome->value);
        g_clear_pointer(&outcome->class, g_free);
        g_clear_pointer(&outcome->description, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static void on_done(const QmpResult *result, void *userdata) {
        Outcome *outcome = userdata;
        Subject *subject = outcome->subject;

        outcome_clear(outcome);
        outcome->n++;
        outcome->error = result->error;
        outcome->value = json_object_get(result->value);
        outcome->class = g_strdup(result->class);
        outcome->description = g_strdup(result->description);
        g_assert_true(result->error == 0 || result->description);
        g_assert_true(result->error == 0 || !result->value);
        g_assert_true((result->error == -EREMOTEIO) == (result->class != NULL));
        if (outcome->letter)
                g_string_append(subject->order, outcome->letter);
        if (outcome->drops)
                *outcome->drops = qmp_command_drop(*outcome->drops);
        if (outcome->asks_again && subject->qmp)
                outcome->asked_again = qmp_execute(subject->qmp, "again", json_object_new_object(), LONG_USEC, on_done, outcome, NULL);
        if (outcome->frees)
                subject->qmp = qmp_free(subject->qmp);
}

static Subject *subject_new(void) {
        Subject *subject = g_new0(Subject, 1);

        subject->peer = peer_new(NULL);
        subject->order = g_string_new(NULL);
        g_assert_cmpint(qmp_new(subject->peer->event, peer_take_fd(subject->peer), &handlers, subject, &subject->qmp), ==, 0);
        g_assert_false(qmp_is_ready(subject->qmp));
        return subject;
}

static void subject_free(Subject *subject) {
        qmp_free(subject->qmp);
        peer_free(subject->peer);
        g_string_free(subject->order, TRUE);
        g_free(subject->event_name);
        json_object_putp(&subject->event_data);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

static void say(Subject *subject, const char *text) {
        peer_send(subject->peer, text);
        peer_settle(subject->peer);
}

static void expect(Subject *subject, const char *text) {
        g_autofree char *line = peer_wait_line(subject->peer);

        g_assert_cmpstr(line, ==, text);
}

/* One that has greeted and is ready. */
static Subject *subject_new_ready(void) {
        Subject *subject = subject_new();

        say(subject, GREETING);
        expect(subject, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
        g_assert_cmpuint(subject->n_ready, ==, 0);
        say(subject, "{\"return\":{},\"id\":1}\n");
        g_assert_cmpuint(subject->n_ready, ==, 1);
        g_assert_true(qmp_is_ready(subject->qmp));
        return subject;
}

static QmpCommand *ask(Subject *subject, Outcome *outcome) {
        QmpCommand *command = NULL;

        outcome->subject = subject;
        g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, LONG_USEC, on_done, outcome, &command), ==, 0);
        g_assert_nonnull(command);
        return command;
}

static void wait_for(Subject *subject, const unsigned *counter, unsigned n) {
        while (*counter < n)
                g_assert_cmpint(sd_event_run(subject->peer->event, UINT64_MAX), >=, 0);
        peer_settle(subject->peer);
        g_assert_cmpuint(*counter, ==, n);
}

/* One line of a conversation; "to" the monitor or from it. */
static void replay_line(Subject *subject, Outcome *outcome, bool to, const char *wire) {
        _cleanup_json_ JsonObject *object = json_read(wire);
        JsonObject *part = NULL;
        const char *name;
        unsigned n_done = outcome->n, n_events = subject->n_events;

        if (to) {
                g_autofree char *line = NULL;
                _cleanup_json_ JsonObject *sent = NULL;

                g_assert_cmpint(json_get_string(object, "execute", &name), ==, 0);
                if (strcmp(name, "qmp_capabilities") != 0) {
                        (void) json_get_object(object, "arguments", &part);
                        g_assert_cmpint(qmp_execute(subject->qmp, name, json_object_get(part), LONG_USEC, on_done, outcome, NULL), ==, 0);
                }
                line = peer_wait_line(subject->peer);
                sent = json_read(line);
                g_assert_true(json_object_equal(sent, object));
                return;
        }

        peer_send(subject->peer, wire);
        peer_send(subject->peer, "\n");
        peer_settle(subject->peer);
        if (json_get_string(object, "event", &name) == 0) {
                g_assert_cmpuint(subject->n_events, ==, n_events + 1);
                g_assert_cmpstr(subject->event_name, ==, name);
                (void) json_get_object(object, "data", &part);
                g_assert_true(json_object_equal(subject->event_data, part));
        } else if (json_get_object(object, "error", &part) == 0) {
                g_assert_cmpuint(outcome->n, ==, n_done + 1);
                g_assert_cmpint(outcome->error, ==, -EREMOTEIO);
                g_assert_cmpint(json_get_string(part, "class", &name), ==, 0);
                g_assert_cmpstr(outcome->class, ==, name);
                g_assert_cmpint(json_get_string(part, "desc", &name), ==, 0);
                g_assert_cmpstr(outcome->description, ==, name);
        } else if (outcome->n > n_done) {
                g_assert_cmpint(outcome->error, ==, 0);
                g_assert_true(json_object_object_get_ex(object, "return", &part));
                g_assert_true(json_object_equal(outcome->value, part));
        } else
                /* The greeting, and the answer of which we are told that it is ready. */
                g_assert_true(json_object_object_get_ex(object, "QMP", NULL) || (subject->n_ready == 1 && n_done == 0));
}

static void replay_end(Subject *subject) {
        g_assert_cmpuint(subject->n_ready, ==, 1);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);
        peer_hang_up(subject->peer);
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpstr(subject->reason, ==, "it closed the connection");
}

static void a_conversation_goes_as_it_went(void) {
        static const struct { bool to; const char *wire; } lines[] = {
                { false, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}" },
                { true, "{\"execute\": \"qmp_capabilities\", \"id\": 1}" },
                { false, "{\"return\": {}, \"id\": 1}" },
                { true, "{\"execute\": \"query-status\", \"id\": 2}" },
                { false, "{\"return\": {\"status\": \"prelaunch\", \"singlestep\": false, \"running\": false}, \"id\": 2}" },
                { true, "{\"execute\": \"query-cpus-fast\", \"id\": 3}" },
                { false, "{\"return\": [{\"thread-id\": 30401, \"props\": {\"core-id\": 0, \"thread-id\": 0, \"socket-id\": 0}, \"qom-path\": \"/machine/unattached/device[0]\", \"cpu-index\": 0, \"target\": \"x86_64\"}], \"id\": 3}" },
                { true, "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"qemu64-x86_64-cpu\", \"id\": \"vcpu4\", \"socket-id\": 1, \"core-id\": 0, \"thread-id\": 0}, \"id\": 4}" },
                { false, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"ACPI_DEVICE_OST\", \"data\": {\"info\": {\"device\": \"cpu-2\", \"source\": 1, \"status\": 0, \"slot\": \"2\", \"slot-type\": \"CPU\"}}}" },
                { false, "{\"return\": {}, \"id\": 4}" },
                { true, "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"none\"}, \"id\": 5}" },
                { false, "{\"id\": 5, \"error\": {\"class\": \"GenericError\", \"desc\": \"'none' is not a valid device model name\"}}" },
                { true, "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/machine/peripheral/vcpu4\", \"property\": \"apic-id\"}, \"id\": 6}" },
                { false, "{\"return\": 4, \"id\": 6}" },
                { false, "{\"timestamp\": {\"seconds\": 3, \"microseconds\": 4}, \"event\": \"RESUME\"}" },
                { true, "{\"execute\": \"quit\", \"id\": 7}" },
                { false, "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 6}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}}" },
                { false, "{\"return\": {}, \"id\": 7}" },
        };
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = { .subject = subject };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                g_test_message("%s", lines[i].wire);
                replay_line(subject, &outcome, lines[i].to, lines[i].wire);
        }
        g_assert_cmpuint(outcome.n, ==, 6);
        g_assert_cmpuint(subject->n_events, ==, 3);
        replay_end(subject);
}

static void a_recorded_conversation_goes_as_it_went(gconstpointer path) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = { .subject = subject };
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                _cleanup_json_ JsonObject *object = NULL;
                const char *direction, *wire;

                if (**line == '\0')
                        continue;
                object = json_read(*line);
                if (json_get_string(object, "wire", &wire) < 0)
                        continue;
                g_assert_cmpint(json_get_string(object, "dir", &direction), ==, 0);
                replay_line(subject, &outcome, strcmp(direction, "send") == 0, wire);
        }
        g_assert_cmpuint(outcome.n, >, 1);
        replay_end(subject);
}

static void answers_find_their_commands(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) a = {}, b = {}, c = {};

        ask(subject, &a);
        ask(subject, &b);
        ask(subject, &c);
        expect(subject, "{\"execute\":\"x\",\"id\":2}");
        expect(subject, "{\"execute\":\"x\",\"id\":3}");
        expect(subject, "{\"execute\":\"x\",\"id\":4}");
        say(subject, "{\"return\":\"b\",\"id\":3}\n{\"return\":null,\"id\":4}\n{\"return\":{\"x\":1},\"id\":2}\n");
        g_assert_cmpuint(a.n, ==, 1);
        g_assert_cmpuint(b.n, ==, 1);
        g_assert_cmpuint(c.n, ==, 1);
        g_assert_true(json_object_is_type(a.value, json_type_object));
        g_assert_cmpstr(json_object_get_string(b.value), ==, "b");
        g_assert_null(c.value);
        g_assert_cmpint(a.error | b.error | c.error, ==, 0);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);
}

static const struct { const char *answer, *class, *description; } refusals[] = {
        { "\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no such\"}", "CommandNotFound", "no such" },
        { "\"error\":{\"class\":\"DeviceNotFound\"}", "DeviceNotFound", "the monitor refused without saying why" },
        { "\"error\":{\"desc\":\"no\"}", "GenericError", "no" },
        { "\"error\":{\"class\":1,\"desc\":[]}", "GenericError", "the monitor refused without saying why" },
        { "\"error\":{}", "GenericError", "the monitor refused without saying why" },
        { "\"error\":null", "GenericError", "the monitor refused without saying why" },
        { "\"error\":\"text\"", "GenericError", "the monitor refused without saying why" },
        { "\"neither\":1", "GenericError", "the monitor refused without saying why" },
};

static void a_refusal_says_why(void) {
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
                g_autoptr(Subject) subject = subject_new_ready();
                g_auto(Outcome) outcome = {};
                g_autofree char *answer = g_strdup_printf("{%s,\"id\":2}\n", refusals[i].answer);

                g_test_message("%s", refusals[i].answer);
                ask(subject, &outcome);
                say(subject, answer);
                g_assert_cmpuint(outcome.n, ==, 1);
                g_assert_cmpint(outcome.error, ==, -EREMOTEIO);
                g_assert_cmpstr(outcome.class, ==, refusals[i].class);
                g_assert_cmpstr(outcome.description, ==, refusals[i].description);
        }
}

static const char *const strays[] = {
        "{}", "{\"return\":{}}", "{\"error\":{}}", "{\"return\":{},\"id\":1}", "{\"return\":{},\"id\":3}", "{\"return\":{},\"id\":0}",
        "{\"return\":{},\"id\":-2}", "{\"return\":{},\"id\":\"2\"}", "{\"return\":{},\"id\":2.0}", "{\"return\":{},\"id\":null}",
        "{\"return\":{},\"id\":[2]}", "{\"return\":{},\"id\":4294967298}", "{\"return\":{},\"id\":18446744073709551618}",
        "{\"event\":1}", "{\"event\":null,\"data\":{}}", "{\"QMP\":1}", "{\"QMP\":{}}", "{\"execute\":\"quit\"}",
        "{\"return\":{},\"ID\":2}", "{\"error\":{\"class\":\"GenericError\",\"desc\":\"JSON parse error\"}}",
};

static void what_was_not_asked_is_no_answer(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) outcome = {};

        ask(subject, &outcome);
        expect(subject, "{\"execute\":\"x\",\"id\":2}");
        for (size_t i = 0; i < ELEMENTSOF(strays); i++) {
                g_test_message("%s", strays[i]);
                peer_send(subject->peer, strays[i]);
                say(subject, "\n");
                g_assert_cmpuint(outcome.n, ==, 0);
                g_assert_cmpuint(qmp_strays(subject->qmp), ==, i + 1);
        }
        say(subject, "{\"return\":{},\"id\":2}\n{\"return\":{},\"id\":2}\n");
        g_assert_cmpuint(outcome.n, ==, 1);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, ELEMENTSOF(strays) + 1);
        g_assert_cmpuint(subject->n_events, ==, 0);
        g_assert_cmpuint(subject->n_ready, ==, 1);
        g_assert_cmpuint(subject->n_closed, ==, 0);
        g_assert_cmpuint(subject->peer->input->len, ==, 0);
}

static void a_second_greeting_is_not_answered(void) {
        g_autoptr(Subject) subject = subject_new();

        say(subject, GREETING GREETING);
        expect(subject, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
        say(subject, GREETING "{\"return\":{},\"id\":1}\n" GREETING);
        g_assert_cmpuint(subject->peer->input->len, ==, 0);
        g_assert_cmpuint(subject->n_ready, ==, 1);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 3);
}

static void events_count_once_it_is_ready(void) {
        g_autoptr(Subject) subject = subject_new();

        say(subject, "{\"event\":\"A\"}\n" GREETING "{\"event\":\"B\"}\n");
        g_assert_cmpuint(subject->n_events, ==, 0);
        /* In the same piece as the answer. */
        say(subject, "{\"event\":\"C\"}\n{\"return\":{},\"id\":1}\n{\"event\":\"D\",\"data\":{\"x\":1}}\n");
        g_assert_cmpuint(subject->n_events, ==, 1);
        g_assert_cmpstr(subject->event_name, ==, "D");
        g_assert_nonnull(subject->event_data);
        say(subject, "{\"event\":\"E\",\"data\":[1],\"id\":1}\n");
        g_assert_cmpuint(subject->n_events, ==, 2);
        g_assert_null(subject->event_data);
}

/* Before the greeting, between it and the answer, and after the end. */
static void only_a_ready_monitor_takes_commands(void) {
        g_autoptr(Subject) subject = subject_new();
        Outcome outcome = { .subject = subject };
        QmpCommand *untouched = (QmpCommand *) &outcome, *command = untouched;

        g_assert_cmpint(qmp_execute(subject->qmp, "x", json_object_new_object(), LONG_USEC, on_done, &outcome, &command), ==, -ENOTCONN);
        say(subject, GREETING);
        g_assert_cmpint(qmp_execute(subject->qmp, "x", json_object_new_object(), LONG_USEC, on_done, &outcome, &command), ==, -ENOTCONN);
        expect(subject, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
        say(subject, "{\"return\":{},\"id\":1}\n");
        peer_hang_up(subject->peer);
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpint(qmp_execute(subject->qmp, "x", json_object_new_object(), LONG_USEC, on_done, &outcome, &command), ==, -ENOTCONN);
        g_assert_true(command == untouched);
        g_assert_cmpuint(outcome.n, ==, 0);
}

static void a_late_answer_is_no_answer(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) late = { .subject = subject }, other = {};

        g_assert_cmpint(qmp_execute(subject->qmp, "late", NULL, 1, on_done, &late, NULL), ==, 0);
        ask(subject, &other);
        wait_for(subject, &late.n, 1);
        g_assert_cmpint(late.error, ==, -ETIMEDOUT);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);
        say(subject, "{\"return\":{},\"id\":2}\n{\"return\":{},\"id\":3}\n");
        g_assert_cmpuint(late.n, ==, 1);
        g_assert_cmpuint(other.n, ==, 1);
        g_assert_cmpint(other.error, ==, 0);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 1);
        g_assert_cmpuint(subject->n_closed, ==, 0);
}

static void a_negotiation_has_a_deadline(void) {
        g_autoptr(Subject) subject = subject_new();

        qmp_set_negotiation_timeout(subject->qmp, 1);
        say(subject, GREETING);
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpstr(subject->reason, ==, "it greeted and then did not answer");
        g_assert_cmpuint(subject->n_ready, ==, 0);
        /* Too late; nobody reads it any more. */
        say(subject, "{\"return\":{},\"id\":1}\n");
        g_assert_cmpuint(subject->n_ready, ==, 0);
        g_assert_cmpuint(subject->n_closed, ==, 1);
}

static void a_refused_negotiation_ends_it(void) {
        g_autoptr(Subject) subject = subject_new();

        say(subject, GREETING "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"},\"id\":1}\n");
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpstr(subject->reason, ==, "it refused the negotiation of capabilities");
        g_assert_cmpuint(subject->n_ready, ==, 0);
}

static void the_end_comes_after_that_of_commands(void) {
        static const char *const ends[] = { NULL, "garbage\n", "{}\n{\"return\":'x',\"id\":2}\n" };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                g_autoptr(Subject) subject = subject_new_ready();
                g_auto(Outcome) a = { .letter = "a" }, b = { .letter = "b" }, c = { .letter = "c" }, dropped = { .letter = "d" };

                ask(subject, &a);
                ask(subject, &b);
                qmp_command_drop(ask(subject, &dropped));
                ask(subject, &c);
                if (ends[i])
                        peer_send(subject->peer, ends[i]);
                else
                        peer_hang_up(subject->peer);
                wait_for(subject, &subject->n_closed, 1);
                g_assert_cmpstr(subject->order->str, ==, "abc!");
                g_assert_cmpint(a.error, ==, -ECONNRESET);
                g_assert_cmpint(b.error, ==, -ECONNRESET);
                g_assert_cmpstr(c.description, ==, subject->reason);
        }
}

static void freeing_ends_commands_and_tells_nothing_else(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) a = { .letter = "a" }, b = { .letter = "b", .asks_again = true }, dropped = {};

        ask(subject, &a);
        ask(subject, &b);
        qmp_command_drop(ask(subject, &dropped));
        subject->qmp = qmp_free(subject->qmp);
        g_assert_cmpstr(subject->order->str, ==, "ab");
        g_assert_cmpint(a.error, ==, -ECONNRESET);
        g_assert_cmpint(b.asked_again, ==, -ENOTCONN);
        peer_settle(subject->peer);
        g_assert_true(subject->peer->ended);
        g_assert_cmpuint(dropped.n, ==, 0);
        g_assert_null(qmp_free(NULL));
        g_assert_null(qmp_command_drop(NULL));
}

static void it_may_be_freed_from_its_handlers(void) {
        static const struct { When when; const char *text; } rows[] = {
                { WHEN_READY, GREETING "{\"return\":{},\"id\":1}\n{\"event\":\"A\"}\n" },
                { WHEN_EVENT, GREETING "{\"return\":{},\"id\":1}\n{\"event\":\"A\",\"data\":{}}\n{\"event\":\"B\"}\n{\"return\":{},\"id\":1}\n" },
                { WHEN_CLOSED, GREETING "{\"return\":{},\"id\":1}\nx\n" },
                { WHEN_CLOSED, GREETING "{\"error\":{},\"id\":1}\n{\"event\":\"A\"}\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();

                g_test_message("row %zu", i);
                subject->free_when = rows[i].when;
                say(subject, rows[i].text);
                g_assert_null(subject->qmp);
                g_assert_cmpuint(subject->n_events, ==, rows[i].when == WHEN_EVENT ? 1 : 0);
                g_assert_cmpuint(subject->n_closed, ==, rows[i].when == WHEN_CLOSED ? 1 : 0);
                g_assert_true(subject->peer->ended);
        }

        /* And from the end of a negotiation that took too long. */
        {
                g_autoptr(Subject) subject = subject_new();

                subject->free_when = WHEN_CLOSED;
                qmp_set_negotiation_timeout(subject->qmp, 0);
                say(subject, GREETING);
                wait_for(subject, &subject->n_closed, 1);
                g_assert_null(subject->qmp);
        }
}

/* From the end of the first, the second or the last of three commands, which each of
 * these brings. */
static void it_may_be_freed_from_the_end_of_a_command(void) {
        enum { ANSWERED, LATE, CLOSED, GARBAGE, FREED, N_WAYS };

        for (int way = 0; way < N_WAYS; way++)
                for (unsigned which = 0; which < 3; which++) {
                        g_autoptr(Subject) subject = subject_new_ready();
                        g_auto(Outcome) a = { .subject = subject, .letter = "a" }, b = a, c = a;
                        Outcome *outcomes[] = { &a, &b, &c };

                        g_test_message("way %d, command %u", way, which);
                        b.letter = "b";
                        c.letter = "c";
                        outcomes[which]->frees = true;
                        outcomes[2 - which]->asks_again = which != 1;   /* gets an error, or is freed too */
                        for (unsigned i = 0; i < 3; i++)
                                g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, way == LATE && i == which ? 1 : LONG_USEC, on_done, outcomes[i], NULL), ==, 0);
                        switch (way) {
                        case ANSWERED: {
                                g_autofree char *answer = g_strdup_printf("{\"return\":{},\"id\":%u}\n{\"event\":\"A\"}\n{\"return\":{},\"id\":3}\n", 2 + which);

                                peer_send(subject->peer, answer);
                                break;
                        }
                        case LATE:
                                break;
                        case CLOSED:
                                peer_hang_up(subject->peer);
                                break;
                        case GARBAGE:
                                peer_send(subject->peer, "garbage\n");
                                break;
                        case FREED:
                                subject->qmp = qmp_free(subject->qmp);
                                break;
                        }
                        while (subject->qmp)
                                g_assert_cmpint(sd_event_run(subject->peer->event, UINT64_MAX), >=, 0);
                        peer_settle(subject->peer);
                        for (unsigned i = 0; i < 3; i++) {
                                g_assert_cmpuint(outcomes[i]->n, ==, 1);
                                if (outcomes[i]->asks_again && way != FREED)
                                        g_assert_cmpint(outcomes[i]->asked_again, ==, -ENOTCONN);
                        }
                        g_assert_cmpuint(subject->n_closed, ==, 0);
                        g_assert_cmpuint(subject->n_events, ==, 0);
                }
}

static void a_dropped_command_tells_nothing(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) answered = {}, late = { .subject = subject }, dropping = {}, victim = {}, self = {};
        QmpCommand *command = NULL, *other, *own;

        /* Its answer is not one that nobody had asked for. */
        g_assert_null(qmp_command_drop(ask(subject, &answered)));
        say(subject, "{\"return\":{},\"id\":2}\n");
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);

        g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, 1, on_done, &late, &command), ==, 0);
        qmp_command_drop(command);

        /* From the end of another, and from its own. */
        other = ask(subject, &victim);
        dropping.drops = &other;
        ask(subject, &dropping);
        own = ask(subject, &self);
        self.drops = &own;
        say(subject, "{\"return\":{},\"id\":5}\n{\"return\":{},\"id\":4}\n{\"return\":{},\"id\":6}\n");
        g_assert_cmpuint(dropping.n, ==, 1);
        g_assert_cmpuint(self.n, ==, 1);
        g_assert_cmpuint(answered.n + late.n + victim.n, ==, 0);
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);

        /* Nobody listened from the start. */
        g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, LONG_USEC, NULL, NULL, NULL), ==, 0);
        say(subject, "{\"return\":{},\"id\":7}\n");
        g_assert_cmpuint(qmp_strays(subject->qmp), ==, 0);
}

static void the_next_command_may_be_sent_from_the_end_of_one(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) outcome = { .asks_again = true };

        ask(subject, &outcome);
        expect(subject, "{\"execute\":\"x\",\"id\":2}");
        for (int id = 2; id < 50; id++) {
                g_autofree char *answer = g_strdup_printf("{\"return\":{},\"id\":%d}\n", id);
                g_autofree char *next = g_strdup_printf("{\"execute\":\"again\",\"arguments\":{},\"id\":%d}", id + 1);

                say(subject, answer);
                expect(subject, next);
                g_assert_cmpint(outcome.asked_again, ==, 0);
        }
        g_assert_cmpuint(outcome.n, ==, 48);
        peer_hang_up(subject->peer);
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpuint(outcome.n, ==, 49);
        g_assert_cmpint(outcome.asked_again, ==, -ENOTCONN);
}

/* All that were taken are ended, and none that was refused. */
static void a_monitor_that_does_not_read_is_dropped(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) outcome = { .subject = subject };
        g_autofree char *filling = g_strnfill(64 * 1024, 'x');
        unsigned n_sent = 0;
        int r;

        peer_turn_deaf(subject->peer);
        do {
                JsonObject *arguments = json_object_new_object();

                g_assert_cmpint(json_add_string(arguments, "filling", filling), ==, 0);
                r = qmp_execute(subject->qmp, "x", arguments, LONG_USEC, on_done, &outcome, NULL);
                n_sent += r >= 0;
                g_assert_cmpuint(n_sent, <, 10000);
        } while (r >= 0);
        g_assert_cmpint(r, ==, -ENOBUFS);
        g_assert_cmpuint(outcome.n, ==, 0);
        g_assert_cmpuint(subject->n_closed, ==, 0);
        g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, LONG_USEC, on_done, &outcome, NULL), ==, -ENOTCONN);
        wait_for(subject, &subject->n_closed, 1);
        g_assert_cmpuint(outcome.n, ==, n_sent);
        g_assert_cmpint(outcome.error, ==, -ECONNRESET);
        g_assert_cmpstr(subject->reason, ==, "it does not read what it is sent");
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static const char text[] = "{\"event\":\"A\",\"data\":{}}\n{\"return\":{},\"id\":99}\n";
        const bool *over = userdata;

        while (!*over && send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) sizeof text - 1)
                ;
        return 0;
}

/* Events and answers without end delay no deadline for ever. */
static void a_deadline_holds_in_a_flood(void) {
        g_autoptr(Subject) subject = subject_new_ready();
        g_auto(Outcome) outcome = { .subject = subject };
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *flood = NULL;
        bool over = false;

        g_assert_cmpint(sd_event_add_io(subject->peer->event, &flood, dup(subject->peer->fd), EPOLLOUT, on_room, &over), >=, 0);
        g_assert_cmpint(sd_event_source_set_io_fd_own(flood, true), >=, 0);
        while (subject->n_events == 0)
                g_assert_cmpint(sd_event_run(subject->peer->event, UINT64_MAX), >=, 0);
        g_assert_cmpint(qmp_execute(subject->qmp, "x", NULL, 1, on_done, &outcome, NULL), ==, 0);
        while (outcome.n == 0)
                g_assert_cmpint(sd_event_run(subject->peer->event, UINT64_MAX), >=, 0);
        g_assert_cmpint(outcome.error, ==, -ETIMEDOUT);
        over = true;
        g_assert_cmpint(sd_event_source_set_enabled(flood, SD_EVENT_OFF), >=, 0);
        peer_settle(subject->peer);
        g_assert_cmpuint(subject->n_closed, ==, 0);
}

static void add_recorded(GPtrArray *paths) {
        const char *fixtures = g_getenv("BERTH_FIXTURES"), *source_root = g_getenv("BERTH_SOURCE_ROOT"), *name;
        g_autofree char *folder = NULL;
        g_autoptr(GDir) dir = NULL;

        if (fixtures)
                folder = g_build_filename(fixtures, "qmp", NULL);
        else
                folder = g_build_filename(source_root ?: ".", "..", "shared", "fixtures", "qmp", NULL);
        dir = g_dir_open(folder, 0, NULL);
        while (dir && (name = g_dir_read_name(dir)))
                if (g_str_has_prefix(name, "live-") && g_str_has_suffix(name, ".jsonl")) {
                        g_autofree char *test = g_strdup_printf("/qmp/recorded/%s", name);
                        char *path = g_build_filename(folder, name, NULL);

                        g_ptr_array_add(paths, path);
                        g_test_add_data_func(test, path, a_recorded_conversation_goes_as_it_went);
                }
}

int main(int argc, char **argv) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/qmp/a-conversation-goes-as-it-went", a_conversation_goes_as_it_went);
        g_test_add_func("/qmp/answers-find-their-commands", answers_find_their_commands);
        g_test_add_func("/qmp/a-refusal-says-why", a_refusal_says_why);
        g_test_add_func("/qmp/what-was-not-asked-is-no-answer", what_was_not_asked_is_no_answer);
        g_test_add_func("/qmp/a-second-greeting-is-not-answered", a_second_greeting_is_not_answered);
        g_test_add_func("/qmp/events-count-once-it-is-ready", events_count_once_it_is_ready);
        g_test_add_func("/qmp/only-a-ready-monitor-takes-commands", only_a_ready_monitor_takes_commands);
        g_test_add_func("/qmp/a-late-answer-is-no-answer", a_late_answer_is_no_answer);
        g_test_add_func("/qmp/a-negotiation-has-a-deadline", a_negotiation_has_a_deadline);
        g_test_add_func("/qmp/a-refused-negotiation-ends-it", a_refused_negotiation_ends_it);
        g_test_add_func("/qmp/the-end-comes-after-that-of-commands", the_end_comes_after_that_of_commands);
        g_test_add_func("/qmp/freeing-ends-commands-and-tells-nothing-else", freeing_ends_commands_and_tells_nothing_else);
        g_test_add_func("/qmp/it-may-be-freed-from-its-handlers", it_may_be_freed_from_its_handlers);
        g_test_add_func("/qmp/it-may-be-freed-from-the-end-of-a-command", it_may_be_freed_from_the_end_of_a_command);
        g_test_add_func("/qmp/a-dropped-command-tells-nothing", a_dropped_command_tells_nothing);
        g_test_add_func("/qmp/the-next-command-may-be-sent-from-the-end-of-one", the_next_command_may_be_sent_from_the_end_of_one);
        g_test_add_func("/qmp/a-monitor-that-does-not-read-is-dropped", a_monitor_that_does_not_read_is_dropped);
        g_test_add_func("/qmp/a-deadline-holds-in-a-flood", a_deadline_holds_in_a_flood);
        add_recorded(paths);
        return g_test_run();
}
