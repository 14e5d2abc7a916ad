/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* logind as the service sees it: everything that one may say, fail to say, or say too
 * often. What is tested runs in this program, with its loop inside of GLib's. */

#include "harness.h"
#include "logind-script.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus-error.h"
#include "bus/connection.h"
#include "bus/logind.h"

#define LOGIND_PATH "/org/freedesktop/login1"
#define HOUR_USEC (UINT64_C(3600) * 1000000)

/* Long enough that none passes in a test; rounds follow each other without a pause. */
static const LogindLimits patient = { HOUR_USEC, 0 };

typedef struct Loop {
        GSource source;
        sd_event *event;
} Loop;

static gboolean loop_prepare(GSource *source, int *timeout) {
        return sd_event_prepare(((Loop *) source)->event) > 0;
}

static gboolean loop_check(GSource *source) {
        return sd_event_wait(((Loop *) source)->event, 0) > 0;
}

static gboolean loop_dispatch(GSource *source, GSourceFunc callback, gpointer userdata) {
        g_assert_cmpint(sd_event_dispatch(((Loop *) source)->event), >, 0);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs loop_functions = { .prepare = loop_prepare, .check = loop_check, .dispatch = loop_dispatch };

/* Somebody who follows logind. */
typedef struct Follower {
        sd_event *event;
        sd_bus *bus;
        GSource *source;
        Logind *logind;
        char *text;                     /* the state that was told last */
        guint n_changes;
        GString *sleeps;                /* "+" for each start, "-" for each end */
        guint n_signals;                /* that reached the connection */
} Follower;

static char *describe(const LogindState *state) {
        GString *text = g_string_new(state->present ? "present" : "absent");

        if (state->preparing)
                g_string_append(text, " preparing");
        for (size_t i = 0; i < _LOGIND_SLEEP_MAX; i++)
                g_string_append_printf(text, " %s", state->can[i] ?: "-");
        g_string_append_printf(text, " %" G_GUINT64_FORMAT, state->inhibit_delay_max_usec);
        if (!state->inhibitors_known)
                g_string_append(text, " unknown");
        for (size_t i = 0; i < state->n_inhibitors; i++) {
                const LogindInhibitor *inhibitor = state->inhibitors + i;

                g_string_append_printf(text, " [%s|%s|%s|%s|%u|%u]", inhibitor->what, inhibitor->who, inhibitor->why, inhibitor->mode, inhibitor->uid, inhibitor->pid);
        }
        if (state->n_left_out > 0)
                g_string_append_printf(text, " and %zu more", state->n_left_out);
        return g_string_free(text, FALSE);
}

#define ALL_YES "present yes yes yes yes 5000000"
#define ABSENT "absent - - - - 0 unknown"
#define NOTHING_KNOWN "present - - - - 0 unknown"

static void on_changed(const LogindState *state, void *userdata) {
        Follower *follower = userdata;
        g_autofree char *text = describe(state);

        g_assert_cmpstr(text, !=, follower->text);
        g_assert_true(state == logind_state(follower->logind));
        g_free(follower->text);
        follower->text = g_steal_pointer(&text);
        follower->n_changes++;
}

static void on_prepare(bool start, void *userdata) {
        Follower *follower = userdata;

        g_assert_true(logind_state(follower->logind)->preparing == start);
        g_assert_true(start == !!strstr(follower->text, " preparing"));
        g_string_append_c(follower->sleeps, start ? '+' : '-');
}

static int count_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        uint8_t type;

        g_assert_cmpint(sd_bus_message_get_type(message, &type), >=, 0);
        if (type == SD_BUS_MESSAGE_SIGNAL)
                ((Follower *) userdata)->n_signals++;
        return 0;
}

static Follower *follower_new(const LogindLimits *limits) {
        static const LogindHandlers handlers = { on_changed, on_prepare };
        Follower *follower = g_new0(Follower, 1);
        _cleanup_error_ Error error = {};

        follower->sleeps = g_string_new(NULL);
        follower->text = g_strdup(ABSENT);
        g_assert_cmpint(sd_event_new(&follower->event), >=, 0);
        follower->source = g_source_new(&loop_functions, sizeof(Loop));
        ((Loop *) follower->source)->event = follower->event;
        g_source_add_unix_fd(follower->source, sd_event_get_fd(follower->event), G_IO_IN);
        g_source_attach(follower->source, NULL);
        g_assert_cmpint(connection_open(NULL, follower->event, &error, &follower->bus), >=, 0);
        g_assert_cmpint(sd_bus_add_filter(follower->bus, NULL, count_signal, follower), >=, 0);
        g_assert_cmpint(logind_new(follower->bus, limits, &handlers, follower, &follower->logind), >=, 0);
        return follower;
}

static void follower_free(Follower *follower) {
        follower->logind = logind_free(follower->logind);
        g_source_destroy(follower->source);
        g_source_unref(follower->source);
        sd_bus_close_unref(follower->bus);
        sd_event_unref(follower->event);
        g_string_free(follower->sleeps, TRUE);
        g_free(follower->text);
        g_free(follower);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Follower, follower_free)

/* One look: what it told. */
static void on_look(const LogindState *state, void *userdata) {
        char **text = userdata;

        g_assert_null(*text);
        *text = state ? describe(state) : g_strdup("freed");
}

static gboolean is_set(gpointer userdata) {
        return *(char **) userdata != NULL;
}

static char *look(Follower *follower) {
        char *text = NULL;

        g_assert_cmpint(logind_look(follower->logind, on_look, &text), >=, 0);
        wait_until(is_set, &text);
        g_assert_true(g_str_equal(text, ABSENT) || g_str_equal(text, follower->text));
        return text;
}

static void assert_look(Follower *follower, const char *expected) {
        g_autofree char *text = look(follower);

        g_assert_cmpstr(text, ==, expected);
}

typedef struct Expected {
        const Follower *follower;
        const char *text;
} Expected;

static gboolean is_told(gpointer userdata) {
        const Expected *expected = userdata;

        return g_str_equal(expected->follower->text, expected->text);
}

