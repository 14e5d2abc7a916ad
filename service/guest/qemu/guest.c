/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "guest/definitions.h"
#include "guest/qemu/agent.h"
#include "guest/qemu/backend.h"
#include "guest/qemu/cpus.h"
#include "guest/qemu/unit.h"
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

typedef struct QueryState {
        QemuGuest *guest;
        Query query;
        uint64_t asked_usec;            /* when it was last asked */
        bool asked;
        bool again;
        bool answered;                  /* once at least, though it was with an error */
} QueryState;

struct QemuGuest {
        sd_event *event;
        QemuGuestEnded ended;
        void *userdata;
        void (*when_announced)(QemuGuest *guest, void *userdata);       /* NULL if nobody wants to know */
        void *announced_userdata;
        QemuFolder *folder;
        Domain *domain;
        Process *process;               /* until its threads are known to be those that the monitor names: then the domain's */
        Qmp *qmp;
        QemuUnits *units;
        QemuAgent *agent;
        QemuIothreads *iothreads;
        int agent_fd;                   /* -1 unless one was handed over */
        sd_event_source *silence_timer;
        sd_event_source *pace_timer;
        sd_event_source *end_source;
        const char *end_reason;
        bool reused;                    /* the domain was there before this run */
        bool announced;                 /* this run was */
        bool greeted;
        bool stopping;
        unsigned n_unsettled;
        QueryState queries[_QUERY_MAX];
        JsonObject *hotpluggable;       /* waits for the CPUs; NULL if the machine knows no such query */
        bool hotpluggable_waits;        /* else the CPUs have come: it is large, and goes then */
        char *vcpus_problem;
        char *process_problem;
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
static void guest_update_findings(QemuGuest *guest) {
        const char *name = guest->domain->name;
        Findings findings = {};

        if (!guest->greeted)
                findings_add(&findings, "monitor-silent", SEVERITY_WARNS,
                             "wait until QEMU has started, or close what else is connected to this monitor",
                             name, "the monitor has taken the connection and does not greet: QEMU is still starting, or somebody else holds it");
        if (guest->process_problem)
                findings_add(&findings, "process-unknown", SEVERITY_WARNS,
                             "let QEMU itself make its monitor's socket, or register the guest with its process", name, "%.300s", guest->process_problem);
        if (guest->vcpus_problem)
                findings_add(&findings, "vcpus-unknown", SEVERITY_WARNS,
                             "update or report this QEMU; the guest itself goes on", name, "%.200s", guest->vcpus_problem);

        domain_set_findings(guest->domain, DOMAIN_FINDINGS_BACKEND, &findings);
}

static void set_problem(char **problem, const char *text) {
        free(*problem);
        *problem = text ? strdup(text) : NULL;
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
        if (guest->reused)
                domain_changed(guest->domain, DOMAIN_CHANGE_UUID | DOMAIN_CHANGE_STATE | DOMAIN_CHANGE_PID | DOMAIN_CHANGE_FEATURES);
        else
                domain_announce(guest->domain);
        if (guest->when_announced)
                guest->when_announced(guest, guest->announced_userdata);
}

static void guest_changed(QemuGuest *guest, unsigned change) {
        if (guest->announced)
                domain_changed(guest->domain, change);
        else if (guest->greeted && !guest_is_asking(guest))
                guest_announce(guest);
}

/* Ends a guest outside of whatever called us. */
static int on_end(sd_event_source *source, void *userdata) {
        QemuGuest *guest = userdata;

        log_info("The monitor of %s is gone: %s", guest->domain->name, guest->end_reason);
        guest->ended(guest, guest->end_reason, guest->userdata);
        return 0;
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
        Domain *domain = guest->domain;
        char uuid[sizeof domain->uuid] = "";
        const char *word;

        if (result->error == 0 && json_get_string(result->value, "UUID", &word) >= 0 && is_uuid(word) && strspn(word, "0-") < 36)
                for (size_t i = 0; i < 36; i++)
                        uuid[i] = word[i] >= 'A' && word[i] <= 'F' ? (char) (word[i] - 'A' + 'a') : word[i];
        if (strcmp(domain->uuid, uuid) == 0)
                return 0;
        memcpy(domain->uuid, uuid, sizeof uuid);
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

static void drop_hotpluggable(QemuGuest *guest) {
        if (guest->hotpluggable)
                (void) json_object_put(guest->hotpluggable);
        guest->hotpluggable = NULL;
        guest->hotpluggable_waits = false;
}

static unsigned take_hotpluggable(QemuGuest *guest, const QmpResult *result) {
        drop_hotpluggable(guest);
        guest->hotpluggable = result->error < 0 ? NULL : json_object_get(result->value);
        guest->hotpluggable_waits = true;
        return 0;
}

static void guest_ask(QemuGuest *guest, Query query);
static void guest_ask_cpus(QemuGuest *guest);

/* One of many; "threads" are all that the process has, if it lives in a namespace of its
 * own, where each search would read them anew. */
static bool owns_thread(const Process *process, const ProcessThreads *threads, uint32_t thread) {
        _cleanup_close_ int fd = -1;

        if (process->namespace_depth > 0)
                return process_threads_find(threads, (pid_t) thread);
        fd = process_open_thread(process, (pid_t) thread, NULL);
        return fd >= 0;
}

/* Whether the process that we know owns all threads that the monitor names; if not, says
 * which it does not own. Threads that were looked at before are not looked at again.
 * "*ret_some" is whether any of them is one of the process. */
static int check_threads(const QemuGuest *guest, const VcpuTable *table, bool *ret_some, Error *error) {
        _cleanup_process_threads_ ProcessThreads threads = {};
        const Domain *domain = guest->domain;
        const Process *process = guest->process ?: domain->process;
        uint32_t foreign = 0;
        pid_t tid;
        int r;

        *ret_some = false;
        if (!process)
                return error_set(error, ERROR_BACKEND_FAILED, "the process of this QEMU is not known");
        if (process->namespace_depth > 0) {
                r = process_list_threads(process, &threads, error);
                if (r < 0)
                        return r;
        }
        for (uint32_t id = 0; id < table->maximum && !(foreign != 0 && *ret_some); id++) {
                const Vcpu *vcpu = table->vcpus + id, *before = domain->process ? vcpu_table_find(domain->vcpus, id) : NULL;

                if (vcpu->thread == 0)
                        continue;
                if ((before && before->thread == vcpu->thread) || owns_thread(process, &threads, vcpu->thread))
                        *ret_some = true;
                else
                        foreign = vcpu->thread;
        }
        if (foreign == 0)
                return 0;
        /* For the words; it may even have come meanwhile. */
        r = process_find_thread(process, (pid_t) foreign, &tid, error);
        return r < 0 ? r : -EAGAIN;
}

/* Only a process whose threads the monitor names is the domain's: the one that listens
 * may be another, as where a manager made the socket, and nothing is to be pinned there.
 * Without it the vCPUs have no threads. Returns false where it is better to ask again: a
 * thread may have ended since the answer. */
static bool guest_identify(QemuGuest *guest, VcpuTable *table) {
        _cleanup_error_ Error error = {};
        Domain *domain = guest->domain;
        bool some;

        if (check_threads(guest, table, &some, &error) >= 0) {
                set_problem(&guest->process_problem, NULL);
                if (guest->process && some) {
                        domain->process = TAKE_PTR(guest->process);
                        domain_changed(domain, DOMAIN_CHANGE_FEATURES);
                }
                return true;
        }
        if (some && guest->n_unsettled < UNSETTLED_MAX)
                return false;

        set_problem(&guest->process_problem, error.message ?: "its threads could not be looked at");
        if (domain->process) {
                guest->process = TAKE_PTR(domain->process);
                domain_changed(domain, DOMAIN_CHANGE_FEATURES);
        }
        for (uint32_t id = 0; id < table->maximum; id++)
                table->vcpus[id].thread = 0;
        return true;
}

/* Comes after the answer about what is hotpluggable: the monitor keeps the order. */
static unsigned take_cpus(QemuGuest *guest, const QmpResult *result) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        _cleanup_error_ Error error = {};
        int r;

        /* The other question was asked anew: its answer and this one would be of two
         * moments. And who it is comes first, since what is stored depends on it. */
        if (guest->queries[QUERY_HOTPLUGGABLE].asked || !guest->queries[QUERY_UUID].answered || !guest->hotpluggable_waits) {
                if (!guest->hotpluggable_waits && !guest->queries[QUERY_HOTPLUGGABLE].asked)
                        guest_ask(guest, QUERY_HOTPLUGGABLE);
                guest->queries[QUERY_CPUS].again = true;
                return 0;
        }
        if (result->error < 0)
                r = error_set(&error, ERROR_BACKEND_FAILED, "%s", result->description);
        else
                r = qemu_cpus_parse(guest->hotpluggable, result->value, &error, &table);
        drop_hotpluggable(guest);
        if (r < 0) {
                set_problem(&guest->vcpus_problem, error.message ?: strerror(-r));
                guest_update_findings(guest);
                return 0;
        }

        set_problem(&guest->vcpus_problem, NULL);
        if (!guest_identify(guest, table)) {
                guest->n_unsettled++;
                guest_ask_cpus(guest);
                return 0;
        }
        guest->n_unsettled = table->settled ? 0 : guest->n_unsettled + 1;
        if (!table->settled && guest->n_unsettled <= UNSETTLED_MAX)
                guest_ask_cpus(guest);
        guest_update_findings(guest);
        domain_take_vcpus(guest->domain, TAKE_PTR(table));
        qemu_units_looked(guest->units);
        return 0;
}

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
        state->answered = true;
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
        (void) sd_event_now(guest->event, CLOCK_MONOTONIC, &now);
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

void qemu_guest_look_at_vcpus(QemuGuest *guest) {
        guest->n_unsettled = 0;
        guest->queries[QUERY_HOTPLUGGABLE].asked_usec = 0;
        guest->queries[QUERY_CPUS].asked_usec = 0;
        guest_ask_cpus(guest);
}

/* Known before its threads are, and not looked up again with these: who asks meanwhile is
 * asking about the same guest. QEMU may have given up root's rights before it greets. */
static void guest_take_owner(QemuGuest *guest) {
        const Process *process = guest->process ?: guest->domain->process;
        Domain *domain = guest->domain;

        if (process && process_owner(process, &domain->owner) >= 0)
                domain->has_owner = true;
}

static void on_ready(void *userdata) {
        QemuGuest *guest = userdata;

        guest->greeted = true;
        guest_take_owner(guest);
        for (Query query = 0; query < _QUERY_MAX; query++)
                guest_ask(guest, query);
        guest_update_findings(guest);
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

        qemu_units_event(guest->units, name, data);
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (strcmp(events[i].name, name) == 0) {
                        guest->n_unsettled = 0;
                        if (events[i].query != QUERY_CPUS)
                                guest_ask(guest, events[i].query);
                        /* One that was not ready to tell its CPUs may be now. */
                        if (events[i].query == QUERY_CPUS || !guest->domain->vcpus_of_run)
                                guest_ask_cpus(guest);
                        return;
                }
}

static void on_closed(const char *reason, void *userdata) {
        QemuGuest *guest = userdata;

        guest->end_reason = reason;
        (void) sd_event_source_set_enabled(guest->end_source, SD_EVENT_ONESHOT);
}

static const QmpHandlers qmp_handlers = {
        .ready = on_ready,
        .event = on_event,
        .closed = on_closed,
};

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata) {
        QemuGuest *guest = userdata;

        if (!guest->greeted)
                guest_update_findings(guest);
        guest_announce(guest);
        return 0;
}

