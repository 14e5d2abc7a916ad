/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* logind announces who inhibits what, that a sleep begins and that it ended, but not
 * when its answers to CanSuspend and its kin change. So whatever may be a reason for
 * that starts a round: all questions at once, to the one connection that owned the name
 * when it began, and what they told takes the place of what was known. One round is
 * under way at a time; reasons that come meanwhile are one more, and after a pause:
 * anybody may take an inhibitor and give it back a thousand times a second.
 *
 * A match for a well-known name holds for what the bus delivers by it, and not for
 * what somebody sends us by our own name: so senders are compared here once more. Else
 * any user could tell us that the host is about to sleep. */

#include "logind-state.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"
#include "lib/text.h"

#define DBUS "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define PROPERTIES "org.freedesktop.DBus.Properties"

static const LogindLimits usual = { .timeout_usec = 10 * UINT64_C(1000000), .pause_usec = 200 * UINT64_C(1000) };

#define WORDS_MAX 256u
#define WHO_MAX 128u
#define WHY_MAX 512u

static const char *const can_methods[_LOGIND_SLEEP_MAX] = {
        [LOGIND_SUSPEND] = "CanSuspend",
        [LOGIND_HIBERNATE] = "CanHibernate",
        [LOGIND_HYBRID_SLEEP] = "CanHybridSleep",
        [LOGIND_SUSPEND_THEN_HIBERNATE] = "CanSuspendThenHibernate",
};

static const char *const answers[] = {
        "yes", "no", "na", "challenge", "inhibited", "inhibitor-blocked", "challenge-inhibitor-blocked",
};

/* Properties of the manager that a round is for; others change all the time. */
static const char *const reasons[] = {
        "BlockInhibited", "BlockWeakInhibited", "DelayInhibited", "InhibitDelayMaxUSec", "PreparingForSleep",
};

/* Who waits for the end of a round. */
struct LogindWaiter {
        LogindWaiter *next;
        bool asked;                     /* the round under way is the one */
        LogindLookDone done;
        void *userdata;
};

static void inhibitor_clear(LogindInhibitor *inhibitor) {
        free(inhibitor->what);
        free(inhibitor->who);
        free(inhibitor->why);
        free(inhibitor->mode);
        *inhibitor = (LogindInhibitor) {};
}

static void clear_inhibitors(LogindState *state) {
        for (size_t i = 0; i < state->n_inhibitors; i++)
                inhibitor_clear(state->inhibitors + i);
        state->n_inhibitors = state->n_left_out = 0;
}

static void state_clear(LogindState *state) {
        clear_inhibitors(state);
        free(state->inhibitors);
        *state = (LogindState) {};
}

static bool holds_sleep(const char *what) {
        static const char sleep[] = "sleep";

        for (const char *word = what; *word;) {
                size_t n = strcspn(word, ":");

                if (n == strlen(sleep) && strncmp(word, sleep, n) == 0)
                        return true;
                word += n + (word[n] == ':');
        }
        return false;
}

static int rank(const LogindInhibitor *inhibitor) {
        if (strcmp(inhibitor->mode, "delay") == 0)
                return 2;
        return holds_sleep(inhibitor->what) ? 0 : 1;
}

/* logind tells them in no order: in ours, the same ones are the same list, and what
 * there is no place for is what matters least. */
static int compare_inhibitors(const LogindInhibitor *a, const LogindInhibitor *b) {
        int r = rank(a) - rank(b);

        if (r == 0)
                r = (a->pid > b->pid) - (a->pid < b->pid);
        if (r == 0)
                r = (a->uid > b->uid) - (a->uid < b->uid);
        if (r == 0)
                r = strcmp(a->what, b->what);
        if (r == 0)
                r = strcmp(a->who, b->who);
        if (r == 0)
                r = strcmp(a->why, b->why);
        return r != 0 ? r : strcmp(a->mode, b->mode);
}

