/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An answer that comes later. Whoever does the work keeps the Call and answers it
 * once; if that takes too long the caller gets ERROR_TIMED_OUT meanwhile, and the
 * answer, when it comes, goes nowhere. The work itself is not stopped by that, nor
 * by a caller that leaves: its outcome is still taken in. */

#include "tree.h"

typedef struct Call Call;

/* A change must answer within 15 s: clients give up at 25, and the way to polkit
 * takes its part of that. */
#define CALL_TIMEOUT_USEC (14 * UINT64_C(1000000))

/* "late" is what the caller reads if the time is over. */
int call_new(const Request *request, uint64_t timeout_usec, const char *late, Call **ret);

/* Announces what changed, then answers, and frees the call. */
void call_answer(Call *call, const char *types, ...);

/* The same with a message that call_new_reply() made. After call_new_reply() has failed,
 * or the reply could not be filled in, the call is still to be answered. */
int call_new_reply(Call *call, sd_bus_message **ret);
void call_answer_with(Call *call, sd_bus_message *reply);

/* The same with an error: "error" if it was filled in, else the errno's. */
void call_fail(Call *call, int result, const Error *error);

/* Frees a call that somebody else answers, or that was answered with an error
 * returned from its handler. */
void call_drop(Call *call);
