/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest agent at the other end of a serial line: what others left there, silence,
 * nonsense, answers too late and to nobody; many who ask at once. */

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/qemu/agent.h"
#include "guest/qemu/json-line.h"
#include "line-peer.h"

#define GET "{\"execute\":\"guest-get-vcpus\"}"
#define TWO "{\"return\": [{\"online\": true, \"can-offline\": true, \"logical-id\": 1}, {\"online\": true, \"can-offline\": false, \"logical-id\": 0}]}\n"
#define LONG_USEC (UINT64_C(3600) * 1000000)
#define SHORT_USEC UINT64_C(20000)

static const Backend backend = { .name = "test" };

typedef struct Subject {
        sd_event *event;
        Guests *guests;
        Domain *domain;
        QemuAgent *agent;
        Peer *peer;                     /* of the last connection */
        unsigned n_opened;
        int refuse;                     /* the errno that opening fails with */
        unsigned n_changed;             /* DOMAIN_CHANGE_FEATURES */
} Subject;

static int on_open(void *userdata) {
        Subject *subject = userdata;

        subject->n_opened++;
        if (subject->refuse > 0)
                return -subject->refuse;
        g_clear_pointer(&subject->peer, peer_free);
        subject->peer = peer_new(subject->event);
        return peer_take_fd(subject->peer);
}

static void on_domain(Domain *domain, void *userdata) {
}

static void on_changed(Domain *domain, unsigned change, void *userdata) {
        Subject *subject = userdata;

        if (change & DOMAIN_CHANGE_FEATURES)
                subject->n_changed++;
}

static const GuestsListener listener = { .added = on_domain, .removed = on_domain, .changed = on_changed };

static void set_timeout(Subject *subject, uint64_t usec) {
        GuestSettings settings = *guests_settings(subject->guests);

        settings.agent_timeout_usec = usec;
        guests_set_settings(subject->guests, &settings);
}

static Subject *subject_new(void) {
        Subject *subject = g_new0(Subject, 1);

        g_assert_cmpint(sd_event_new(&subject->event), >=, 0);
        g_assert_cmpint(guests_new(subject->event, NULL, &subject->guests), ==, 0);
        guests_listen(subject->guests, &listener, subject);
        g_assert_cmpint(domain_new(subject->guests, &backend, "alpha", &subject->domain), ==, 0);
        subject->domain->state = DOMAIN_RUNNING;
        domain_announce(subject->domain);
        set_timeout(subject, LONG_USEC);
        g_assert_cmpint(qemu_agent_new(subject->domain, on_open, subject, &subject->agent), ==, 0);
        return subject;
}

