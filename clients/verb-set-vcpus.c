/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vCPUs that are named, one or several. */

#include <inttypes.h>
#include <string.h>

#include "change.h"
#include "show.h"
#include "units.h"

typedef struct Words {
        char *vcpus, *already, *waits, *look;
} Words;

static void words_clear(Words *w) {
        free(w->vcpus);
        free(w->already);
        free(w->waits);
        free(w->look);
}

static bool words_make(const Change *change, const char *ids, bool enable, Words *ret) {
        const char *name = change->guest.name, *are = ids_are_many(ids) ? "are" : "is";

        ret->vcpus = vcpus_format(ids);
        if (!ret->vcpus)
                return false;
        if (change->guest_side) {
                ret->already = text_format("%s %s %s in the guest already", ret->vcpus, are, enable ? "online" : "offline");
                ret->waits = text_format("waiting for the agent in %s", name);
        } else {
                ret->already = text_format("%s %s %s already", ret->vcpus, are, enable ? "enabled" : "disabled");
                ret->waits = text_format("waiting for %s to %s %s", name, enable ? "take" : "give back", ret->vcpus);
        }
        ret->look = text_format("'berthctl vcpus %s' shows how far it is.", name);
        return ret->already && ret->waits && ret->look;
}

/* @ids is what the vCPUs are called; the arguments were found to be right. */
static ExitCode set(Ctl *ctl, Change *change, const char *member, const char *ids, uint32_t id, bool enable) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(words_clear) Words words = {};
        _cleanup_json_ json_object *answer = NULL;
        bool several = strcmp(member, "SetVcpus") == 0;
        ExitCode e;
        int r;

        e = change_open(ctl, change);
        if (e != CTL_DONE)
                return e;
        if (!words_make(change, ids, enable, &words))
                return fail_no_memory(ctl);
        bool waits = !change->async && !change->dry_run && !change_is_stored(change);
        const Call call = {
                change->guest.path, BERTH_VCPUS, member, "st", true, waits ? words.waits : NULL, words.look,
        };
        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        r = several ? sd_bus_message_append(m, "s", ids) : sd_bus_message_append(m, "u", id);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", enable);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = change_call(ctl, change, &call, m, &answer);
        if (e != CTL_DONE)
                return e;
        const PlugWords plug_words = { .enable = enable, .already = words.already, .after = "", .after_dry = "" };
        return change_tell_plugged(ctl, change, answer, &plug_words);
}

int verb_set_vcpu(Ctl *ctl) {
        _cleanup_change_ Change change = CHANGE_NONE;
        _cleanup_free_ char *ids = NULL;
        uint32_t id = 0;
        bool enable = false;
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = vcpu_parse(ctl, ctl->arguments[1], &id);
        if (e == CTL_DONE)
                e = on_off_parse(ctl, ctl->arguments[2], &enable);
        if (e != CTL_DONE)
                return e;
        ids = text_format("%" PRIu32, id);
        if (!ids)
                return fail_no_memory(ctl);
        return set(ctl, &change, "SetVcpu", ids, id, enable);
}

int verb_set_vcpus(Ctl *ctl) {
        _cleanup_change_ Change change = CHANGE_NONE;
        _cleanup_free_ char *ids = NULL;
        bool enable = false;
        CpuList list;
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = vcpus_parse(ctl, ctl->arguments[1], &list);
        if (e == CTL_DONE)
                e = on_off_parse(ctl, ctl->arguments[2], &enable);
        if (e != CTL_DONE)
                return e;
        ids = cpulist_format(&list);
        if (!ids)
                return fail_no_memory(ctl);
        return set(ctl, &change, "SetVcpus", ids, 0, enable);
}