static bool state_equal(const LogindState *a, const LogindState *b) {
        for (size_t i = 0; i < _LOGIND_SLEEP_MAX; i++)
                if (a->can[i] != b->can[i])     /* of one table */
                        return false;
        if (a->present != b->present || a->preparing != b->preparing || a->inhibit_delay_max_usec != b->inhibit_delay_max_usec)
                return false;
        if (a->inhibitors_known != b->inhibitors_known || a->n_inhibitors != b->n_inhibitors || a->n_left_out != b->n_left_out)
                return false;
        for (size_t i = 0; i < a->n_inhibitors; i++)
                if (compare_inhibitors(a->inhibitors + i, b->inhibitors + i) != 0)
                        return false;
        return true;
}

static char *tidy(const char *text, size_t max) {
        char *copy = strndup(text, max);

        if (copy)
                text_make_printable(copy);
        return copy;
}

/* Puts one into its place, and drops the last if there are too many. Takes it over. */
static void state_insert(LogindState *state, LogindInhibitor *inhibitor) {
        size_t low = 0, high = state->n_inhibitors;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_inhibitors(state->inhibitors + middle, inhibitor) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (state->n_inhibitors == LOGIND_INHIBITORS_MAX) {
                state->n_left_out++;
                if (low == LOGIND_INHIBITORS_MAX) {
                        inhibitor_clear(inhibitor);
                        return;
                }
                inhibitor_clear(state->inhibitors + --state->n_inhibitors);
        }
        memmove(state->inhibitors + low + 1, state->inhibitors + low, (state->n_inhibitors - low) * sizeof *state->inhibitors);
        state->inhibitors[low] = TAKE(*inhibitor);
        state->n_inhibitors++;
}

static int read_inhibitors(LogindState *state, sd_bus_message *message) {
        const char *what, *who, *why, *mode;
        uint32_t uid, pid;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "(ssssuu)");
        if (r < 0)
                return r;
        state->inhibitors = calloc(LOGIND_INHIBITORS_MAX, sizeof *state->inhibitors);
        if (!state->inhibitors)
                return -ENOMEM;
        while ((r = sd_bus_message_read(message, "(ssssuu)", &what, &who, &why, &mode, &uid, &pid)) > 0) {
                LogindInhibitor inhibitor = {
                        .what = tidy(what, WORDS_MAX),
                        .who = tidy(who, WHO_MAX),
                        .why = tidy(why, WHY_MAX),
                        .mode = tidy(mode, WORDS_MAX),
                        .uid = uid,
                        .pid = pid,
                };

                if (!inhibitor.what || !inhibitor.who || !inhibitor.why || !inhibitor.mode) {
                        inhibitor_clear(&inhibitor);
                        return -ENOMEM;
                }
                state_insert(state, &inhibitor);
        }
        if (r < 0)
                return r;
        state->inhibitors_known = true;
        return 0;
}

static int read_can(LogindState *state, LogindSleep sleep, sd_bus_message *message) {
        const char *word;
        int r;

        r = sd_bus_message_read(message, "s", &word);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                if (strcmp(word, answers[i]) == 0) {
                        state->can[sleep] = answers[i];
                        return 0;
                }
        return -EINVAL;
}

static void tell_preparing(Logind *logind, bool preparing) {
        if (logind->state.preparing == preparing)
                return;
        logind->state.preparing = preparing;
        logind->handlers.changed(&logind->state, logind->userdata);
        logind->handlers.prepare_for_sleep(preparing, logind->userdata);
}

/* An earlier time that the timer has already is kept. */
static void arm(Logind *logind, uint64_t usec) {
        uint64_t armed;
        int on;

        if (sd_event_source_get_enabled(logind->timer, &on) > 0 && sd_event_source_get_time(logind->timer, &armed) >= 0 && armed <= usec)
                return;
        (void) sd_event_source_set_time(logind->timer, usec);
        (void) sd_event_source_set_enabled(logind->timer, SD_EVENT_ONESHOT);
}

