/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Wake-ups of a berthd that has nothing to do: how often the kernel let one of its
 * threads run, whether it waited for that or was put aside before. A client is
 * connected, and the machine has been read anew once, so that a worker sleeps too.
 * Then other things happen that are none of berthd's business. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"
#include "subject.h"

/* Waiting is what is measured here. */
#define QUIET_MSEC 5000
#define SETTLE_MSEC 500

#define EVENTS 200

/* A device of the kernel's own that every machine has and no cell is made of. */
#define OTHER_DEVICE "/sys/devices/virtual/mem/null/uevent"

static void pass(unsigned msec) {
        struct timespec rest = { .tv_sec = msec / 1000, .tv_nsec = (long) (msec % 1000) * 1000000 };

        while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
                ;
}

/* Source: /proc/PID/task/TID/status. */
static unsigned long wakeups(const Subject *subject) {
        unsigned long sum = 0;
        struct dirent *entry;
        char path[64];
        DIR *tasks;

        snprintf(path, sizeof path, "/proc/%d/task", subject->pid);
        tasks = opendir(path);
        if (!tasks)
                cannot_measure("%s cannot be read", path);
        while ((entry = readdir(tasks))) {
                char line[256];
                FILE *file;
                int fd;

                if (entry->d_name[0] == '.')
                        continue;
                snprintf(line, sizeof line, "%.32s/status", entry->d_name);
                fd = openat(dirfd(tasks), line, O_RDONLY | O_CLOEXEC);
                file = fd < 0 ? NULL : fdopen(fd, "r");
                if (!file)
                        cannot_measure("%s/%s cannot be read", path, line);
                while (fgets(line, sizeof line, file)) {
                        unsigned long n;

                        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 || sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
                                sum += n;
                }
                fclose(file);
        }
        closedir(tasks);
        if (sum == 0)
                cannot_measure("the kernel does not count the wake-ups in %s", path);
        return sum;
}

static void nothing(void) {
        pass(QUIET_MSEC);
}

static void other_calls(void) {
        sd_bus *bus = bus_connect();

        for (unsigned i = 0; i < EVENTS; i++)
                (void) call_usec(bus, BARE_NAME, BARE_PATH, BARE_NAME, "GetFreeMemory", "uu", 0u, 0u);
        sd_bus_flush_close_unref(bus);
}

static void other_names(void) {
        sd_bus *bus = bus_connect();

        for (unsigned i = 0; i < EVENTS; i++)
                if (sd_bus_request_name(bus, BARE_NAME ".Guest", 0) < 0 || sd_bus_release_name(bus, BARE_NAME ".Guest") < 0)
                        cannot_measure("the bus does not give us a name");
        sd_bus_flush_close_unref(bus);
}

static void other_uevents(void) {
        int fd = open(OTHER_DEVICE, O_WRONLY | O_CLOEXEC);

        for (unsigned i = 0; i < EVENTS; i++)
                if (fd < 0 || write(fd, "change", 6) < 0)
                        cannot_measure("no uevent of %s: %s", OTHER_DEVICE, strerror(errno));
        (void) close(fd);
}

static void count(const Subject *berthd, const char *what, void (*happen)(void)) {
        unsigned long before, after;

        pass(SETTLE_MSEC);
        before = wakeups(berthd);
        happen();
        pass(SETTLE_MSEC);
        after = wakeups(berthd);
        FIGURE(what, (double) (after - before), .goal = AT_MOST(0));
}

int main(void) {
        sd_bus *bus = bus_connect();
        Subject bare = subject_start_bare(bus), berthd = subject_start_berthd(bus, "/");

        (void) call_usec(bus, BERTH_NAME, BERTH_PATH, "org.berth1.Manager", "GetCapabilitiesXml", NULL);
        (void) kill(berthd.pid, SIGHUP);

        figures_title("Wake-ups while idle, with a client connected", "how many", "berthd", NULL);
        count(&berthd, "5 seconds in which nothing happens", nothing);
        count(&berthd, "200 calls to another service", other_calls);
        count(&berthd, "400 changes of another name's owner", other_names);
        count(&berthd, "200 uevents of another device", other_uevents);

        subject_stop(bus, &berthd);
        subject_stop(bus, &bare);
        sd_bus_flush_close_unref(bus);
        return 0;
}
