/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What never changes while a machine runs: architecture, maker, model, UUID and
 * page size. Read once. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/cleanup.h"

typedef struct Identity {
        char *arch;             /* each of these "" if unknown */
        char *vendor;
        char *model;
        char *uuid;
        uint64_t base_page_bytes;       /* 0 if unknown */
} Identity;

/* Reads them relative to a root; "live" if that is the machine we run on, which
 * can then be asked itself.
 * Source: /proc/sys/kernel/arch, /proc/cpuinfo, /sys/devices/system/cpu/modalias,
 * /sys/class/dmi/id/product_uuid, /etc/machine-id; uname(2) and sysconf(3). */
int identity_read(int root_fd, bool live, Identity *ret);

void identity_clear(Identity *identity);
#define _cleanup_identity_ _cleanup_(identity_clear)
