/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is read of a guest's threads, and what is put on them, beside the bare system
 * calls for as many: those that know the threads already, ask nobody, make nothing
 * sure and tell nobody. A call that does nothing is shown apart: most of a short one is the
 * way through the bus. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "guests.h"

#define LISTED 255
#define PINNED 64

#define ROUNDS 150
#define WARM_UP 10

static pid_t threads[LISTED];

static double ping(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL);
}

static double list_vcpus(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, DOMAIN_PATH("listed"), VCPUS_INTERFACE, "ListVcpus", "as", 0);
}

static void read_file(pid_t process, pid_t thread, const char *name) {
        char text[4096];
        int fd;

        snprintf(text, sizeof text, "/proc/%d/task/%d/%s", (int) process, (int) thread, name);
        fd = open(text, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof text) <= 0)
                cannot_measure("thread %d of process %d cannot be read: %s", (int) thread, (int) process, strerror(errno));
        (void) close(fd);
}

/* The same facts of as many threads. */
static double list_bare(pid_t process) {
        double before = now_usec();

        for (size_t i = 0; i < LISTED; i++) {
                struct sched_param param;
                cpu_set_t set;

                if (sched_getaffinity(threads[i], sizeof set, &set) < 0 || sched_getscheduler(threads[i]) < 0 || sched_getparam(threads[i], &param) < 0)
                        cannot_measure("thread %d cannot be looked at: %s", (int) threads[i], strerror(errno));
                read_file(process, threads[i], "stat");
                read_file(process, threads[i], "schedstat");
        }
        return now_usec() - before;
}

/* A guest with all the vCPUs it can have, whose threads are known then. */
static pid_t start(sd_bus *bus, const char *name, const char *object, unsigned n) {
        const char *manual = "/run/bench-manual.sock";
        char smp[96], option[128], *path = guest_monitor_path(name);
        Monitor monitor;
        pid_t guest;

        snprintf(smp, sizeof smp, "%u,sockets=%u,cores=1,threads=1,maxcpus=%u", n, n, n);
        snprintf(option, sizeof option, "unix:%s,server=on,wait=off", manual);
        guest = guest_start(path, (const char *[]) { "-m", "64", "-smp", smp, "-qmp", option, NULL });
        free(path);
        guest_wait_vcpus(bus, object, n);
        monitor = monitor_open(manual);
        if (monitor_threads(&monitor, threads, LISTED) != n)
                cannot_measure("QEMU does not tell %u threads", n);
        monitor_close(&monitor);
        return guest;
}

static void show(const char *what, Samples *ours, Samples *other, Samples *nothing, double goal) {
        char less[64];

        FIGURE(what, samples_median(ours), samples_median(other), .ratio_goal = goal);
        snprintf(less, sizeof less, "  less a call of nothing (%.0f)", samples_median(nothing));
        FIGURE(less, samples_median(ours) - samples_median(nothing), samples_median(other));
}

static void compare_list(sd_bus *bus) {
        _cleanup_samples_ Samples ours = {}, other = {}, nothing = {};
        pid_t guest = start(bus, "listed", DOMAIN_PATH("listed"), LISTED);

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double x = list_vcpus(bus), y = list_bare(guest), z = ping(bus);

                if (i < WARM_UP)
                        continue;
                samples_add(&ours, x);
                samples_add(&other, y);
                samples_add(&nothing, z);
        }
        show("ListVcpus of 255", &ours, &other, &nothing, 5);
        guest_stop(guest);
}

static double pin_all(sd_bus *bus, const char *cpus) {
        sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, BERTH_NAME, DOMAIN_PATH("pinned"), VCPUS_INTERFACE, "PinAll");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(us)");
        for (uint32_t i = 0; r >= 0 && i < PINNED; i++)
                r = sd_bus_message_append(call, "(us)", i, cpus);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "as", 0);
        if (r < 0)
                cannot_measure("a call cannot be made: %s", strerror(-r));
        return message_usec(bus, call, NULL);
}

static double pin_bare(int cpu) {
        double before = now_usec();
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        for (size_t i = 0; i < PINNED; i++)
                if (sched_setaffinity(threads[i], sizeof set, &set) < 0)
                        cannot_measure("thread %d cannot be pinned: %s", (int) threads[i], strerror(errno));
        return now_usec() - before;
}

/* To one CPU and to another in turns, so that each changes something. */
static void compare_pins(sd_bus *bus) {
        _cleanup_samples_ Samples ours = {}, other = {}, nothing = {};
        pid_t guest = start(bus, "pinned", DOMAIN_PATH("pinned"), PINNED);

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double x = pin_all(bus, "0") / 2 + pin_all(bus, "1") / 2, y = pin_bare(0) / 2 + pin_bare(1) / 2, z = ping(bus);

                if (i < WARM_UP)
                        continue;
                samples_add(&ours, x);
                samples_add(&other, y);
                samples_add(&nothing, z);
        }
        show("PinAll of 64", &ours, &other, &nothing, 0);
        guest_stop(guest);
}

int main(void) {
        sd_bus *bus = bus_connect();
        Subject berthd;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                cannot_measure("this takes two CPUs");
        stay_together(bus);
        berthd = subject_start_berthd(bus, "/");
        figures_title("A guest's threads", "µs, medians", "berthd", "bare calls");
        compare_list(bus);
        compare_pins(bus);

        subject_stop(bus, &berthd);
        sd_bus_flush_close_unref(bus);
        return 0;
}
