/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"

/* Ends what hangs; no figure depends on it. */
#define PATIENCE_MSEC 60000

#define LOG_FILE "/run/bench.log"
extern char **environ;

const char *program_path(const char *variable) {
        const char *path = getenv(variable);

        if (!path)
                cannot_measure("$%s is not set: run this by meson test --benchmark", variable);
        return path;
}

sd_bus *bus_connect(void) {
        sd_bus *bus = NULL;
        int r;

        (void) program_path("BERTH_TEST_BUS_DIR");
        r = sd_bus_open_system(&bus);
        if (r < 0)
                cannot_measure("there is no private bus: %s", strerror(-r));
        return bus;
}

void stay_together(sd_bus *bus) {
        sd_bus_message *reply = NULL;
        cpu_set_t allowed, one;
        uint32_t bus_pid;
        int cpu = 0, r;

        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                               NULL, &reply, "s", "org.freedesktop.DBus");
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &bus_pid);
        if (r < 0)
                cannot_measure("the bus does not say which process it is: %s", strerror(-r));
        sd_bus_message_unref(reply);

        if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
                cannot_measure("sched_getaffinity: %s", strerror(errno));
        while (!CPU_ISSET(cpu, &allowed))
                cpu++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) < 0 || sched_setaffinity((pid_t) bus_pid, sizeof one, &one) < 0)
                cannot_measure("sched_setaffinity: %s", strerror(errno));
}

pid_t program_start(const char *const *argv, const char *output) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        pid_t pid;
        int r;

        sigemptyset(&none);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
        r = posix_spawnp(&pid, argv[0], &actions, &attributes, (char **) argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        if (r != 0)
                cannot_measure("%s cannot be run: %s", argv[0], strerror(r));
        return pid;
}

/* The owner of a name, as the bus tells it. */
typedef struct Watch {
        const char *name;
        bool owned;
        bool seen;
} Watch;

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Watch *watch = userdata;

        if (sd_bus_message_read(message, "sss", &name, &before, &after) >= 0 && strcmp(name, watch->name) == 0) {
                watch->owned = after[0];
                watch->seen = true;
        }
        return 0;
}

static sd_bus_slot *watch_start(sd_bus *bus, Watch *watch) {
        sd_bus_slot *slot = NULL;
        char *match;
        int r;

        if (asprintf(&match, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", watch->name) < 0)
                cannot_measure("out of memory");
        r = sd_bus_add_match(bus, &slot, match, on_owner, watch);
        free(match);
        if (r < 0)
                cannot_measure("the bus does not let us watch %s: %s", watch->name, strerror(-r));
        return slot;
}

/* Until the bus has said whether the name is owned. "pidfd" is of the process that
 * shall not end before; -1 if that is no matter. */
static void watch_wait(sd_bus *bus, Watch *watch, int pidfd) {
        while (!watch->seen) {
                struct pollfd fds[] = {
                        { .fd = sd_bus_get_fd(bus), .events = (short) sd_bus_get_events(bus) },
                        { .fd = pidfd, .events = POLLIN },
                };
                int r;

                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        cannot_measure("the bus is gone: %s", strerror(-r));
                if (r > 0)
                        continue;
                r = poll(fds, 2, PATIENCE_MSEC);
                if (r == 0)
                        cannot_measure("%s did not come or go within a minute", watch->name);
                if (r > 0 && fds[1].revents)
                        break;
        }
}

static void show_log(void) {
        char text[4096];
        FILE *file = fopen(LOG_FILE, "re");

        while (file && fgets(text, sizeof text, file))
                fputs(text, stderr);
        if (file)
                fclose(file);
}

static Subject subject_start(sd_bus *bus, const char *name, const char *const *argv) {
        Watch watch = { .name = name };
        sd_bus_slot *slot = watch_start(bus, &watch);
        Subject subject = { .name = name };
        double before;
        int pidfd;

        before = now_usec();
        subject.pid = program_start(argv, LOG_FILE);
        pidfd = pidfd_open(subject.pid, 0);
        watch_wait(bus, &watch, pidfd);
        subject.start_usec = now_usec() - before;

        if (pidfd >= 0)
                (void) close(pidfd);
        sd_bus_slot_unref(slot);
        if (!watch.owned) {
                show_log();
                cannot_measure("%s did not come to the bus", argv[0]);
        }
        return subject;
}

Subject subject_start_berthd(sd_bus *bus, const char *root) {
        char *option;
        Subject subject;

        if (mkdir(BENCH_FOLDER, 0755) < 0 && errno != EEXIST)
                cannot_measure(BENCH_FOLDER " cannot be made: %s", strerror(errno));
        if (asprintf(&option, "--root=%s", root) < 0)
                cannot_measure("out of memory");
        subject = subject_start(bus, BERTH_NAME, (const char *[]) {
                program_path("BERTHD"), option, "--runtime-dir=" BENCH_FOLDER "/run", "--state-dir=" BENCH_FOLDER "/state",
                "--config=" BENCH_FOLDER "/berthd.conf", NULL,
        });
        free(option);
        return subject;
}

Subject subject_start_bare(sd_bus *bus) {
        return subject_start(bus, BARE_NAME, (const char *[]) { program_path("BARE_SERVICE"), NULL });
}

static double timeval_usec(struct timeval time) {
        return (double) time.tv_sec * 1e6 + (double) time.tv_usec;
}

double subject_stop(sd_bus *bus, Subject *subject) {
        Watch watch = { .name = subject->name };
        struct rusage usage;
        sd_bus_slot *slot = watch_start(bus, &watch);

        (void) kill(subject->pid, SIGTERM);
        watch_wait(bus, &watch, -1);
        if (wait4(subject->pid, NULL, 0, &usage) < 0)
                cannot_measure("%s: %s", subject->name, strerror(errno));
        sd_bus_slot_unref(slot);
        *subject = (Subject) {};
        return timeval_usec(usage.ru_utime) + timeval_usec(usage.ru_stime);
}

double message_usec(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        double before, took;
        int r;

        before = now_usec();
        r = sd_bus_call(bus, call, (uint64_t) PATIENCE_MSEC * 1000, &error, &reply);
        took = now_usec() - before;
        if (r < 0)
                cannot_measure("%s %s.%s: %s", sd_bus_message_get_path(call), sd_bus_message_get_interface(call), sd_bus_message_get_member(call),
                               error.message ?: strerror(-r));

        sd_bus_message_unref(call);
        if (ret_reply)
                *ret_reply = reply;
        else
                sd_bus_message_unref(reply);
        return took;
}

double call_usec(sd_bus *bus, const char *name, const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *call = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, name, path, interface, member);
        va_start(ap, types);
        if (r >= 0 && types)
                r = sd_bus_message_appendv(call, types, ap);
        va_end(ap);
        if (r < 0)
                cannot_measure("a call cannot be made: %s", strerror(-r));
        return message_usec(bus, call, NULL);
}

double run_usec(const char *const *argv) {
        double before = now_usec(), took;
        int status;
        pid_t pid;

        pid = program_start(argv, "/dev/null");
        if (waitpid(pid, &status, 0) < 0)
                cannot_measure("%s: %s", argv[0], strerror(errno));
        took = now_usec() - before;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                cannot_measure("%s %s failed (wait status %d); is it installed?", argv[0], argv[1] ?: "", status);
        return took;
}
