/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vCPUs changed through an agent: what is chosen, what is refused, and what is undone
 * when the agent stops in the middle. The agent is a table and a pen: each question is
 * written down, and answered when the test says so. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "guest/agent-vcpus.h"

typedef struct Subject {
        sd_event *event;
        Guests *guests;
        Domain *domain;
        GString *asked;                 /* "get", "set 3+ 4-", each with ";" */
        AgentVcpusDone get_done;
        BackendDone set_done;
        void *userdata;
        ErrorCode refuse;               /* at once, what is asked next */
        unsigned n_ended;
        int result;
        ErrorCode code;
        char *message;
        char *changed;
} Subject;

static int take_question(Subject *subject, void *userdata, Error *error) {
        g_assert_null(subject->userdata);
        if (subject->refuse != ERROR_NONE)
                return error_set(error, subject->refuse, "not now");
        subject->userdata = userdata;
        return 0;
}

static int on_get(Domain *domain, AgentVcpusDone done, void *userdata, Error *error) {
        Subject *subject = domain->run;

        g_string_append(subject->asked, "get;");
        subject->get_done = done;
        return take_question(subject, userdata, error);
}

static int on_set(Domain *domain, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error) {
        Subject *subject = domain->run;

        g_string_append(subject->asked, "set");
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(subject->asked, " %u%s", vcpus[i].id, vcpus[i].online ? "+" : "-");
        g_string_append(subject->asked, ";");
        subject->set_done = done;
        return take_question(subject, userdata, error);
}

static const Backend backend = { .name = "test", .agent_get_vcpus = on_get, .agent_set_vcpus = on_set };
static const Backend without_agent = { .name = "test" };

/* Answers as the agent of a guest with these: "0+! 1+ 2-", online, offline; cannot go. */
static void answer_vcpus(Subject *subject, const char *text) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        AgentVcpu vcpus[64] = {};
        size_t n = 0;

        for (; words[n]; n++) {
                char *end;

                vcpus[n].id = (uint32_t) g_ascii_strtoull(words[n], &end, 10);
                vcpus[n].online = *end == '+';
                vcpus[n].can_offline = !strchr(end, '!');
        }
        g_assert_nonnull(subject->userdata);
        subject->get_done(0, NULL, vcpus, n, TAKE_PTR(subject->userdata));
}

static void answer_count(Subject *subject, int count) {
        g_assert_nonnull(subject->userdata);
        subject->set_done(count, NULL, TAKE_PTR(subject->userdata));
}

static void answer_error(Subject *subject, ErrorCode code, const char *message) {
        _cleanup_error_ Error error = {};
        int r = error_set(&error, code, "%s", message);

        g_assert_nonnull(subject->userdata);
        if (g_str_has_suffix(subject->asked->str, "get;"))
                subject->get_done(r, &error, NULL, 0, TAKE_PTR(subject->userdata));
        else
                subject->set_done(r, &error, TAKE_PTR(subject->userdata));
}

static Subject *subject_new(void) {
        Subject *subject = g_new0(Subject, 1);

        g_assert_cmpint(sd_event_new(&subject->event), >=, 0);
        g_assert_cmpint(guests_new(subject->event, NULL, &subject->guests), ==, 0);
        g_assert_cmpint(domain_new(subject->guests, &backend, "alpha", &subject->domain), ==, 0);
        subject->domain->run = subject;
        domain_announce(subject->domain);
        subject->asked = g_string_new(NULL);
        return subject;
}

