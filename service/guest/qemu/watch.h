/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guests appear by themselves: each is a folder below <runtime-dir>/domains with its
 * monitor's socket in it, qmp.sock. Folder and socket are heard of by inotify; nothing
 * is scanned again. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "lib/cleanup.h"

typedef struct QemuWatch QemuWatch;
typedef struct QemuFolder QemuFolder;

typedef struct QemuWatchHandlers {
        /* A monitor took our connection. "fd" is handed over. Its end is told with
         * qemu_folder_lost(). */
        void (*connected)(QemuFolder *folder, const char *name, int fd, void *userdata);
        /* The folder is gone, and cannot be named any more. */
        void (*gone)(QemuFolder *folder, void *userdata);
} QemuWatchHandlers;

/* Makes the folder for guests if it is not there, and follows it.
 * Returns -EPERM if others than its owner may write to it, or it belongs to neither
 * root nor us: who may make a guest there is the owner's decision. */
int qemu_watch_new(sd_event *event, const char *runtime_dir, const QemuWatchHandlers *handlers, void *userdata, QemuWatch **ret);
QemuWatch *qemu_watch_free(QemuWatch *watch);
DEFINE_CLEANUP(QemuWatch *, qemu_watch_free)

/* The connection to a monitor ended: it is tried again some times, and then when there is
 * another socket. */
void qemu_folder_lost(QemuFolder *folder);

/* Connects to another socket in the same folder, without waiting. Returns the
 * descriptor; -ENOENT if there is none, -ENOTSOCK for something else of that name,
 * -ECONNREFUSED or -EAGAIN for one that takes no connection now. */
int qemu_folder_open_socket(QemuFolder *folder, const char *name);

/* Whether there is one; whoever connects to it may find that nobody listens. */
bool qemu_folder_has_socket(QemuFolder *folder, const char *name);
