/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asks polkit whether a caller may do what it asks for.
 *
 * Nothing waits meanwhile: the call is put aside, and when the answer is there it
 * is put back into the queue of the bus as if it had just come. So its object is
 * looked up again and its arguments are checked again, and what went away
 * meanwhile is an error like any other. An approval is for the one object that
 * was looked at, not for another that took its path since.
 *
 * Root is asked about nobody. Who is not root, and has no polkit, is refused. */

#include "tree.h"

typedef struct Authorizer Authorizer;

typedef struct AuthorizerLimits {
        uint64_t per_user;              /* questions open at once */
        uint64_t total;
        uint64_t timeout_usec;          /* for an answer without a person */
        uint64_t interactive_usec;      /* for one that somebody types a password for */
} AuthorizerLimits;

int authorizer_new(sd_bus *bus, sd_event *event, const AuthorizerLimits *limits, Authorizer **ret);
Authorizer *authorizer_free(Authorizer *authorizer);
DEFINE_CLEANUP(Authorizer *, authorizer_free)

void authorizer_set_limits(Authorizer *authorizer, const AuthorizerLimits *limits);

/* Follows whether polkit is on the bus, or could be started there; "changed" is
 * called when that is known and whenever it changes. */
int authorizer_watch(Authorizer *authorizer, void (*changed)(bool missing, void *userdata), void *userdata);

/* For a call that a thunk has read. Returns 1 if it may go on (and says in the
 * request who asked), 0 if it was put aside and will come again.
 * Errors: ERROR_ACCESS_DENIED, ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
 * ERROR_RESOURCE_EXHAUSTED if too many questions are open,
 * ERROR_UNKNOWN_OBJECT if another object took the path since. */
int authorizer_ask(Authorizer *authorizer, const Method *method, Face *face, const void *args, Request *request, Error *error);

/* Answers "call" itself, now or later, with "yes", "challenge" or "no". Of the
 * arguments, polkit is told those that are given: bit i is argument i. */
int authorizer_can_call(Authorizer *authorizer, const Method *method, Face *face, const void *args, uint32_t given, sd_bus_message *call, Error *error);

/* Asks whether the sender of a call may do what is an action of somebody else's (of
 * logind's, say), without asking it for a password; "answer" gets the same words, and
 * answers the call, now or later: never if the sender has left. "verb" goes to polkit
 * with it. Errors: ERROR_RESOURCE_EXHAUSTED. */
int authorizer_ask_verdict(Authorizer *authorizer, const char *action, const char *verb, Face *face, sd_bus_message *call,
                           void (*answer)(sd_bus_message *call, const char *verdict, void *model), Error *error);
