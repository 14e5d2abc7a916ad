/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "connection.h"

#include <errno.h>
#include <string.h>

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

/* Descriptors that a caller attaches stay open as long as its call is kept, and if there
 * are no more to be had the bus is lost: data/org.berth1.conf lets only those calls carry
 * any that need them, and the authorizer keeps few of these. */
static int open_address(const char *address, sd_bus **ret) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, 1);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

int connection_open(const char *address, sd_event *event, Error *error, sd_bus **ret) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        if (!address)
                address = getenv("DBUS_SYSTEM_BUS_ADDRESS") ?: SYSTEM_BUS;
        r = open_address(address, &bus);
        if (r < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "cannot connect to the bus at %s: %s", address, strerror(-r));
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, 1);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

int connection_own(sd_bus *bus, const char *name, Error *error) {
        int r;

        r = sd_bus_request_name(bus, name, 0);
        if (r == -EEXIST || r == -EALREADY)
                return error_set(error, ERROR_ALREADY_EXISTS, "%s is taken on this bus: another berthd runs there", name);
        if (r == -EACCES || r == -EPERM)
                return error_set(error, ERROR_ACCESS_DENIED, "the bus does not let this process be %s: is the policy of org.berth1 installed there, and are we root?", name);
        if (r < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "cannot become %s on the bus: %s", name, strerror(-r));
        return 0;
}