static void wait_state(Follower *follower, const char *text) {
        wait_until(is_told, &(Expected) { follower, text });
}

static gboolean has_slept(gpointer userdata) {
        const Expected *expected = userdata;

        return g_str_equal(expected->follower->sleeps->str, expected->text);
}

static void wait_sleeps(Follower *follower, const char *sleeps) {
        wait_until(has_slept, &(Expected) { follower, sleeps });
}

/* What one act came to. */
typedef struct Outcome {
        gboolean done;
        int r;
        ErrorCode code;
        char *message;
        int fd;
        char *users;
} Outcome;

static void outcome_take(Outcome *outcome, int r, const Error *error) {
        g_assert_false(outcome->done);
        outcome->done = TRUE;
        outcome->r = r;
        outcome->code = error ? error->code : ERROR_NONE;
        g_free(outcome->message);
        outcome->message = g_strdup(error && error->message ? error->message : "");
        g_assert_true(r < 0 || outcome->code == ERROR_NONE);
}

static void on_done(int r, const Error *error, void *userdata) {
        outcome_take(userdata, r, error);
}

static void on_inhibited(int r, int fd, const Error *error, void *userdata) {
        outcome_take(userdata, r, error);
        g_assert_true((r < 0) == (fd < 0));
        ((Outcome *) userdata)->fd = fd;
}

static void on_users(int r, const uint32_t *uids, size_t n, const Error *error, void *userdata) {
        GString *text = g_string_new(NULL);

        outcome_take(userdata, r, error);
        g_assert_true(r >= 0 || n == 0);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%u", i == 0 ? "" : " ", uids[i]);
        ((Outcome *) userdata)->users = g_string_free(text, FALSE);
}

