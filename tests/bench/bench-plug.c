/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One vCPU after another is plugged, in turns into a guest that berthd has, and by
 * hand into one like it: the command, and then the two questions that tell what came of
 * it, together. By hand nobody reads what the answers say; berthd takes them apart,
 * compares them with what was there, sees to it that the thread is the guest's, and
 * sends what changed. So the longer the answers, the more of it is berthd's own; they
 * have an entry for each vCPU that could be. */

#include <stdio.h>
#include <stdlib.h>

#include "figures.h"
#include "guests.h"

#define MANUAL_MONITOR "/run/bench-manual.sock"

/* What is plugged first finds much that has never run. */
#define WARM_UP 2

static const char questions[] = "{\"execute\": \"query-hotpluggable-cpus\"}\n{\"execute\": \"query-cpus-fast\"}\n";

static double plug(sd_bus *bus, unsigned id) {
        sd_bus_message *call = NULL, *reply = NULL;
        const char *changed;
        uint64_t job;
        double took;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, BERTH_NAME, DOMAIN_PATH("plugged"), VCPUS_INTERFACE, "SetVcpu");
        if (r >= 0)
                r = sd_bus_message_append(call, "ubas", (uint32_t) id, 1, 0);
        if (r < 0)
                cannot_measure("a call cannot be made");
        took = message_usec(bus, call, &reply);
        if (sd_bus_message_read(reply, "st", &changed, &job) < 0 || (unsigned) atoi(changed) != id)
                cannot_measure("vCPU %u was there before it was plugged", id);
        sd_bus_message_unref(reply);
        return took;
}

static double plug_by_hand(Monitor *monitor, unsigned id) {
        char command[256];
        double before;

        snprintf(command, sizeof command, "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"qemu64-x86_64-cpu\", \"id\": \"by-hand-%u\", "
                 "\"socket-id\": %u, \"core-id\": 0, \"thread-id\": 0}}\n", id, id);
        before = now_usec();
        (void) monitor_ask(monitor, command, 1);
        (void) monitor_ask(monitor, questions, 2);
        return now_usec() - before;
}

static void compare(sd_bus *bus, const char *what, unsigned maximum, unsigned rounds) {
        _cleanup_samples_ Samples ours = {}, other = {}, nothing = {};
        char *path = guest_monitor_path("plugged");
        char less[64];

        for (unsigned round = 0; round < rounds; round++) {
                pid_t guest = guest_start_vcpus(path, 1, maximum), other_guest = guest_start_vcpus(MANUAL_MONITOR, 1, maximum);
                Monitor monitor = monitor_open(MANUAL_MONITOR);

                guest_wait_vcpus(bus, DOMAIN_PATH("plugged"), 1);
                for (unsigned id = 1; id < maximum; id++) {
                        double x, y = 0;

                        if (id % 2)
                                y = plug_by_hand(&monitor, id);
                        x = plug(bus, id);
                        if (id % 2 == 0)
                                y = plug_by_hand(&monitor, id);
                        if (id <= WARM_UP)
                                continue;
                        samples_add(&ours, x);
                        samples_add(&other, y);
                        samples_add(&nothing, call_usec(bus, BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL));
                }
                monitor_close(&monitor);
                guest_stop(guest);
                guest_stop(other_guest);
                guest_wait_gone(bus, DOMAIN_PATH("plugged"));
                (void) remove(path);
                (void) remove(MANUAL_MONITOR);
        }
        FIGURE(what, samples_median(&ours), samples_median(&other), .ratio_goal = 1.2);
        snprintf(less, sizeof less, "  less a call of nothing, %s", what);
        FIGURE(less, samples_median(&ours) - samples_median(&nothing), samples_median(&other));
        free(path);
}

int main(void) {
        sd_bus *bus = bus_connect();
        Subject berthd;

        stay_together(bus);
        berthd = subject_start_berthd(bus, "/");
        figures_title("One vCPU is plugged", "µs, medians", "berthd", "by hand");
        compare(bus, "of 16 at most", 16, 8);
        compare(bus, "of 64 at most", 64, 2);
        compare(bus, "of 255 at most", 255, 1);

        subject_stop(bus, &berthd);
        sd_bus_flush_close_unref(bus);
        return 0;
}
