/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>

#include "bus.h"
#include "fields.h"
#include "show.h"

enum { LABEL = 15 };

static ExitCode topology_xml(Ctl *ctl) {
        static const Call call = { BERTH_HOST_PATH, BERTH_TOPOLOGY, "GetXml", "s", false };
        _cleanup_json_ json_object *xml = NULL;
        ExitCode e;

        if (ctl_option(ctl, OPTION_NESTED))
                e = bus_call(ctl, &call, &xml, "as", 1, "nested");
        else
                e = bus_call(ctl, &call, &xml, "as", 0);
        return e == CTL_DONE ? show_xml(ctl, xml) : e;
}

static void show_number(const Terminal *t, const char *label, json_object *topology, const char *name) {
        char text[24];
        uint64_t n;

        if (!field_number(topology, name, &n))
                return;
        snprintf(text, sizeof text, "%" PRIu64, n);
        show_line(t, label, LABEL, text);
}

int verb_topology(Ctl *ctl) {
        const Terminal *t = &ctl->terminal;
        _cleanup_json_ json_object *topology = NULL;
        ExitCode e;

        if (ctl_option(ctl, OPTION_XML))
                return topology_xml(ctl);
        if (ctl_option(ctl, OPTION_NESTED))
                return ctl_fail(ctl, CTL_USAGE, "--nested is an option of --xml.");

        e = host_load_topology(ctl, &topology);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, topology);

        show_line(t, "Architecture", LABEL, field_string(topology, "Arch"));
        show_line(t, "Vendor", LABEL, field_string(topology, "Vendor"));
        show_line(t, "Model", LABEL, field_string(topology, "Model"));
        show_number(t, "Sockets", topology, "Sockets");
        if (field_number_or(topology, "Dies", 0) > 0)
                show_number(t, "Dies", topology, "Dies");
        show_number(t, "Cores", topology, "Cores");
        show_number(t, "Threads", topology, "Threads");
        if (json_object_object_get_ex(topology, "SmtActive", NULL))
                show_line(t, "SMT", LABEL, field_boolean(topology, "SmtActive") ? "active" : "not active");
        show_line(t, "Possible CPUs", LABEL, field_string(topology, "PossibleCpus"));
        show_line(t, "Present CPUs", LABEL, field_string(topology, "PresentCpus"));
        show_line(t, "Online CPUs", LABEL, field_string(topology, "OnlineCpus"));
        show_line(t, "Isolated CPUs", LABEL, field_string(topology, "IsolatedCpus"));
        show_number(t, "Generation", topology, "Generation");

        json_object *warnings = field_list(topology, "Warnings");
        if (list_length(warnings) > 0)
                terminal_put(t, "\n");
        show_warnings(t, warnings, SIZE_MAX);
        return CTL_DONE;
}