static void subject_free(Subject *subject) {
        qemu_agent_free(subject->agent);
        g_clear_pointer(&subject->peer, peer_free);
        guests_free(subject->guests);
        sd_event_unref(subject->event);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

/* How a question ended. */
typedef struct Outcome {
        Subject *subject;
        unsigned n;
        int result;
        ErrorCode code;
        char *message;
        GString *vcpus;                 /* "0+! 1+ 2-": online, offline; cannot be taken offline */
        const char *letter;
        GString *order;
        bool asks_again, frees;
} Outcome;

static void outcome_clear(Outcome *outcome) {
        g_clear_pointer(&outcome->message, g_free);
        if (outcome->vcpus)
                g_string_free(outcome->vcpus, TRUE);
        outcome->vcpus = NULL;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static void on_changed_vcpus(int result, const Error *error, void *userdata);
static void ask(Subject *subject, Outcome *outcome);

static void on_vcpus(int result, const Error *error, const AgentVcpu *vcpus, size_t n, void *userdata) {
        Outcome *outcome = userdata;

        on_changed_vcpus(result, error, userdata);
        outcome->vcpus = g_string_new(NULL);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(outcome->vcpus, "%s%u%s%s", i == 0 ? "" : " ", vcpus[i].id, vcpus[i].online ? "+" : "-", vcpus[i].can_offline ? "" : "!");
}

static void on_changed_vcpus(int result, const Error *error, void *userdata) {
        Outcome *outcome = userdata;
        Subject *subject = outcome->subject;

        outcome_clear(outcome);
        outcome->n++;
        outcome->result = result;
        outcome->code = error ? error->code : ERROR_NONE;
        outcome->message = g_strdup(error ? error->message : NULL);
        g_assert_true((result < 0) == (error != NULL));
        if (outcome->letter)
                g_string_append(outcome->order, outcome->letter);
        if (outcome->asks_again) {
                outcome->asks_again = false;
                ask(subject, outcome);
        }
        if (outcome->frees)
                subject->agent = qemu_agent_free(subject->agent);
}

static void ask(Subject *subject, Outcome *outcome) {
        _cleanup_error_ Error error = {};

        outcome->subject = subject;
        g_assert_cmpint(qemu_agent_ask_vcpus(subject->agent, on_vcpus, outcome, &error), ==, 0);
}

static void change(Subject *subject, Outcome *outcome) {
        static const AgentVcpu vcpus[] = { { .id = 3, .online = true }, { .id = 1, .online = false } };
        _cleanup_error_ Error error = {};

        outcome->subject = subject;
        g_assert_cmpint(qemu_agent_change_vcpus(subject->agent, vcpus, ELEMENTSOF(vcpus), on_changed_vcpus, outcome, &error), ==, 0);
}

/* The peer may be another after it. */
static void settle(Subject *subject) {
        while (sd_event_run(subject->event, 0) > 0)
                ;
}

static void wait_done(Subject *subject, const Outcome *outcome) {
        while (outcome->n == 0)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        settle(subject);
        g_assert_cmpuint(outcome->n, ==, 1);
}

static void expect_line(Subject *subject, const char *text) {
        g_autofree char *line = peer_wait_line(subject->peer);

        g_assert_cmpstr(line, ==, text);
}

/* Waits until it has connected so many times, and reads what it starts with. Returns the
 * number that it wants to hear. */
static gint64 wait_connected(Subject *subject, unsigned n) {
        static const char start[] = "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":";
        g_autofree char *line = NULL;
        gint64 id;
        char *end;

        while (subject->n_opened < n)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        line = peer_wait_line(subject->peer);
        g_assert_true(g_str_has_prefix(line, start));
        id = g_ascii_strtoll(line + strlen(start), &end, 10);
        g_assert_cmpstr(end, ==, "}}");
        g_assert_cmpint(id, >=, 0);
        return id;
}

static void say_id(Subject *subject, gint64 id) {
        g_autofree char *text = g_strdup_printf("\xff{\"return\": %" G_GINT64_FORMAT "}\n", id);

        peer_send(subject->peer, text);
        settle(subject);
}

static void synchronize(Subject *subject, unsigned n) {
        say_id(subject, wait_connected(subject, n));
}

static void wait_hung_up(Subject *subject) {
        while (!subject->peer->ended)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
}

static void expect_unavailable(const Outcome *outcome, const char *words) {
        g_assert_cmpint(outcome->code, ==, ERROR_GUEST_AGENT_UNAVAILABLE);
        g_assert_cmpint(outcome->result, <, 0);
        if (!strstr(outcome->message, words) || !strstr(outcome->message, "alpha"))
                g_error("\"%s\" does not say \"%s\"", outcome->message, words);
}

static bool is_warned(const Subject *subject) {
        return subject->domain->findings.n_items == 1 && strcmp(subject->domain->findings.items[0].code, "agent-unavailable") == 0;
}

static void vcpus_are_asked_for_and_the_line_is_left(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        g_assert_cmpuint(subject->n_opened, ==, 0);
        ask(subject, &outcome);
        g_assert_cmpuint(subject->n_opened, ==, 0);
        synchronize(subject, 1);
        expect_line(subject, GET);
        g_assert_true(subject->domain->has_agent);
        g_assert_cmpuint(subject->n_changed, ==, 1);
        g_assert_cmpuint(outcome.n, ==, 0);
        peer_send(subject->peer, TWO);
        wait_done(subject, &outcome);
        g_assert_cmpint(outcome.result, ==, 0);
        g_assert_cmpstr(outcome.vcpus->str, ==, "0+! 1+");
        wait_hung_up(subject);
        g_assert_cmpuint(subject->peer->input->len, ==, 0);
        g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);
}

static void vcpus_are_set_in_the_order_that_was_asked(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        change(subject, &outcome);
        synchronize(subject, 1);
        expect_line(subject, "{\"execute\":\"guest-set-vcpus\",\"arguments\":{\"vcpus\":[{\"logical-id\":3,\"online\":true},{\"logical-id\":1,\"online\":false}]}}");
        peer_send(subject->peer, "{\"return\": 1}\n");
        wait_done(subject, &outcome);
        g_assert_cmpint(outcome.result, ==, 1);
        wait_hung_up(subject);
}

static void every_conversation_has_a_number_of_its_own(void) {
        g_autoptr(Subject) subject = subject_new();
        gint64 ids[2];

        for (unsigned i = 0; i < ELEMENTSOF(ids); i++) {
                g_auto(Outcome) outcome = {};

                ask(subject, &outcome);
                ids[i] = wait_connected(subject, i + 1);
                say_id(subject, ids[i]);
                expect_line(subject, GET);
                peer_send(subject->peer, TWO);
                wait_done(subject, &outcome);
                wait_hung_up(subject);
        }
        g_assert_cmpint(ids[0], !=, ids[1]);
}

static void what_others_left_is_passed_over(void) {
        g_autofree char *much = g_strnfill(2 * JSON_LINE_MAX, 'x');
        const struct { const char *text; gsize length; } rows[] = {
#define BYTES(text) { text, sizeof text - 1 }
                BYTES(""),
                BYTES("{\"return\": [{\"online\": true, \"can-offline\": true, \"logical-id\": 7}]}\n"),
                BYTES("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\\"half\\uFFFD'\"}}\n"),
                BYTES("\": 3, \"half a line\": ["),
                BYTES("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n\n\n"),
                BYTES("\0\0\n\0"),
                BYTES("\xff{\"return\": 5}\n"),
                BYTES("\xff{\"return\": \"5\"}\n"),
                BYTES("\xff{\"return\": 5}\n{\"return\": [{\"online\": true, \"can-offline\": true, \"logical-id\": 7}]}\n"),
                BYTES("\xff{\"return\": 5}\nhalf\xff{\"return\": 6}\nhalf"),
                BYTES("\xff{\"error\": {\"desc\": \"no\"}}\n"),
                BYTES("\xff\xff\xff{}\n"),
                BYTES("\xff{\"ret"),
                BYTES("\xff{\"return\": 5\n3"),
                BYTES("\xffhello\n\xff[]\n"),
                BYTES("\xff\n\r\n"),
                { much, 2 * JSON_LINE_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (gsize piece = 0; piece < 2; piece++) {
                        g_autoptr(Subject) subject = subject_new();
                        g_auto(Outcome) outcome = {};
                        gint64 id;

                        g_test_message("row %zu, %s", i, piece ? "in two pieces" : "in one");
                        ask(subject, &outcome);
                        id = wait_connected(subject, 1);
                        if (piece) {
                                peer_send_bytes(subject->peer, rows[i].text, rows[i].length / 2);
                                settle(subject);
                                peer_send_bytes(subject->peer, rows[i].text + rows[i].length / 2, rows[i].length - rows[i].length / 2);
                        } else
                                peer_send_bytes(subject->peer, rows[i].text, rows[i].length);
                        say_id(subject, id);
                        expect_line(subject, GET);
                        peer_send(subject->peer, TWO);
                        wait_done(subject, &outcome);
                        g_assert_cmpstr(outcome.vcpus->str, ==, "0+! 1+");
                }
}

static void what_is_no_answer_is_unavailable(void) {
        g_autofree char *endless = g_strnfill(2 * JSON_LINE_MAX, '[');
        const struct { bool sets; const char *text, *words; } rows[] = {
                { false, "hello\n", "no JSON" },
                { false, "[]\n", "no JSON object" },
                { false, "\xff{\"return\": []}\n", "no JSON" },
                { false, "{}\n", "no list" },
                { false, "{\"error\": \"no\"}\n", "no list" },
                { false, "{\"return\": {}}\n", "no list" },
                { false, "{\"return\": null}\n", "no list" },
                { false, "{\"return\": []}\n", "no list" },
                { false, "{\"return\": [1]}\n", "no list" },
                { false, "{\"return\": [{}]}\n", "no list" },
                { false, "{\"return\": [{\"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 1}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 1, \"online\": 1}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": \"1\", \"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": -1, \"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 65536, \"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 4294967296, \"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 99999999999999999999, \"online\": true}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 1, \"online\": true, \"can-offline\": 0}]}\n", "no list" },
                { false, "{\"return\": [{\"logical-id\": 1, \"online\": true}, {\"logical-id\": 2, \"online\": true}, {\"logical-id\": 1, \"online\": false}]}\n", "no list" },
                { false, endless, "256 KiB" },
                { true, "{\"return\": {}}\n", "no count" },
                { true, "{\"return\": true}\n", "no count" },
                { true, "{\"return\": 1.0}\n", "no count" },
                { true, "{\"return\": -1}\n", "no count" },
                { true, "{\"return\": 3}\n", "no count" },
                { true, "{\"return\": 4294967297}\n", "what it changed is not known" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();
                g_auto(Outcome) outcome = {}, next = {};
                g_autofree char *line = NULL;

                g_test_message("row %zu", i);
                if (rows[i].sets)
                        change(subject, &outcome);
                else
                        ask(subject, &outcome);
                synchronize(subject, 1);
                line = peer_wait_line(subject->peer);
                peer_send(subject->peer, rows[i].text);
                wait_done(subject, &outcome);
                expect_unavailable(&outcome, rows[i].words);
                g_assert_true(is_warned(subject));
                wait_hung_up(subject);

                ask(subject, &next);
                synchronize(subject, 2);
                expect_line(subject, GET);
                peer_send(subject->peer, TWO);
                wait_done(subject, &next);
                g_assert_cmpint(next.result, ==, 0);
                g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);
        }
}

static void agent_need_not_say_whether_a_vcpu_can_go(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        ask(subject, &outcome);
        synchronize(subject, 1);
        expect_line(subject, GET);
        peer_send(subject->peer, "{\"return\": [{\"logical-id\": 65535, \"online\": false}, {\"logical-id\": 2, \"online\": true, \"can-offline\": true, \"more\": {}}]}\n");
        wait_done(subject, &outcome);
        g_assert_cmpstr(outcome.vcpus->str, ==, "2+ 65535-!");
}

static void silence_ends_at_the_deadline(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) silent = {}, deaf = {}, late = {}, good = {};

        set_timeout(subject, SHORT_USEC);
        ask(subject, &silent);
        wait_connected(subject, 1);
        wait_done(subject, &silent);
        expect_unavailable(&silent, "it is silent");
        g_assert_null(strstr(silent.message, "paused"));
        g_assert_true(is_warned(subject));
        wait_hung_up(subject);

        subject->domain->state = DOMAIN_PAUSED;
        change(subject, &deaf);
        wait_connected(subject, 2);
        wait_done(subject, &deaf);
        expect_unavailable(&deaf, "; the guest is paused");
        g_assert_null(strstr(deaf.message, "not known"));
        subject->domain->state = DOMAIN_RUNNING;

        change(subject, &late);
        synchronize(subject, 3);
        g_free(peer_wait_line(subject->peer));
        wait_done(subject, &late);
        expect_unavailable(&late, "did not answer in time; what it changed is not known");
        g_assert_true(is_warned(subject));

        set_timeout(subject, LONG_USEC);
        ask(subject, &good);
        synchronize(subject, 4);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO);
        wait_done(subject, &good);
        g_assert_cmpint(good.result, ==, 0);
        g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);
}

static void others_wait_no_longer_than_their_own_deadline(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) first = {}, second = {};

        ask(subject, &first);
        wait_connected(subject, 1);
        set_timeout(subject, SHORT_USEC);
        change(subject, &second);
        wait_done(subject, &second);
        expect_unavailable(&second, "other questions waited");
        g_assert_null(strstr(second.message, "not known"));
        g_assert_cmpuint(first.n, ==, 0);
        g_assert_false(subject->peer->ended);
        subject->agent = qemu_agent_free(subject->agent);
        g_assert_cmpint(first.code, ==, ERROR_NOT_RUNNING);
}

