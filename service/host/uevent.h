/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hears the kernel say that a CPU, memory or a cell came or went. The kernel's
 * own multicast group, not udev's: that one is silent where no udevd runs. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "lib/cleanup.h"

typedef struct UeventMonitor UeventMonitor;

/* Calls "changed" at each such message, and when messages were lost. */
int uevent_monitor_new(sd_event *event, void (*changed)(void *userdata), void *userdata, UeventMonitor **ret);
UeventMonitor *uevent_monitor_free(UeventMonitor *monitor);
DEFINE_CLEANUP(UeventMonitor *, uevent_monitor_free)

/* Whether a message, "length" bytes of NUL-terminated fields, is about hardware
 * that the host model shows: SUBSYSTEM is cpu, memory or node. */
bool uevent_concerns_host(const char *message, size_t length);
