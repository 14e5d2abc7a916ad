/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/agent-vcpus.h"

int agent_vcpus_set(Domain *domain, const AgentVcpusRequest *request, AgentVcpusChanged done, void *userdata, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "the guest agent cannot be asked yet");
}