static void next_question_does_not_get_a_late_answer(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) late = {}, next = {};

        set_timeout(subject, SHORT_USEC);
        ask(subject, &late);
        set_timeout(subject, LONG_USEC);
        change(subject, &next);
        wait_done(subject, &late);
        g_assert_cmpint(late.code, ==, ERROR_GUEST_AGENT_UNAVAILABLE);
        settle(subject);
        g_assert_cmpuint(subject->n_opened, ==, 2);
        synchronize(subject, 2);
        g_free(peer_wait_line(subject->peer));
        peer_send(subject->peer, "{\"return\": 2}\n");
        wait_done(subject, &next);
        g_assert_cmpint(next.result, ==, 2);
}

static void stuck_agent_delays_no_other(void) {
        g_autoptr(Subject) stuck = subject_new(), subject = subject_new();
        g_auto(Outcome) waits = {}, outcome = {};

        ask(stuck, &waits);
        wait_connected(stuck, 1);
        ask(subject, &outcome);
        synchronize(subject, 1);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO);
        wait_done(subject, &outcome);
        g_assert_cmpint(outcome.result, ==, 0);
        g_assert_cmpuint(waits.n, ==, 0);
        stuck->agent = qemu_agent_free(stuck->agent);
        g_assert_cmpint(waits.code, ==, ERROR_NOT_RUNNING);
}

