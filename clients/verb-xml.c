/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "show.h"

int verb_xml(Ctl *ctl) {
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
        e = bus_call_flags(ctl, &call, flags, &xml);
        return e == CTL_DONE ? show_xml(ctl, xml) : e;
}
