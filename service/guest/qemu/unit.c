/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/qemu/cpus.h"

/* QEMU makes a CPU before it answers. To take one away the guest has to do its part, and
 * how that ends is told in many ways: by an event with the device's id, by one with
 * only the path of something that was in it, or by none (an emulated CPU goes
 * without). So whatever happens, the truth is the list of CPUs: it is looked at again
 * after any event that can mean one is gone, and at intervals while somebody waits. A guest
 * that refuses says so in one of two events.
 *
 * A guest that says nothing may do its part an hour later. Then nobody waits, but it is
 * known that it was asked to; it is asked again when somebody wants that. A command that a
 * stuck QEMU has not answered is not repeated. */

#define SEC UINT64_C(1000000)

/* As long as anybody remembers that it was asked; how long a caller waits is the
 * caller's. */
#define COMMAND_TIMEOUT_USEC (86400 * SEC)

/* Between two looks. */
#define LOOK_FIRST_USEC UINT64_C(50000)
#define LOOK_LAST_USEC SEC

/* Names for one CPU that are tried, if others have taken them. */
#define NAMES_MAX 8u

typedef struct Change {
        QemuUnits *units;
        struct Change *next;
        uint32_t first, count;
        bool enable;
        char *id;                       /* of the device */
        char *path;                     /* the same, as long as it is there */
        unsigned n_names;               /* tried, of one that is plugged */
        bool accepted;                  /* QEMU has answered that it does it, or has done it */
        bool told;                      /* that it is pending */
        bool again;                     /* asked for once more: if QEMU refuses that, the first time counts */
        QmpCommand *command;            /* until it is answered */
        BackendDone done;               /* NULL: nobody waits any more */
        void *userdata;
        uint64_t timeout_usec;
        sd_event_source *deadline;
        sd_event_source *look_timer;
        uint64_t look_usec;
} Change;

struct QemuUnits {
        QemuGuest *guest;
        Change *changes;
        bool stopping;
};

static const char *change_noun(const Change *change) {
        return change->count == 1 ? "vCPU" : "vCPUs";
}

static const char *change_ids(const Change *change, char buffer[static VCPU_UNIT_TEXT_MAX]) {
        plug_unit_to_string(&(PlugUnit) { .first = change->first, .count = change->count }, buffer);
        return buffer;
}

static Domain *change_domain(const Change *change) {
        return qemu_guest_domain(change->units->guest);
}

static CpuSet *change_pending(const Change *change) {
        Domain *domain = change_domain(change);

        return change->enable ? &domain->pending_plug : &domain->pending_unplug;
}

static Change *change_free(Change *change) {
        if (!change)
                return NULL;
        for (Change **at = &change->units->changes; *at; at = &(*at)->next)
                if (*at == change) {
                        *at = change->next;
                        break;
                }
        qmp_command_drop(change->command);
        (void) sd_event_source_disable_unref(change->deadline);
        (void) sd_event_source_disable_unref(change->look_timer);
        free(change->id);
        free(change->path);
        free(change);
        return NULL;
}
DEFINE_CLEANUP(Change *, change_free)

/* What ends in one go is told when it has ended. */
static void change_tell(Change *change) {
        if (change->told)
                return;
        change->told = true;
        for (uint32_t id = change->first; id < change->first + change->count; id++)
                domain_mark_vcpu(change_domain(change), id, VCPU_CHANGE_PENDING, VCPU_CAUSE_REQUEST);
}

/* It is not pending any more, and forgotten when this returns. */
static void change_end(Change *ended, int result, const Error *error) {
        _cleanup_(change_freep) Change *change = ended;
        Domain *domain = change_domain(change);
        BackendDone done = change->done;
        void *userdata = change->userdata;

        for (uint32_t id = change->first; id < change->first + change->count; id++)
                if (domain_pending_remove(change_pending(change), id) && change->told)
                        domain_mark_vcpu(domain, id, VCPU_CHANGE_PENDING,
                                         done ? VCPU_CAUSE_REQUEST : change->enable ? VCPU_CAUSE_BACKEND : VCPU_CAUSE_GUEST);
        change = change_free(change);
        if (done)
                done(result, error, userdata);
}

