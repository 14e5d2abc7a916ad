/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests on the bus share: a host made of files, a service on the private
 * bus, callers of several users, and signals that are waited for. The client is
 * GDBus, so that two implementations of D-Bus have to agree. */

#include <gio/gio.h>
#include <sys/types.h>

#define BUS_NAME "org.berth1"
#define ROOT_PATH "/org/berth1"
#define HOST_PATH "/org/berth1/host"

/* Users that every Debian has. The polkit rules of these tests let the first
 * change cell 0 and nothing else, refuse the second, and are silent about the
 * third, for whom the action's default holds: a password. */
#define ALLOWED_USER "nobody"
#define REFUSED_USER "daemon"
#define ASKED_USER "games"

/* A host of four CPUs and two cells with huge pages, in a folder of its own. */
char *host_make(void);
void host_write(const char *root, const char *path, const char *text);
char *host_read(const char *root, const char *path);
void host_remove(const char *root, const char *path);

/* Makes CPUs 0 to n-1 online, of the four. */
void host_set_online(const char *root, unsigned n);

typedef struct Service {
        GSubprocess *process;
        GDBusConnection *bus;           /* root's */
        char *root;
        char *folder;                   /* for state and runtime */
} Service;

/* Starts a service with some arguments more, and waits until it has its name.
 * "program" NULL is berthd; "root" is taken over, NULL for the running machine. */
Service *service_start(const char *program, char *root, const char *const *arguments);

/* Ends it; it must end well. */
void service_stop(Service *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Service, service_stop)

void service_signal(Service *service, int signal);

/* A connection of a user's; NULL is root. */
GDBusConnection *bus_connect(const char *user);

/* Calls; the test fails if the call does. */
GVariant *call(GDBusConnection *bus, const char *path, const char *interface, const char *method, GVariant *arguments, const char *type);

/* Calls; the test fails unless the error has this name, and all of "parts" (NULL
 * at the end) in its message. */
void call_refused(GDBusConnection *bus, const char *path, const char *interface, const char *method, GVariant *arguments,
                  GDBusCallFlags flags, const char *name, const char *const *parts);
/* The test fails unless all of "parts" stand in a text. */
void assert_says(const char *text, const char *const *parts);
#define PARTS(...) ((const char *const[]) { __VA_ARGS__, NULL })

GVariant *get_property(GDBusConnection *bus, const char *path, const char *interface, const char *property);

/* Signals of the service from here on, each as "path interface.member (values)". */
typedef struct Signals {
        GDBusConnection *bus;
        guint subscription;
        GPtrArray *seen;
} Signals;

Signals *signals_record(GDBusConnection *bus);
void signals_free(Signals *signals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Signals, signals_free)

/* Waits until one has this in it, and returns it. */
const char *signals_wait(Signals *signals, const char *part);
guint signals_count(const Signals *signals, const char *part);

/* Runs the default context until "done" says so; the test fails after a minute. */
void wait_until(gboolean (*done)(gpointer userdata), gpointer userdata);
