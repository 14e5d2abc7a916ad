/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.berth1.Host.Power. */

#include "bus/logind.h"
#include "bus/tree.h"
#include "host/alarm.h"
#include "host/host.h"
#include "host/power.h"

/* What it shows; filled in by its owner up to the object. */
typedef struct HostPower {
        Host *host;
        Power *power;
        Alarm *alarm;
        Object *object;
} HostPower;

/* Adds the interface to the host's object, before that is published. */
int host_power_show(HostPower *host_power, Tree *tree, Object *object);

/* Marks what bits of PowerChange stand for. */
void host_power_changed(HostPower *host_power, unsigned change);
void host_power_alarm_changed(HostPower *host_power);

/* Tells that the host is about to sleep, or has woken. */
void host_power_tell_sleep(HostPower *host_power, bool start);

/* What logind says, in the words of the model. */
int host_power_take_logind(HostPower *host_power, const LogindState *state);