static void endless_nonsense_before_the_number_is_too_much(void) {
        g_autofree char *much = g_strnfill(JSON_LINE_SKIP_MAX + 1, 'x');
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        ask(subject, &outcome);
        wait_connected(subject, 1);
        peer_send_bytes(subject->peer, much, JSON_LINE_SKIP_MAX + 1);
        wait_done(subject, &outcome);
        expect_unavailable(&outcome, "4 MiB");
}

static void wrong_numbers_without_end_are_too_much(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        ask(subject, &outcome);
        wait_connected(subject, 1);
        while (outcome.n == 0) {
                peer_send(subject->peer, "\xff{\"return\": 5}\n");
                settle(subject);
        }
        expect_unavailable(&outcome, "again and again");
}

static void wrong_number_and_silence_says_so(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        set_timeout(subject, SHORT_USEC);
        ask(subject, &outcome);
        say_id(subject, wait_connected(subject, 1) + 1);
        wait_done(subject, &outcome);
        expect_unavailable(&outcome, "it answered what nobody asked");
}

static void callers_share_one_answer(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) first = {}, second = {}, third = {};

        ask(subject, &first);
        ask(subject, &second);
        synchronize(subject, 1);
        expect_line(subject, GET);
        ask(subject, &third);
        peer_send(subject->peer, TWO);
        wait_done(subject, &first);
        g_assert_cmpstr(first.vcpus->str, ==, "0+! 1+");
        g_assert_cmpuint(second.n, ==, 1);
        g_assert_cmpstr(second.vcpus->str, ==, "0+! 1+");
        g_assert_cmpuint(third.n, ==, 1);
        wait_hung_up(subject);
        g_assert_cmpuint(subject->n_opened, ==, 1);
        g_assert_cmpuint(subject->peer->input->len, ==, 0);
}