static void drop_round(Logind *logind) {
        for (size_t i = 0; i < _QUESTION_MAX; i++)
                logind->questions[i].slot = sd_bus_slot_unref(logind->questions[i].slot);
        state_clear(&logind->next);
        logind->n_open = 0;
        logind->again = false;
}

/* Tells those whose round has ended, or everybody if there is nobody to ask. Each may
 * ask for another. */
static void end_waiting(Logind *logind, bool all, const LogindState *state) {
        LogindWaiter *ended = NULL, **end = &ended, **at = &logind->waiters;

        while (*at)
                if (all || (*at)->asked) {
                        *end = *at;
                        end = &(*end)->next;
                        *at = *end;
                        *end = NULL;
                } else
                        at = &(*at)->next;

        while (ended) {
                LogindWaiter *waiter = ended;

                ended = waiter->next;
                waiter->done(state, waiter->userdata);
                free(waiter);
        }
}

static void end_round(Logind *logind) {
        uint64_t now;

        (void) sd_event_now(sd_bus_get_event(logind->bus), CLOCK_MONOTONIC, &now);
        logind->not_before_usec = now + logind->limits.pause_usec;
        if (logind->again)
                arm(logind, logind->not_before_usec);
        logind->again = false;

        logind->next.present = true;
        logind->next.preparing = logind->state.preparing;
        if (state_equal(&logind->state, &logind->next))
                state_clear(&logind->next);
        else {
                state_clear(&logind->state);
                logind->state = TAKE(logind->next);
                logind->handlers.changed(&logind->state, logind->userdata);
        }

        end_waiting(logind, false, &logind->state);
        if (logind->waiters)
                arm(logind, 0);
}

static int read_answer(Logind *logind, QuestionKind kind, sd_bus_message *message) {
        int preparing, r;

        switch (kind) {
        case QUESTION_CAN ... QUESTION_CAN_LAST:
                return read_can(&logind->next, (LogindSleep) (kind - QUESTION_CAN), message);
        case QUESTION_PREPARING:
                r = sd_bus_message_read(message, "v", "b", &preparing);
                /* Not at the end of the round: it is in one order with the signal. */
                if (r >= 0)
                        tell_preparing(logind, preparing);
                return r;
        case QUESTION_DELAY_MAX:
                return sd_bus_message_read(message, "v", "t", &logind->next.inhibit_delay_max_usec);
        case QUESTION_INHIBITORS:
                r = read_inhibitors(&logind->next, message);
                /* Half a list would be taken for all of them. */
                if (r < 0)
                        clear_inhibitors(&logind->next);
                return r;
        case _QUESTION_MAX:
                break;
        }
        assert(false);
        return -EINVAL;
}

static const char *question_member(QuestionKind kind) {
        switch (kind) {
        case QUESTION_CAN ... QUESTION_CAN_LAST:
                return can_methods[kind - QUESTION_CAN];
        case QUESTION_PREPARING:
                return "PreparingForSleep";
        case QUESTION_DELAY_MAX:
                return "InhibitDelayMaxUSec";
        case QUESTION_INHIBITORS:
                return "ListInhibitors";
        case _QUESTION_MAX:
                break;
        }
        assert(false);
        return NULL;
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Question *question = userdata;
        Logind *logind = question->logind;
        const sd_bus_error *error = sd_bus_message_get_error(message);
        int r;

        question->slot = sd_bus_slot_unref(question->slot);
        if (error)
                log_debug("logind does not tell %s: %s", question_member(question->kind), error->message ?: error->name);
        else {
                r = read_answer(logind, question->kind, message);
                if (r < 0)
                        log_debug("logind's answer about %s makes no sense", question_member(question->kind));
        }
        if (--logind->n_open == 0)
                end_round(logind);
        return 0;
}

