/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changes as they happen.
 *
 * What a property was before is not in a signal: so the objects are read once,
 * after the signals have been subscribed to, and each change is then told as
 * old and new. When the service leaves, what it said is forgotten; when it comes,
 * read anew. The reading is asked for without waiting, so that a service that
 * does not answer does not keep other events from being shown. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "fields.h"
#include "guests.h"
#include "message-json.h"
#include "when.h"

typedef struct Monitor {
        Ctl *ctl;
        json_object *objects;    /* path to interface to property to value */
        sd_bus_slot *read_slot;  /* of the call that reads them */
        bool running;            /* the service, as far as we heard */
} Monitor;

static void monitor_clear(Monitor *m) {
        m->read_slot = sd_bus_slot_unref(m->read_slot);
        json_object_put(m->objects);
        m->objects = NULL;
}

/* Showing */

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * UINT64_C(1000000) + ts.tv_nsec / 1000;
}

/* What an object is called in a line: a guest by its name, which is what its path has escaped. To be freed. */
static char *path_short(const char *path) {
        _cleanup_free_ char *name = NULL;
        char *text;

        if (sd_bus_path_decode(path, BERTH_DOMAINS_PATH, &name) > 0)
                return asprintf(&text, "domains/%s", name) < 0 ? NULL : text;
        if (strcmp(path, BERTH_HOST_PATH) == 0)
                return strdup("host");
        if (strncmp(path, BERTH_HOST_PATH "/", strlen(BERTH_HOST_PATH "/")) == 0)
                return strdup(path + strlen(BERTH_HOST_PATH "/"));
        if (strncmp(path, BERTH_PATH "/", strlen(BERTH_PATH "/")) == 0)
                return strdup(path + strlen(BERTH_PATH "/"));
        return strdup(strcmp(path, BERTH_PATH) == 0 ? "service" : path);
}

/* One event as text: the time, the object it is about, what happened. */
static void show_text(const Monitor *m, const char *path, const char *format, ...) _printf_(3, 4);
static void show_text(const Monitor *m, const char *path, const char *format, ...) {
        const Terminal *t = &m->ctl->terminal;
        _cleanup_free_ char *what = NULL, *text = NULL;
        char clock_text[16] = "";
        time_t now = time(NULL);
        struct tm tm;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return;
        }
        what = path_short(path);
        if (!what)
                return;
        /* One line an event, whatever the service has in it. */
        for (char *c = text; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        for (char *c = what; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        if (localtime_r(&now, &tm))
                strftime(clock_text, sizeof clock_text, "%H:%M:%S", &tm);
        terminal_style(t, STYLE_FAINT);
        terminal_put(t, clock_text);
        terminal_style(t, STYLE_NORMAL);
        terminal_printf(t, " %-9s %s\n", what, text);
        fflush(t->file);
}

/* One event as JSON; takes @event. */
static void show_json(const Monitor *m, const char *name, json_object *event) {
        _cleanup_json_ json_object *owned = event ?: json_object_new_object();
        _cleanup_json_ json_object *whole = json_object_new_object();

        json_object_object_add(whole, "event", json_object_new_string(name));
        json_object_object_add(whole, "at_usec", json_object_new_uint64(now_usec()));
        json_object_object_foreach(owned, key, value)
                json_object_object_add(whole, key, json_object_get(value));
        /* Always on one line, which is what a reader of events goes by. */
        fputs(json_object_to_json_string_ext(whole, JSON_C_TO_STRING_NOSLASHESCAPE |
                                             (m->ctl->json == JSON_PRETTY ? JSON_C_TO_STRING_SPACED : 0)),
              m->ctl->terminal.file);
        putc('\n', m->ctl->terminal.file);
        fflush(m->ctl->terminal.file);
}

/* A value as people read it: strings bare, findings by their message, a list with
 * commas, nothing as "none"; all else as JSON has it. To be freed. */
static char *value_text(json_object *value) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (json_object_is_type(value, json_type_array))
                for (size_t i = 0; i < json_object_array_length(value); i++) {
                        json_object *entry = json_object_array_get_idx(value, i);
                        const char *message = field_string(entry, "message");
                        _cleanup_free_ char *inner = *message ? strdup(message) : value_text(entry);
                        fprintf(f, "%s%s", i == 0 ? "" : *message ? "; " : ",", inner ?: "");
                }
        else
                fputs(json_object_is_type(value, json_type_string)
                              ? json_object_get_string(value)
                              : json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE), f);
        if (ftell(f) == 0)
                fputs("none", f);
        fclose(f);
        return text;
}

