/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What org.freedesktop.login1 says about sleep, followed without a poll: its coming and
 * going, BlockInhibited and DelayInhibited (and then its answers and inhibitors anew),
 * PrepareForSleep; polkit's Changed. And what it is asked to do. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "lib/error.h"

typedef struct Logind Logind;

typedef enum LogindSleep {
        LOGIND_SUSPEND,
        LOGIND_HIBERNATE,
        LOGIND_HYBRID_SLEEP,
        LOGIND_SUSPEND_THEN_HIBERNATE,
        _LOGIND_SLEEP_MAX,
} LogindSleep;

/* Each bounded, and without what does something to a terminal. */
typedef struct LogindInhibitor {
        char *what;             /* words with ":" between */
        char *who;
        char *why;
        char *mode;             /* "block", "block-weak", "delay" */
        uint32_t uid;
        uint32_t pid;
} LogindInhibitor;

#define LOGIND_INHIBITORS_MAX 256u

/* All that is known at one moment; the strings belong to it. What was not answered, or
 * not with something that makes sense, is not known. */
typedef struct LogindState {
        bool present;
        bool preparing;
        const char *can[_LOGIND_SLEEP_MAX];     /* "yes", "no", "na", "challenge", "inhibited", "inhibitor-blocked",
                                                 * "challenge-inhibitor-blocked"; NULL: not known */
        uint64_t inhibit_delay_max_usec;        /* for those who delay; 0: not known */
        bool inhibitors_known;
        LogindInhibitor *inhibitors;            /* in an order of ours: first what blocks sleep */
        size_t n_inhibitors;
        size_t n_left_out;                      /* those beyond LOGIND_INHIBITORS_MAX, from the end of that order */
} LogindState;

typedef struct LogindHandlers {
        /* Something differs. */
        void (*changed)(const LogindState *state, void *userdata);
        /* "preparing" differs: the host is about to sleep (true), or has woken, or a sleep came to
         * nothing, or logind went in the middle of one. So each true has its false. */
        void (*prepare_for_sleep)(bool start, void *userdata);
} LogindHandlers;

typedef struct LogindLimits {
        uint64_t timeout_usec;          /* for each answer */
        uint64_t pause_usec;            /* at least, between two rounds of questions */
} LogindLimits;

/* "bus", which has its event loop, is referenced. Asks at once; a service that is not
 * there, and could be started, is not started for it. It must not be freed by what it
 * calls. "limits" NULL: 10 s, and five rounds a second. */
int logind_new(sd_bus *bus, const LogindLimits *limits, const LogindHandlers *handlers, void *userdata, Logind **ret);

/* What is still to be answered ends: with -ECANCELED, or without a state. */
Logind *logind_free(Logind *logind);
DEFINE_CLEANUP(Logind *, logind_free)

const LogindState *logind_state(const Logind *logind);

/* Asks everything again: after a sleep, or a change of the machine. */
void logind_refresh(Logind *logind);

/* The same, and tells when questions that were asked after this have been answered:
 * what is to hold now, and not a moment ago. Without a
 * logind it says so; before the bus has told whether there is one, it waits for that.
 * "state" is NULL in logind_free(), and then it must not be asked once more. */
typedef void (*LogindLookDone)(const LogindState *state, void *userdata);
int logind_look(Logind *logind, LogindLookDone done, void *userdata);

/* What follows is asked of the logind that is there, once, and "done" is called once,
 * later. Errors, of "done" too:
 *   ERROR_INHIBITED          an inhibitor forbids it
 *   ERROR_NOT_SUPPORTED      the machine, or this logind, cannot
 *   ERROR_BUSY               a sleep or a power-off is under way already
 *   ERROR_RESOURCE_EXHAUSTED it takes no more inhibitors
 *   ERROR_ACCESS_DENIED      it, or the bus, does not let us
 *   ERROR_TIMED_OUT          it did not answer, or left; it may have done it all the same
 *   ERROR_BACKEND_FAILED     anything else; there is no logind */
typedef void (*LogindDone)(int r, const Error *error, void *userdata);

/* Has it put the host to sleep; done when it has taken that on. We are root to it, so
 * whoever asks us must have been allowed to by then: it asks nobody. Inhibitors hold for
 * root too (but on systemd before 257 not those of uid 0), unless they are to be ignored.
 * Source: org.freedesktop.login1.Manager, SuspendWithFlags() and its kin. */
int logind_suspend(Logind *logind, LogindSleep sleep, bool ignore_inhibitors, LogindDone done, void *userdata, Error *error);

/* Takes an inhibitor, which holds as long as the descriptor, or a copy of it, is open.
 * It belongs to "done"; -1 on failure. */
typedef void (*LogindInhibitDone)(int r, int fd, const Error *error, void *userdata);
int logind_inhibit(Logind *logind, const char *what, const char *who, const char *why, const char *mode,
                   LogindInhibitDone done, void *userdata, Error *error);

/* The uids that have sessions, each once, ascending. Of sessions only those of class
 * "user…" count; where logind does not tell the class (systemd before 256) all do, a
 * greeter's for one. */
typedef void (*LogindUsersDone)(int r, const uint32_t *uids, size_t n, const Error *error, void *userdata);
int logind_list_users(Logind *logind, LogindUsersDone done, void *userdata, Error *error);