static void outcome_clear(Outcome *outcome) {
        g_free(outcome->message);
        g_free(outcome->users);
        *outcome = (Outcome) {};
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static gboolean is_done(gpointer userdata) {
        return ((Outcome *) userdata)->done;
}

static void outcome_expect(Outcome *outcome, ErrorCode code, const char *part) {
        wait_until(is_done, outcome);
        if (code != ERROR_NONE || outcome->code != ERROR_NONE)
                g_assert_cmpstr(error_code_to_name(outcome->code), ==, error_code_to_name(code));
        g_assert_cmpint(outcome->r < 0, ==, code != ERROR_NONE);
        assert_says(outcome->message, PARTS(part));
}

static void suspend(Follower *follower, LogindSleep sleep, bool ignore_inhibitors, Outcome *outcome) {
        _cleanup_error_ Error error = {};

        outcome_clear(outcome);
        g_assert_cmpint(logind_suspend(follower->logind, sleep, ignore_inhibitors, on_done, outcome, &error), ==, 0);
}

static void inhibit(Follower *follower, Outcome *outcome) {
        _cleanup_error_ Error error = {};

        outcome_clear(outcome);
        g_assert_cmpint(logind_inhibit(follower->logind, "sleep", "berthd", "guests run", "block", on_inhibited, outcome, &error), ==, 0);
}

static void list_users(Follower *follower, Outcome *outcome) {
        _cleanup_error_ Error error = {};

        outcome_clear(outcome);
        g_assert_cmpint(logind_list_users(follower->logind, on_users, outcome, &error), ==, 0);
        wait_until(is_done, outcome);
}

/* There and back, twice: what was to follow from something that is told already has
 * been sent by the second time, and heard before its answer. */
static void settle(Follower *follower) {
        for (unsigned i = 0; i < 2; i++) {
                g_auto(Outcome) outcome = {};

                list_users(follower, &outcome);
        }
}

static void answer(LogindScript *script, const char *member, const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *body = text ? g_variant_parse(NULL, text, NULL, NULL, &error) : NULL;

        g_assert_no_error(error);
        logind_script_answer(script, member, body);
}

static const char *const can_methods[] = { "CanSuspend", "CanHibernate", "CanHybridSleep", "CanSuspendThenHibernate" };
static const char *const round_members[] = {
        "CanSuspend", "CanHibernate", "CanHybridSleep", "CanSuspendThenHibernate", "PreparingForSleep", "InhibitDelayMaxUSec", "ListInhibitors",
};

static void absent_logind_is_said_so(void) {
        g_autoptr(Follower) follower = follower_new(&patient);
        _cleanup_error_ Error error = {};
        Outcome untouched = {};

        assert_look(follower, ABSENT);
        logind_refresh(follower->logind);
        g_assert_cmpint(logind_suspend(follower->logind, LOGIND_SUSPEND, false, on_done, &untouched, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
        assert_says(error.message, PARTS("org.freedesktop.login1"));
        g_assert_cmpint(logind_inhibit(follower->logind, "sleep", "a", "b", "delay", on_inhibited, &untouched, NULL), <, 0);
        g_assert_cmpint(logind_list_users(follower->logind, on_users, &untouched, NULL), <, 0);
        assert_look(follower, ABSENT);
        g_assert_cmpuint(follower->n_changes, ==, 0);
        g_assert_false(untouched.done);
}

static void each_answer_is_taken_as_it_is(void) {
        static const struct { const char *word, *known; } rows[] = {
                { "no", "no" },
                { "na", "na" },
                { "challenge", "challenge" },
                { "inhibited", "inhibited" },
                { "inhibitor-blocked", "inhibitor-blocked" },
                { "challenge-inhibitor-blocked", "challenge-inhibitor-blocked" },
                { "yes", "yes" },
                { "maybe", "-" },
                { "", "-" },
                { "YES", "-" },
                { "yes ", "-" },
                { "\x1b[31myes", "-" },
        };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                for (size_t j = 0; j < G_N_ELEMENTS(can_methods); j++) {
                        g_autofree char *expected = g_strdup_printf("present %s %s %s %s 5000000", j == 0 ? rows[i].known : "yes", j == 1 ? rows[i].known : "yes",
                                                                    j == 2 ? rows[i].known : "yes", j == 3 ? rows[i].known : "yes");

                        logind_script_answer(script, can_methods[j], g_variant_new("(s)", rows[i].word));
                        assert_look(follower, expected);
                        logind_script_answer(script, can_methods[j], g_variant_new("(s)", "yes"));
                }
}

static void nonsense_is_not_known(void) {
        static const struct { const char *member, *body, *expected; } rows[] = {
                { "CanSuspend", NULL, "present - yes yes yes 5000000" },
                { "CanSuspend", "(uint32 1,)", "present - yes yes yes 5000000" },
                { "CanHibernate", "(true,)", "present yes - yes yes 5000000" },
                { "CanHybridSleep", "(['yes'],)", "present yes yes - yes 5000000" },
                { "CanSuspendThenHibernate", "(<'yes'>,)", "present yes yes yes - 5000000" },
                { "PreparingForSleep", NULL, ALL_YES },
                { "PreparingForSleep", "(true,)", ALL_YES },
                { "PreparingForSleep", "(<'true'>,)", ALL_YES },
                { "InhibitDelayMaxUSec", NULL, "present yes yes yes yes 0" },
                { "InhibitDelayMaxUSec", "(<uint32 5>,)", "present yes yes yes yes 0" },
                { "InhibitDelayMaxUSec", "(uint64 5,)", "present yes yes yes yes 0" },
                { "ListInhibitors", NULL, "present yes yes yes yes 5000000 unknown" },
                { "ListInhibitors", "([('sleep', 'who', 'why', 'block', uint32 0)],)", "present yes yes yes yes 5000000 unknown" },
                { "ListInhibitors", "([('sleep', 'who', 'why', 'block', 0, 1)],)", "present yes yes yes yes 5000000 unknown" },
                { "ListInhibitors", "('sleep',)", "present yes yes yes yes 5000000 unknown" },
                { "ListInhibitors", "(@a(ssssuux) [('sleep', 'who', 'why', 'block', 0, 1, 2)],)", "present yes yes yes yes 5000000 unknown" },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(LogindScript) script = logind_script_new();
                g_autoptr(Follower) follower = NULL;

                answer(script, rows[i].member, rows[i].body);
                follower = follower_new(&patient);
                assert_look(follower, rows[i].expected);
        }
}

static void error_is_not_known(void) {
        static const char *const names[] = { "org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.AccessDenied", "com.example.Odd" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(LogindScript) script = logind_script_new();
                g_autoptr(Follower) follower = NULL;

                for (size_t j = 0; j < G_N_ELEMENTS(round_members); j++)
                        logind_script_fail(script, round_members[j], names[i], "no \x1b[31m luck");
                follower = follower_new(&patient);
                assert_look(follower, NOTHING_KNOWN);
                answer(script, "CanHibernate", "('challenge',)");
                answer(script, "ListInhibitors", "(@a(ssssuu) [],)");
                assert_look(follower, "present - challenge - - 0");
                logind_script_fail(script, "ListInhibitors", names[i], "no luck");
                assert_look(follower, "present - challenge - - 0 unknown");
        }
}

static void silence_ends_with_the_deadline(void) {
        static const LogindLimits short_ones = { 50 * 1000, 0 };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(round_members); i++)
                logind_script_hold(script, round_members[i]);
        follower = follower_new(&short_ones);
        assert_look(follower, NOTHING_KNOWN);

        /* What comes too late goes nowhere. */
        for (size_t i = 0; i < G_N_ELEMENTS(round_members); i++)
                answer(script, round_members[i], "('no',)");
        logind_script_prepare(script, TRUE);
        wait_state(follower, "present preparing - - - - 0 unknown");
}

static void logind_that_leaves_in_a_round_is_absent(void) {
        LogindScript *script = logind_script_new();
        g_autoptr(Follower) follower = NULL;
        g_auto(Outcome) sleep = {}, taken = {};
        g_autofree char *looked = NULL;

        logind_script_hold(script, "CanHybridSleep");
        logind_script_hold(script, "SuspendWithFlags");
        logind_script_hold(script, "Inhibit");
        follower = follower_new(&patient);
        g_assert_cmpint(logind_look(follower->logind, on_look, &looked), >=, 0);
        logind_script_wait(script, "CanHybridSleep", 1);
        suspend(follower, LOGIND_SUSPEND, false, &sleep);
        inhibit(follower, &taken);
        logind_script_wait(script, "SuspendWithFlags", 1);
        logind_script_wait(script, "Inhibit", 1);
        logind_script_free(script);

        wait_until(is_set, &looked);
        g_assert_cmpstr(looked, ==, ABSENT);
        g_assert_cmpstr(follower->text, ==, ABSENT);
        outcome_expect(&sleep, ERROR_TIMED_OUT, "SuspendWithFlags");
        outcome_expect(&taken, ERROR_TIMED_OUT, "Inhibit");
}

static void logind_that_comes_again_is_asked_anew(void) {
        LogindScript *script = logind_script_new();
        g_autoptr(LogindScript) other = NULL;
        g_autoptr(Follower) follower = follower_new(NULL);

        answer(script, "ListInhibitors", "([('sleep', 'who', 'why', 'block', uint32 0, uint32 1)],)");
        assert_look(follower, ALL_YES " [sleep|who|why|block|0|1]");
        logind_script_free(script);
        wait_state(follower, ABSENT);

        other = logind_script_new();
        wait_state(follower, ALL_YES);
        answer(other, "CanSuspend", "('na',)");
        logind_script_touch(other, "DelayInhibited");
        wait_state(follower, "present na yes yes yes 5000000");
}

static void sleep_is_told_with_its_end(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        logind_script_prepare(script, TRUE);
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        g_assert_cmpstr(follower->text, ==, "present preparing yes yes yes yes 5000000");

        /* Woken, it may not be the machine that it was. */
        answer(script, "CanHibernate", "('na',)");
        logind_script_prepare(script, FALSE);
        wait_state(follower, "present yes na yes yes 5000000");
        g_assert_cmpstr(follower->sleeps->str, ==, "+-");
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+-+");
}

static void sleep_ends_when_logind_leaves(void) {
        LogindScript *script = logind_script_new();
        g_autoptr(LogindScript) other = NULL;
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        logind_script_free(script);
        wait_sleeps(follower, "+-");
        g_assert_cmpstr(follower->text, ==, ABSENT);

        other = logind_script_new();
        wait_state(follower, ALL_YES);
        g_assert_cmpstr(follower->sleeps->str, ==, "+-");
}

static void sleep_that_has_begun_already_is_told(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = NULL;

        answer(script, "PreparingForSleep", "(<true>,)");
        follower = follower_new(&patient);
        wait_sleeps(follower, "+");
        answer(script, "PreparingForSleep", "(<false>,)");
        assert_look(follower, ALL_YES);
        g_assert_cmpstr(follower->sleeps->str, ==, "+-");
}

static void same_answers_are_no_change(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        guint n;

        answer(script, "ListInhibitors", "([('sleep', 'a', 'x', 'block', uint32 0, uint32 1), ('idle:sleep', 'b', 'y', 'delay', uint32 5, uint32 1), ('shutdown', 'c', 'z', 'block', uint32 0, uint32 7)],)");
        assert_look(follower, ALL_YES " [sleep|a|x|block|0|1] [shutdown|c|z|block|0|7] [idle:sleep|b|y|delay|5|1]");
        n = follower->n_changes;
        answer(script, "ListInhibitors", "([('idle:sleep', 'b', 'y', 'delay', uint32 5, uint32 1), ('shutdown', 'c', 'z', 'block', uint32 0, uint32 7), ('sleep', 'a', 'x', 'block', uint32 0, uint32 1)],)");
        assert_look(follower, ALL_YES " [sleep|a|x|block|0|1] [shutdown|c|z|block|0|7] [idle:sleep|b|y|delay|5|1]");
        assert_look(follower, ALL_YES " [sleep|a|x|block|0|1] [shutdown|c|z|block|0|7] [idle:sleep|b|y|delay|5|1]");
        g_assert_cmpuint(follower->n_changes, ==, n);

        /* One word of one of them. */
        for (size_t i = 0; i < 6; i++) {
                g_autofree char *body = g_strdup_printf("([('%s', '%s', '%s', '%s', uint32 %u, uint32 %u)],)", i == 0 ? "sleep:idle" : "sleep",
                                                        i == 1 ? "B" : "A", i == 2 ? "Y" : "X", i == 3 ? "block-weak" : "block", i == 4 ? 9 : 8, i == 5 ? 3 : 2);
                g_autofree char *text = NULL;

                answer(script, "ListInhibitors", "([('sleep', 'A', 'X', 'block', uint32 8, uint32 2)],)");
                assert_look(follower, ALL_YES " [sleep|A|X|block|8|2]");
                n = follower->n_changes;
                answer(script, "ListInhibitors", body);
                text = look(follower);
                g_assert_cmpuint(follower->n_changes, ==, n + 1);
        }
}

/* Reasons that come while a round is under way are one round more, and it is the
 * last. */
static void flood_is_two_rounds(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 1);
        logind_script_hold(script, "CanSuspend");
        logind_refresh(follower->logind);
        logind_script_wait(script, "CanSuspend", 2);
        for (unsigned i = 0; i < 1000; i++)
                logind_script_touch(script, i % 2 ? "BlockInhibited" : "DelayInhibited");
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 2);
        answer(script, "PreparingForSleep", "(<true>,)");
        answer(script, "CanSuspend", "('no',)");
        logind_script_wait(script, "CanSuspend", 3);
        assert_look(follower, "present preparing no yes yes yes 5000000");
        settle(follower);
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 4);
        for (size_t i = 0; i < G_N_ELEMENTS(round_members); i++)
                g_assert_cmpuint(logind_script_calls(script, round_members[i]), ==, 4);
}