/* The alarm is told as people know times; all else as it is. To be freed. */
static char *property_text(const char *interface, const char *property, json_object *value) {
        if (strcmp(interface, BERTH_POWER) != 0 || strcmp(property, "WakeAlarm") != 0 || !json_object_is_type(value, json_type_int))
                return value_text(value);
        uint64_t at_usec = json_object_get_uint64(value);
        return at_usec == 0 ? strdup("none") : when_format(at_usec / 1000000, (uint64_t) time(NULL));
}

static void show_property(const Monitor *m, const char *path, const char *interface, const char *property,
                          json_object *before, json_object *now) {
        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object();
                json_object_object_add(event, "path", json_object_new_string(path));
                json_object_object_add(event, "interface", json_object_new_string(interface));
                json_object_object_add(event, "property", json_object_new_string(property));
                if (before)
                        json_object_object_add(event, "old", json_object_get(before));
                if (now)
                        json_object_object_add(event, "new", json_object_get(now));
                show_json(m, "property-changed", event);
                return;
        }
        _cleanup_free_ char *old_text = before ? property_text(interface, property, before) : NULL;
        _cleanup_free_ char *new_text = now ? property_text(interface, property, now) : NULL;
        /* Of a guest's parts "Current" alone would not say what it counts. */
        bool part = strncmp(interface, BERTH_DOMAIN ".", strlen(BERTH_DOMAIN ".")) == 0;
        const char *of = part ? interface + strlen(BERTH_DOMAIN ".") : "", *dot = part ? "." : "";
        if (!new_text)
                show_text(m, path, "%s%s%s: changed", of, dot, property);
        else if (old_text)
                show_text(m, path, "%s%s%s: %s -> %s", of, dot, property, old_text, new_text);
        else
                show_text(m, path, "%s%s%s: %s", of, dot, property, new_text);
}

/* What is known */

static json_object *object_descend(json_object *object, const char *key, bool make) {
        json_object *child;

        if (json_object_object_get_ex(object, key, &child))
                return child;
        if (!make)
                return NULL;
        child = json_object_new_object();
        json_object_object_add(object, key, child);
        return child;
}

static void property_take(Monitor *m, const char *path, const char *interface, const char *property, json_object *now) {
        json_object *properties = object_descend(object_descend(m->objects, path, true), interface, true);
        json_object *before = NULL;

        json_object_object_get_ex(properties, property, &before);
        if (now && before && json_object_equal(before, now))
                return;
        show_property(m, path, interface, property, before, now);
        if (now)
                json_object_object_add(properties, property, json_object_get(now));
        else
                json_object_object_del(properties, property);
}

/* An answer to the reading; a refusal is shown by what does not come. */
static int on_objects(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Monitor *m = userdata;
        json_object *objects;

        m->read_slot = sd_bus_slot_unref(m->read_slot);
        if (sd_bus_message_is_method_error(message, NULL)) {
                if (!m->running && m->ctl->json == JSON_OFF)
                        show_text(m, BERTH_PATH, "is not running; waiting for it");
                return 0;
        }
        if (!sd_bus_message_has_signature(message, "a{oa{sa{sv}}}") || message_to_json(message, &objects) < 0)
                return 0;
        json_object_put(m->objects);
        m->objects = objects;
        m->running = true;
        return 0;
}

static int objects_read(Monitor *m) {
        m->read_slot = sd_bus_slot_unref(m->read_slot);
        return sd_bus_call_method_async(m->ctl->bus, &m->read_slot, BERTH_NAME, BERTH_PATH,
                                        "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", on_objects, m, NULL);
}

/* Signals. One that is not as it is documented is passed over: it says nothing
 * that could be shown. */

