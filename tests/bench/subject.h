/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is measured: berthd or the bare service, as processes on the private bus
 * that tools/private-bus made, and the calls to them. Whatever goes wrong here
 * ends the program. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Where berthd has its folders here. */
#define BENCH_FOLDER "/run/bench"

#define BERTH_NAME "org.berth1"
#define BERTH_PATH "/org/berth1"
#define HOST_PATH "/org/berth1/host"
#define BARE_NAME "org.berth1.Bare"
#define BARE_PATH "/org/berth1/bare"

/* A connection of our own to the private bus. */
sd_bus *bus_connect(void);

/* Puts this process, those that it starts from here on, and the bus on one
 * processor. Otherwise where the scheduler happens to put whom decides more about a
 * short call than who is called. */
void stay_together(sd_bus *bus);

typedef struct Subject {
        const char *name;
        pid_t pid;
        double start_usec;      /* from before exec until the bus said that it has its name */
} Subject;

/* Each is started, and waited for. "root" is the host that berthd shows. */
Subject subject_start_berthd(sd_bus *bus, const char *root);
Subject subject_start_bare(sd_bus *bus);

/* Ends it, and waits until it and its name are gone. Returns how long the
 * processors worked for it, from its first to its last. */
double subject_stop(sd_bus *bus, Subject *subject);

/* Calls, and returns how long until the answer was there; "types" and what follows
 * are the arguments. */
double call_usec(sd_bus *bus, const char *name, const char *path, const char *interface, const char *member, const char *types, ...);

/* The same with a call that was made already, which is freed. "ret_reply" may be NULL. */
double message_usec(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply);

/* A program's path, which meson gave in the environment. */
const char *program_path(const char *variable);

/* Starts a program, with its output in a file. */
pid_t program_start(const char *const *argv, const char *output);

/* Runs a program to its end without its output. Returns how long it took. */
double run_usec(const char *const *argv);
