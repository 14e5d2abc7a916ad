/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Real QEMUs, always emulated and stopped before their first instruction: what needs no
 * guest that runs, which is much. */

#include <gio/gio.h>

#include "harness.h"

#define DOMAINS ROOT_PATH "/domains/"
#define QEMU_UUID "12345678-1234-1234-1234-1234567890ab"

/* Where the monitor of a guest has to be; makes its folder. */
char *monitor_path(const char *folder, const char *name);

/* A QEMU with two vCPUs of four, one on each of two cells (0 and 2, 1 and 3), that
 * stays stopped; with a second monitor, "control", that is ours. */
GSubprocess *qemu_start(const char *folder, const char *name);
void qemu_kill(GSubprocess *process);

/* Has a QEMU do something through its second monitor. */
void qemu_control(const char *folder, const char *name, const char *command);

/* Waits until the guest at a path has so many vCPUs: a slow machine shows it before it has
 * told them. Signals must be recorded, for they are what wakes it. */
void wait_for_vcpus(Service *service, const char *path, guint32 current);
