/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/backend.h"
#include "guest/qemu/cpus.h"
#include "guest/qemu/qmp.h"
#include "guest/qemu/watch.h"
#include "lib/log.h"

/* A monitor answers a query in some milliseconds; one that is busy for seconds is
 * stuck, and its guest is shown as it was last known. */
#define QUERY_TIMEOUT_USEC (10 * UINT64_C(1000000))

/* QEMU greets two milliseconds after its socket is there; one that takes longer is
 * shown already, and said to be silent. */
#define SILENCE_USEC UINT64_C(200000)

/* The same question is not asked again sooner: a monitor that has an event ready for each
 * answer must not keep everybody busy. */
#define PACE_USEC UINT64_C(50000)

/* The two answers about CPUs may be of different moments; asked again this often, they
 * are of one. */
#define UNSETTLED_MAX 5u

/* The questions of which a guest's state is put together. Each is asked at most once at
 * a time; an event that comes while one is on its way has it asked again. */
typedef enum Query {
        QUERY_UUID,
        QUERY_STATUS,
        QUERY_HOTPLUGGABLE,
        QUERY_CPUS,
        _QUERY_MAX,
} Query;

static const char *const query_commands[_QUERY_MAX] = {
        [QUERY_UUID] = "query-uuid",
        [QUERY_STATUS] = "query-status",
        [QUERY_HOTPLUGGABLE] = "query-hotpluggable-cpus",
        [QUERY_CPUS] = "query-cpus-fast",
};

typedef struct QemuGuest QemuGuest;

typedef struct QueryState {
        QemuGuest *guest;
        Query query;
        uint64_t asked_usec;            /* when it was last asked */
        bool asked;
        bool again;
} QueryState;

struct QemuGuest {
        QemuBackend *backend;
        QemuGuest *next;
        QemuFolder *folder;
        Domain *domain;
        Qmp *qmp;
        sd_event_source *silence_timer;
        sd_event_source *pace_timer;
        sd_event_source *end_source;
        const char *end_reason;
        bool announced;
        bool greeted;
        unsigned n_unsettled;
        QueryState queries[_QUERY_MAX];
        JsonObject *hotpluggable;       /* waits for the CPUs; NULL if the machine knows no such query */
};

struct QemuBackend {
        sd_event *event;
        Guests *guests;
        QemuWatch *watch;
        QemuGuest *qemus;
};

/* The states that QEMU knows; the rest is a pause of some kind.
 * Source: QEMU's qapi/run-state.json, RunState. */