static void who_asks_after_a_change_hears_what_is_after_it(void) {
        g_autoptr(Subject) subject = subject_new();
        g_autoptr(GString) order = g_string_new(NULL);
        g_auto(Outcome) before = { .letter = "b", .order = order }, set = { .letter = "s", .order = order }, after = { .letter = "a", .order = order };

        ask(subject, &before);
        change(subject, &set);
        ask(subject, &after);
        synchronize(subject, 1);
        expect_line(subject, GET);
        settle(subject);
        g_assert_cmpuint(subject->peer->input->len, ==, 0);
        peer_send(subject->peer, TWO);
        g_free(peer_wait_line(subject->peer));
        g_assert_cmpuint(after.n, ==, 0);
        peer_send(subject->peer, "{\"return\": 2}\n");
        expect_line(subject, GET);
        peer_send(subject->peer, "{\"return\": [{\"online\": true, \"logical-id\": 4}]}\n");
        wait_done(subject, &after);
        g_assert_cmpstr(order->str, ==, "bsa");
        g_assert_cmpstr(before.vcpus->str, ==, "0+! 1+");
        g_assert_cmpint(set.result, ==, 2);
        g_assert_cmpstr(after.vcpus->str, ==, "4+!");
        g_assert_cmpuint(subject->n_opened, ==, 1);
}

