/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a guest's memory lies: the kernel walks the page tables of all of it, for
 * whoever reads numa_maps. So this is measured on a guest that has touched 1 GiB,
 * beside a plain read of that file; in pages of 4 KiB, and as QEMU asks for it, which is
 * in huge pages where the kernel has some. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "guests.h"

#define ROUNDS 25
#define WARM_UP 2

static double ask(sd_bus *bus, const char *path) {
        sd_bus_message *call = NULL, *reply = NULL;
        uint64_t sum = 0, bytes;
        uint32_t cell;
        double took;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, BERTH_NAME, path, "org.berth1.Domain", "GetMemoryByCell");
        if (r < 0)
                cannot_measure("a call cannot be made: %s", strerror(-r));
        took = message_usec(bus, call, &reply);
        r = sd_bus_message_enter_container(reply, 'a', "(ut)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ut)", &cell, &bytes)) > 0)
                sum += bytes;
        if (r < 0 || sum < UINT64_C(1) << 30)
                cannot_measure("berthd says that the guest has %llu bytes", (unsigned long long) sum);
        sd_bus_message_unref(reply);
        return took;
}

static double read_bare(pid_t guest) {
        char path[64], text[65536];
        double before = now_usec();
        ssize_t n;
        int fd;

        snprintf(path, sizeof path, "/proc/%d/numa_maps", (int) guest);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                cannot_measure("%s: %s", path, strerror(errno));
        while ((n = read(fd, text, sizeof text)) > 0)
                ;
        if (n < 0)
                cannot_measure("%s: %s", path, strerror(errno));
        (void) close(fd);
        return now_usec() - before;
}

static void compare(sd_bus *bus, const char *what, const char *name, const char *object, const char *backend) {
        _cleanup_samples_ Samples ours = {}, other = {};
        char *path = guest_monitor_path(name);
        pid_t guest = guest_start(path, (const char *[]) {
                "-m", "1024", "-object", backend, "-machine", "memory-backend=m0", NULL,
        });

        guest_wait_vcpus(bus, object, 1);
        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double x = ask(bus, object) / 1000, y = read_bare(guest) / 1000;

                if (i < WARM_UP)
                        continue;
                samples_add(&ours, x);
                samples_add(&other, y);
        }
        FIGURE(what, samples_median(&ours), samples_median(&other));
        guest_stop(guest);
        guest_wait_gone(bus, object);
        free(path);
}

int main(void) {
        sd_bus *bus = bus_connect();
        Subject berthd = subject_start_berthd(bus, "/");

        figures_title("Where 1 GiB of a guest lies", "ms, medians", "berthd", "numa_maps");
        compare(bus, "in pages of 4 KiB", "small", DOMAIN_PATH("small"), "memory-backend-memfd,id=m0,size=1G,prealloc=on");
        compare(bus, "as QEMU asks for it", "plain", DOMAIN_PATH("plain"), "memory-backend-ram,id=m0,size=1G,prealloc=on");

        subject_stop(bus, &berthd);
        sd_bus_flush_close_unref(bus);
        return 0;
}
