/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Wake-ups of a berthd that has nothing to do: how often the kernel let one of its
 * threads run, whether it waited for that or was put aside before. A client is
 * connected, and the machine has been read anew once, so that a worker sleeps too.
 * Then other things happen that are none of berthd's business. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "subject.h"
#include "usage.h"

/* Waiting is what is measured here. */
#define QUIET_MSEC 5000
#define SETTLE_MSEC 500

#define EVENTS 200

/* A device of the kernel's own that every machine has and no cell is made of. */
#define OTHER_DEVICE "/sys/devices/virtual/mem/null/uevent"

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
        before = wakeups_of(berthd);
        happen();
        pass(SETTLE_MSEC);
        after = wakeups_of(berthd);
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