static void too_many_are_sent_away(void) {
        g_autoptr(Subject) subject = subject_new();
        _cleanup_error_ Error error = {}, shared = {};
        Outcome outcomes[1 + QEMU_AGENT_QUEUE_MAX] = {}, callers[QEMU_AGENT_CALLERS_MAX] = {}, none = {};
        static const AgentVcpu vcpu = { .id = 1 };

        for (size_t i = 0; i < ELEMENTSOF(callers); i++)
                ask(subject, callers + i);
        g_assert_cmpint(qemu_agent_ask_vcpus(subject->agent, on_vcpus, &none, &shared), ==, -EBUSY);
        g_assert_cmpint(shared.code, ==, ERROR_BUSY);
        for (size_t i = 1; i < ELEMENTSOF(outcomes); i++)
                change(subject, outcomes + i);
        g_assert_cmpint(qemu_agent_change_vcpus(subject->agent, &vcpu, 1, on_changed_vcpus, &none, &error), ==, -EBUSY);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        g_assert_nonnull(strstr(error.message, "alpha"));

        synchronize(subject, 1);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO);
        for (size_t i = 1; i < ELEMENTSOF(outcomes); i++) {
                g_free(peer_wait_line(subject->peer));
                peer_send(subject->peer, "{\"return\": 2}\n");
        }
        wait_done(subject, outcomes + ELEMENTSOF(outcomes) - 1);
        for (size_t i = 1; i < ELEMENTSOF(outcomes); i++) {
                g_assert_cmpint(outcomes[i].result, ==, 2);
                outcome_clear(outcomes + i);
        }
        for (size_t i = 0; i < ELEMENTSOF(callers); i++) {
                g_assert_cmpuint(callers[i].n, ==, 1);
                outcome_clear(callers + i);
        }
        g_assert_cmpuint(none.n, ==, 0);
}

typedef enum Stage { STAGE_CONNECTED, STAGE_HALF_NUMBER, STAGE_SYNCHRONIZED, STAGE_ASKED, STAGE_HALF_ANSWER, _STAGE_MAX } Stage;

static void connection_may_end_anywhere(void) {
        for (Stage stage = 0; stage < _STAGE_MAX; stage++) {
                g_autoptr(Subject) subject = subject_new();
                g_auto(Outcome) first = {}, second = {};
                gint64 id;

                g_test_message("stage %u", stage);
                ask(subject, &first);
                change(subject, &second);
                id = wait_connected(subject, 1);
                if (stage == STAGE_HALF_NUMBER)
                        peer_send(subject->peer, "\xff{\"ret");
                if (stage >= STAGE_SYNCHRONIZED)
                        say_id(subject, id);
                if (stage >= STAGE_ASKED)
                        expect_line(subject, GET);
                if (stage == STAGE_HALF_ANSWER)
                        peer_send(subject->peer, "{\"return\": [{\"online\": tr");
                peer_hang_up(subject->peer);
                while (first.n == 0)
                        g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
                g_assert_cmpint(first.code, ==, ERROR_GUEST_AGENT_UNAVAILABLE);

                /* The other has a connection of its own. */
                synchronize(subject, 2);
                g_free(peer_wait_line(subject->peer));
                peer_send(subject->peer, "{\"return\": 2}\n");
                wait_done(subject, &second);
                g_assert_cmpint(second.result, ==, 2);
                g_assert_cmpuint(first.n, ==, 1);
        }
}