static DomainState state_from_string(const char *word) {
        static const struct { const char *word; DomainState state; } states[] = {
                { "running", DOMAIN_RUNNING },
                { "suspended", DOMAIN_SUSPENDED },
                { "shutdown", DOMAIN_SHUTOFF },
                { "guest-panicked", DOMAIN_CRASHED },
                { "internal-error", DOMAIN_CRASHED },
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (strcmp(states[i].word, word) == 0)
                        return states[i].state;
        return DOMAIN_PAUSED;
}

/* What is wrong with a guest is put together anew from its state. */
static void guest_update_findings(QemuGuest *guest, const char *vcpus_problem) {
        Findings findings = {};

        if (!guest->greeted)
                findings_add(&findings, "monitor-silent", SEVERITY_WARNS,
                             "wait until QEMU has started, or close what else is connected to this monitor",
                             guest->domain->name, "the monitor has taken the connection and does not greet: QEMU is still starting, or somebody else holds it");
        if (vcpus_problem)
                findings_add(&findings, "vcpus-unknown", SEVERITY_WARNS,
                             "update or report this QEMU; the guest itself goes on", guest->domain->name, "%.200s", vcpus_problem);

        domain_set_findings(guest->domain, DOMAIN_FINDINGS_BACKEND, &findings);
}

static bool guest_is_asking(const QemuGuest *guest) {
        for (size_t i = 0; i < ELEMENTSOF(guest->queries); i++)
                if (guest->queries[i].asked || guest->queries[i].again)
                        return true;
        return false;
}

/* Heard of from here on: when all is known, or it took too long. */
static void guest_announce(QemuGuest *guest) {
        if (guest->announced)
                return;
        guest->announced = true;
        (void) sd_event_source_set_enabled(guest->silence_timer, SD_EVENT_OFF);
        domain_announce(guest->domain);
}

static void guest_changed(QemuGuest *guest, unsigned change) {
        if (guest->announced)
                domain_changed(guest->domain, change);
        else if (guest->greeted && !guest_is_asking(guest))
                guest_announce(guest);
}

static void guest_free(QemuGuest *guest) {
        for (QemuGuest **at = &guest->backend->qemus; *at; at = &(*at)->next)
                if (*at == guest) {
                        *at = guest->next;
                        break;
                }
        (void) sd_event_source_disable_unref(guest->silence_timer);
        (void) sd_event_source_disable_unref(guest->pace_timer);
        (void) sd_event_source_disable_unref(guest->end_source);
        qmp_free(guest->qmp);
        if (guest->domain)
                domain_stopped(guest->domain);
        if (guest->hotpluggable)
                (void) json_object_put(guest->hotpluggable);
        free(guest);
}

/* Ends a guest outside of whatever called us. */
static int on_end(sd_event_source *source, void *userdata) {
        QemuGuest *guest = userdata;
        QemuFolder *folder = guest->folder;

        log_info("The monitor of %s is gone: %s", guest->domain->name, guest->end_reason);
        guest_free(guest);
        qemu_folder_lost(folder);
        return 0;
}

static void guest_end(QemuGuest *guest, const char *reason) {
        guest->end_reason = reason;
        (void) sd_event_source_set_enabled(guest->end_source, SD_EVENT_ONESHOT);
}

static bool is_uuid(const char *text) {
        static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

        for (size_t i = 0; i < sizeof form - 1; i++)
                if (form[i] == 'x' ? !strchr("0123456789abcdefABCDEF", text[i]) || !text[i] : text[i] != form[i])
                        return false;
        return !text[sizeof form - 1];
}

/* All zeroes is what QEMU says of a guest that has none. */
static unsigned take_uuid(QemuGuest *guest, const QmpResult *result) {
        const char *uuid;

        if (result->error < 0 || json_get_string(result->value, "UUID", &uuid) < 0 || !is_uuid(uuid) || strspn(uuid, "0-") == 36)
                return 0;
        for (size_t i = 0; i < 36; i++)
                guest->domain->uuid[i] = uuid[i] >= 'A' && uuid[i] <= 'F' ? (char) (uuid[i] - 'A' + 'a') : uuid[i];
        guest->domain->uuid[36] = 0;
        return DOMAIN_CHANGE_UUID;
}

static unsigned take_status(QemuGuest *guest, const QmpResult *result) {
        DomainState state;
        const char *word;

        if (result->error < 0 || json_get_string(result->value, "status", &word) < 0)
                return 0;
        state = state_from_string(word);
        if (state == guest->domain->state)
                return 0;
        guest->domain->state = state;
        return DOMAIN_CHANGE_STATE;
}

static unsigned take_hotpluggable(QemuGuest *guest, const QmpResult *result) {
        if (guest->hotpluggable)
                (void) json_object_put(guest->hotpluggable);
        guest->hotpluggable = result->error < 0 ? NULL : json_object_get(result->value);
        return 0;
}

static void guest_ask_cpus(QemuGuest *guest);

/* Comes after the answer about what is hotpluggable: the monitor keeps the order. */
static unsigned take_cpus(QemuGuest *guest, const QmpResult *result) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        _cleanup_error_ Error error = {};
        int r;

        /* The other question was asked anew: its answer and this one would be of two
         * moments. */
        if (guest->queries[QUERY_HOTPLUGGABLE].asked) {
                guest->queries[QUERY_CPUS].again = true;
                return 0;
        }
        if (result->error < 0) {
                guest_update_findings(guest, result->description);
                return 0;
        }
        r = qemu_cpus_parse(guest->hotpluggable, result->value, &error, &table);
        if (r < 0) {
                guest_update_findings(guest, error.message ?: strerror(-r));
                return 0;
        }

        guest->n_unsettled = table->settled ? 0 : guest->n_unsettled + 1;
        if (!table->settled && guest->n_unsettled <= UNSETTLED_MAX)
                guest_ask_cpus(guest);
        guest_update_findings(guest, NULL);
        domain_take_vcpus(guest->domain, TAKE_PTR(table));
        return 0;
}