/* A way to the agent, for some questions. One that was handed over stays open, and is
 * used through duplicates. */
static int open_agent(void *userdata) {
        const QemuGuest *guest = userdata;
        int fd;

        if (guest->agent_fd < 0)
                return guest->folder ? qemu_folder_open_socket(guest->folder, QEMU_AGENT_SOCKET) : -ENOENT;
        fd = fcntl(guest->agent_fd, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
}

void qemu_guest_take_agent(QemuGuest *guest, int fd) {
        if (guest->agent_fd >= 0)
                (void) close(guest->agent_fd);
        guest->agent_fd = fd;
        if (guest->domain->has_agent)
                return;
        guest->domain->has_agent = true;
        guest_changed(guest, DOMAIN_CHANGE_FEATURES);
}

/* Of a domain that was off, what is stored is shown until the run is known. */
static int guest_find_domain(QemuGuest *guest, Guests *guests, const char *name) {
        int r;

        guest->domain = definitions_find_off(guests, name);
        guest->reused = guest->domain;
        if (!guest->domain) {
                r = domain_new(guests, &qemu_backend_calls, name, &guest->domain);
                if (r < 0)
                        return r;
        }
        guest->domain->backend = &qemu_backend_calls;
        guest->domain->state = DOMAIN_UNKNOWN;
        guest->domain->run = guest;
        return 0;
}

int qemu_guest_new(Guests *guests, const char *name, int taken, pid_t pid, Process *process, QemuFolder *folder,
                   QemuGuestEnded ended, void *userdata, QemuGuest **ret) {
        _cleanup_(qemu_guest_freep) QemuGuest *guest = NULL;
        _cleanup_close_ int fd = taken;
        int r;

        guest = calloc(1, sizeof *guest);
        if (!guest) {
                process_free(process);
                return -ENOMEM;
        }
        guest->event = sd_event_ref(guests_event(guests));
        guest->process = process;
        guest->folder = folder;
        guest->agent_fd = -1;
        guest->ended = ended;
        guest->userdata = userdata;
        for (Query query = 0; query < _QUERY_MAX; query++)
                guest->queries[query] = (QueryState) { .guest = guest, .query = query };

        r = guest_find_domain(guest, guests, name);
        if (r < 0)
                return r;
        guest->domain->pid = pid;
        guest_take_owner(guest);
        guest->domain->has_agent = folder && qemu_folder_has_socket(folder, QEMU_AGENT_SOCKET);
        r = qemu_units_new(guest, &guest->units);
        if (r >= 0)
                r = qemu_agent_new(guest->domain, open_agent, guest, &guest->agent);
        if (r >= 0)
                r = sd_event_add_time_relative(guest->event, &guest->silence_timer, CLOCK_MONOTONIC, SILENCE_USEC, 0, on_silence, guest);
        if (r >= 0)
                r = sd_event_add_time(guest->event, &guest->pace_timer, CLOCK_MONOTONIC, 0, 1, on_pace, guest);
        if (r >= 0)
                r = sd_event_source_set_enabled(guest->pace_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(guest->event, &guest->end_source, on_end, guest);
        if (r >= 0)
                r = sd_event_source_set_enabled(guest->end_source, SD_EVENT_OFF);
        if (r >= 0)
                r = qmp_new(guest->event, TAKE_FD(fd), &qmp_handlers, guest, &guest->qmp);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(guest);
        return 0;
}

int qemu_guest_resume(QemuGuest *guest) {
        return qmp_resume(guest->qmp);
}

void qemu_guest_when_announced(QemuGuest *guest, void (*announced)(QemuGuest *, void *), void *userdata) {
        guest->when_announced = announced;
        guest->announced_userdata = userdata;
}

QemuGuest *qemu_guest_free(QemuGuest *guest) {
        if (!guest || guest->stopping)
                return NULL;
        guest->stopping = true;
        (void) sd_event_source_disable_unref(guest->silence_timer);
        (void) sd_event_source_disable_unref(guest->pace_timer);
        (void) sd_event_source_disable_unref(guest->end_source);
        guest->units = qemu_units_free(guest->units);
        guest->agent = qemu_agent_free(guest->agent);
        guest->qmp = qmp_free(guest->qmp);
        if (guest->domain)
                domain_stopped(guest->domain);
        process_free(guest->process);
        if (guest->agent_fd >= 0)
                (void) close(guest->agent_fd);
        drop_hotpluggable(guest);
        free(guest->vcpus_problem);
        free(guest->process_problem);
        (void) sd_event_unref(guest->event);
        free(guest);
        return NULL;
}

QemuGuest *qemu_guest_of(const Domain *domain) {
        return domain->run;
}

Domain *qemu_guest_domain(const QemuGuest *guest) {
        return guest->domain;
}

QemuFolder *qemu_guest_folder(const QemuGuest *guest) {
        return guest->folder;
}

Qmp *qemu_guest_qmp(const QemuGuest *guest) {
        return guest->qmp;
}

QemuUnits *qemu_guest_units(const QemuGuest *guest) {
        return guest->units;
}

QemuIothreads **qemu_guest_iothreads(QemuGuest *guest) {
        return &guest->iothreads;
}

QemuAgent *qemu_guest_agent(const QemuGuest *guest) {
        return guest->agent;
}
