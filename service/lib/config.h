/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The settings: berthd.conf and berthd.conf.d/, key = value in sections. All are
 * optional. A line that makes no sense is reported and passed over; the service
 * starts all the same. */

#include <stdint.h>

#include "cleanup.h"
#include "finding.h"

typedef struct Config {
        int log_level;                          /* [Log] Level= */
        uint64_t pending_per_user;              /* [Authorization] PendingPerUser= */
        uint64_t pending_total;                 /* [Authorization] PendingTotal= */
        uint64_t authorization_timeout_usec;    /* [Authorization] TimeoutSec= */
        uint64_t interactive_timeout_usec;      /* [Authorization] InteractiveTimeoutSec= */
        uint64_t coalesce_usec;                 /* [Host] CoalesceMSec= */
        uint64_t unplug_timeout_usec;           /* [Guests] UnplugTimeoutMSec= */
        uint64_t job_timeout_usec;              /* [Guests] JobTimeoutSec= */
        uint64_t agent_timeout_usec;            /* [Guests] AgentTimeoutMSec= */
} Config;

/* What holds where no file says otherwise. */
void config_set_defaults(Config *config);

/* Reads "path", and then the *.conf files of the folder "path".d in the order of
 * their names; what is read later wins. Files that do not exist are none.
 * What could not be read or understood is added to "findings". */
int config_read(Config *config, const char *path, Findings *findings);
