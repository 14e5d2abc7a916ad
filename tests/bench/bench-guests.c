/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Five hundred guests at once, played by one other program: how long until berthd has
 * them, how long it takes to tell them all, and what they cost while nothing happens.
 * Beside the time until they are there stands the same start without one. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "figures.h"
#include "guests.h"
#include "usage.h"

#define OUTPUT "/run/bench-guests.output"

#define GUESTS 500
#define STARTS 7
#define ROUNDS 60

/* Waiting is what is measured here. */
#define QUIET_MSEC 5000
#define SETTLE_MSEC 1000

/* Ends what hangs; no figure depends on it. */
#define PATIENCE_USEC 60e6

static bool seen[GUESTS];
static unsigned n_seen;

static void see(const char *path) {
        const char *name = strrchr(path, '/');
        unsigned number;

        /* "g" is a letter that a path keeps. */
        if (strncmp(path, DOMAIN_PATH("g"), strlen(DOMAIN_PATH("g"))) != 0 || sscanf(name, "/g%u", &number) != 1 || number >= GUESTS || seen[number])
                return;
        seen[number] = true;
        n_seen++;
}

static int on_added(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path;

        if (sd_bus_message_read(message, "o", &path) >= 0)
                see(path);
        return 0;
}

static sd_bus_message *get_objects(sd_bus *bus, double *ret_usec) {
        sd_bus_message *call = NULL, *reply = NULL;

        if (sd_bus_message_new_method_call(bus, &call, BERTH_NAME, BERTH_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") < 0)
                cannot_measure("a call cannot be made");
        *ret_usec = message_usec(bus, call, &reply);
        return reply;
}

static void see_objects(sd_bus *bus) {
        double usec;
        sd_bus_message *reply = get_objects(bus, &usec);
        const char *path;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_read(reply, "o", &path);
                if (r >= 0) {
                        see(path);
                        r = sd_bus_message_skip(reply, "a{sa{sv}}");
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        if (r < 0)
                cannot_measure("what the objects are cannot be read: %s", strerror(-r));
        sd_bus_message_unref(reply);
}

/* From before its exec until all guests are heard of. */
static Subject start_with_guests(sd_bus *bus, double *ret_usec) {
        sd_bus_slot *slot = NULL;
        double before;
        Subject berthd;
        int r;

        memset(seen, 0, sizeof seen);
        n_seen = 0;
        r = sd_bus_add_match(bus, &slot, "type='signal',interface='org.freedesktop.DBus.ObjectManager',member='InterfacesAdded'", on_added, NULL);
        before = now_usec();
        berthd = subject_start_berthd(bus, "/");
        see_objects(bus);
        while (r >= 0 && n_seen < GUESTS) {
                if (now_usec() > before + PATIENCE_USEC)
                        cannot_measure("berthd shows %u of %u guests", n_seen, GUESTS);
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, 1000000);
        }
        if (r < 0)
                cannot_measure("the bus is gone: %s", strerror(-r));
        *ret_usec = now_usec() - before;
        sd_bus_slot_unref(slot);
        return berthd;
}

/* Comes back when they listen. */
static pid_t start_guests(void) {
        char count[16], line[256] = "", *path = guest_monitor_path("g0");
        FILE *output;
        pid_t pid;
        int fd;

        snprintf(count, sizeof count, "%u", GUESTS);
        free(path);
        /* Opened before there is a writer, who would wait for us. */
        fd = mkfifo(OUTPUT, 0600) < 0 ? -1 : open(OUTPUT, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                cannot_measure(OUTPUT ": %s", strerror(errno));
        pid = program_start((const char *[]) { "setpriv", "--pdeathsig", "KILL", "--", program_path("MANY_GUESTS"), DOMAINS_FOLDER, count, NULL }, OUTPUT);
        if (fcntl(fd, F_SETFL, 0) < 0)
                cannot_measure("fcntl: %s", strerror(errno));
        output = fdopen(fd, "r");
        if (!output || !fgets(line, sizeof line, output) || strcmp(line, "ready\n") != 0)
                cannot_measure("the guests did not start: %s", line);
        fclose(output);
        return pid;
}

static double median_start(sd_bus *bus, double *ret_work) {
        _cleanup_samples_ Samples starts = {}, work = {};

        for (unsigned i = 0; i <= STARTS; i++) {
                double usec, worked;
                Subject berthd = start_with_guests(bus, &usec);

                worked = subject_stop(bus, &berthd);
                if (i == 0)
                        continue;
                samples_add(&starts, usec / 1000);
                samples_add(&work, worked / 1000);
        }
        *ret_work = samples_median(&work);
        return samples_median(&starts);
}

static double median_start_alone(sd_bus *bus, double *ret_work) {
        _cleanup_samples_ Samples starts = {}, work = {};

        for (unsigned i = 0; i <= STARTS; i++) {
                Subject berthd = subject_start_berthd(bus, "/");
                double usec = berthd.start_usec, worked = subject_stop(bus, &berthd);

                if (i == 0)
                        continue;
                samples_add(&starts, usec / 1000);
                samples_add(&work, worked / 1000);
        }
        *ret_work = samples_median(&work);
        return samples_median(&starts);
}

static void measure_time(sd_bus *bus) {
        _cleanup_samples_ Samples all = {}, one = {};
        Subject berthd;
        double usec;

        berthd = start_with_guests(bus, &usec);
        for (unsigned i = 0; i < ROUNDS; i++) {
                sd_bus_message_unref(get_objects(bus, &usec));
                samples_add(&all, usec / 1000);
                samples_add(&one, call_usec(bus, BERTH_NAME, DOMAIN_PATH("g499"), "org.freedesktop.DBus.Properties", "GetAll", "s", "org.berth1.Domain") / 1000);
        }
        FIGURE("GetManagedObjects", samples_median(&all), .goal = AT_MOST(50));
        FIGURE("GetAll of one guest", samples_median(&one));
        subject_stop(bus, &berthd);
}

static void measure_rest(sd_bus *bus) {
        unsigned long before;
        Memory memory;
        Subject berthd;
        double usec;

        berthd = start_with_guests(bus, &usec);
        pass(SETTLE_MSEC);
        memory = memory_of(&berthd);
        figures_title("500 quiet guests: memory", "KiB", "berthd", NULL);
        FIGURE("resident", memory.resident_kib, .goal = AT_MOST(24 * 1024));
        FIGURE("private", memory.private_kib, .goal = AT_MOST(24 * 1024));
        sd_bus_message_unref(get_objects(bus, &usec));
        memory = memory_of(&berthd);
        FIGURE("resident, after GetManagedObjects", memory.resident_kib, .goal = AT_MOST(24 * 1024));
        FIGURE("private, after GetManagedObjects", memory.private_kib, .goal = AT_MOST(24 * 1024));

        figures_title("500 quiet guests: wake-ups", "how many", "berthd", NULL);
        pass(SETTLE_MSEC);
        before = wakeups_of(&berthd);
        pass(QUIET_MSEC);
        FIGURE("5 seconds in which nothing happens", (double) (wakeups_of(&berthd) - before), .goal = AT_MOST(0));
        subject_stop(bus, &berthd);
}

int main(void) {
        sd_bus *bus = bus_connect();
        double start, start_work, alone, alone_work;
        pid_t guests;

        alone = median_start_alone(bus, &alone_work);
        guests = start_guests();
        figures_title("500 guests", "ms, medians", "berthd", "without guests");
        start = median_start(bus, &start_work);
        FIGURE("start until all are there", start, alone);
        FIGURE("  work of the processors for it", start_work, alone_work);
        measure_time(bus);
        measure_rest(bus);

        guest_stop(guests);
        sd_bus_flush_close_unref(bus);
        return 0;
}