static void subject_free(Subject *subject) {
        guests_free(subject->guests);
        sd_event_unref(subject->event);
        g_string_free(subject->asked, TRUE);
        g_free(subject->message);
        g_free(subject->changed);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

static void on_done(int result, const Error *error, const CpuSet *changed, void *userdata) {
        Subject *subject = userdata;

        /* Another may be started from here. */
        g_assert_null(subject->domain->agent_change);
        g_assert_true((result < 0) == (error != NULL));
        g_assert_true((result < 0) == (changed == NULL));
        subject->n_ended++;
        subject->result = result;
        subject->code = error ? error->code : ERROR_NONE;
        g_free(subject->message);
        subject->message = g_strdup(error ? error->message : NULL);
        g_free(subject->changed);
        {
                _cleanup_free_ char *list = changed ? cpuset_to_list(changed) : NULL;

                subject->changed = g_strdup(list);
        }
}

/* "+1,3" and "-2" are ids, "3" is a count, "?" before it is a dry run. */
static int request_try(Subject *subject, const char *text, Error *error) {
        _cleanup_cpuset_ CpuSet ids = {};
        AgentVcpusRequest request = { .dry_run = *text == '?' };

        text += request.dry_run;
        if (*text == '+' || *text == '-') {
                g_assert_cmpint(cpuset_parse_list(text + 1, &ids), ==, 0);
                request.ids = &ids;
                request.enable = *text == '+';
        } else
                request.count = (uint32_t) g_ascii_strtoull(text, NULL, 10);
        return agent_vcpus_set(subject->domain, &request, on_done, subject, error);
}

static void request(Subject *subject, const char *text) {
        _cleanup_error_ Error error = {};

        g_assert_cmpint(request_try(subject, text, &error), ==, 0);
        g_assert_cmpuint(subject->n_ended, ==, 0);
}

static void expect_error(const Subject *subject, ErrorCode code, const char *words) {
        g_assert_cmpuint(subject->n_ended, ==, 1);
        g_assert_cmpint(subject->code, ==, code);
        if (!strstr(subject->message, words))
                g_error("\"%s\" does not say \"%s\"", subject->message, words);
}

static void vcpus_are_chosen_and_set(void) {
        static const struct { const char *guest, *request, *asked, *changed; } rows[] = {
                { "0+! 1+ 2-", "+2", "get;set 2+;", "2" },
                { "0+! 1+ 2- 3- 4-", "+4,2", "get;set 2+ 4+;", "2,4" },
                { "0+! 1+ 2- 3- 4-", "+0-2", "get;set 2+;", "2" },
                { "0+! 1+ 2+", "-1-2", "get;set 2- 1-;", "1-2" },
                { "0+! 1+ 2-", "-2", "get;", "" },
                { "0+! 1+ 2-", "+0-1", "get;", "" },
                { "0+! 1+ 2-", "-1,2", "get;set 1-;", "1" },
                { "0-! 1+ 2+", "-0,1", "get;set 1-;", "1" },
                { "5+! 70+ 65535-", "+65535", "get;set 65535+;", "65535" },
                { "0+! 1- 2- 3+ 4-", "2", "get;", "" },
                { "0+! 1- 2- 3+ 4-", "3", "get;set 1+;", "1" },
                { "0+! 1- 2- 3+ 4-", "5", "get;set 1+ 2+ 4+;", "1-2,4" },
                { "0+! 1+ 2+! 3+ 4-", "3", "get;set 3-;", "3" },
                { "0+! 1+ 2+! 3+ 4-", "2", "get;set 3- 1-;", "1,3" },
                { "0+ 1+", "1", "get;set 1-;", "1" },
                { "0-! 1+", "2", "get;set 0+;", "0" },
                { "0+! 1- 2- 3+ 4-", "?5", "get;", "1-2,4" },
                { "0+! 1+", "?-1", "get;", "1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();
                size_t n = 0;

                g_test_message("row %zu", i);
                request(subject, rows[i].request);
                g_assert_cmpstr(subject->asked->str, ==, "get;");
                answer_vcpus(subject, rows[i].guest);
                g_assert_cmpstr(subject->asked->str, ==, rows[i].asked);
                for (const char *at = rows[i].asked; *at; at++)
                        n += *at == '+' || *at == '-';
                if (n > 0) {
                        g_assert_cmpuint(subject->n_ended, ==, 0);
                        answer_count(subject, (int) n);
                }
                g_assert_cmpuint(subject->n_ended, ==, 1);
                g_assert_cmpint(subject->result, ==, 0);
                g_assert_cmpstr(subject->changed, ==, rows[i].changed);
                g_assert_cmpstr(subject->asked->str, ==, rows[i].asked);
        }
}

static void what_cannot_be_is_refused_and_nothing_set(void) {
        static const struct { const char *guest, *request; ErrorCode code; const char *words; } rows[] = {
                { "0+! 1+ 2-", "+3", ERROR_NO_SUCH_VCPU, "no vCPU 3; it sees 0-2" },
                { "0+! 1+ 2-", "-65535", ERROR_NO_SUCH_VCPU, "no vCPU 65535" },
                { "0+! 1+ 3-", "+2-3", ERROR_NO_SUCH_VCPU, "no vCPU 2; it sees 0-1,3" },
                { "0+! 1+ 2-", "-0", ERROR_NOT_SUPPORTED, "vCPU 0 can't be taken offline" },
                { "0+! 1+ 2+", "-0,2", ERROR_NOT_SUPPORTED, "vCPU 0 can't" },
                { "0+ 1+", "-0-1", ERROR_INVALID_ARGS, "of the 2 that it uses at least 1 stays" },
                { "0+ 1- 2-", "-0,2", ERROR_INVALID_ARGS, "of the 1 that it uses" },
                { "0+! 1+ 2-", "0", ERROR_INVALID_ARGS, "1 to 3 vCPUs, and uses 2" },
                { "0+! 1+ 2-", "4", ERROR_INVALID_ARGS, "a count of 4" },
                { "0+! 1+ 2-", "4294967295", ERROR_INVALID_ARGS, "a count of 4294967295" },
                { "0+! 1+! 2+ 3-", "1", ERROR_NOT_SUPPORTED, "the least is 2" },
                { "0+! 1+ 2-", "?+3", ERROR_NO_SUCH_VCPU, "no vCPU 3" },
                { "0+! 1+ 2-", "?0", ERROR_INVALID_ARGS, "a count of 0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Subject) subject = subject_new();

                g_test_message("row %zu", i);
                request(subject, rows[i].request);
                answer_vcpus(subject, rows[i].guest);
                expect_error(subject, rows[i].code, rows[i].words);
                g_assert_cmpstr(subject->asked->str, ==, "get;");
        }
}

static void what_no_agent_need_be_asked_for_is_refused_at_once(void) {
        g_autoptr(Subject) subject = subject_new();
        _cleanup_error_ Error empty = {}, off = {}, none = {}, busy = {};

        g_assert_cmpint(request_try(subject, "+", &empty), ==, -EINVAL);
        g_assert_cmpint(empty.code, ==, ERROR_INVALID_ARGS);
        subject->domain->backend = &without_agent;
        g_assert_cmpint(request_try(subject, "+1", &none), ==, -EOPNOTSUPP);
        g_assert_cmpint(none.code, ==, ERROR_NOT_SUPPORTED);
        subject->domain->backend = &backend;
        subject->domain->run = NULL;
        g_assert_cmpint(request_try(subject, "+1", &off), ==, -ENOTCONN);
        g_assert_cmpint(off.code, ==, ERROR_NOT_RUNNING);
        subject->domain->run = subject;
        g_assert_cmpuint(subject->asked->len, ==, 0);

        subject->refuse = ERROR_BUSY;
        g_assert_cmpint(request_try(subject, "+1", &busy), ==, -EBUSY);
        g_assert_cmpint(busy.code, ==, ERROR_BUSY);
        g_assert_null(subject->domain->agent_change);
        g_assert_cmpuint(subject->n_ended, ==, 0);
}

static void one_change_at_a_time(void) {
        g_autoptr(Subject) subject = subject_new();
        _cleanup_error_ Error error = {};

        request(subject, "2");
        g_assert_cmpint(request_try(subject, "+1", &error), ==, -EBUSY);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        answer_vcpus(subject, "0+! 1-");
        error_clear(&error);
        g_assert_cmpint(request_try(subject, "+1", &error), ==, -EBUSY);
        answer_count(subject, 1);
        g_assert_cmpint(subject->result, ==, 0);
        subject->n_ended = 0;
        request(subject, "2");
        answer_vcpus(subject, "0+! 1+");
        g_assert_cmpint(subject->result, ==, 0);
}

static void choice_is_made_while_another_changes(void) {
        g_autoptr(Subject) subject = subject_new();
        void *change;
        AgentChange *first;

        request(subject, "2");
        change = TAKE_PTR(subject->userdata);
        first = subject->domain->agent_change;
        g_assert_nonnull(first);
        {
                _cleanup_error_ Error error = {};

                g_assert_cmpint(request_try(subject, "?+2", &error), ==, 0);
        }
        g_assert_true(subject->domain->agent_change == first);
        g_assert_true(subject->userdata != change);
        /* on_done() wants none to be under way. */
        subject->domain->agent_change = NULL;
        answer_vcpus(subject, "0+! 1- 2-");
        g_assert_cmpstr(subject->changed, ==, "2");
        subject->domain->agent_change = first;
        subject->userdata = change;
        answer_vcpus(subject, "0+! 1+ 2-");
        g_assert_cmpstr(subject->changed, ==, "");
}

static void questions_that_fail_end_the_change(void) {
        g_autoptr(Subject) silent = subject_new(), refused = subject_new(), gone = subject_new(), full = subject_new();

        request(silent, "2");
        answer_error(silent, ERROR_GUEST_AGENT_UNAVAILABLE, "it is silent");
        expect_error(silent, ERROR_GUEST_AGENT_UNAVAILABLE, "it is silent");
        g_assert_cmpint(silent->result, ==, -EHOSTUNREACH);

        request(refused, "+1-2");
        answer_vcpus(refused, "0+! 1- 2-");
        answer_error(refused, ERROR_GUEST_REFUSED, "no such processor");
        expect_error(refused, ERROR_GUEST_REFUSED, "no such processor");
        g_assert_cmpstr(refused->asked->str, ==, "get;set 1+ 2+;");

        request(gone, "+1-2");
        answer_vcpus(gone, "0+! 1- 2-");
        answer_error(gone, ERROR_NOT_RUNNING, "the guest is gone");
        expect_error(gone, ERROR_NOT_RUNNING, "the guest is gone");

        request(full, "+1-2");
        full->refuse = ERROR_BUSY;
        answer_vcpus(full, "0+! 1- 2-");
        expect_error(full, ERROR_BUSY, "not now");
}

static void agent_that_stops_is_asked_why_and_undone(void) {
        g_autoptr(Subject) up = subject_new(), down = subject_new();

        request(up, "+1-4");
        answer_vcpus(up, "0+! 1- 2- 3- 4-");
        answer_count(up, 2);
        g_assert_cmpstr(up->asked->str, ==, "get;set 1+ 2+ 3+ 4+;set 3+ 4+;");
        answer_error(up, ERROR_GUEST_REFUSED, "write(3): Input/output error");
        g_assert_cmpstr(up->asked->str, ==, "get;set 1+ 2+ 3+ 4+;set 3+ 4+;set 2- 1-;");
        g_assert_cmpuint(up->n_ended, ==, 0);
        answer_count(up, 2);
        expect_error(up, ERROR_GUEST_REFUSED, "write(3): Input/output error, at vCPU 3; vCPU 1-2, which it had taken online before, is as it was");
        g_assert_cmpint(up->result, ==, -ECONNREFUSED);

        request(down, "1");
        answer_vcpus(down, "0+! 1+ 2+ 3+");
        answer_count(down, 1);
        answer_error(down, ERROR_GUEST_REFUSED, "busy");
        g_assert_cmpstr(down->asked->str, ==, "get;set 3- 2- 1-;set 2- 1-;set 3+;");
        answer_count(down, 1);
        expect_error(down, ERROR_GUEST_REFUSED, "busy, at vCPU 2; vCPU 3, which it had taken offline before, is as it was");
}

static void agent_that_goes_on_when_asked_again_has_done_it(void) {
        g_autoptr(Subject) subject = subject_new();

        request(subject, "+1-3");
        answer_vcpus(subject, "0+! 1- 2- 3-");
        answer_count(subject, 1);
        answer_count(subject, 2);
        g_assert_cmpuint(subject->n_ended, ==, 1);
        g_assert_cmpstr(subject->changed, ==, "1-3");
}

static void agent_that_stops_again_and_again_is_not_asked_for_ever(void) {
        g_autoptr(Subject) some = subject_new(), none = subject_new();

        request(some, "+1-3");
        answer_vcpus(some, "0+! 1- 2- 3-");
        answer_count(some, 0);
        answer_count(some, 1);
        g_assert_cmpstr(some->asked->str, ==, "get;set 1+ 2+ 3+;set 1+ 2+ 3+;set 1-;");
        answer_count(some, 1);
        expect_error(some, ERROR_GUEST_REFUSED, "stopped at vCPU 2, and does not say why; vCPU 1,");

        request(none, "+1-3");
        answer_vcpus(none, "0+! 1- 2- 3-");
        answer_count(none, 0);
        answer_count(none, 0);
        expect_error(none, ERROR_GUEST_REFUSED, "stopped at vCPU 1, and does not say why");
        g_assert_cmpstr(none->asked->str, ==, "get;set 1+ 2+ 3+;set 1+ 2+ 3+;");
}

static void what_could_not_be_undone_is_said(void) {
        g_autoptr(Subject) silent = subject_new(), partly = subject_new(), full = subject_new();

        request(silent, "+1-2");
        answer_vcpus(silent, "0+! 1- 2-");
        answer_count(silent, 1);
        answer_error(silent, ERROR_GUEST_AGENT_UNAVAILABLE, "it is silent");
        answer_error(silent, ERROR_GUEST_AGENT_UNAVAILABLE, "it is still silent");
        expect_error(silent, ERROR_GUEST_AGENT_UNAVAILABLE, "it is silent, at vCPU 2; vCPU 1, which it had taken online before, could not be put back: it is still silent");

        request(partly, "+1-3");
        answer_vcpus(partly, "0+! 1- 2- 3-");
        answer_count(partly, 2);
        answer_error(partly, ERROR_GUEST_REFUSED, "no");
        answer_count(partly, 1);
        expect_error(partly, ERROR_GUEST_REFUSED, "could not be put back");

        request(full, "+1-2");
        answer_vcpus(full, "0+! 1- 2-");
        answer_count(full, 1);
        full->refuse = ERROR_BUSY;
        answer_error(full, ERROR_GUEST_REFUSED, "no");
        expect_error(full, ERROR_GUEST_REFUSED, "could not be put back: not now");
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/agent-vcpus/vcpus-are-chosen-and-set", vcpus_are_chosen_and_set },
                { "/agent-vcpus/what-cannot-be-is-refused-and-nothing-set", what_cannot_be_is_refused_and_nothing_set },
                { "/agent-vcpus/what-no-agent-need-be-asked-for-is-refused-at-once", what_no_agent_need_be_asked_for_is_refused_at_once },
                { "/agent-vcpus/one-change-at-a-time", one_change_at_a_time },
                { "/agent-vcpus/choice-is-made-while-another-changes", choice_is_made_while_another_changes },
                { "/agent-vcpus/questions-that-fail-end-the-change", questions_that_fail_end_the_change },
                { "/agent-vcpus/agent-that-stops-is-asked-why-and-undone", agent_that_stops_is_asked_why_and_undone },
                { "/agent-vcpus/agent-that-goes-on-when-asked-again-has-done-it", agent_that_goes_on_when_asked_again_has_done_it },
                { "/agent-vcpus/agent-that-stops-again-and-again-is-not-asked-for-ever", agent_that_stops_again_and_again_is_not_asked_for_ever },
                { "/agent-vcpus/what-could-not-be-undone-is-said", what_could_not_be_undone_is_said },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