static void pause_between_rounds_holds_for_all_but_a_look(void) {
        static const LogindLimits limits = { HOUR_USEC, HOUR_USEC };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&limits);

        assert_look(follower, ALL_YES);
        logind_script_touch(script, "BlockInhibited");
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        settle(follower);
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 1);
        answer(script, "PreparingForSleep", "(<true>,)");
        answer(script, "CanSuspend", "('no',)");
        assert_look(follower, "present preparing no yes yes yes 5000000");
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 2);
}

/* What was asked before it must not be taken for the answer to a look. */
static void look_waits_for_questions_of_its_own(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autofree char *first = NULL, *second = NULL;

        assert_look(follower, ALL_YES);
        logind_script_hold(script, "CanSuspend");
        g_assert_cmpint(logind_look(follower->logind, on_look, &first), >=, 0);
        logind_script_wait(script, "CanSuspend", 2);
        logind_script_wait(script, "ListInhibitors", 2);
        answer(script, "ListInhibitors", "([('sleep', 'who', 'why', 'block', uint32 0, uint32 1)],)");
        g_assert_cmpint(logind_look(follower->logind, on_look, &second), >=, 0);
        answer(script, "CanSuspend", "('yes',)");
        wait_until(is_set, &first);
        g_assert_cmpstr(first, ==, ALL_YES);
        g_assert_null(second);
        wait_until(is_set, &second);
        g_assert_cmpstr(second, ==, ALL_YES " [sleep|who|why|block|0|1]");
}

static void other_changes_are_no_reason(void) {
        static const char *const properties[] = { "IdleHint", "IdleSinceHint", "BlockInhibite", "LidClosed", "" };
        static const char *const reasons[] = { "BlockInhibited", "BlockWeakInhibited", "DelayInhibited", "InhibitDelayMaxUSec" };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        guint n = 1;

        assert_look(follower, ALL_YES);
        for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
                logind_script_touch(script, properties[i]);
        logind_script_emit(script, LOGIND_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged", g_variant_new_parsed("('" LOGIND_MANAGER "', 'BlockInhibited')"));
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        settle(follower);
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, n);

        answer(script, "PreparingForSleep", "(<true>,)");
        for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
                logind_script_touch(script, reasons[i]);
                logind_script_wait(script, "CanSuspend", ++n);
                settle(follower);
        }
        logind_script_emit(script, LOGIND_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                           g_variant_new_parsed("('" LOGIND_MANAGER "', {'IdleHint': <true>}, ['IdleSinceHint', 'BlockInhibited'])"));
        logind_script_wait(script, "CanSuspend", ++n);
}