static int on_properties_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;
        const char *path = sd_bus_message_get_path(message);

        if (!sd_bus_message_has_signature(message, "sa{sv}as") || message_to_json(message, &body) < 0)
                return 0;
        const char *interface = json_object_get_string(json_object_array_get_idx(body, 0));
        json_object_object_foreach(json_object_array_get_idx(body, 1), property, value)
                property_take(m, path, interface, property, value);
        json_object *invalid = json_object_array_get_idx(body, 2);
        for (size_t i = 0; i < json_object_array_length(invalid); i++)
                property_take(m, path, interface, json_object_get_string(json_object_array_get_idx(invalid, i)), NULL);
        return 0;
}

/* Interfaces that every object has. */
static bool interface_is_common(const char *name) {
        return strncmp(name, "org.freedesktop.DBus.", strlen("org.freedesktop.DBus.")) == 0;
}

/* A guest that has come, with what is known of it. */
static void show_new_guest(const Monitor *m, const char *path, json_object *interfaces) {
        json_object *domain = object_descend(interfaces, BERTH_DOMAIN, false), *guest = json_object_new_object(), *vcpus;
        const char *state = field_string(domain, "State");

        if (json_object_object_get_ex(interfaces, BERTH_VCPUS, &vcpus))
                json_object_object_add(guest, "Vcpus", json_object_get(vcpus));
        _cleanup_free_ char *count = guest_vcpus_format(guest);
        json_object_put(guest);
        show_text(m, path, "new%s%s%s%s%s", *state ? ", " : "", state, count && *count ? ", " : "", count ?: "",
                  !count || !*count ? "" : strcmp(count, "1") == 0 ? " vCPU" : " vCPUs");
}

static int on_interfaces_added(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;

        if (!sd_bus_message_has_signature(message, "oa{sa{sv}}") || message_to_json(message, &body) < 0)
                return 0;
        const char *path = json_object_get_string(json_object_array_get_idx(body, 0));
        json_object *interfaces = json_object_array_get_idx(body, 1);
        json_object *object = object_descend(m->objects, path, true);
        bool cell = json_object_object_get_ex(interfaces, BERTH_CELL, NULL);

        json_object_object_foreach(interfaces, interface, properties)
                json_object_object_add(object, interface, json_object_get(properties));
        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object(), *names = json_object_new_array();
                json_object_object_foreach(interfaces, name, unused) {
                        (void) unused;
                        json_object_array_add(names, json_object_new_string(name));
                }
                json_object_object_add(event, "path", json_object_new_string(path));
                json_object_object_add(event, "interfaces", names);
                json_object_object_add(event, "properties", json_object_get(interfaces));
                show_json(m, "interfaces-added", event);
                return 0;
        }
        if (cell) {
                json_object *properties_of = object_descend(interfaces, BERTH_CELL, false), *cpus = NULL;
                json_object_object_get_ex(properties_of, "Cpus", &cpus);
                _cleanup_free_ char *text = cpus ? value_text(cpus) : NULL;
                show_text(m, path, "new, with CPUs: %s", text ?: "none");
                return 0;
        }
        if (json_object_object_get_ex(interfaces, BERTH_DOMAIN, NULL)) {
                show_new_guest(m, path, interfaces);
                return 0;
        }
        json_object_object_foreach(interfaces, name, unused) {
                (void) unused;
                if (!interface_is_common(name))
                        show_text(m, path, "new: %s", name);
        }
        return 0;
}

/* Whether a guest's object goes whole: then its other interfaces are no events of their own. */
static bool names_guest(json_object *names) {
        for (size_t i = 0; i < json_object_array_length(names); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(names, i)), BERTH_DOMAIN) == 0)
                        return true;
        return false;
}

