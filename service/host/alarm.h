/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The alarm that this service has set in the host's clock, so that it wakes: one at a time,
 * remembered in the runtime folder, so that a service that was restarted knows its own
 * from somebody else's. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "host/host.h"
#include "lib/error.h"

typedef struct Alarm Alarm;

/* "changed" is called when an alarm was set, cleared, or has passed. The host must
 * outlive it. An alarm of an earlier service that is not in the clock any more is
 * forgotten. */
int alarm_new(Host *host, sd_event *event, const char *runtime_dir, void (*changed)(void *userdata), void *userdata, Alarm **ret);

/* The alarm stays set. */
Alarm *alarm_free(Alarm *alarm);
DEFINE_CLEANUP(Alarm *, alarm_free)

/* Seconds of CLOCK_REALTIME; 0 if we have set none. */
uint64_t alarm_sec(const Alarm *alarm);

/* Whether it could be set: NotSupported, AlreadyExists for one that is not ours. */
int alarm_check(const Alarm *alarm, uint64_t wake_sec, bool replace, Error *error);

/* Sets it, or with 0 clears it. Errors: those of alarm_check() and wake_clock_set(). */
int alarm_set(Alarm *alarm, uint64_t wake_sec, bool replace, Error *error);
