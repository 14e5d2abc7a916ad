/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus.h"
#include "show.h"

int verb_capabilities(Ctl *ctl) {
        static const Call call = { BERTH_PATH, BERTH_MANAGER, "GetCapabilitiesXml", "s", false };
        _cleanup_json_ json_object *xml = NULL;
        ExitCode e;

        e = bus_call(ctl, &call, &xml, NULL);
        return e == CTL_DONE ? show_xml(ctl, xml) : e;
}
