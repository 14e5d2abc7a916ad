/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest that runs a Linux (tools/guest), always emulated, with QEMU's guest agent in
 * it. It needs the folder that tools/fetch-guest-kernel fills: $BERTH_GUEST_KERNEL, by
 * default guest-kernel in the build folder.
 *
 * One unplug in the life of a guest: QEMU 7.2 with TCG has a damaged heap after it, and
 * the next plug ends it. */

#include <gio/gio.h>

typedef struct BootedGuest {
        GSubprocess *process;
        char *folder;                   /* with qmp.sock, qga.sock, and a monitor that is ours: control.sock */
        GDataInputStream *console;
        GCancellable *cancellable;
        GString *said;                  /* on its console */
        gboolean ready;
        gboolean silent;                /* QEMU has ended */
} BootedGuest;

/* Starts one with so many vCPUs, each a socket, that alternate between two cells. Returns
 * when it is up and its agent has its port; some three seconds.
 * "runtime_dir" is that of the service that is to see it. A lazy one leaves CPUs that it
 * gets unused: taking one into use can hold up an emulated guest for seconds, in which it
 * does nothing else. */
BootedGuest *booted_guest_start(const char *runtime_dir, const char *name, unsigned n_vcpus, unsigned maximum, gboolean lazy);

/* Ends it at once; nothing is left but its folder. */
void booted_guest_free(BootedGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootedGuest, booted_guest_free)

/* Has QEMU do something; "arguments" is JSON, or NULL. The test fails if QEMU refuses. */
void booted_guest_control(const BootedGuest *guest, const char *command, const char *arguments);