static void signals_of_other_things_do_not_reach_us(void) {
        static const struct { const char *path, *interface, *member, *body; } rows[] = {
                { LOGIND_PATH, LOGIND_MANAGER, "SessionNew", "('1', objectpath '/org/freedesktop/login1/session/_31')" },
                { LOGIND_PATH, LOGIND_MANAGER, "PrepareForShutdown", "(true,)" },
                { LOGIND_PATH, "com.example.Manager", "PrepareForSleep", "(true,)" },
                { "/com/example", LOGIND_MANAGER, "PrepareForSleep", "(true,)" },
                { "/org/freedesktop/login1/session/_31", "org.freedesktop.DBus.Properties", "PropertiesChanged", "('" LOGIND_MANAGER "', {'BlockInhibited': <'sleep'>}, @as [])" },
                { LOGIND_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged", "('org.freedesktop.login1.Session', {'BlockInhibited': <'sleep'>}, @as [])" },
                { "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority", "Changed", "()" },
        };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        guint n;

        assert_look(follower, ALL_YES);
        n = follower->n_signals;
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                logind_script_emit(script, rows[i].path, rows[i].interface, rows[i].member, g_variant_new_parsed(rows[i].body));
        logind_script_prepare(script, TRUE);
        wait_sleeps(follower, "+");
        g_assert_cmpuint(follower->n_signals, ==, n + 1);
}

static void polkit_that_changed_is_a_reason(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autoptr(GDBusConnection) polkit = bus_connect(NULL);
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;

        assert_look(follower, ALL_YES);
        reply = g_dbus_connection_call_sync(polkit, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                            g_variant_new("(su)", "org.freedesktop.PolicyKit1", 4), G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_no_error(error);
        answer(script, "CanSuspend", "('challenge',)");
        g_dbus_connection_emit_signal(polkit, NULL, "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority", "Changed", NULL, &error);
        g_assert_no_error(error);
        wait_state(follower, "present challenge yes yes yes 5000000");
}

/* The bus delivers to us what anybody addresses to us, whatever our matches say. */
static void signals_of_a_liar_are_not_believed(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autoptr(GDBusConnection) liar = bus_connect(ALLOWED_USER);
        const char *us;
        static const struct { const char *path, *interface, *member, *body; } lies[] = {
                { LOGIND_PATH, LOGIND_MANAGER, "PrepareForSleep", "(true,)" },
                { LOGIND_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged", "('" LOGIND_MANAGER "', {'BlockInhibited': <'sleep'>}, @as [])" },
                { "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "('org.freedesktop.login1', ':1.1', '')" },
        };
        guint n;

        assert_look(follower, ALL_YES);
        n = follower->n_signals;
        g_assert_cmpint(sd_bus_get_unique_name(follower->bus, &us), >=, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
                g_autoptr(GError) error = NULL;

                g_dbus_connection_emit_signal(liar, us, lies[i].path, lies[i].interface, lies[i].member, g_variant_new_parsed(lies[i].body), &error);
                g_assert_no_error(error);
        }
        g_dbus_connection_flush_sync(liar, NULL, NULL);
        settle(follower);
        g_assert_cmpuint(follower->n_signals, ==, n + G_N_ELEMENTS(lies));
        g_assert_cmpstr(follower->text, ==, ALL_YES);
        g_assert_cmpuint(follower->n_changes, ==, 2);
        g_assert_cmpuint(logind_script_calls(script, "CanSuspend"), ==, 1);
}

static void of_many_inhibitors_those_that_matter_are_kept(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autofree char *text = NULL, *again = NULL;
        const LogindState *state;
        guint n_changes = 0;

        for (unsigned pass = 0; pass < 2; pass++) {
                GVariantBuilder list;

                g_variant_builder_init(&list, G_VARIANT_TYPE("a(ssssuu)"));
                for (unsigned i = 0; i < 10000; i++) {
                        unsigned n = pass == 0 ? i : 9999 - i;
                        bool blocks = n == 9990 || n == 9999;

                        g_variant_builder_add(&list, "(ssssuu)", blocks ? "idle:sleep" : n == 9995 ? "sleeper:sle:shutdown" : "sleep", "who", "why",
                                              blocks || n == 9995 ? "block" : "delay", 1000, n);
                }
                logind_script_answer(script, "ListInhibitors", g_variant_new("(a(ssssuu))", &list));
                if (pass == 0) {
                        text = look(follower);
                        n_changes = follower->n_changes;
                } else {
                        again = look(follower);
                        g_assert_cmpstr(again, ==, text);
                        g_assert_cmpuint(follower->n_changes, ==, n_changes);
                }
        }

        state = logind_state(follower->logind);
        g_assert_true(state->inhibitors_known);
        g_assert_cmpuint(state->n_inhibitors, ==, LOGIND_INHIBITORS_MAX);
        g_assert_cmpuint(state->n_left_out, ==, 10000 - LOGIND_INHIBITORS_MAX);
        g_assert_cmpuint(state->inhibitors[0].pid, ==, 9990);
        g_assert_cmpuint(state->inhibitors[1].pid, ==, 9999);
        g_assert_cmpuint(state->inhibitors[2].pid, ==, 9995);
        g_assert_cmpuint(state->inhibitors[3].pid, ==, 0);
        g_assert_cmpuint(state->inhibitors[255].pid, ==, 252);
}

static void words_of_inhibitors_are_bounded_and_printable(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autofree char *long_word = g_strnfill(100000, 'w'), *text = NULL;
        const LogindInhibitor *inhibitor;

        logind_script_answer(script, "ListInhibitors", g_variant_new_parsed("([(%s, %s, %s, %s, uint32 0, uint32 1)],)", "sleep\n", "\x1b[31mr\xc3\xb6t", "", "block"));
        assert_look(follower, ALL_YES " [sleep?|?[31mr\xc3\xb6t||block|0|1]");

        logind_script_answer(script, "ListInhibitors", g_variant_new_parsed("([(%s, %s, %s, %s, uint32 0, uint32 1)],)", long_word, long_word, long_word, long_word));
        text = look(follower);
        inhibitor = logind_state(follower->logind)->inhibitors;
        g_assert_cmpuint(strlen(inhibitor->what), ==, 256);
        g_assert_cmpuint(strlen(inhibitor->who), ==, 128);
        g_assert_cmpuint(strlen(inhibitor->why), ==, 512);
        g_assert_cmpuint(strlen(inhibitor->mode), ==, 256);
}

static void assert_flags(LogindScript *script, const char *member, guint64 expected) {
        g_autoptr(GVariant) arguments = logind_script_arguments(script, member);
        guint64 flags;

        g_assert_cmpstr(g_variant_get_type_string(arguments), ==, "(t)");
        g_variant_get(arguments, "(t)", &flags);
        g_assert_cmpuint(flags, ==, expected);
}

static const char *const sleep_methods[] = { "SuspendWithFlags", "HibernateWithFlags", "HybridSleepWithFlags", "SuspendThenHibernateWithFlags" };

static void each_sleep_has_its_method(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        for (LogindSleep sleep = 0; sleep < _LOGIND_SLEEP_MAX; sleep++) {
                g_auto(Outcome) outcome = {};

                answer(script, sleep_methods[sleep], NULL);
                suspend(follower, sleep, false, &outcome);
                outcome_expect(&outcome, ERROR_NONE, "");
                assert_flags(script, sleep_methods[sleep], 1);
                suspend(follower, sleep, true, &outcome);
                outcome_expect(&outcome, ERROR_NONE, "");
                assert_flags(script, sleep_methods[sleep], 16);
                for (LogindSleep other = 0; other < _LOGIND_SLEEP_MAX; other++)
                        g_assert_cmpuint(logind_script_calls(script, sleep_methods[other]), ==, other <= sleep ? 2 : 0);
        }
}

static void unknown_flag_is_none_at_all(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_auto(Outcome) outcome = {};

        assert_look(follower, ALL_YES);
        logind_script_hold(script, "HibernateWithFlags");
        suspend(follower, LOGIND_HIBERNATE, true, &outcome);
        logind_script_wait(script, "HibernateWithFlags", 1);
        assert_flags(script, "HibernateWithFlags", 16);
        logind_script_fail(script, "HibernateWithFlags", "org.freedesktop.DBus.Error.InvalidArgs", "Invalid flags parameter");
        logind_script_hold(script, "HibernateWithFlags");
        logind_script_wait(script, "HibernateWithFlags", 2);
        assert_flags(script, "HibernateWithFlags", 0);
        g_assert_false(outcome.done);
        answer(script, "HibernateWithFlags", NULL);
        outcome_expect(&outcome, ERROR_NONE, "");

        /* And that is the end of it. */
        logind_script_fail(script, "HibernateWithFlags", "org.freedesktop.DBus.Error.InvalidArgs", "Invalid flags parameter");
        suspend(follower, LOGIND_HIBERNATE, true, &outcome);
        outcome_expect(&outcome, ERROR_BACKEND_FAILED, "Invalid flags parameter");
        g_assert_cmpuint(logind_script_calls(script, "HibernateWithFlags"), ==, 4);
        /* Whoever does not ask for it never gets there. */
        suspend(follower, LOGIND_HIBERNATE, false, &outcome);
        outcome_expect(&outcome, ERROR_BACKEND_FAILED, "Invalid flags parameter");
        g_assert_cmpuint(logind_script_calls(script, "HibernateWithFlags"), ==, 5);
        assert_flags(script, "HibernateWithFlags", 1);
        /* Nor does who is refused for another reason. */
        logind_script_fail(script, "HibernateWithFlags", "org.freedesktop.login1.OperationInProgress", "There's already one");
        suspend(follower, LOGIND_HIBERNATE, true, &outcome);
        outcome_expect(&outcome, ERROR_BUSY, "There's already one");
        g_assert_cmpuint(logind_script_calls(script, "HibernateWithFlags"), ==, 6);
}

static void each_refusal_has_its_name(void) {
        static const struct { const char *name; bool ignore; ErrorCode code; } rows[] = {
                { "org.freedesktop.login1.BlockedByInhibitorLock", false, ERROR_INHIBITED },
                { "org.freedesktop.login1.BlockedByInhibitorLock", true, ERROR_INHIBITED },
                { "org.freedesktop.DBus.Error.AccessDenied", false, ERROR_INHIBITED },
                { "org.freedesktop.DBus.Error.AccessDenied", true, ERROR_ACCESS_DENIED },
                { "org.freedesktop.login1.SleepVerbNotSupported", false, ERROR_NOT_SUPPORTED },
                { "org.freedesktop.DBus.Error.UnknownMethod", false, ERROR_NOT_SUPPORTED },
                { "org.freedesktop.login1.OperationInProgress", false, ERROR_BUSY },
                { "org.freedesktop.DBus.Error.NoReply", false, ERROR_TIMED_OUT },
                { "org.freedesktop.DBus.Error.InvalidArgs", false, ERROR_BACKEND_FAILED },
                { "org.freedesktop.systemd1.NoSuchUnit", false, ERROR_BACKEND_FAILED },
                { "com.example.Odd", true, ERROR_BACKEND_FAILED },
        };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_auto(Outcome) outcome = {};

        assert_look(follower, ALL_YES);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                logind_script_fail(script, "SuspendWithFlags", rows[i].name, "the reason \x1b[31m why");
                suspend(follower, LOGIND_SUSPEND, rows[i].ignore, &outcome);
                outcome_expect(&outcome, rows[i].code, "the reason ?[31m why");
                assert_says(outcome.message, PARTS("SuspendWithFlags"));
        }

        logind_script_fail(script, "Inhibit", "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
        inhibit(follower, &outcome);
        outcome_expect(&outcome, ERROR_ACCESS_DENIED, "Permission denied");
        logind_script_fail(script, "Inhibit", "org.freedesktop.DBus.Error.LimitsExceeded", "Maximum number of inhibitors (8192) reached");
        inhibit(follower, &outcome);
        outcome_expect(&outcome, ERROR_RESOURCE_EXHAUSTED, "8192");
}

/* The bus itself refuses with the name that logind has for inhibitors. */
static void refusal_of_the_bus_is_no_inhibitor(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = NULL;
        g_auto(Outcome) outcome = {};

        g_assert_cmpint(seteuid(1), ==, 0);
        follower = follower_new(&patient);
        g_assert_cmpint(seteuid(0), ==, 0);
        assert_look(follower, NOTHING_KNOWN);
        suspend(follower, LOGIND_SUSPEND, false, &outcome);
        outcome_expect(&outcome, ERROR_ACCESS_DENIED, "SuspendWithFlags");
}

static gboolean on_hung_up(int fd, GIOCondition condition, gpointer userdata) {
        *(GIOCondition *) userdata = condition;
        return G_SOURCE_REMOVE;
}

static gboolean is_hung_up(gpointer userdata) {
        return *(GIOCondition *) userdata & G_IO_HUP;
}

static void wait_hang_up(int fd) {
        GIOCondition condition = 0;

        g_unix_fd_add(fd, G_IO_HUP, on_hung_up, &condition);
        wait_until(is_hung_up, &condition);
        close(fd);
}

static void inhibitor_holds_as_long_as_its_descriptor(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_autoptr(GVariant) arguments = NULL;
        g_autofree char *text = NULL;
        g_auto(Outcome) outcome = {};
        GPollFD poll = { .events = G_IO_HUP };
        int end;

        assert_look(follower, ALL_YES);
        inhibit(follower, &outcome);
        outcome_expect(&outcome, ERROR_NONE, "");
        arguments = logind_script_arguments(script, "Inhibit");
        text = g_variant_print(arguments, FALSE);
        g_assert_cmpstr(text, ==, "('sleep', 'berthd', 'guests run', 'block')");
        end = logind_script_take_end(script);
        settle(follower);
        poll.fd = end;
        g_assert_cmpint(g_poll(&poll, 1, 0), ==, 0);
        close(outcome.fd);
        wait_hang_up(end);
}

static void inhibitor_that_comes_too_late_is_given_back(void) {
        static const LogindLimits short_ones = { 50 * 1000, 0 };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&short_ones);
        g_auto(Outcome) taken = {}, sleep = {};
        g_autofree char *looked = look(follower);

        g_assert_true(g_str_has_prefix(looked, "present"));
        logind_script_hold(script, "Inhibit");
        logind_script_hold(script, "SuspendWithFlags");
        inhibit(follower, &taken);
        suspend(follower, LOGIND_SUSPEND, false, &sleep);
        outcome_expect(&taken, ERROR_TIMED_OUT, "Inhibit");
        outcome_expect(&sleep, ERROR_TIMED_OUT, "not known");
        logind_script_wait(script, "Inhibit", 1);
        logind_script_give(script);
        wait_hang_up(logind_script_take_end(script));
}

static void inhibitor_without_a_descriptor_is_none(void) {
        static const char *const bodies[] = { NULL, "('sleep',)", "(uint32 3,)", "(['a'],)" };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
                g_auto(Outcome) outcome = {};

                answer(script, "Inhibit", bodies[i]);
                inhibit(follower, &outcome);
                outcome_expect(&outcome, ERROR_BACKEND_FAILED, "makes no sense");
        }
}

#define SESSION(uid, class) "('c1', uint32 " #uid ", 'user', 'seat0', uint32 100, '" class "', 'tty1', false, uint64 0, objectpath '/org/freedesktop/login1/session/c1')"
#define PLAIN(uid) "('c1', uint32 " #uid ", 'user', '', objectpath '/org/freedesktop/login1/session/c1')"

static void users_are_those_with_sessions(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_auto(Outcome) outcome = {};

        assert_look(follower, ALL_YES);
        list_users(follower, &outcome);
        outcome_expect(&outcome, ERROR_NONE, "");
        g_assert_cmpstr(outcome.users, ==, "");

        answer(script, "ListSessionsEx", "([" SESSION(1001, "user") ", " SESSION(120, "greeter") ", " SESSION(1000, "user-light") ", " SESSION(7, "manager") ", "
               SESSION(8, "background") ", " SESSION(1001, "user-early") ", " SESSION(4294967295, "user") "],)");
        list_users(follower, &outcome);
        outcome_expect(&outcome, ERROR_NONE, "");
        g_assert_cmpstr(outcome.users, ==, "1000 1001 4294967295");
        g_assert_cmpuint(logind_script_calls(script, "ListSessions"), ==, 0);

        logind_script_fail(script, "ListSessionsEx", "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method");
        answer(script, "ListSessions", "([" PLAIN(1001) ", " PLAIN(120) ", " PLAIN(1001) "],)");
        list_users(follower, &outcome);
        outcome_expect(&outcome, ERROR_NONE, "");
        g_assert_cmpstr(outcome.users, ==, "120 1001");

        /* No other error is a reason to ask for less. */
        logind_script_fail(script, "ListSessionsEx", "org.freedesktop.DBus.Error.AccessDenied", "not for you");
        list_users(follower, &outcome);
        outcome_expect(&outcome, ERROR_ACCESS_DENIED, "not for you");
        g_assert_cmpuint(logind_script_calls(script, "ListSessions"), ==, 1);

        logind_script_fail(script, "ListSessionsEx", "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method");
        logind_script_fail(script, "ListSessions", "org.freedesktop.DBus.Error.UnknownMethod", "not here either");
        list_users(follower, &outcome);
        outcome_expect(&outcome, ERROR_NOT_SUPPORTED, "not here either");
        g_assert_cmpuint(logind_script_calls(script, "ListSessions"), ==, 2);
}

static void users_that_make_no_sense_are_an_error(void) {
        static const char *const bodies[] = { NULL, "('1000',)", "([uint32 1000],)", "([" PLAIN(1000) "],)" };
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);

        assert_look(follower, ALL_YES);
        for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
                g_auto(Outcome) outcome = {};

                answer(script, "ListSessionsEx", bodies[i]);
                list_users(follower, &outcome);
                outcome_expect(&outcome, ERROR_BACKEND_FAILED, "makes no sense");
        }
}

