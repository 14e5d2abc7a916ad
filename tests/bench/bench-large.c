/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Long answers of large hosts. They come from the snapshot, so they are shown
 * beside what it takes to read the host anew: berthd's start there, less that of
 * the bare service. Were a file read for an answer, it would be of that order. */

#include <stdio.h>

#include "figures.h"
#include "subject.h"
#include "trees.h"

#define STARTS 7
#define ROUNDS 100

static double get_xml(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, BERTH_PATH, "org.berth1.Manager", "GetCapabilitiesXml", NULL) / 1000;
}

static double get_objects(sd_bus *bus) {
        return call_usec(bus, BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL) / 1000;
}

static void measure(sd_bus *bus, const char *shape, const char *root) {
        _cleanup_samples_ Samples reading = {}, xml = {}, objects = {};
        char what[64];

        for (unsigned i = 0; i < STARTS; i++) {
                Subject berthd = subject_start_berthd(bus, root), bare = subject_start_bare(bus);

                samples_add(&reading, (berthd.start_usec - bare.start_usec) / 1000);
                /* The first of each is another matter: libraries find their parts. */
                (void) get_xml(bus);
                (void) get_objects(bus);
                for (unsigned j = 0; j < ROUNDS / STARTS; j++) {
                        samples_add(&xml, get_xml(bus));
                        samples_add(&objects, get_objects(bus));
                }
                subject_stop(bus, &berthd);
                subject_stop(bus, &bare);
        }

        snprintf(what, sizeof what, "GetCapabilitiesXml, %s", shape);
        FIGURE(what, samples_median(&xml), samples_median(&reading));
        snprintf(what, sizeof what, "GetManagedObjects, %s", shape);
        FIGURE(what, samples_median(&objects), samples_median(&reading));
}

int main(void) {
        sd_bus *bus = bus_connect();

        figures_title("Long answers", "ms, medians", "berthd", "reading anew");
        measure(bus, "this machine", "/");
        measure(bus, "256 CPUs, 64 cells", tree_folder(256, 64));
        measure(bus, "1,024 CPUs, 64 cells", tree_folder(1024, 64));

        sd_bus_flush_close_unref(bus);
        return 0;
}
