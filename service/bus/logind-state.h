/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For logind*.c alone: what is followed, and what is asked of it. */

#include "logind.h"

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

/* One thing of a round; all are asked at once. */
typedef enum QuestionKind {
        QUESTION_CAN,                   /* and the other sleeps behind it */
        QUESTION_CAN_LAST = QUESTION_CAN + _LOGIND_SLEEP_MAX - 1,
        QUESTION_PREPARING,
        QUESTION_DELAY_MAX,
        QUESTION_INHIBITORS,
        _QUESTION_MAX,
} QuestionKind;

typedef struct Question {
        Logind *logind;
        QuestionKind kind;
        sd_bus_slot *slot;
} Question;

typedef struct LogindWaiter LogindWaiter;
typedef struct LogindAct LogindAct;

struct Logind {
        sd_bus *bus;
        LogindLimits limits;
        LogindHandlers handlers;
        void *userdata;
        LogindState state;

        sd_bus_slot *owner_match, *owner_question;
        sd_bus_slot *properties_match, *sleep_match, *polkit_match;
        bool owner_known;
        char *owner;                    /* its unique name; NULL: it is not there */

        Question questions[_QUESTION_MAX];
        unsigned n_open;                /* questions of the round under way */
        LogindState next;               /* what they have told */
        bool again;
        uint64_t not_before_usec;       /* CLOCK_MONOTONIC, for the next round */
        sd_event_source *timer;         /* starts a round */
        LogindWaiter *waiters;

        LogindAct *acts;
};

/* A call to the logind that is there: never to one that comes after it, and none is
 * started. */
int logind_new_call(Logind *logind, const char *interface, const char *member, sd_bus_message **ret);

/* For logind_free(). */
void logind_cancel_acts(Logind *logind);