static void what_cannot_be_opened_says_why(void) {
        static const struct { int error; const char *words; bool there; } rows[] = {
                { ENOENT, "there is no socket qga.sock", false },
                { ENOTSOCK, "is no socket", true },
                { ECONNREFUSED, "nobody listens", true },
                { EAGAIN, "somebody else is connected", true },
                { EACCES, "Permission denied", true },
                { EMFILE, "Too many open files", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();
                g_auto(Outcome) outcome = {};

                subject->domain->has_agent = true;
                subject->refuse = rows[i].error;
                ask(subject, &outcome);
                wait_done(subject, &outcome);
                expect_unavailable(&outcome, rows[i].words);
                g_assert_true(is_warned(subject));
                g_assert_cmpint(subject->domain->has_agent, ==, rows[i].there);
                g_assert_cmpuint(subject->n_changed, ==, rows[i].there ? 0 : 1);
                g_assert_cmpuint(subject->n_opened, ==, 1);
        }
}

static void refusal_has_the_agents_words(void) {
        static const struct { const char *text, *words; } rows[] = {
                { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"logical processor #0 can't be offlined\"}}\n", "logical processor #0 can't be offlined" },
                { "{\"error\": {}}\n", "does not say why" },
                { "{\"error\": {\"desc\": 3}, \"return\": 2}\n", "does not say why" },
                { "{\"error\": {\"desc\": \"a\\u0007b\\nc\"}}\n", "refused: a?b?c" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();
                g_auto(Outcome) outcome = {};

                g_test_message("row %zu", i);
                change(subject, &outcome);
                synchronize(subject, 1);
                g_free(peer_wait_line(subject->peer));
                peer_send(subject->peer, rows[i].text);
                wait_done(subject, &outcome);
                g_assert_cmpint(outcome.code, ==, ERROR_GUEST_REFUSED);
                g_assert_nonnull(strstr(outcome.message, rows[i].words));
                g_assert_nonnull(strstr(outcome.message, "alpha"));
                g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);
        }
}

static void second_answer_to_one_question_goes_nowhere(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = {};

        ask(subject, &outcome);
        synchronize(subject, 1);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO TWO "{\"return\": 2}\n");
        wait_done(subject, &outcome);
        g_assert_cmpint(outcome.result, ==, 0);
        wait_hung_up(subject);
        g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);
}

static void what_waits_ends_with_the_guest(void) {
        for (unsigned stage = 0; stage < 3; stage++) {
                g_autoptr(Subject) subject = subject_new();
                g_autoptr(GString) order = g_string_new(NULL);
                g_auto(Outcome) first = { .letter = "1", .order = order }, shares = { .letter = "2", .order = order }, second = { .letter = "3", .order = order };

                ask(subject, &first);
                ask(subject, &shares);
                change(subject, &second);
                if (stage >= 1)
                        synchronize(subject, 1);
                if (stage >= 2)
                        expect_line(subject, GET);
                subject->agent = qemu_agent_free(subject->agent);
                g_assert_cmpstr(order->str, ==, "123");
                g_assert_cmpint(first.code, ==, ERROR_NOT_RUNNING);
                g_assert_cmpint(second.code, ==, ERROR_NOT_RUNNING);
                g_assert_cmpint(second.result, ==, -ENOTCONN);
        }
}

static void on_refused_again(int result, const Error *error, void *userdata) {
        Outcome *outcome = userdata;
        static const AgentVcpu vcpu = { .id = 1 };
        _cleanup_error_ Error again = {};

        outcome->n++;
        g_assert_cmpint(qemu_agent_change_vcpus(outcome->subject->agent, &vcpu, 1, on_refused_again, outcome, &again), ==, -ENOTCONN);
        g_assert_cmpint(qemu_agent_ask_vcpus(outcome->subject->agent, on_vcpus, outcome, NULL), ==, -ENOTCONN);
}

