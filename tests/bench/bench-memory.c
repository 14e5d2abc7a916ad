/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory, as the kernel adds it up for a process. Resident is what it has in
 * memory at all; private is the part that no other process shares, so that would
 * be free without it. Of that, the pages that it wrote to are what it has for
 * itself in any case; the others are of libraries that nobody else uses just now. */

#include <stdbool.h>
#include <stdio.h>

#include "figures.h"
#include "subject.h"
#include "trees.h"
#include "usage.h"

static void show(const char *when, const Memory *ours, const Memory *other, bool goals) {
        char what[64];

        snprintf(what, sizeof what, "resident, %s", when);
        FIGURE(what, ours->resident_kib, other->resident_kib, .goal = goals ? AT_MOST(8 * 1024) : NULL);
        snprintf(what, sizeof what, "private, %s", when);
        FIGURE(what, ours->private_kib, other->private_kib, .goal = goals ? AT_MOST(2 * 1024) : NULL);
        snprintf(what, sizeof what, "  of that written to, %s", when);
        FIGURE(what, ours->written_kib, other->written_kib);
}

static void get_xml(sd_bus *bus) {
        (void) call_usec(bus, BERTH_NAME, BERTH_PATH, "org.berth1.Manager", "GetCapabilitiesXml", NULL);
}

static void measure(sd_bus *bus, const char *root, const char *after_start, const char *after_xml, bool goals) {
        Subject bare = subject_start_bare(bus), berthd = subject_start_berthd(bus, root);
        Memory ours, other;

        /* Answered once, so that what a start leaves for later is done. */
        (void) call_usec(bus, BARE_NAME, BARE_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL);
        (void) call_usec(bus, BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL);
        other = memory_of(&bare);
        ours = memory_of(&berthd);
        show(after_start, &ours, &other, goals);
        get_xml(bus);
        ours = memory_of(&berthd);
        show(after_xml, &ours, &other, goals);

        subject_stop(bus, &berthd);
        subject_stop(bus, &bare);
}

int main(void) {
        sd_bus *bus = bus_connect();

        figures_title("Memory", "KiB", "berthd", "bare service");
        measure(bus, "/", "after start", "after the first XML", true);
        measure(bus, tree_folder(1024, 64), "1,024 CPUs", "1,024 CPUs, XML", false);
        measure(bus, tree_folder(8192, 64), "8,192 CPUs", "8,192 CPUs, XML", false);

        sd_bus_flush_close_unref(bus);
        return 0;
}
