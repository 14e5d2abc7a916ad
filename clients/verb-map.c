/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "fields.h"
#include "map.h"
#include "show.h"

int verb_map(Ctl *ctl) {
        _cleanup_json_ json_object *cpus = NULL, *caches = NULL;
        _cleanup_host_ Host host = HOST_NONE;
        _cleanup_map_ MapNode *map = NULL;
        ExitCode e;
        int r;

        e = host_load(ctl, &host);
        if (e == CTL_DONE)
                e = host_list_cpus(ctl, &cpus);
        if (e == CTL_DONE)
                e = host_list_caches(ctl, &caches);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *all = json_object_new_object();
                json_object_object_add(all, "Cells", json_object_get(host.cells));
                json_object_object_add(all, "Cpus", json_object_get(cpus));
                json_object_object_add(all, "Caches", json_object_get(caches));
                return ctl_print_json(ctl, all);
        }
        r = map_build(host.cells, cpus, caches, &map);
        if (r >= 0)
                r = map_draw(map, &ctl->terminal);
        if (r == -EBADMSG || r == -ERANGE)
                return host_fail_malformed(ctl, "ListCpus and ListCaches", "a list of CPUs");
        return r < 0 ? fail_no_memory(ctl) : CTL_DONE;
}
