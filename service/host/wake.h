/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What wakes a sleeping host: its devices, and an alarm of ours in its clock. */

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "lib/error.h"

typedef struct WakeSource {
        char *device;           /* its path below /sys/devices */
        const char *kind;       /* "rtc", "network", "usb", "button", "lid", "other" */
        bool enabled;
        char *mac;              /* of network cards; NULL */
} WakeSource;

typedef struct WakeSources {
        WakeSource *items;
        size_t n_items;
} WakeSources;

void wake_sources_clear(WakeSources *sources);
#define _cleanup_wake_sources_ _cleanup_(wake_sources_clear)

/* In the order of their paths; what is beyond 1,024 of them is left out.
 * Source: power/wakeup ("enabled", "disabled") of the devices below /sys/devices; address of
 * net/. A walk of some thousand folders: for a worker. */
int wake_sources_read(int root_fd, WakeSources *ret);

/* The host's alarm clock. */
typedef struct WakeClock {
        bool present;           /* there is an RTC with a wakealarm */
        char name[16];          /* "rtc0" */
        uint64_t alarm_sec;     /* of CLOCK_REALTIME, to a second or two; 0: none is set that is still to come */
} WakeClock;

/* Source: /sys/class/rtc/rtcN/{wakealarm,since_epoch,hctosys}. */
int wake_clock_read(int root_fd, WakeClock *ret);

/* Whether two such readings are of one alarm: clocks that do not agree are read a second
 * or two apart. */
bool wake_alarm_is(uint64_t alarm_sec, uint64_t other_sec);

/* Whether there is one, without asking it anything. */
bool wake_clock_present(int root_fd);

/* Sets the alarm, and reads it back; 0 clears it. One that is set and is not "expected_sec" (0:
 * none) is somebody else's, and stays: -EEXIST, unless "replace". Where the clock refuses, the
 * alarm that was there is set again.
 * Errors: NotSupported without such a clock, AlreadyExists, BackendFailed (what was written
 * is not what is read). */
int wake_clock_set(int root_fd, uint64_t wake_sec, uint64_t expected_sec, bool replace, Error *error);