static void nobody_asks_an_agent_that_goes(void) {
        g_autoptr(Subject) subject = subject_new();
        static const AgentVcpu vcpu = { .id = 1 };
        Outcome outcome = { .subject = subject };

        g_assert_cmpint(qemu_agent_change_vcpus(subject->agent, &vcpu, 1, on_refused_again, &outcome, NULL), ==, 0);
        subject->agent = qemu_agent_free(subject->agent);
        g_assert_cmpuint(outcome.n, ==, 1);
}

static void who_hears_may_ask_again_or_free(void) {
        g_autoptr(Subject) subject = subject_new();
        g_auto(Outcome) outcome = { .asks_again = true }, last = { .frees = true }, shares = {}, waits = {};

        ask(subject, &outcome);
        synchronize(subject, 1);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO);
        expect_line(subject, GET);
        g_assert_cmpuint(outcome.n, ==, 1);
        peer_send(subject->peer, TWO);
        while (outcome.n < 2)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        wait_hung_up(subject);

        ask(subject, &last);
        ask(subject, &shares);
        change(subject, &waits);
        synchronize(subject, 2);
        expect_line(subject, GET);
        peer_send(subject->peer, TWO);
        wait_done(subject, &last);
        g_assert_cmpint(last.result, ==, 0);
        g_assert_cmpint(shares.result, ==, 0);
        g_assert_cmpuint(shares.n, ==, 1);
        g_assert_cmpint(waits.code, ==, ERROR_NOT_RUNNING);
        g_assert_null(subject->agent);
        g_assert_true(subject->peer->ended);
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/agent/vcpus-are-asked-for-and-the-line-is-left", vcpus_are_asked_for_and_the_line_is_left },
                { "/agent/vcpus-are-set-in-the-order-that-was-asked", vcpus_are_set_in_the_order_that_was_asked },
                { "/agent/every-conversation-has-a-number-of-its-own", every_conversation_has_a_number_of_its_own },
                { "/agent/what-others-left-is-passed-over", what_others_left_is_passed_over },
                { "/agent/what-is-no-answer-is-unavailable", what_is_no_answer_is_unavailable },
                { "/agent/agent-need-not-say-whether-a-vcpu-can-go", agent_need_not_say_whether_a_vcpu_can_go },
                { "/agent/silence-ends-at-the-deadline", silence_ends_at_the_deadline },
                { "/agent/others-wait-no-longer-than-their-own-deadline", others_wait_no_longer_than_their_own_deadline },
                { "/agent/next-question-does-not-get-a-late-answer", next_question_does_not_get_a_late_answer },
                { "/agent/stuck-agent-delays-no-other", stuck_agent_delays_no_other },
                { "/agent/endless-nonsense-before-the-number-is-too-much", endless_nonsense_before_the_number_is_too_much },
                { "/agent/wrong-numbers-without-end-are-too-much", wrong_numbers_without_end_are_too_much },
                { "/agent/wrong-number-and-silence-says-so", wrong_number_and_silence_says_so },
                { "/agent/callers-share-one-answer", callers_share_one_answer },
                { "/agent/who-asks-after-a-change-hears-what-is-after-it", who_asks_after_a_change_hears_what_is_after_it },
                { "/agent/too-many-are-sent-away", too_many_are_sent_away },
                { "/agent/connection-may-end-anywhere", connection_may_end_anywhere },
                { "/agent/what-cannot-be-opened-says-why", what_cannot_be_opened_says_why },
                { "/agent/refusal-has-the-agents-words", refusal_has_the_agents_words },
                { "/agent/second-answer-to-one-question-goes-nowhere", second_answer_to_one_question_goes_nowhere },
                { "/agent/what-waits-ends-with-the-guest", what_waits_ends_with_the_guest },
                { "/agent/nobody-asks-an-agent-that-goes", nobody_asks_an_agent_that_goes },
                { "/agent/who-hears-may-ask-again-or-free", who_hears_may_ask_again_or_free },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
