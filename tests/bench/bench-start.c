/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From before exec until the bus says that the service has its name: that is what
 * a caller waits for when the bus starts it. The bare service does the same
 * without reading a host.
 *
 * How long the processors worked for each, its end included, is shown too: that
 * hardly grows when the machine has other things to do. */

#include <stdio.h>

#include "figures.h"
#include "subject.h"
#include "trees.h"

static void compare(sd_bus *bus, const char *what, const char *root, unsigned rounds, const double *goal) {
        _cleanup_samples_ Samples ours = {}, other = {}, our_work = {}, other_work = {};
        char work[64];

        /* The first start is for the files to be in memory. */
        for (unsigned i = 0; i <= rounds; i++) {
                Subject berthd = subject_start_berthd(bus, root), bare = subject_start_bare(bus);
                double x = berthd.start_usec, y = bare.start_usec;
                double x_work = subject_stop(bus, &berthd), y_work = subject_stop(bus, &bare);

                if (i == 0)
                        continue;
                samples_add(&ours, x / 1000);
                samples_add(&other, y / 1000);
                samples_add(&our_work, x_work / 1000);
                samples_add(&other_work, y_work / 1000);
        }
        FIGURE(what, samples_median(&ours), samples_median(&other), .goal = goal);
        snprintf(work, sizeof work, "  work of the processors, %s", what);
        FIGURE(work, samples_median(&our_work), samples_median(&other_work));
}

int main(void) {
        sd_bus *bus = bus_connect();

        figures_title("Start until the name is owned", "ms, medians", "berthd", "bare service");
        compare(bus, "this machine", "/", 60, AT_MOST(15));
        compare(bus, "256 CPUs in 64 cells", tree_folder(256, 64), 40, AT_MOST(60));
        compare(bus, "1,024 CPUs in 64 cells", tree_folder(1024, 64), 15, NULL);
        compare(bus, "8,192 CPUs in 64 cells", tree_folder(8192, 64), 5, NULL);

        sd_bus_flush_close_unref(bus);
        return 0;
}
