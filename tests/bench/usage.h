/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a process takes of the machine. */

#include "subject.h"

typedef struct Memory {
        double resident_kib;
        double private_kib;
        double written_kib;
} Memory;

/* Source: /proc/PID/smaps_rollup. */
Memory memory_of(const Subject *subject);

/* How often the kernel let one of its threads run.
 * Source: /proc/PID/task/TID/status. */
unsigned long wakeups_of(const Subject *subject);

/* Lets time pass: where that is what is measured. */
void pass(unsigned msec);
