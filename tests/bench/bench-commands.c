/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole processes, as a script runs them, in turns: berthctl, which asks berthd,
 * beside numactl, which reads the same of this machine without a service, and
 * beside busctl, which makes one call and prints the answer. */

#include "figures.h"
#include "subject.h"

#define ROUNDS 150
#define WARM_UP 5

int main(void) {
        sd_bus *bus = bus_connect();
        Subject berthd = subject_start_berthd(bus, "/");
        const char *const berthctl[] = { program_path("BERTHCTL"), "cells", NULL };
        const char *const numactl[] = { "numactl", "-H", NULL };
        const char *const busctl[] = { "busctl", "call", BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL };
        _cleanup_samples_ Samples a = {}, b = {}, c = {};

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double ours = run_usec(berthctl) / 1000, other = run_usec(numactl) / 1000, one_call = run_usec(busctl) / 1000;

                if (i < WARM_UP)
                        continue;
                samples_add(&a, ours);
                samples_add(&b, other);
                samples_add(&c, one_call);
        }

        figures_title("Whole processes", "ms, medians", "berthctl", "the other");
        FIGURE("berthctl cells, numactl -H", samples_median(&a), samples_median(&b));
        FIGURE("berthctl cells, busctl call GetManagedObjects", samples_median(&a), samples_median(&c));

        subject_stop(bus, &berthd);
        sd_bus_flush_close_unref(bus);
        return 0;
}
