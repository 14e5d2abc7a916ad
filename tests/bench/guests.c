/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guests.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "usage.h"

#define LOG_FILE "/run/bench-guest.log"
#define OPTIONS_MAX 32

/* Ends what hangs; no figure depends on it. */
#define PATIENCE_USEC 60e6

static char *join(const char *before, const char *text, const char *after) {
        char *all;

        if (asprintf(&all, "%s%s%s", before, text, after) < 0)
                cannot_measure("out of memory");
        return all;
}

static void make_folder(const char *path) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                cannot_measure("%s cannot be made: %s", path, strerror(errno));
}

char *guest_monitor_path(const char *name) {
        char *folder = join(DOMAINS_FOLDER "/", name, ""), *path;

        make_folder(BENCH_FOLDER);
        make_folder(BENCH_FOLDER "/run");
        make_folder(DOMAINS_FOLDER);
        make_folder(folder);
        path = join(folder, "/qmp.sock", "");
        free(folder);
        return path;
}

pid_t guest_start(const char *monitor, const char *const *options) {
        const char *argv[OPTIONS_MAX] = {
                "setpriv", "--pdeathsig", "KILL", "--",
                "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-S", "-nodefaults", "-display", "none", "-qmp",
        };
        char *qmp = join("unix:", monitor, ",server=on,wait=off");
        size_t n = 0;
        pid_t pid;

        while (argv[n])
                n++;
        argv[n++] = qmp;
        for (; *options; options++) {
                if (n + 1 >= OPTIONS_MAX)
                        cannot_measure("too many options of QEMU");
                argv[n++] = *options;
        }
        pid = program_start(argv, LOG_FILE);
        free(qmp);
        return pid;
}

pid_t guest_start_vcpus(const char *monitor, unsigned current, unsigned maximum) {
        char smp[96];

        snprintf(smp, sizeof smp, "%u,sockets=%u,cores=1,threads=1,maxcpus=%u", current, maximum, maximum);
        return guest_start(monitor, (const char *[]) { "-m", "64", "-smp", smp, NULL });
}

void guest_stop(pid_t pid) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return 0;
}

/* -1 as long as there is no such guest. */
static int64_t count_vcpus(sd_bus *bus, const char *path) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint32_t current = 0;
        int r;

        r = sd_bus_get_property_trivial(bus, BERTH_NAME, path, VCPUS_INTERFACE, "Current", &error, 'u', &current);
        sd_bus_error_free(&error);
        return r < 0 ? -1 : (int64_t) current;
}

/* What wakes us is any signal of berthd's. */
static void wait_vcpus(sd_bus *bus, const char *path, int64_t wanted) {
        double end = now_usec() + PATIENCE_USEC;
        sd_bus_slot *slot = NULL;
        int r;

        r = sd_bus_add_match(bus, &slot, "type='signal',path_namespace='" BERTH_PATH "'", on_signal, NULL);
        while (r >= 0 && count_vcpus(bus, path) != wanted) {
                if (now_usec() > end)
                        cannot_measure("berthd shows %" PRIi64 " vCPUs of %s, and %" PRIi64 " were waited for", count_vcpus(bus, path), path, wanted);
                do
                        r = sd_bus_process(bus, NULL);
                while (r > 0);
                if (r >= 0)
                        r = sd_bus_wait(bus, 1000000);
        }
        if (r < 0)
                cannot_measure("the bus is gone: %s", strerror(-r));
        sd_bus_slot_unref(slot);
}

void guest_wait_vcpus(sd_bus *bus, const char *path, unsigned current) {
        wait_vcpus(bus, path, current);
}

void guest_wait_gone(sd_bus *bus, const char *path) {
        wait_vcpus(bus, path, -1);
}

/* An answer has one of these two first, an event its time. */
static unsigned count_answers(const char *text, const char *end) {
        unsigned n = 0;

        for (const char *line = text, *next; line < end && (next = memchr(line, '\n', (size_t) (end - line))); line = next + 1) {
                if (strncmp(line, "{\"error\"", 8) == 0)
                        cannot_measure("QEMU refuses: %.300s", line);
                n += strncmp(line, "{\"return\"", 9) == 0 || strncmp(line, "{\"QMP\"", 6) == 0;
        }
        return n;
}

static const char *monitor_read(Monitor *monitor, unsigned n) {
        monitor->n_text = 0;
        do {
                ssize_t got;

                if (monitor->n_allocated - monitor->n_text < 65536) {
                        monitor->n_allocated = 2 * monitor->n_allocated + 65536;
                        monitor->text = realloc(monitor->text, monitor->n_allocated);
                        if (!monitor->text)
                                cannot_measure("out of memory");
                }
                got = read(monitor->fd, monitor->text + monitor->n_text, monitor->n_allocated - monitor->n_text - 1);
                if (got <= 0)
                        cannot_measure("the monitor is gone: %s", got < 0 ? strerror(errno) : "it has hung up");
                monitor->n_text += (size_t) got;
                monitor->text[monitor->n_text] = 0;
                /* The answers end where the last piece does, or another follows. */
        } while (monitor->text[monitor->n_text - 1] != '\n' || count_answers(monitor->text, monitor->text + monitor->n_text) < n);
        return monitor->text;
}

Monitor monitor_open(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        double end = now_usec() + PATIENCE_USEC;
        Monitor monitor = {};

        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        monitor.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (monitor.fd < 0)
                cannot_measure("no socket: %s", strerror(errno));
        while (connect(monitor.fd, (const struct sockaddr *) &address, sizeof address) < 0) {
                if (now_usec() > end)
                        cannot_measure("nobody listens at %s: %s; see " LOG_FILE, path, strerror(errno));
                pass(5);
        }
        (void) monitor_read(&monitor, 1);
        (void) monitor_ask(&monitor, "{\"execute\": \"qmp_capabilities\"}\n", 1);
        return monitor;
}

void monitor_close(Monitor *monitor) {
        (void) close(monitor->fd);
        free(monitor->text);
        *monitor = (Monitor) { .fd = -1 };
}

const char *monitor_ask(Monitor *monitor, const char *commands, unsigned n) {
        size_t length = strlen(commands);

        if (write(monitor->fd, commands, length) != (ssize_t) length)
                cannot_measure("the monitor takes no command: %s", strerror(errno));
        return monitor_read(monitor, n);
}

size_t monitor_threads(Monitor *monitor, pid_t *threads, size_t max) {
        static const char key[] = "\"thread-id\": ";
        size_t n = 0;

        /* The same word is the place of a vCPU in its core: 0, with one in each. */
        for (const char *at = monitor_ask(monitor, "{\"execute\": \"query-cpus-fast\"}\n", 1); n < max && (at = strstr(at, key));) {
                at += sizeof key - 1;
                threads[n] = (pid_t) atoi(at);
                n += threads[n] > 0;
        }
        return n;
}