static int on_interfaces_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;

        if (!sd_bus_message_has_signature(message, "oas") || message_to_json(message, &body) < 0)
                return 0;
        const char *path = json_object_get_string(json_object_array_get_idx(body, 0));
        json_object *names = json_object_array_get_idx(body, 1);
        json_object *object = object_descend(m->objects, path, false);

        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object();
                json_object_object_add(event, "path", json_object_new_string(path));
                json_object_object_add(event, "interfaces", json_object_get(names));
                show_json(m, "interfaces-removed", event);
        }
        bool guest = names_guest(names);
        for (size_t i = 0; i < json_object_array_length(names); i++) {
                const char *name = json_object_get_string(json_object_array_get_idx(names, i));
                if (m->ctl->json == JSON_OFF && strcmp(name, guest ? BERTH_DOMAIN : BERTH_CELL) == 0)
                        show_text(m, path, "gone");
                else if (m->ctl->json == JSON_OFF && !guest && !interface_is_common(name))
                        show_text(m, path, "gone: %s", name);
                if (object)
                        json_object_object_del(object, name);
        }
        if (object && json_object_object_length(object) == 0)
                json_object_object_del(m->objects, path);
        return 0;
}

/* What a vCPU's key is called in a line; NULL: it says enough alone. */
static const char *vcpu_key_text(const char *key) {
        static const struct {
                const char *key, *text;
        } table[] = {
                { "state", NULL },          { "pending", "pending" },        { "cpus", "pin" },
                { "effective_cpus", "CPUs" }, { "guest_online", "used by the guest" },
        };

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].key, key) == 0)
                        return table[i].text;
        return key;
}

/* "enabled, cell 0, thread 4715": the state first, which the service may have last. To be freed. */
static char *vcpu_changes_text(json_object *changed) {
        const char *state = field_string(changed, "state");
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool any = *state;

        if (!f)
                return NULL;
        fputs(state, f);
        json_object_object_foreach(changed, key, value) {
                if (*state && strcmp(key, "state") == 0)
                        continue;
                const char *called = vcpu_key_text(key);
                _cleanup_free_ char *now = value_text(value);
                fprintf(f, "%s%s%s%s", any ? ", " : "", called ?: "", called ? " " : "", now ?: "");
                any = true;
        }
        if (!any)
                fputs("changed", f);
        fclose(f);
        return text;
}

static const char *cause_text(const char *cause) {
        static const struct {
                const char *cause, *text;
        } table[] = {
                { "request", "as asked" },
                { "guest", "by the guest" },
                { "backend", "by somebody else" },
                { "host", "CPUs of the host changed" },
        };

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].cause, cause) == 0)
                        return table[i].text;
        return cause;
}

static int on_vcpu_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;
        const char *path = sd_bus_message_get_path(message);

        if (!sd_bus_message_has_signature(message, "ua{sv}s") || message_to_json(message, &body) < 0)
                return 0;
        json_object *vcpu = json_object_array_get_idx(body, 0), *changed = json_object_array_get_idx(body, 1);
        json_object *cause = json_object_array_get_idx(body, 2);
        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object();
                json_object_object_add(event, "path", json_object_new_string(path));
                json_object_object_add(event, "vcpu", json_object_get(vcpu));
                json_object_object_add(event, "changed", json_object_get(changed));
                json_object_object_add(event, "cause", json_object_get(cause));
                show_json(m, "vcpu-changed", event);
                return 0;
        }
        _cleanup_free_ char *text = vcpu_changes_text(changed);
        show_text(m, path, "vCPU %s: %s (%s)", json_object_get_string(vcpu), text ?: "",
                  cause_text(json_object_get_string(cause)));
        return 0;
}

static int on_job_done(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;

        if (!sd_bus_message_has_signature(message, "tsss") || message_to_json(message, &body) < 0)
                return 0;
        json_object *job = json_object_array_get_idx(body, 0), *result = json_object_array_get_idx(body, 1);
        json_object *error = json_object_array_get_idx(body, 2), *why = json_object_array_get_idx(body, 3);
        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object();
                json_object_object_add(event, "job", json_object_get(job));
                json_object_object_add(event, "result", json_object_get(result));
                json_object_object_add(event, "error", json_object_get(error));
                json_object_object_add(event, "message", json_object_get(why));
                show_json(m, "job-done", event);
                return 0;
        }
        const char *sentence = json_object_get_string(why);
        show_text(m, BERTH_PATH, "job %s: %s%s%s", json_object_get_string(job), json_object_get_string(result),
                  *sentence ? ": " : "", sentence);
        return 0;
}

