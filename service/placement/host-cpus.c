/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host-cpus.h"

#include <string.h>

#include "lib/log.h"

static void tell_guests(Host *host, Guests *guests) {
        int r = guests_set_host_cpus(guests, &host->topology->online, &host->topology->present, host->live);

        if (r < 0)
                log_warning("The guests cannot be told which CPUs the host has now: %s", strerror(-r));
}

static void on_changed(Host *host, unsigned change, void *userdata) {
        if (change & (TOPOLOGY_CHANGE_ONLINE | TOPOLOGY_CHANGE_PRESENT))
                tell_guests(host, userdata);
}

static const HostListener listener = {
        .changed = on_changed,
};

int host_cpus_follow(Host *host, Guests *guests) {
        tell_guests(host, guests);
        return host_listen(host, &listener, guests);
}