int logind_new_call(Logind *logind, const char *interface, const char *member, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(logind->bus, &message, logind->owner, LOGIND_PATH, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, 0);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(message);
        return 0;
}

static int ask(Question *question) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        Logind *logind = question->logind;
        const char *member = question_member(question->kind);
        bool property = question->kind == QUESTION_PREPARING || question->kind == QUESTION_DELAY_MAX;
        int r;

        r = logind_new_call(logind, property ? PROPERTIES : LOGIND_MANAGER, property ? "Get" : member, &message);
        if (r >= 0 && property)
                r = sd_bus_message_append(message, "ss", LOGIND_MANAGER, member);
        if (r >= 0)
                r = sd_bus_call_async(logind->bus, &question->slot, message, on_answer, question, logind->limits.timeout_usec);
        return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Logind *logind = userdata;

        if (!logind->owner) {
                if (logind->owner_known)
                        end_waiting(logind, true, &logind->state);
                return 0;
        }
        if (logind->n_open > 0) {
                logind->again = true;
                return 0;
        }

        for (LogindWaiter *waiter = logind->waiters; waiter; waiter = waiter->next)
                waiter->asked = true;
        for (size_t i = 0; i < _QUESTION_MAX; i++)
                if (ask(logind->questions + i) >= 0)
                        logind->n_open++;
        if (logind->n_open == 0)
                end_round(logind);
        return 0;
}

void logind_refresh(Logind *logind) {
        if (logind->n_open > 0)
                logind->again = true;
        else if (logind->owner)
                arm(logind, logind->not_before_usec);
}

int logind_look(Logind *logind, LogindLookDone done, void *userdata) {
        LogindWaiter **at = &logind->waiters;
        LogindWaiter *waiter = calloc(1, sizeof *waiter);

        if (!waiter)
                return -ENOMEM;
        waiter->done = done;
        waiter->userdata = userdata;
        while (*at)
                at = &(*at)->next;
        *at = waiter;
        if (logind->n_open == 0)
                arm(logind, 0);
        return 0;
}

static void set_owner(Logind *logind, const char *owner) {
        bool was_present = logind->state.present, was_preparing = logind->state.preparing;

        owner = owner && *owner ? owner : NULL;
        if (logind->owner_known && (owner && logind->owner ? strcmp(owner, logind->owner) == 0 : owner == logind->owner))
                return;

        drop_round(logind);
        free(logind->owner);
        /* Without memory for its name it is as if it were not there. */
        logind->owner = owner ? strdup(owner) : NULL;
        logind->owner_known = true;

        state_clear(&logind->state);
        logind->state.present = logind->owner;
        logind->not_before_usec = 0;
        arm(logind, 0);
        if (was_present || logind->state.present)
                logind->handlers.changed(&logind->state, logind->userdata);
        if (was_preparing)
                logind->handlers.prepare_for_sleep(false, logind->userdata);
}

static bool is_from(sd_bus_message *message, const char *name) {
        const char *sender = sd_bus_message_get_sender(message);

        return name && sender && strcmp(sender, name) == 0;
}

static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;

        if (is_from(message, DBUS) && sd_bus_message_read(message, "sss", &name, &before, &after) >= 0)
                set_owner(userdata, after);
        return 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *owner = NULL;

        if (!sd_bus_message_is_method_error(message, NULL))
                (void) sd_bus_message_read(message, "s", &owner);
        set_owner(userdata, owner);
        return 0;
}

static bool is_reason(const char *property) {
        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (strcmp(property, reasons[i]) == 0)
                        return true;
        return false;
}

/* Source: the bus's specification, org.freedesktop.DBus.Properties.PropertiesChanged. */
static int has_reason(sd_bus_message *message) {
        const char *property;
        bool found = false;
        int r;

        r = sd_bus_message_skip(message, "s");
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = sd_bus_message_read(message, "s", &property);
                if (r >= 0) {
                        found = found || is_reason(property);
                        r = sd_bus_message_skip(message, "v");
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(message, "s", &property)) > 0)
                found = found || is_reason(property);
        return r < 0 ? r : found;
}

