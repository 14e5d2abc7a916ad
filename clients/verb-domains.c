/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The guests, a row each, and what is wrong with them. */

#include "bus.h"
#include "guests.h"
#include "show.h"

/* That there is none, and how one comes. */
static void show_none(const Terminal *t, json_object *objects) {
        json_object *service = NULL, *manager = NULL, *backends = NULL;

        json_object_object_get_ex(objects, BERTH_PATH, &service);
        json_object_object_get_ex(service, BERTH_MANAGER, &manager);
        backends = field_list(manager, "Backends");
        if (backends && list_length(backends) == 0)
                terminal_put(t, "No guests: the service has no way to reach any; 'journalctl -u berthd' says why.\n");
        else
                terminal_put(t, "No guests: one appears when QEMU is started with "
                                "-qmp unix:/run/berth/domains/NAME/qmp.sock,server=on,wait=off\n");
}

int verb_domains(Ctl *ctl) {
        _cleanup_json_ json_object *objects = NULL, *guests = NULL, *warnings = json_object_new_array();
        const Terminal *t = &ctl->terminal;
        ExitCode e;

        e = host_get_objects(ctl, &objects);
        if (e == CTL_DONE)
                e = guests_take(ctl, objects, &guests, NULL);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, guests);
        if (list_length(guests) == 0) {
                show_none(t, objects);
                return CTL_DONE;
        }
        e = show_guests(ctl, t, guests, UINT32_MAX);
        if (e != CTL_DONE)
                return e;
        for (size_t i = 0; i < list_length(guests); i++)
                guest_add_warnings(json_object_array_get_idx(guests, i), warnings);
        if (list_length(warnings) > 0)
                terminal_put(t, "\n");
        show_warnings(t, warnings, SIZE_MAX);
        return CTL_DONE;
}
