/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guests to measure with: real QEMUs, emulated and stopped before their first
 * instruction, and their monitors as a program uses them that does no more than it
 * must. */

#include <stddef.h>

#include "subject.h"

#define DOMAINS_FOLDER BENCH_FOLDER "/run/domains"
#define VCPUS_INTERFACE "org.berth1.Domain.Vcpus"

/* The object of a guest that is called by letters and digits. */
#define DOMAIN_PATH(name) BERTH_PATH "/domains/" name

/* The path of a monitor that berthd finds; makes the folder of it. */
char *guest_monitor_path(const char *name);

/* A QEMU that listens there; "options" are more of its own. It dies with this program. */
pid_t guest_start(const char *monitor, const char *const *options);
void guest_stop(pid_t pid);

/* One with so many vCPUs, in a socket each, of so many that it could have. */
pid_t guest_start_vcpus(const char *monitor, unsigned current, unsigned maximum);

/* Waits until berthd shows so many vCPUs of a guest, or the guest no more. */
void guest_wait_vcpus(sd_bus *bus, const char *path, unsigned current);
void guest_wait_gone(sd_bus *bus, const char *path);

typedef struct Monitor {
        int fd;
        char *text;             /* of the answers to what was asked last */
        size_t n_text, n_allocated;
} Monitor;

/* Waits until somebody listens, and is greeted. */
Monitor monitor_open(const char *path);
void monitor_close(Monitor *monitor);

/* Sends commands, and returns all that comes until so many are answered. One that is
 * refused ends the program. */
const char *monitor_ask(Monitor *monitor, const char *commands, unsigned n);

/* The threads of the vCPUs, as the monitor tells them. */
size_t monitor_threads(Monitor *monitor, pid_t *threads, size_t max);
