/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

#define BERTH_NAME "org.berth1"
#define BERTH_PATH "/org/berth1"
#define BERTH_HOST_PATH BERTH_PATH "/host"
#define BERTH_MANAGER BERTH_NAME ".Manager"
#define BERTH_TOPOLOGY BERTH_NAME ".Host.Topology"
#define BERTH_CELLS BERTH_NAME ".Host.Cells"
#define BERTH_CELL BERTH_NAME ".Host.Cell"
#define BERTH_POWER BERTH_NAME ".Host.Power"
#define BERTH_DOMAINS_PATH BERTH_PATH "/domains"
#define BERTH_DOMAIN BERTH_NAME ".Domain"
#define BERTH_VCPUS BERTH_NAME ".Domain.Vcpus"

#define BERTH_ERROR_NO_SUCH BERTH_NAME ".Error.NoSuch" /* and what there is none of */
#define BERTH_ERROR_ALREADY_EXISTS BERTH_NAME ".Error.AlreadyExists"
#define BERTH_ERROR_NOT_SUPPORTED BERTH_NAME ".Error.NotSupported"

/* A call: where to, and what the answer must look like. */
typedef struct Call {
        const char *path, *interface, *member;
        const char *reply; /* its signature */
        bool changes;      /* something: polkit may ask for a password first */
        const char *waits; /* for a guest, and may be interrupted: "waiting for ..."; else NULL */
        const char *look;  /* how to see what becomes of it then: a sentence */
} Call;

/* Connects to the bus that the options name. Does nothing if it is open. */
ExitCode bus_open(Ctl *ctl);

/* Calls the service and waits for the answer, at most as long as --timeout says.
 * The arguments are those of sd_bus_message_append(). The answer is converted by
 * message_to_json(). */
ExitCode bus_call(Ctl *ctl, const Call *call, json_object **ret, const char *types, ...);

/* The same where a refusal is an answer too: stores the service's error in
 * @ret_error, with CTL_DONE and no answer, and tells only what is no error of
 * the service's. */
ExitCode bus_try_call(Ctl *ctl, const Call *call, json_object **ret, sd_bus_error *ret_error,
                      const char *types, ...);

/* The same in two steps, for arguments that are not known when this is written:
 * a message to append them to, and the sending of it. */
ExitCode bus_call_new(Ctl *ctl, const Call *call, sd_bus_message **ret);
ExitCode bus_call_send(Ctl *ctl, const Call *call, sd_bus_message *m, json_object **ret);

/* A call whose only argument is a list of flags (NULL at the end). */
ExitCode bus_call_flags(Ctl *ctl, const Call *call, const char *const *flags, json_object **ret);

/* Tells that arguments could not be appended. */
ExitCode bus_fail_to_ask(const Ctl *ctl, const Call *call, int r);

/* Tells what @error, or if it is not set the negative errno @r, means for
 * someone who waited for an answer. */
ExitCode bus_fail(const Ctl *ctl, const Call *call, const sd_bus_error *error, int r);

/* How long a call may take, in microseconds. */
uint64_t bus_timeout_usec(const Ctl *ctl, bool interactive);