/* Who put the host to sleep is not always known, and then to what kind of it is not either. */
static int on_prepare_for_sleep(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_json_ json_object *body = NULL;
        Monitor *m = userdata;

        if (!sd_bus_message_has_signature(message, "bs") || message_to_json(message, &body) < 0)
                return 0;
        json_object *start = json_object_array_get_idx(body, 0), *target = json_object_array_get_idx(body, 1);
        if (m->ctl->json != JSON_OFF) {
                json_object *event = json_object_new_object();
                json_object_object_add(event, "start", json_object_get(start));
                json_object_object_add(event, "target", json_object_get(target));
                show_json(m, "prepare-for-sleep", event);
                return 0;
        }
        const char *word = json_object_get_string(target);
        show_text(m, BERTH_HOST_PATH, "%s%s%s%s", json_object_get_boolean(start) ? "about to sleep" : "awake again",
                  *word ? " (" : "", word, *word ? ")" : "");
        return 0;
}

static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Monitor *m = userdata;
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0 || strcmp(name, BERTH_NAME) != 0)
                return 0;
        if (*old_owner) {
                m->running = false;
                m->read_slot = sd_bus_slot_unref(m->read_slot);
                json_object_put(m->objects);
                m->objects = json_object_new_object();
                if (m->ctl->json != JSON_OFF)
                        show_json(m, "service-stopped", NULL);
                else
                        show_text(m, BERTH_PATH, "stopped");
        }
        if (*new_owner) {
                m->running = true;
                if (m->ctl->json != JSON_OFF)
                        show_json(m, "service-started", NULL);
                else
                        show_text(m, BERTH_PATH, "started");
                return objects_read(m);
        }
        return 0;
}

static int monitor_subscribe(Monitor *m) {
        static const struct {
                const char *match;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                  "member='NameOwnerChanged',arg0='" BERTH_NAME "'", on_owner_changed },
                { "type='signal',sender='" BERTH_NAME "',path_namespace='" BERTH_PATH "',"
                  "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'", on_properties_changed },
                { "type='signal',sender='" BERTH_NAME "',path='" BERTH_PATH "',"
                  "interface='org.freedesktop.DBus.ObjectManager',member='InterfacesAdded'", on_interfaces_added },
                { "type='signal',sender='" BERTH_NAME "',path='" BERTH_PATH "',"
                  "interface='org.freedesktop.DBus.ObjectManager',member='InterfacesRemoved'", on_interfaces_removed },
                { "type='signal',sender='" BERTH_NAME "',path_namespace='" BERTH_DOMAINS_PATH "',"
                  "interface='" BERTH_VCPUS "',member='VcpuChanged'", on_vcpu_changed },
                { "type='signal',sender='" BERTH_NAME "',path='" BERTH_PATH "',"
                  "interface='" BERTH_MANAGER "',member='JobDone'", on_job_done },
                { "type='signal',sender='" BERTH_NAME "',path='" BERTH_HOST_PATH "',"
                  "interface='" BERTH_POWER "',member='PrepareForSleep'", on_prepare_for_sleep },
        };

        /* The bus works through these and the reading in their order. */
        for (size_t i = 0; i < ELEMENTS(matches); i++) {
                int r = sd_bus_add_match_async(m->ctl->bus, NULL, matches[i].match, matches[i].handler, NULL, m);
                if (r < 0)
                        return r;
        }
        return objects_read(m);
}

int verb_monitor(Ctl *ctl) {
        _cleanup_(monitor_clear) Monitor m = { .ctl = ctl };
        ExitCode e;
        int r;

        e = bus_open(ctl);
        if (e != CTL_DONE)
                return e;
        m.objects = json_object_new_object();
        r = monitor_subscribe(&m);
        while (r >= 0) {
                if (ferror(ctl->terminal.file)) /* whoever read has left */
                        return CTL_FAILED;
                r = sd_bus_process(ctl->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(ctl->bus, UINT64_MAX);
                if (r == -EINTR)
                        r = 0;
        }
        return ctl_fail(ctl, CTL_FAILED, "The bus was lost: %s.", strerror(-r));
}