static void many_users_are_bounded(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        g_autoptr(Follower) follower = follower_new(&patient);
        g_auto(Outcome) outcome = {};
        g_auto(GStrv) uids = NULL;
        GVariantBuilder list;

        assert_look(follower, ALL_YES);
        logind_script_fail(script, "ListSessionsEx", "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method");
        g_variant_builder_init(&list, G_VARIANT_TYPE("a(susso)"));
        for (guint i = 5000; i > 0; i--)
                g_variant_builder_add(&list, "(susso)", "c1", i, "user", "", "/org/freedesktop/login1/session/c1");
        logind_script_answer(script, "ListSessions", g_variant_new("(a(susso))", &list));
        list_users(follower, &outcome);
        uids = g_strsplit(outcome.users, " ", -1);
        g_assert_cmpuint(g_strv_length(uids), ==, 1024);
}

static void what_is_open_ends_when_it_is_freed(void) {
        g_autoptr(LogindScript) script = logind_script_new();
        Follower *follower = follower_new(&patient);
        g_autofree char *looked = NULL;
        g_auto(Outcome) sleep = {}, taken = {}, users = {};

        assert_look(follower, ALL_YES);
        logind_script_hold(script, "CanSuspend");
        logind_script_hold(script, "SuspendWithFlags");
        logind_script_hold(script, "Inhibit");
        logind_script_hold(script, "ListSessionsEx");
        g_assert_cmpint(logind_look(follower->logind, on_look, &looked), >=, 0);
        suspend(follower, LOGIND_SUSPEND, false, &sleep);
        inhibit(follower, &taken);
        g_assert_cmpint(logind_list_users(follower->logind, on_users, &users, NULL), ==, 0);
        logind_script_wait(script, "ListSessionsEx", 1);
        logind_script_wait(script, "CanSuspend", 2);
        follower_free(follower);
        g_assert_cmpstr(looked, ==, "freed");
        g_assert_true(sleep.done && taken.done && users.done);
        g_assert_cmpint(sleep.r, ==, -ECANCELED);
        g_assert_cmpint(taken.r, ==, -ECANCELED);
        g_assert_cmpint(users.r, ==, -ECANCELED);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/logind/absent-logind-is-said-so", absent_logind_is_said_so);
        g_test_add_func("/logind/each-answer-is-taken-as-it-is", each_answer_is_taken_as_it_is);
        g_test_add_func("/logind/nonsense-is-not-known", nonsense_is_not_known);
        g_test_add_func("/logind/error-is-not-known", error_is_not_known);
        g_test_add_func("/logind/silence-ends-with-the-deadline", silence_ends_with_the_deadline);
        g_test_add_func("/logind/logind-that-leaves-in-a-round-is-absent", logind_that_leaves_in_a_round_is_absent);
        g_test_add_func("/logind/logind-that-comes-again-is-asked-anew", logind_that_comes_again_is_asked_anew);
        g_test_add_func("/logind/sleep-is-told-with-its-end", sleep_is_told_with_its_end);
        g_test_add_func("/logind/sleep-ends-when-logind-leaves", sleep_ends_when_logind_leaves);
        g_test_add_func("/logind/sleep-that-has-begun-already-is-told", sleep_that_has_begun_already_is_told);
        g_test_add_func("/logind/same-answers-are-no-change", same_answers_are_no_change);
        g_test_add_func("/logind/flood-is-two-rounds", flood_is_two_rounds);
        g_test_add_func("/logind/pause-between-rounds-holds-for-all-but-a-look", pause_between_rounds_holds_for_all_but_a_look);
        g_test_add_func("/logind/look-waits-for-questions-of-its-own", look_waits_for_questions_of_its_own);
        g_test_add_func("/logind/other-changes-are-no-reason", other_changes_are_no_reason);
        g_test_add_func("/logind/signals-of-other-things-do-not-reach-us", signals_of_other_things_do_not_reach_us);
        g_test_add_func("/logind/polkit-that-changed-is-a-reason", polkit_that_changed_is_a_reason);
        g_test_add_func("/logind/signals-of-a-liar-are-not-believed", signals_of_a_liar_are_not_believed);
        g_test_add_func("/logind/of-many-inhibitors-those-that-matter-are-kept", of_many_inhibitors_those_that_matter_are_kept);
        g_test_add_func("/logind/words-of-inhibitors-are-bounded-and-printable", words_of_inhibitors_are_bounded_and_printable);
        g_test_add_func("/logind/each-sleep-has-its-method", each_sleep_has_its_method);
        g_test_add_func("/logind/unknown-flag-is-none-at-all", unknown_flag_is_none_at_all);
        g_test_add_func("/logind/each-refusal-has-its-name", each_refusal_has_its_name);
        g_test_add_func("/logind/refusal-of-the-bus-is-no-inhibitor", refusal_of_the_bus_is_no_inhibitor);
        g_test_add_func("/logind/inhibitor-holds-as-long-as-its-descriptor", inhibitor_holds_as_long_as_its_descriptor);
        g_test_add_func("/logind/inhibitor-that-comes-too-late-is-given-back", inhibitor_that_comes_too_late_is_given_back);
        g_test_add_func("/logind/inhibitor-without-a-descriptor-is-none", inhibitor_without_a_descriptor_is_none);
        g_test_add_func("/logind/users-are-those-with-sessions", users_are_those_with_sessions);
        g_test_add_func("/logind/users-that-make-no-sense-are-an-error", users_that_make_no_sense_are_an_error);
        g_test_add_func("/logind/many-users-are-bounded", many_users_are_bounded);
        g_test_add_func("/logind/what-is-open-ends-when-it-is-freed", what_is_open_ends_when_it_is_freed);
        return g_test_run();
}
