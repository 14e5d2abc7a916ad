/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory, as the kernel adds it up for a process. Resident is what it has in
 * memory at all; private is the part that no other process shares, so that would
 * be free without it. Of that, the pages that it wrote to are what it has for
 * itself in any case; the others are of libraries that nobody else uses just now. */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "figures.h"
#include "subject.h"
#include "trees.h"

typedef struct Memory {
        double resident_kib;
        double private_kib;
        double written_kib;
} Memory;

/* Source: /proc/PID/smaps_rollup. */
static Memory memory_of(const Subject *subject) {
        char path[64], line[256];
        Memory memory = {};
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", subject->pid);
        file = fopen(path, "re");
        if (!file)
                cannot_measure("%s cannot be read", path);
        while (fgets(line, sizeof line, file)) {
                double kib;

                if (sscanf(line, "Rss: %lf kB", &kib) == 1)
                        memory.resident_kib = kib;
                else if (sscanf(line, "Private_Clean: %lf kB", &kib) == 1)
                        memory.private_kib += kib;
                else if (sscanf(line, "Private_Dirty: %lf kB", &kib) == 1) {
                        memory.private_kib += kib;
                        memory.written_kib = kib;
                }
        }
        fclose(file);
        if (memory.resident_kib == 0)
                cannot_measure("%s says nothing", path);
        return memory;
}

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
