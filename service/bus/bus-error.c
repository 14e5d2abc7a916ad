/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus-error.h"

#include <errno.h>
#include <string.h>

#define OURS "org.berth1.Error."

static const char *const names[_ERROR_CODE_MAX] = {
        [ERROR_INVALID_ARGS] = SD_BUS_ERROR_INVALID_ARGS,
        [ERROR_ACCESS_DENIED] = SD_BUS_ERROR_ACCESS_DENIED,
        [ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED] = SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        [ERROR_UNKNOWN_OBJECT] = SD_BUS_ERROR_UNKNOWN_OBJECT,
        [ERROR_UNKNOWN_INTERFACE] = SD_BUS_ERROR_UNKNOWN_INTERFACE,
        [ERROR_UNKNOWN_METHOD] = SD_BUS_ERROR_UNKNOWN_METHOD,
        [ERROR_NO_MEMORY] = SD_BUS_ERROR_NO_MEMORY,
        [ERROR_NO_SUCH_DOMAIN] = OURS "NoSuchDomain",
        [ERROR_NO_SUCH_VCPU] = OURS "NoSuchVcpu",
        [ERROR_NO_SUCH_CELL] = OURS "NoSuchCell",
        [ERROR_NO_SUCH_CPU] = OURS "NoSuchCpu",
        [ERROR_ALREADY_EXISTS] = OURS "AlreadyExists",
        [ERROR_NOT_SUPPORTED] = OURS "NotSupported",
        [ERROR_NOT_RUNNING] = OURS "NotRunning",
        [ERROR_BUSY] = OURS "Busy",
        [ERROR_GUEST_REFUSED] = OURS "GuestRefused",
        [ERROR_GUEST_AGENT_UNAVAILABLE] = OURS "GuestAgentUnavailable",
        [ERROR_TIMED_OUT] = OURS "TimedOut",
        [ERROR_BACKEND_FAILED] = OURS "BackendFailed",
        [ERROR_INHIBITED] = OURS "Inhibited",
        [ERROR_RESOURCE_EXHAUSTED] = OURS "ResourceExhausted",
};

const char *error_code_to_name(ErrorCode code) {
        return names[code];
}

int bus_error_finish(int result, const Error *error, sd_bus_error *ret_error) {
        if (result >= 0)
                return result;
        if (error && error->code != ERROR_NONE)
                return sd_bus_error_set(ret_error, names[error->code], error->message);
        /* sd-bus filled it in already: arguments that cannot be read, for one. */
        if (sd_bus_error_is_set(ret_error))
                return result;
        if (result == -ENOMEM)
                return sd_bus_error_set(ret_error, names[ERROR_NO_MEMORY], "there is not enough memory");
        if (result == -EFBIG)
                return sd_bus_error_set(ret_error, names[ERROR_RESOURCE_EXHAUSTED], "the answer would be too large for a bus");
        if (result == -EBADMSG || result == -ENXIO)
                return sd_bus_error_set(ret_error, names[ERROR_INVALID_ARGS], "the arguments are not of the method's signature");
        return sd_bus_error_setf(ret_error, names[ERROR_BACKEND_FAILED], "%s", strerror(-result));
}
