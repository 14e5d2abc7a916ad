/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The judgement: what the facts, logind and guests together mean for a sleep. */

#include "power.h"
#include "power-read.h"

/* What is known, all of it. */
typedef struct PowerView {
        const PowerFacts *facts;
        const SleepManager *manager;    /* NULL: not asked yet */
        const SleepGuest *guests;
        size_t n_guests;
        bool wake_known;                /* somebody has looked at the devices */
        bool device_armed;              /* one is armed to wake the host */
        bool network_armed;             /* and one of them is a network card */
} PowerView;

/* The target that a short sleep is by itself. */
SleepTarget power_view_default(const PowerFacts *facts);

/* Adds all that forbids it or is worth knowing. */
SleepAnswer power_view_check(const PowerView *view, SleepTarget target, Findings *findings);
