/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* berthd, started on the bus of $DBUS_SYSTEM_BUS_ADDRESS for one captured host,
 * and ended when the test has seen what it wanted. */

#include <gio/gio.h>

typedef struct Daemon Daemon;

/* Starts it and returns when it has its name. If it ends before that, the test
 * fails with what it wrote. */
Daemon *daemon_start(const char *root);

/* Starts it where it must refuse: returns what it wrote, when it has ended.
 * It must fail, and its name must never be on the bus. */
char *daemon_start_in_vain(const char *root);

/* Ends it, asks whether it ended well, and waits until the name is free. */
Daemon *daemon_stop(Daemon *daemon);

/* The most memory it ever had, in bytes. */
guint64 daemon_peak_memory(Daemon *daemon);

/* "(…)" of a method's answer; an error fails the test. */
GVariant *daemon_call(Daemon *daemon, const char *path, const char *interface, const char *method,
                      GVariant *arguments, const char *reply_type);

/* The same; returns NULL and sets the error where the service does. */
GVariant *daemon_try_call(Daemon *daemon, const char *path, const char *interface, const char *method,
                          GVariant *arguments, const char *reply_type, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Daemon, daemon_stop)
