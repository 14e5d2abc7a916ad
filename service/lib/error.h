/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An error that a caller is to read: a name of its own, and a sentence with
 * the object, the value that was seen and what is allowed. Inside, functions
 * return a negative errno as ever, and fill in an Error where somebody outside
 * will ask why; bus/ gives the names that go over the wire. */

#include "cleanup.h"

typedef enum ErrorCode {
        ERROR_NONE,
        ERROR_INVALID_ARGS,
        ERROR_ACCESS_DENIED,
        ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        ERROR_UNKNOWN_OBJECT,
        ERROR_UNKNOWN_INTERFACE,
        ERROR_UNKNOWN_METHOD,
        ERROR_NO_MEMORY,
        ERROR_NO_SUCH_DOMAIN,
        ERROR_NO_SUCH_VCPU,
        ERROR_NO_SUCH_CELL,
        ERROR_NO_SUCH_CPU,
        ERROR_ALREADY_EXISTS,
        ERROR_NOT_SUPPORTED,
        ERROR_NOT_RUNNING,
        ERROR_BUSY,
        ERROR_GUEST_REFUSED,
        ERROR_GUEST_AGENT_UNAVAILABLE,
        ERROR_TIMED_OUT,
        ERROR_BACKEND_FAILED,
        ERROR_INHIBITED,
        ERROR_RESOURCE_EXHAUSTED,
        _ERROR_CODE_MAX,
} ErrorCode;

typedef struct Error {
        ErrorCode code;
        char *message;
} Error;

/* Fills in an error, which must be empty. "error" may be NULL.
 * Returns a negative errno of the same meaning, to be returned at once. */
int error_set(Error *error, ErrorCode code, const char *format, ...) _printf_(3, 4);

void error_clear(Error *error);

#define _cleanup_error_ _cleanup_(error_clear)