static void guest_ask(QemuGuest *guest, Query query);

static void on_answer(const QmpResult *result, void *userdata) {
        static unsigned (*const take[_QUERY_MAX])(QemuGuest *, const QmpResult *) = {
                [QUERY_UUID] = take_uuid,
                [QUERY_STATUS] = take_status,
                [QUERY_HOTPLUGGABLE] = take_hotpluggable,
                [QUERY_CPUS] = take_cpus,
        };
        QueryState *state = userdata;
        QemuGuest *guest = state->guest;
        unsigned change;

        state->asked = false;
        if (result->error == -ECONNRESET)
                return;
        /* Stuck, as while it saves a snapshot. What is known stays until it answers. */
        if (result->error == -ETIMEDOUT) {
                guest_ask(guest, state->query);
                return;
        }
        change = take[state->query](guest, result);
        if (state->again)
                guest_ask(guest, state->query);
        guest_changed(guest, change);
}

static int on_pace(sd_event_source *source, uint64_t usec, void *userdata) {
        QemuGuest *guest = userdata;

        for (Query query = 0; query < _QUERY_MAX; query++)
                if (guest->queries[query].again && !guest->queries[query].asked)
                        guest_ask(guest, query);
        return 0;
}

static void guest_ask(QemuGuest *guest, Query query) {
        QueryState *state = guest->queries + query;
        uint64_t now = 0;

        if (state->asked) {
                state->again = true;
                return;
        }
        (void) sd_event_now(guest->backend->event, CLOCK_MONOTONIC, &now);
        if (state->asked_usec > 0 && now - state->asked_usec < PACE_USEC) {
                state->again = true;
                (void) sd_event_source_set_time(guest->pace_timer, now + PACE_USEC);
                (void) sd_event_source_set_enabled(guest->pace_timer, SD_EVENT_ONESHOT);
                return;
        }
        state->again = false;
        state->asked_usec = now;
        state->asked = qmp_execute(guest->qmp, query_commands[query], NULL, QUERY_TIMEOUT_USEC, on_answer, state, NULL) >= 0;
}

static void guest_ask_cpus(QemuGuest *guest) {
        guest_ask(guest, QUERY_HOTPLUGGABLE);
        guest_ask(guest, QUERY_CPUS);
}

static void on_ready(void *userdata) {
        QemuGuest *guest = userdata;

        guest->greeted = true;
        for (Query query = 0; query < _QUERY_MAX; query++)
                guest_ask(guest, query);
        guest_update_findings(guest, NULL);
        guest_changed(guest, 0);
}

/* An event says "look again", no more. */
static void on_event(const char *name, JsonObject *data, void *userdata) {
        static const struct { const char *name; Query query; } events[] = {
                { "STOP", QUERY_STATUS },
                { "RESUME", QUERY_STATUS },
                { "SHUTDOWN", QUERY_STATUS },
                { "RESET", QUERY_STATUS },
                { "SUSPEND", QUERY_STATUS },
                { "SUSPEND_DISK", QUERY_STATUS },
                { "WAKEUP", QUERY_STATUS },
                { "GUEST_PANICKED", QUERY_STATUS },
                { "GUEST_CRASHLOADED", QUERY_STATUS },
                { "DEVICE_DELETED", QUERY_CPUS },
                { "DEVICE_UNPLUG_GUEST_ERROR", QUERY_CPUS },
                { "ACPI_DEVICE_OST", QUERY_CPUS },
        };
        QemuGuest *guest = userdata;

        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (strcmp(events[i].name, name) == 0) {
                        guest->n_unsettled = 0;
                        if (events[i].query != QUERY_CPUS)
                                guest_ask(guest, events[i].query);
                        /* One that was not ready to tell its CPUs may be now. */
                        if (events[i].query == QUERY_CPUS || !guest->domain->vcpus)
                                guest_ask_cpus(guest);
                        return;
                }
}