/* Nobody waits any more. Whether it will be done, nobody knows. */
static void change_leave(Change *change, int result, const Error *error) {
        BackendDone done = change->done;

        (void) sd_event_source_set_enabled(change->deadline, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(change->look_timer, SD_EVENT_OFF);
        change_tell(change);
        change->done = NULL;
        if (done)
                done(result, error, change->userdata);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_error_ Error error = {};
        Change *change = userdata;
        char ids[VCPU_UNIT_TEXT_MAX];
        double seconds = (double) change->timeout_usec / (double) SEC;
        int r;

        if (change->enable)
                r = error_set(&error, ERROR_TIMED_OUT, "QEMU did not plug %s %s within %.3g s; it may still do so",
                              change_noun(change), change_ids(change, ids), seconds);
        else if (!change->accepted)
                r = error_set(&error, ERROR_TIMED_OUT, "QEMU did not answer within %.3g s to the request to unplug %s %s; it may still do so",
                              seconds, change_noun(change), change_ids(change, ids));
        else
                r = error_set(&error, ERROR_TIMED_OUT, "the guest did not give %s %s back within %.3g s; it may still do so",
                              change_noun(change), change_ids(change, ids), seconds);
        change_leave(change, r, &error);
        return 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        Change *change = userdata;

        change_tell(change);
        if (change->accepted)
                qemu_guest_look_at_vcpus(change->units->guest);
        change->look_usec = change->look_usec * 2 < LOOK_LAST_USEC ? change->look_usec * 2 : LOOK_LAST_USEC;
        (void) sd_event_source_set_time_relative(source, change->look_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static bool name_is_taken(const Change *change) {
        const VcpuTable *table = change_domain(change)->vcpus;

        for (size_t i = 0; i < table->n_units; i++) {
                const char *id = qemu_unit_id(table->units + i);

                if (id && strcmp(id, change->id) == 0)
                        return true;
        }
        return false;
}

/* The next name that is free as far as we know: "berth-vcpu-3", "berth-vcpu-3-2". Returns
 * -EEXIST if all are taken. */
static int change_find_name(Change *change) {
        do {
                char suffix[16] = "";
                char *id;

                if (change->n_names >= NAMES_MAX)
                        return -EEXIST;
                change->n_names++;
                if (change->n_names > 1)
                        snprintf(suffix, sizeof suffix, "-%u", change->n_names);
                if (asprintf(&id, "berth-vcpu-%u%s", change->first, suffix) < 0)
                        return -ENOMEM;
                free(change->id);
                change->id = id;
        } while (name_is_taken(change));
        return 0;
}

static void on_answer(const QmpResult *result, void *userdata);

/* Asks QEMU for it. Errors: NotSupported, NotRunning, BackendFailed. */
static int change_send(Change *change, Error *error) {
        const Domain *domain = change_domain(change);
        const PlugUnit *unit = vcpu_table_find_unit(domain->vcpus, change->first);
        Qmp *qmp = qemu_guest_qmp(change->units->guest);
        _cleanup_json_ JsonObject *arguments = NULL;
        char ids[VCPU_UNIT_TEXT_MAX];
        int r;

        if (change->enable) {
                r = unit ? change_find_name(change) : -ENODEV;
                if (r >= 0)
                        r = qemu_unit_arguments(unit, change->id, &arguments);
                if (r == -EOPNOTSUPP)
                        return error_set(error, ERROR_NOT_SUPPORTED, "%s %s can't be plugged: %s", change_noun(change), change_ids(change, ids),
                                         unit->reason ?: "the hypervisor does not say why");
        } else {
                arguments = json_object_new_object();
                r = arguments ? json_add_string(arguments, "id", change->id) : -ENOMEM;
        }
        if (r >= 0)
                r = qmp_execute(qmp, change->enable ? "device_add" : "device_del", TAKE_PTR(arguments), COMMAND_TIMEOUT_USEC,
                                on_answer, change, &change->command);
        if (r == -ENOTCONN)
                return error_set(error, ERROR_NOT_RUNNING, "the monitor of %s is not connected", domain->name);
        if (r < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "QEMU could not be asked to %s %s %s: %s", change->enable ? "plug" : "unplug",
                                 change_noun(change), change_ids(change, ids), strerror(-r));
        return 0;
}

static void on_answer(const QmpResult *result, void *userdata) {
        _cleanup_error_ Error error = {};
        Change *change = userdata;
        char ids[VCPU_UNIT_TEXT_MAX];
        int r;

        change->command = NULL;
        /* The end of all follows, or the answer never came. */
        if (result->error == -ECONNRESET || result->error == -ETIMEDOUT)
                return;
        if (result->error == 0) {
                change->accepted = true;
                qemu_guest_look_at_vcpus(change->units->guest);
                return;
        }

        /* "Duplicate device ID 'berth-vcpu-3'": something that is no CPU has it. */
        if (change->enable && change->done && strstr(result->description, "uplicate") && strstr(result->description, change->id)) {
                r = change_send(change, &error);
                if (r >= 0)
                        return;
        } else
                r = error_set(&error, ERROR_BACKEND_FAILED, "QEMU refused to %s %s %s: %.300s", change->enable ? "plug" : "unplug",
                              change_noun(change), change_ids(change, ids), result->description);
        if (change->again) {
                /* It may be gone already. */
                qemu_guest_look_at_vcpus(change->units->guest);
                change_leave(change, r, &error);
        } else
                change_end(change, r, &error);
}

int qemu_units_new(QemuGuest *guest, QemuUnits **ret) {
        QemuUnits *units = calloc(1, sizeof *units);

        if (!units)
                return -ENOMEM;
        units->guest = guest;
        *ret = units;
        return 0;
}

QemuUnits *qemu_units_free(QemuUnits *units) {
        if (!units)
                return NULL;
        units->stopping = true;
        while (units->changes) {
                _cleanup_error_ Error error = {};
                int r = error_set(&error, ERROR_NOT_RUNNING, "the guest %s ended meanwhile", qemu_guest_domain(units->guest)->name);

                change_end(units->changes, r, &error);
        }
        free(units);
        return NULL;
}

/* The unplugging of this unit that nobody waits for any more, or NULL. */
static Change *find_left(const QemuUnits *units, const PlugUnit *unit) {
        for (Change *change = units->changes; change; change = change->next)
                if (!change->enable && !change->done && change->first == unit->first)
                        return change;
        return NULL;
}

/* Whether it can be asked for now. */
static int check_change(const QemuUnits *units, const PlugUnit *unit, bool enable, Error *error) {
        const char *noun = unit->count == 1 ? "vCPU" : "vCPUs";
        char ids[VCPU_UNIT_TEXT_MAX];

        plug_unit_to_string(unit, ids);
        for (const Change *change = units->changes; change; change = change->next)
                if (change->done || (change->first == unit->first && (enable || change->enable))) {
                        char other[VCPU_UNIT_TEXT_MAX];

                        return error_set(error, ERROR_BUSY, "%s %s cannot be changed while %s of %s is pending",
                                         noun, ids, change->enable ? "the plugging" : "the unplugging", change_ids(change, other));
                }
        if (!unit->settled)
                return error_set(error, ERROR_BUSY, "%s %s cannot be changed now: QEMU is just changing it", noun, ids);
        if (!enable && unit->plugged && !qemu_unit_id(unit))
                return error_set(error, ERROR_NOT_SUPPORTED, "%s %s can't be unplugged: %s", noun, ids,
                                 unit->reason ?: "the hypervisor does not say why");
        return 0;
}

/* What QEMU has no more has no path; what it has not yet has none either. */
static int change_new(QemuUnits *units, const PlugUnit *unit, bool enable, Change **ret) {
        _cleanup_(change_freep) Change *change = NULL;
        const QemuUnit *data = unit->data;

        change = calloc(1, sizeof *change);
        if (!change)
                return -ENOMEM;
        change->units = units;
        change->first = unit->first;
        change->count = unit->count;
        change->enable = enable;
        if (!enable && unit->plugged) {
                change->id = strdup(qemu_unit_id(unit));
                change->path = strdup(data->path);
                if (!change->id || !change->path)
                        return -ENOMEM;
        }

        *ret = TAKE_PTR(change);
        return 0;
}

static int change_start(Change *change, uint64_t timeout_usec) {
        sd_event *event = guests_event(change_domain(change)->guests);
        int r;

        change->timeout_usec = timeout_usec;
        change->look_usec = LOOK_FIRST_USEC;
        r = sd_event_add_time_relative(event, &change->deadline, CLOCK_MONOTONIC, timeout_usec, 1, on_deadline, change);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &change->look_timer, CLOCK_MONOTONIC, change->look_usec, 1, on_look, change);
        for (uint32_t id = change->first; r >= 0 && id < change->first + change->count; id++)
                r = cpuset_add(change_pending(change), id);
        return r;
}

/* The guest is asked again for what it was asked for earlier. */
static int change_repeat(Change *change, uint64_t timeout_usec, BackendDone done, void *userdata, Error *error) {
        int r;

        if (!change->command) {
                r = change_send(change, error);
                if (r < 0)
                        return r;
                change->again = true;
        }
        change->timeout_usec = timeout_usec;
        change->look_usec = LOOK_FIRST_USEC;
        change->done = done;
        change->userdata = userdata;
        (void) sd_event_source_set_time_relative(change->deadline, timeout_usec);
        (void) sd_event_source_set_enabled(change->deadline, SD_EVENT_ONESHOT);
        (void) sd_event_source_set_time_relative(change->look_timer, change->look_usec);
        (void) sd_event_source_set_enabled(change->look_timer, SD_EVENT_ONESHOT);
        return 0;
}

int qemu_units_set(QemuUnits *units, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                   BackendDone done, void *userdata, Error *error) {
        _cleanup_(change_freep) Change *change = NULL;
        const Domain *domain = qemu_guest_domain(units->guest);
        const PlugUnit *unit = domain->vcpus_of_run ? vcpu_table_find_unit(domain->vcpus, vcpu) : NULL;
        Change *left;
        bool there;
        int r;

        if (units->stopping)
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s has ended", domain->name);
        if (!unit)
                return error_set(error, ERROR_NO_SUCH_VCPU, "the guest %s has no vCPU %u", domain->name, vcpu);
        r = check_change(units, unit, enable, error);
        if (r < 0)
                return r;
        left = enable ? NULL : find_left(units, unit);
        if (left)
                return change_repeat(left, timeout_usec, done, userdata, error);
        there = unit->plugged == enable;
        r = change_new(units, unit, enable, &change);
        if (r < 0)
                return r;
        r = change_start(change, timeout_usec);
        if (r >= 0 && !there)
                r = change_send(change, error);
        if (r < 0) {
                for (uint32_t id = change->first; id < change->first + change->count; id++)
                        domain_pending_remove(change_pending(change), id);
                return r;
        }

        change->done = done;
        change->userdata = userdata;
        change->next = units->changes;
        units->changes = change;
        if (there) {
                /* Somebody was faster; the next look says so. */
                change->accepted = true;
                qemu_guest_look_at_vcpus(units->guest);
        } else if (!enable)
                change_tell(change);
        TAKE_PTR(change);
        return 0;
}

/* The unplugging that an event is about; by the id of the device, or by its path, or that
 * of a part of it. */
static Change *find_change(const QemuUnits *units, const char *device, const char *path) {
        for (Change *change = units->changes; change; change = change->next) {
                size_t length = change->path ? strlen(change->path) : 0;

                if (change->enable || !change->path)
                        continue;
                if (device && strcmp(device, change->id) == 0)
                        return change;
                if (path && strncmp(path, change->path, length) == 0 && (!path[length] || path[length] == '/'))
                        return change;
        }
        return NULL;
}

static void change_refuse(Change *change, const char *reason) {
        _cleanup_error_ Error error = {};
        char ids[VCPU_UNIT_TEXT_MAX];
        int r;

        r = error_set(&error, ERROR_GUEST_REFUSED, "the guest refused to give %s %s back%s%s",
                      change_noun(change), change_ids(change, ids), reason ? ": " : "", reason ?: "");
        change_end(change, r, &error);
}

/* What a guest's firmware interface says of an ejection; NULL if that is no refusal.
 * Source: ACPI 6.5, 6.3.5 "_OST", the status codes of ejection requests (source events 3 and
 * 0x103). */
static const char *ost_to_refusal(int64_t source, int64_t status) {
        static const struct { int64_t status; const char *text; } refusals[] = {
                { 0x01, "it failed there for an unspecified reason" },
                { 0x02, "it does not know such requests" },
                { 0x80, "it does not support that" },
                { 0x81, "an application there uses it" },
                { 0x82, "it is busy there" },
                { 0x83, "something that depends on it is busy there, or cannot be given back" },
        };

        if (source != 0x3 && source != 0x103)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
                if (refusals[i].status == status)
                        return refusals[i].text;
        return NULL;
}

void qemu_units_event(QemuUnits *units, const char *name, JsonObject *data) {
        const char *device = NULL, *path = NULL, *reason = NULL;
        int64_t source, status;
        JsonObject *info;
        Change *change;

        if (!units->changes || !data)
                return;
        if (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0) {
                (void) json_get_string(data, "device", &device);
                (void) json_get_string(data, "path", &path);
        } else if (strcmp(name, "ACPI_DEVICE_OST") == 0) {
                if (json_get_object(data, "info", &info) < 0 || json_get_string(info, "device", &device) < 0 ||
                    json_get_i64(info, "source", &source) < 0 || json_get_i64(info, "status", &status) < 0)
                        return;
                reason = ost_to_refusal(source, status);
                if (!reason)
                        return;
        } else
                return;

        change = find_change(units, device, path);
        if (change)
                change_refuse(change, reason);
}

static bool change_is_done(const Change *change, const VcpuTable *table) {
        const PlugUnit *unit = vcpu_table_find_unit(table, change->first);
        const QemuUnit *data;

        if (!unit || unit->first != change->first || !unit->settled)
                return false;
        data = unit->data;
        if (change->enable || !change->path)
                return unit->plugged == change->enable;
        /* Another one in its place: it has gone, and somebody has plugged the next. */
        return !unit->plugged || (data->path && strcmp(data->path, change->path) != 0);
}

static Change *find_done(const QemuUnits *units) {
        const VcpuTable *table = qemu_guest_domain(units->guest)->vcpus;

        for (Change *change = units->changes; change; change = change->next)
                if (change_is_done(change, table))
                        return change;
        return NULL;
}

void qemu_units_looked(QemuUnits *units) {
        Change *change;

        /* Whoever is told may ask for the next. */
        while ((change = find_done(units)))
                change_end(change, 0, NULL);
}
