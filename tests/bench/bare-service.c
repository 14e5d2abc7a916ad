/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What berthd is measured against: a service of sd-bus that knows nothing, and
 * says it at once. Its property and its methods have the types of those that
 * they are compared with, so that the bus carries as much for either; what berthd
 * takes above that is its own. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define BARE_NAME "org.berth1.Bare"
#define BARE_PATH "/org/berth1/bare"

static int get_count(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "u", 1u);
}

/* As long an answer as berthd's for one cell. */
static int get_free_memory(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint32_t first, count;
        int r;

        r = sd_bus_message_read(call, "uu", &first, &count);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(call, "a(ut)", 1, 0u, UINT64_C(1) << 32);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Count", "u", get_count, 0, 0),
        SD_BUS_METHOD("GetFreeMemory", "uu", "a(ut)", get_free_memory, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int main(void) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        sigset_t set;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, 1);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, BARE_PATH, BARE_NAME, vtable, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, BARE_NAME, 0);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0)
                fprintf(stderr, "bare-service: %s\n", strerror(-r));

        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
        return r < 0;
}
