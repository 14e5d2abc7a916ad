/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What org.freedesktop.login1 says about sleep, followed without a poll: its coming and
 * going, BlockInhibited and DelayInhibited (and then its answers and inhibitors anew),
 * PrepareForSleep; polkit's Changed. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct Logind Logind;

typedef struct LogindInhibitor {
        const char *what, *who, *why, *mode;
        uint32_t uid, pid;
} LogindInhibitor;

/* All that is known at one moment; the strings belong to it. */
typedef struct LogindState {
        bool present;
        bool preparing;
        const char *can_suspend;                /* NULL: not known */
        const char *can_hibernate;
        const char *can_hybrid_sleep;
        const char *can_suspend_then_hibernate;
        const LogindInhibitor *inhibitors;
        size_t n_inhibitors;
} LogindState;

typedef struct LogindHandlers {
        /* Something differs. */
        void (*changed)(const LogindState *state, void *userdata);
        /* The host is about to sleep (true), or has woken. */
        void (*prepare_for_sleep)(bool start, void *userdata);
} LogindHandlers;

/* "bus" is referenced. Asks at once; a service that is not there, and could be started,
 * is not started for it. */
int logind_new(sd_bus *bus, const LogindHandlers *handlers, void *userdata, Logind **ret);
Logind *logind_free(Logind *logind);

/* Asks everything again: after a sleep, or a change of the machine. */
void logind_refresh(Logind *logind);
