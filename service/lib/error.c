/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "text.h"

static const int errno_of_code[_ERROR_CODE_MAX] = {
        [ERROR_INVALID_ARGS] = EINVAL,
        [ERROR_ACCESS_DENIED] = EACCES,
        [ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED] = EACCES,
        [ERROR_UNKNOWN_OBJECT] = ENOENT,
        [ERROR_UNKNOWN_INTERFACE] = ENOENT,
        [ERROR_UNKNOWN_METHOD] = ENOENT,
        [ERROR_NO_MEMORY] = ENOMEM,
        [ERROR_NO_SUCH_DOMAIN] = ENOENT,
        [ERROR_NO_SUCH_VCPU] = ENOENT,
        [ERROR_NO_SUCH_CELL] = ENOENT,
        [ERROR_NO_SUCH_CPU] = ENOENT,
        [ERROR_ALREADY_EXISTS] = EEXIST,
        [ERROR_NOT_SUPPORTED] = EOPNOTSUPP,
        [ERROR_NOT_RUNNING] = ENOTCONN,
        [ERROR_BUSY] = EBUSY,
        [ERROR_GUEST_REFUSED] = ECONNREFUSED,
        [ERROR_GUEST_AGENT_UNAVAILABLE] = EHOSTUNREACH,
        [ERROR_TIMED_OUT] = ETIMEDOUT,
        [ERROR_BACKEND_FAILED] = EIO,
        [ERROR_INHIBITED] = EPERM,
        [ERROR_RESOURCE_EXHAUSTED] = ENOSPC,
};

int error_set(Error *error, ErrorCode code, const char *format, ...) {
        assert(code > ERROR_NONE && code < _ERROR_CODE_MAX);

        if (error) {
                char *message = NULL;
                va_list ap;
                int r;

                assert(error->code == ERROR_NONE);

                va_start(ap, format);
                r = vasprintf(&message, format, ap);
                va_end(ap);

                error->code = r < 0 ? ERROR_NO_MEMORY : code;
                error->message = r < 0 ? NULL : message;
                if (r < 0)
                        return -ENOMEM;
                text_make_printable(message);
        }

        return -errno_of_code[code];
}

void error_clear(Error *error) {
        free(error->message);
        *error = (Error) {};
}
