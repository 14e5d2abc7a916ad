/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "show.h"

int verb_xml(Ctl *ctl) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_json_ json_object *path = NULL, *xml = NULL;
        const char *flags[4];
        ExitCode e;

        e = change_read_flags(ctl, flags);
        if (e == CTL_DONE)
                e = guest_find_path(ctl, ctl->arguments[0], &path);
        if (e != CTL_DONE)
                return e;
        const Call call = {
                .path = json_object_get_string(path),
                .interface = ctl_option(ctl, OPTION_VCPUS) ? BERTH_VCPUS : BERTH_DOMAIN,
                .member = "GetXml",
                .reply = "s",
        };
        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        int r = sd_bus_message_append_strv(m, (char **) flags);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = bus_call_send(ctl, &call, m, &xml);
        return e == CTL_DONE ? show_xml(ctl, xml) : e;
}