static int on_properties_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Logind *logind = userdata;

        if (is_from(message, logind->owner) && has_reason(message) > 0)
                logind_refresh(logind);
        return 0;
}

static int on_prepare_for_sleep(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Logind *logind = userdata;
        int start;

        if (!is_from(message, logind->owner) || sd_bus_message_read(message, "b", &start) < 0)
                return 0;
        if (!start)
                logind_refresh(logind);
        tell_preparing(logind, start);
        return 0;
}

/* Whoever sends it, the worst is a round. */
static int on_polkit_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        logind_refresh(userdata);
        return 0;
}

/* The bus works in order: what changes before it is asked for the owner is in its
 * answer, and what changes afterwards comes as a signal behind it. */
static int follow(Logind *logind) {
        sd_bus *bus = logind->bus;
        int r;

        r = sd_bus_add_match_async(bus, &logind->owner_match,
                                   "type='signal',sender='" DBUS "',path='" DBUS_PATH "',interface='" DBUS "',member='NameOwnerChanged',arg0='" LOGIND "'",
                                   on_owner_changed, NULL, logind);
        if (r >= 0)
                r = sd_bus_add_match_async(bus, &logind->properties_match,
                                           "type='signal',sender='" LOGIND "',path='" LOGIND_PATH "',interface='" PROPERTIES "',member='PropertiesChanged',arg0='" LOGIND_MANAGER "'",
                                           on_properties_changed, NULL, logind);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &logind->sleep_match, LOGIND, LOGIND_PATH, LOGIND_MANAGER, "PrepareForSleep", on_prepare_for_sleep, NULL, logind);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &logind->polkit_match, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                              "org.freedesktop.PolicyKit1.Authority", "Changed", on_polkit_changed, NULL, logind);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &logind->owner_question, DBUS, DBUS_PATH, DBUS, "GetNameOwner", on_owner, logind, "s", LOGIND);
        return r;
}

int logind_new(sd_bus *bus, const LogindLimits *limits, const LogindHandlers *handlers, void *userdata, Logind **ret) {
        _cleanup_(logind_freep) Logind *logind = NULL;
        int r;

        logind = calloc(1, sizeof *logind);
        if (!logind)
                return -ENOMEM;
        logind->bus = sd_bus_ref(bus);
        logind->limits = limits ? *limits : usual;
        logind->handlers = *handlers;
        logind->userdata = userdata;
        for (size_t i = 0; i < _QUESTION_MAX; i++)
                logind->questions[i] = (Question) { .logind = logind, .kind = (QuestionKind) i };

        r = sd_event_add_time(sd_bus_get_event(bus), &logind->timer, CLOCK_MONOTONIC, 0, 1, on_timer, logind);
        if (r >= 0)
                r = sd_event_source_set_enabled(logind->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = follow(logind);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(logind);
        return 0;
}

const LogindState *logind_state(const Logind *logind) {
        return &logind->state;
}

Logind *logind_free(Logind *logind) {
        if (!logind)
                return NULL;
        drop_round(logind);
        free(TAKE_PTR(logind->owner));          /* nothing more can be asked */
        end_waiting(logind, true, NULL);
        logind_cancel_acts(logind);
        (void) sd_bus_slot_unref(logind->owner_match);
        (void) sd_bus_slot_unref(logind->owner_question);
        (void) sd_bus_slot_unref(logind->properties_match);
        (void) sd_bus_slot_unref(logind->sleep_match);
        (void) sd_bus_slot_unref(logind->polkit_match);
        (void) sd_event_source_disable_unref(logind->timer);
        (void) sd_bus_unref(logind->bus);
        state_clear(&logind->state);
        free(logind);
        return NULL;
}
