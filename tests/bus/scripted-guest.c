/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scripted-guest.h"

#include <string.h>
#include <unistd.h>

#include "qemu.h"

static gpointer run_vcpu(gpointer data) {
        ScriptedGuest *guest = data;

        g_mutex_lock(&guest->mutex);
        for (guint i = 0; i < guest->maximum; i++)
                if (guest->vcpus[i].thread == g_thread_self())
                        guest->vcpus[i].tid = gettid();
        g_cond_broadcast(&guest->cond);
        while (!guest->stop)
                g_cond_wait(&guest->cond, &guest->mutex);
        g_mutex_unlock(&guest->mutex);
        return NULL;
}

static char *qom_path(const ScriptedVcpu *vcpu, guint number) {
        return *vcpu->id ? g_strdup_printf("/machine/peripheral/%s", vcpu->id) : g_strdup_printf("/machine/unattached/device[%u]", number);
}

/* The last slot comes first, as QEMU tells them. */
static char *list_slots(QmpScript *script, const char *line, gpointer userdata) {
        const ScriptedGuest *guest = userdata;
        GString *text = g_string_new("[");

        for (guint i = guest->maximum; i-- > 0;) {
                const ScriptedVcpu *vcpu = guest->vcpus + i;
                g_autofree char *path = vcpu->id ? qom_path(vcpu, i) : NULL;

                g_string_append_printf(text, "%s{\"props\": {\"core-id\": 0, \"thread-id\": 0, \"socket-id\": %u}, \"vcpus-count\": 1%s%s%s, \"type\": \"qemu64-x86_64-cpu\"}",
                                       text->len > 1 ? ", " : "", i, path ? ", \"qom-path\": \"" : "", path ?: "", path ? "\"" : "");
        }
        return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static char *list_cpus(QmpScript *script, const char *line, gpointer userdata) {
        const ScriptedGuest *guest = userdata;
        GString *text = g_string_new("[");

        for (guint i = 0; i < guest->maximum; i++) {
                const ScriptedVcpu *vcpu = guest->vcpus + i;
                g_autofree char *path = vcpu->id ? qom_path(vcpu, i) : NULL;

                if (path)
                        g_string_append_printf(text, "%s{\"thread-id\": %d, \"props\": {\"core-id\": 0, \"thread-id\": 0, \"socket-id\": %u}, \"qom-path\": \"%s\", \"cpu-index\": %u, \"target\": \"x86_64\"}",
                                               text->len > 1 ? ", " : "", vcpu->tid, i, path, i);
        }
        return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static char *find(const char *line, const char *pattern) {
        g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;

        if (!g_regex_match(regex, line, 0, &match))
                g_error("\"%s\" does not match \"%s\"", line, pattern);
        return g_match_info_fetch(match, 1);
}

static char *add_device(QmpScript *script, const char *line, gpointer userdata) {
        g_autofree char *id = find(line, "\"id\":\\s*\"([^\"]+)\""), *socket = find(line, "\"socket-id\":\\s*([0-9]+)");
        ScriptedGuest *guest = userdata;
        guint64 number = g_ascii_strtoull(socket, NULL, 10);

        g_assert_cmpuint(number, <, guest->maximum);
        g_assert_null(guest->vcpus[number].id);
        guest->vcpus[number].id = g_steal_pointer(&id);
        return g_strdup("{}");
}

static char *remove_device(QmpScript *script, const char *line, gpointer userdata) {
        g_autofree char *id = find(line, "\"id\":\\s*\"([^\"]+)\"");
        ScriptedGuest *guest = userdata;

        for (guint i = 0; i < guest->maximum; i++)
                if (g_strcmp0(guest->vcpus[i].id, id) == 0) {
                        if (guest->obeys)
                                scripted_guest_remove(guest, i, TRUE);
                        return g_strdup("{}");
                }
        g_error("there is no device \"%s\"", id);
}

ScriptedGuest *scripted_guest_new(const Place *place, const char *name, guint n, guint maximum) {
        g_autofree char *path = monitor_path(place->folder, name);
        ScriptedGuest *guest = g_new0(ScriptedGuest, 1);

        g_assert_cmpuint(maximum, <=, SCRIPTED_MAX);
        guest->maximum = maximum;
        g_mutex_init(&guest->mutex);
        g_cond_init(&guest->cond);
        g_mutex_lock(&guest->mutex);
        for (guint i = 0; i < maximum; i++) {
                guest->vcpus[i].thread = g_thread_new("vcpu", run_vcpu, guest);
                while (guest->vcpus[i].tid == 0)
                        g_cond_wait(&guest->cond, &guest->mutex);
                if (i < n)
                        guest->vcpus[i].id = i == 0 ? g_strdup("") : g_strdup_printf("cpu%u", i);
        }
        g_mutex_unlock(&guest->mutex);

        guest->qmp = qmp_script_new(path);
        qmp_script_answer(guest->qmp, "query-uuid", "{\"UUID\": \"" SCRIPTED_UUID "\"}");
        qmp_script_answer(guest->qmp, "query-status", "{\"status\": \"running\", \"running\": true}");
        qmp_script_answer(guest->qmp, "query-iothreads", "[]");
        qmp_script_handle(guest->qmp, "query-hotpluggable-cpus", list_slots, guest);
        qmp_script_handle(guest->qmp, "query-cpus-fast", list_cpus, guest);
        qmp_script_handle(guest->qmp, "device_add", add_device, guest);
        qmp_script_handle(guest->qmp, "device_del", remove_device, guest);
        return guest;
}

void scripted_guest_free(ScriptedGuest *guest) {
        g_clear_pointer(&guest->qmp, qmp_script_free);
        g_mutex_lock(&guest->mutex);
        guest->stop = TRUE;
        g_cond_broadcast(&guest->cond);
        g_mutex_unlock(&guest->mutex);
        for (guint i = 0; i < guest->maximum; i++) {
                g_thread_join(guest->vcpus[i].thread);
                g_free(guest->vcpus[i].id);
        }
        g_mutex_clear(&guest->mutex);
        g_cond_clear(&guest->cond);
        g_free(guest);
}

typedef struct Shown {
        Place *place;
        char *path;
        guint32 current;
} Shown;

/* Asked without waiting in the call: the guest is played in this very thread. Only what is
 * told of a run has threads. */
static gboolean is_shown(gpointer userdata) {
        const Shown *shown = userdata;
        g_autofree char *text = call_outcome(call_begin(shown->place, shown->path, "org.berth1.Domain.Vcpus", "ListVcpus", g_variant_new("(^as)", (const char *[]) { "live", NULL })));
        guint32 n = 0;

        for (const char *p = text; (p = strstr(p, "'thread'")); p++)
                n++;
        g_main_context_wakeup(NULL);
        return n == shown->current;
}

void scripted_guest_show(ScriptedGuest *guest, Place *place, const char *name) {
        g_autofree char *path = g_strconcat(DOMAINS, name, NULL);

        qmp_script_greet(guest->qmp);
        wait_until(is_shown, &(Shown) { .place = place, .path = path, .current = scripted_guest_count(guest) });
}

void scripted_guest_hang_up(ScriptedGuest *guest) {
        qmp_script_hang_up(guest->qmp);
}

void scripted_guest_remove(ScriptedGuest *guest, guint vcpu, gboolean tell) {
        g_autofree char *id = g_steal_pointer(&guest->vcpus[vcpu].id);
        g_autofree char *data = g_strdup_printf("{\"device\": \"%s\", \"path\": \"/machine/peripheral/%s\"}", id, id);

        g_assert_nonnull(id);
        if (tell)
                qmp_script_event_data(guest->qmp, "DEVICE_DELETED", data);
}

void scripted_guest_refuse(ScriptedGuest *guest, guint vcpu, const char *event, int status) {
        const char *id = guest->vcpus[vcpu].id;
        g_autofree char *data = strcmp(event, "ACPI_DEVICE_OST") == 0 ?
                g_strdup_printf("{\"info\": {\"device\": \"%s\", \"slot\": \"%u\", \"slot-type\": \"CPU\", \"source\": 3, \"status\": %d}}", id, vcpu, status) :
                g_strdup_printf("{\"device\": \"%s\", \"path\": \"/machine/peripheral/%s\"}", id, id);

        qmp_script_event_data(guest->qmp, event, data);
}

guint scripted_guest_count(const ScriptedGuest *guest) {
        guint n = 0;

        for (guint i = 0; i < guest->maximum; i++)
                n += guest->vcpus[i].id != NULL;
        return n;
}
