/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMU's guest agent: a program in the guest that takes commands, lines of JSON, from
 * a serial port that QEMU shows as a socket on the host.
 * Source: QEMU's docs/interop/qemu-ga, qga/qapi-schema.json. */

#include "guest/backend.h"

typedef struct QemuAgent QemuAgent;

/* The socket beside the monitor's. */
#define QEMU_AGENT_SOCKET "qga.sock"

/* Questions that may wait for others to be answered, and callers who may wait for the
 * same answer. */
#define QEMU_AGENT_QUEUE_MAX 8u
#define QEMU_AGENT_CALLERS_MAX 64u

/* Hands over a descriptor of a socket that is connected to the agent, for some
 * questions: connected right now, or a duplicate of one that is kept open. A negative
 * errno if that is not possible; -ENOENT where there is no such socket. */
typedef int (*QemuAgentOpen)(void *userdata);

/* What is between us and the agent of one guest; it costs no descriptor while nobody
 * asks. The domain must outlive it, and "userdata" too. */
int qemu_agent_new(Domain *domain, QemuAgentOpen open_socket, void *userdata, QemuAgent **ret);

/* What waits for an answer ends with NotRunning. */
QemuAgent *qemu_agent_free(QemuAgent *agent);
DEFINE_CLEANUP(QemuAgent *, qemu_agent_free)

/* Each is answered within guests_settings()->agent_timeout_usec, the wait for others
 * included, by "done", once and later; the agent may be freed from there. Who asks what
 * was asked last, and is not answered yet, gets the same answer.
 * Errors: Busy (returned: too much waits already), GuestAgentUnavailable with what was
 * seen, GuestRefused with the agent's own words. */
int qemu_agent_ask_vcpus(QemuAgent *agent, AgentVcpusDone done, void *userdata, Error *error);
int qemu_agent_change_vcpus(QemuAgent *agent, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error);

/* The same for the running guest of a domain whose backend is QEMU. More errors,
 * returned: NotRunning. */
int qemu_agent_get_vcpus(Domain *domain, AgentVcpusDone done, void *userdata, Error *error);
int qemu_agent_set_vcpus(Domain *domain, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error);
