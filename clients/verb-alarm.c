/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The alarm that wakes the host: shown, set and cleared. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "show.h"
#include "when.h"

#define USEC UINT64_C(1000000)

static ExitCode show_json(const Ctl *ctl, uint64_t alarm_usec) {
        _cleanup_json_ json_object *object = json_object_new_object();

        json_object_object_add(object, "WakeAlarm", json_object_new_uint64(alarm_usec));
        return ctl_print_json(ctl, object);
}

/* "The alarm for tomorrow, ... is cleared." */
static ExitCode tell(const Ctl *ctl, const char *before, uint64_t alarm_usec, uint64_t now_sec, const char *after) {
        _cleanup_free_ char *when = when_format(alarm_usec / USEC, now_sec);

        if (!when)
                return fail_no_memory(ctl);
        terminal_printf(&ctl->terminal, "%s %s%s.\n", before, when, after);
        return CTL_DONE;
}

static ExitCode alarm_read(Ctl *ctl, uint64_t *ret_usec) {
        _cleanup_json_ json_object *power = NULL;
        ExitCode e;

        e = host_load_power(ctl, &power);
        if (e == CTL_DONE)
                *ret_usec = field_number_or(power, "WakeAlarm", 0);
        return e;
}

static ExitCode alarm_show(Ctl *ctl) {
        uint64_t alarm;
        ExitCode e;

        e = alarm_read(ctl, &alarm);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return show_json(ctl, alarm);
        if (alarm == 0) {
                terminal_put(&ctl->terminal, "No alarm is set by this service.\n");
                return CTL_DONE;
        }
        return tell(ctl, "The host is woken", alarm, (uint64_t) time(NULL), "");
}

/* The words after "set", which may be a date and a time: to be freed. */
static char *words_join(const Ctl *ctl, unsigned first) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (unsigned i = first; i < ctl->n_arguments; i++)
                fprintf(f, "%s%s", i > first ? " " : "", ctl->arguments[i]);
        fclose(f);
        return text;
}

static ExitCode when_read(const Ctl *ctl, uint64_t now_sec, uint64_t *ret_sec) {
        _cleanup_free_ char *text = words_join(ctl, 1);

        if (!text)
                return fail_no_memory(ctl);
        switch (when_parse(text, now_sec, ret_sec)) {
        case 0:
                return CTL_DONE;
        case -ENOENT:
                return ctl_fail(ctl, CTL_USAGE, "'%s': there is no such day or hour here.", text);
        case -ERANGE:
                return ctl_fail(ctl, CTL_USAGE, "'%s' is after the year 9999.", text);
        }
        return ctl_fail(ctl, CTL_USAGE,
                        "'%s' is no time: it is like 07:30 (the next), 8h or 1h30min (from now),\n"
                        "'2026-12-01 07:30', or @ and the seconds since 1970.", text);
}

static ExitCode alarm_set(Ctl *ctl) {
        static const Call call = { BERTH_HOST_PATH, BERTH_POWER, "SetWakeAlarm", "", true, NULL, NULL };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool replace = ctl_option(ctl, OPTION_REPLACE), dry_run = ctl_option(ctl, OPTION_DRY_RUN);
        uint64_t now = (uint64_t) time(NULL), wake = 0;
        _cleanup_json_ json_object *answer = NULL;
        ExitCode e;

        e = when_read(ctl, now, &wake);
        if (e != CTL_DONE)
                return e;
        wake *= USEC;
        if (replace && dry_run)
                e = bus_try_call(ctl, &call, &answer, &error, "tas", wake, 2, "replace", "dry-run");
        else if (replace || dry_run)
                e = bus_try_call(ctl, &call, &answer, &error, "tas", wake, 1, replace ? "replace" : "dry-run");
        else
                e = bus_try_call(ctl, &call, &answer, &error, "tas", wake, 0);
        if (e != CTL_DONE)
                return e;
        if (sd_bus_error_has_name(&error, BERTH_ERROR_ALREADY_EXISTS) && !replace)
                return ctl_fail(ctl, CTL_FAILED, "%s\n--replace takes its place.", error.message);
        if (sd_bus_error_is_set(&error))
                return bus_fail(ctl, &call, &error, 0);

        if (ctl->json != JSON_OFF)
                return show_json(ctl, wake);
        return tell(ctl, dry_run ? "The host would be woken" : "The host will be woken", wake, now, "");
}

static ExitCode alarm_clear(Ctl *ctl) {
        static const Call call = { BERTH_HOST_PATH, BERTH_POWER, "ClearWakeAlarm", "", true, NULL, NULL };
        bool dry_run = ctl_option(ctl, OPTION_DRY_RUN);
        const char *const flags[] = { dry_run ? "dry-run" : NULL, NULL };
        _cleanup_json_ json_object *answer = NULL;
        uint64_t alarm;
        ExitCode e;

        e = alarm_read(ctl, &alarm);
        if (e == CTL_DONE)
                e = bus_call_flags(ctl, &call, flags, &answer);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return show_json(ctl, 0);
        if (alarm == 0) {
                terminal_put(&ctl->terminal, "No alarm was set by this service.\n");
                return CTL_DONE;
        }
        return tell(ctl, "The alarm for", alarm, (uint64_t) time(NULL), dry_run ? ", would be cleared" : ", is cleared");
}

int verb_alarm(Ctl *ctl) {
        const char *what = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL;
        bool set = what && strcmp(what, "set") == 0, clear = what && strcmp(what, "clear") == 0;

        if (what && !set && !clear)
                return ctl_fail(ctl, CTL_USAGE, "'%s' is neither 'set' nor 'clear'.", what);
        if (set && ctl->n_arguments < 2)
                return ctl_fail(ctl, CTL_USAGE, "'set' needs a time: berthctl alarm set 07:30");
        if (clear && ctl->n_arguments > 1)
                return ctl_fail(ctl, CTL_USAGE, "'%s' is too much: berthctl alarm clear", ctl->arguments[1]);
        if (!set && ctl_option(ctl, OPTION_REPLACE))
                return ctl_fail(ctl, CTL_USAGE, "--replace goes with 'alarm set' only.");
        if (!what && ctl_option(ctl, OPTION_DRY_RUN))
                return ctl_fail(ctl, CTL_USAGE, "--dry-run goes with 'alarm set' and 'alarm clear' only.");
        return set ? alarm_set(ctl) : clear ? alarm_clear(ctl) : alarm_show(ctl);
}
