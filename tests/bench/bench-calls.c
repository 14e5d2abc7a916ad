/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Short calls, as they come to an idle machine: each to berthd and to the bare
 * service in turns, one at a time. Most of either is the way through the bus. Of
 * what berthd takes for free memory, nearly all is the kernel's: it writes the whole
 * meminfo of a cell, 36 lines, for each look at it. */

#include "figures.h"
#include "subject.h"
#include "trees.h"

#define ROUNDS 3000
#define WARM_UP 200

typedef double (*MeasuredCall)(sd_bus *bus);

static double get_berth(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, HOST_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", "org.berth1.Host.Cells", "Count");
}

static double get_bare(sd_bus *bus) {
        return call_usec(bus, BARE_NAME, BARE_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", BARE_NAME, "Count");
}

static double free_memory_berth(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, HOST_PATH, "org.berth1.Host.Cells", "GetFreeMemory", "uu", 0u, 0u);
}

static double free_memory_bare(sd_bus *bus) {
        return call_usec(bus, BARE_NAME, BARE_PATH, BARE_NAME, "GetFreeMemory", "uu", 0u, 0u);
}

static void compare(sd_bus *bus, const char *what, MeasuredCall ours, MeasuredCall other, double goal) {
        _cleanup_samples_ Samples a = {}, b = {};

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double x, y = 0;

                /* Whoever is second finds the bus awake: each is, every other time. */
                if (i % 2)
                        y = other(bus);
                x = ours(bus);
                if (i % 2 == 0)
                        y = other(bus);
                if (i < WARM_UP)
                        continue;
                samples_add(&a, x);
                samples_add(&b, y);
        }
        FIGURE(what, samples_median(&a), samples_median(&b), .ratio_goal = goal);
}

int main(void) {
        sd_bus *bus = bus_connect();
        Subject bare, berthd;

        stay_together(bus);
        bare = subject_start_bare(bus);
        figures_title("Calls", "µs, medians", "berthd", "bare service");

        berthd = subject_start_berthd(bus, tree_folder_live_memory(2, 1));
        compare(bus, "Get of a property", get_berth, get_bare, 1.15);
        compare(bus, "GetFreeMemory of all cells, of one", free_memory_berth, free_memory_bare, 1.3);
        subject_stop(bus, &berthd);

        berthd = subject_start_berthd(bus, tree_folder_live_memory(16, 8));
        compare(bus, "GetFreeMemory of all cells, of eight", free_memory_berth, free_memory_bare, 2);
        subject_stop(bus, &berthd);

        subject_stop(bus, &bare);
        sd_bus_flush_close_unref(bus);
        return 0;
}