static void on_closed(const char *reason, void *userdata) {
        guest_end(userdata, reason);
}

static const QmpHandlers qmp_handlers = {
        .ready = on_ready,
        .event = on_event,
        .closed = on_closed,
};

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata) {
        QemuGuest *guest = userdata;

        if (!guest->greeted)
                guest_update_findings(guest, NULL);
        guest_announce(guest);
        return 0;
}

/* Who listens there: QEMU itself, since the credentials of a socket that was connected
 * to are those of who made it listen. */
static pid_t peer_pid(int fd) {
        struct ucred credentials;
        socklen_t length = sizeof credentials;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return 0;
        return credentials.pid;
}

static const Backend qemu_backend = {
        .name = "qemu",
};

static int guest_new(QemuBackend *backend, QemuFolder *folder, const char *name, int taken, QemuGuest **ret) {
        _cleanup_close_ int fd = taken;
        QemuGuest *guest;
        int r;

        guest = calloc(1, sizeof *guest);
        if (!guest)
                return -ENOMEM;
        guest->backend = backend;
        guest->folder = folder;
        guest->next = backend->qemus;
        backend->qemus = guest;
        for (Query query = 0; query < _QUERY_MAX; query++)
                guest->queries[query] = (QueryState) { .guest = guest, .query = query };

        r = domain_new(backend->guests, &qemu_backend, name, &guest->domain);
        if (r >= 0) {
                guest->domain->run = guest;
                guest->domain->pid = peer_pid(fd);
                (void) process_open(guest->domain->pid, &guest->domain->process, NULL);
                r = sd_event_add_time_relative(backend->event, &guest->silence_timer, CLOCK_MONOTONIC, SILENCE_USEC, 0, on_silence, guest);
        }
        if (r >= 0)
                r = sd_event_add_time(backend->event, &guest->pace_timer, CLOCK_MONOTONIC, 0, 1, on_pace, guest);
        if (r >= 0)
                r = sd_event_source_set_enabled(guest->pace_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(backend->event, &guest->end_source, on_end, guest);
        if (r >= 0)
                r = sd_event_source_set_enabled(guest->end_source, SD_EVENT_OFF);
        if (r >= 0)
                r = qmp_new(backend->event, TAKE_FD(fd), &qmp_handlers, guest, &guest->qmp);
        if (r < 0) {
                guest_free(guest);
                return r;
        }

        *ret = guest;
        return 0;
}

static void on_connected(QemuFolder *folder, const char *name, int fd, void *userdata) {
        QemuBackend *backend = userdata;
        QemuGuest *guest;
        int r;

        r = guest_new(backend, folder, name, fd, &guest);
        if (r < 0) {
                log_warning("The guest %s cannot be followed: %s", name, strerror(-r));
                qemu_folder_lost(folder);
        }
}

static void on_gone(QemuFolder *folder, void *userdata) {
        QemuBackend *backend = userdata;

        for (QemuGuest *guest = backend->qemus; guest; guest = guest->next)
                if (guest->folder == folder) {
                        guest_free(guest);
                        return;
                }
}

static const QemuWatchHandlers watch_handlers = {
        .connected = on_connected,
        .gone = on_gone,
};

int qemu_backend_new(sd_event *event, Guests *guests, const char *runtime_dir, QemuBackend **ret) {
        _cleanup_(qemu_backend_freep) QemuBackend *backend = NULL;
        int r;

        backend = calloc(1, sizeof *backend);
        if (!backend)
                return -ENOMEM;
        backend->event = sd_event_ref(event);
        backend->guests = guests;
        r = qemu_watch_new(event, runtime_dir, &watch_handlers, backend, &backend->watch);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(backend);
        return 0;
}

QemuBackend *qemu_backend_free(QemuBackend *backend) {
        if (!backend)
                return NULL;
        qemu_watch_free(backend->watch);
        while (backend->qemus)
                guest_free(backend->qemus);
        (void) sd_event_unref(backend->event);
        free(backend);
        return NULL;
}
