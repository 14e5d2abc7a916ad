/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "fields.h"
#include "guests.h"
#include "map.h"
#include "show.h"

/* Each guest as the verb "vcpus" gives it. */
static json_object *domains_json(json_object *guests, json_object *lists) {
        json_object *domains = json_object_new_array();

        for (size_t i = 0; i < list_length(guests); i++) {
                json_object *entry = json_object_new_object();
                json_object_object_add(entry, "Domain", json_object_get(json_object_array_get_idx(guests, i)));
                json_object_object_add(entry, "Vcpus", json_object_get(json_object_array_get_idx(lists, i)));
                json_object_array_add(domains, entry);
        }
        return domains;
}

int verb_map(Ctl *ctl) {
        _cleanup_json_ json_object *cpus = NULL, *caches = NULL, *guests = NULL, *paths = NULL, *lists = NULL;
        _cleanup_host_ Host host = HOST_NONE;
        _cleanup_map_ MapNode *map = NULL;
        ExitCode e;
        int r;

        e = host_load(ctl, &host);
        if (e == CTL_DONE)
                e = host_list_cpus(ctl, &cpus);
        if (e == CTL_DONE)
                e = host_list_caches(ctl, &caches);
        if (e == CTL_DONE)
                e = guests_take(ctl, host.objects, &guests, &paths);
        if (e == CTL_DONE)
                e = guests_list_vcpus(ctl, paths, SIZE_MAX, &lists);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *all = json_object_new_object();
                json_object_object_add(all, "Cells", json_object_get(host.cells));
                json_object_object_add(all, "Cpus", json_object_get(cpus));
                json_object_object_add(all, "Caches", json_object_get(caches));
                json_object_object_add(all, "Domains", domains_json(guests, lists));
                return ctl_print_json(ctl, all);
        }
        r = map_build(host.cells, cpus, caches, &map);
        if (r >= 0)
                r = map_add_guests(map, guests, lists);
        if (r >= 0)
                r = map_draw(map, &ctl->terminal);
        if (r == -EBADMSG || r == -ERANGE)
                return host_fail_malformed(ctl, "ListCpus, ListCaches or ListVcpus", "a list of CPUs");
        return r < 0 ? fail_no_memory(ctl) : CTL_DONE;
}
