/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Domain.Vcpus: which there are comes from the last snapshot, what its
 * thread does is asked of the kernel, what was asked for is kept by the domain. */

#include "domain-vcpus.h"

#include <errno.h>
#include <string.h>

#include "bus/call.h"
#include "dictionary.h"
#include "domain.h"
#include "domain-vcpus.gen.h"
#include "guest/change.h"
#include "guest/definition.h"
#include "guest/threads.h"
#include "guest/tune.h"

int domain_vcpus_get_maximum(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", domain->vcpus ? domain->vcpus->maximum : 0);
}

int domain_vcpus_get_current(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", domain->vcpus ? domain->vcpus->current : 0);
}

int domain_vcpus_get_sparse(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "b", domain->vcpus && domain->vcpus->sparse);
}

/* What is to be told of a vCPU. */
typedef enum Keys {
        KEYS_STATE = 1 << 0,
        KEYS_PENDING = 1 << 1,
        KEYS_HOTPLUGGABLE = 1 << 2,
        KEYS_UNIT = 1 << 3,
        KEYS_CELL = 1 << 4,
        KEYS_ORDER = 1 << 5,
        KEYS_PIN = 1 << 6,
        KEYS_SCHEDULER = 1 << 7,
        KEYS_THREAD = 1 << 8,
        KEYS_VOLATILE = 1 << 9,
        KEYS_ALL = (1 << 10) - 1,
} Keys;

/* A guest's vCPUs as they are shown: of the running guest, or of what is stored. */
typedef struct View {
        const Domain *domain;
        const VcpuTable *table;
        const Tuning *tuning;
        bool stored;
        VcpuTable *owned;
        bool has_threads;               /* the process is there, and can be looked at */
        ProcessThreads threads;         /* of one in a namespace: looked up once for all */
        const AgentVcpu *agent;         /* NULL if it was not asked */
        size_t n_agent;
} View;

static void view_clear(View *view) {
        vcpu_table_free(view->owned);
        process_threads_clear(&view->threads);
}

static void view_look_at_threads(View *view) {
        const Process *process = view->domain->process;

        view->has_threads = process && process_is_alive(process) &&
                (process->namespace_depth == 0 || process_list_threads(process, &view->threads, NULL) >= 0);
}

/* By its id in our own namespace; that it is the guest's, the look at it tells. */
static pid_t view_find_thread(const View *view, uint32_t thread) {
        const ProcessThread *found;

        if (thread == 0 || !view->has_threads)
                return 0;
        if (view->domain->process->namespace_depth == 0)
                return (pid_t) thread;
        found = process_threads_find(&view->threads, (pid_t) thread);
        return found ? found->tid : 0;
}

static int view_open(const Domain *domain, bool live, bool config, Error *error, View *ret) {
        View view = { .domain = domain };
        int r;

        r = domain_choose_target(domain, &live, &config, error);
        if (r < 0)
                return r;
        if (live) {
                view.table = domain->vcpus;
                view.tuning = &domain->live;
                view_look_at_threads(&view);
        } else {
                if (!domain->definition)
                        return error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for %s", domain->name);
                r = domain_stored_table(domain, domain->definition, &view.owned);
                if (r < 0 && r != -ENODATA)
                        return r;
                view.table = view.owned;
                view.tuning = &domain->definition->tuning;
                view.stored = true;
        }
        *ret = view;
        return 0;
}

static int append_scheduler(sd_bus_message *message, SchedulerPolicy policy, int priority) {
        int r;

        r = dictionary_add_string(message, "scheduler", scheduler_policy_to_string(policy));
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}", "priority", "i", (int32_t) priority);
        return r;
}

/* What cannot be read of a thread is left out: it may have ended a moment ago. */
static int append_thread(sd_bus_message *message, const View *view, const Vcpu *vcpu, unsigned keys) {
        const ThreadTuning *asked = tuning_find(view->tuning, THREAD_ROLE_VCPU, vcpu->id);
        unsigned wanted = (keys & KEYS_PIN ? THREAD_FACT_AFFINITY : 0) | (keys & KEYS_SCHEDULER ? THREAD_FACT_SCHEDULER : 0) |
                (keys & KEYS_VOLATILE ? THREAD_FACT_STAT : 0);
        pid_t tid = keys & (KEYS_THREAD | KEYS_PIN | KEYS_SCHEDULER | KEYS_VOLATILE) ? view_find_thread(view, vcpu->thread) : 0;
        _cleanup_(thread_facts_clear) ThreadFacts facts = {};
        bool there;
        int r = 0;

        there = tid > 0 && thread_read_facts(view->domain->process, tid, wanted, &facts, NULL) >= 0;
        if (there && (keys & KEYS_THREAD))
                r = dictionary_add_u32(message, "thread", (uint32_t) tid);
        if (r >= 0 && (facts.known & THREAD_FACT_AFFINITY))
                r = dictionary_add_cpuset(message, "effective_cpus", &facts.affinity);
        if (r >= 0 && (facts.known & THREAD_FACT_SCHEDULER))
                r = append_scheduler(message, facts.policy, facts.priority);
        else if (r >= 0 && (keys & KEYS_SCHEDULER) && !there && asked && asked->scheduled)
                r = append_scheduler(message, asked->policy, asked->priority);
        if (r >= 0 && (facts.known & THREAD_FACT_STAT)) {
                r = dictionary_add_u32(message, "host_cpu", facts.stat.last_cpu);
                if (r >= 0)
                        r = dictionary_add_u64(message, "cpu_time_usec", facts.stat.cpu_time_usec);
                if (r >= 0 && facts.stat.wait_usec != WAIT_USEC_UNKNOWN)
                        r = dictionary_add_u64(message, "wait_usec", facts.stat.wait_usec);
        }
        return r;
}

static const char *pending_of(const View *view, uint32_t id) {
        if (view->stored)
                return NULL;
        if (cpuset_contains(&view->domain->pending_plug, id))
                return "plug";
        return cpuset_contains(&view->domain->pending_unplug, id) ? "unplug" : NULL;
}

/* The guest numbers its CPUs itself, in the order in which they came: which of its numbers
 * is which vCPU is only known as long as there are no gaps. */
static int append_guest_online(sd_bus_message *message, const View *view, uint32_t id) {
        for (size_t i = 0; i < view->n_agent && !view->table->sparse; i++)
                if (view->agent[i].id == id)
                        return dictionary_add_bool(message, "guest_online", view->agent[i].online);
        return 0;
}

static int append_keys(sd_bus_message *message, const View *view, const Vcpu *vcpu, unsigned keys) {
        char unit[VCPU_UNIT_TEXT_MAX];
        int r = 0;

        if (keys & KEYS_STATE)
                r = dictionary_add_string(message, "state", vcpu->enabled ? "enabled" : "disabled");
        if (r >= 0 && (keys & KEYS_PENDING))
                r = dictionary_add_optional_string(message, "pending", pending_of(view, vcpu->id));
        if (r >= 0 && (keys & KEYS_HOTPLUGGABLE)) {
                r = dictionary_add_bool(message, "hotpluggable", vcpu->hotpluggable);
                if (r >= 0)
                        r = dictionary_add_optional_string(message, "reason", vcpu->reason);
        }
        if (r >= 0 && (keys & KEYS_UNIT)) {
                plug_unit_to_string(view->table->units + vcpu->unit, unit);
                r = dictionary_add_string(message, "unit", unit);
        }
        if (r >= 0 && (keys & KEYS_CELL))
                r = dictionary_add_id(message, "cell", vcpu->cell);
        if (r >= 0 && (keys & KEYS_ORDER))
                r = dictionary_add_nonzero(message, "order", vcpu->order);
        if (r >= 0 && (keys & KEYS_PIN)) {
                const CpuSet *pin = tuning_cpus(view->tuning, THREAD_ROLE_VCPU, vcpu->id);

                if (pin)
                        r = dictionary_add_cpuset(message, "cpus", pin);
        }
        if (r >= 0)
                r = append_thread(message, view, vcpu, keys);
        return r;
}

static int append_vcpu(sd_bus_message *message, const View *view, const Vcpu *vcpu) {
        int r;

        r = dictionary_add_u32(message, "id", vcpu->id);
        if (r >= 0)
                r = append_keys(message, view, vcpu, KEYS_ALL);
        if (r >= 0)
                r = append_guest_online(message, view, vcpu->id);
        return r;
}

static int append_vcpu_at(sd_bus_message *message, size_t i, const void *userdata) {
        const View *view = userdata;

        return append_vcpu(message, view, view->table->vcpus + i);
}

static int append_vcpus(sd_bus_message *reply, const void *userdata) {
        const View *view = userdata;

        return message_append_dictionaries(reply, view->table ? view->table->maximum : 0, append_vcpu_at, view);
}

/* One of them, or all for ID_NONE. */
static int fill_in(sd_bus_message *reply, const View *view, uint32_t id) {
        int r;

        if (id == ID_NONE)
                return append_vcpus(reply, view);
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_vcpu(reply, view, vcpu_table_find(view->table, id));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r;
}

/* A question that the agent in the guest answers in part. */
typedef struct Question {
        Call *call;
        Domain *domain;
        uint32_t id;
} Question;

static void on_agent(int result, const Error *error, const AgentVcpu *vcpus, size_t n, void *userdata) {
        _cleanup_free_ Question *question = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(view_clear) View view = {};
        _cleanup_error_ Error own = {};
        int r = result;

        if (r < 0) {
                call_fail(question->call, r, error);
                return;
        }
        r = view_open(question->domain, true, false, &own, &view);
        /* It may have gone while the agent thought. */
        if (r >= 0 && question->id != ID_NONE && !vcpu_table_find(view.table, question->id))
                r = error_set(&own, ERROR_NO_SUCH_VCPU, "vCPU %u is not there any more", question->id);
        view.agent = vcpus;
        view.n_agent = n;
        if (r >= 0)
                r = call_new_reply(question->call, &reply);
        if (r >= 0)
                r = fill_in(reply, &view, question->id);
        if (r < 0)
                call_fail(question->call, r, &own);
        else
                call_answer_with(question->call, reply);
}

static int ask_agent(Domain *domain, uint32_t id, const Request *request, Error *error) {
        _cleanup_free_ Question *question = NULL;
        int r;

        if (!domain_is_running(domain) || !domain->has_agent || !domain->backend->agent_get_vcpus)
                return error_set(error, ERROR_GUEST_AGENT_UNAVAILABLE, "%s has no agent that could be asked", domain->name);
        question = malloc(sizeof *question);
        if (!question)
                return -ENOMEM;
        *question = (Question) { .domain = domain, .id = id };
        r = call_new(request, CALL_TIMEOUT_USEC, "the agent in the guest has not answered", &question->call);
        if (r < 0)
                return r;
        r = domain->backend->agent_get_vcpus(domain, on_agent, question, error);
        if (r < 0) {
                call_drop(question->call);
                return r;
        }
        (void) TAKE_PTR(question);
        return 0;
}

static int show(Domain *domain, uint32_t id, bool live, bool config, bool guest, const Request *request, Error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(view_clear) View view = {};
        int r;

        r = view_open(domain, live, config, error, &view);
        if (r < 0)
                return r;
        if (id != ID_NONE && !vcpu_table_find(view.table, id)) {
                if (!view.table || view.table->maximum == 0)
                        return error_set(error, ERROR_NO_SUCH_VCPU, "there is no vCPU %u; %s has told none", id, domain->name);
                return error_set(error, ERROR_NO_SUCH_VCPU, "there is no vCPU %u; %s can have 0-%u", id, domain->name, view.table->maximum - 1);
        }
        if (guest)
                return ask_agent(domain, id, request, error);

        r = sd_bus_message_new_method_return(request->message, &reply);
        if (r >= 0)
                r = fill_in(reply, &view, id);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

int domain_vcpus_list_vcpus(Domain *domain, const DomainVcpusListVcpusArgs *args, const Request *request, Error *error) {
        return show(domain, ID_NONE, args->flags & DOMAIN_VCPUS_LIST_VCPUS_LIVE, args->flags & DOMAIN_VCPUS_LIST_VCPUS_CONFIG,
                    args->flags & DOMAIN_VCPUS_LIST_VCPUS_GUEST, request, error);
}

int domain_vcpus_get_vcpu(Domain *domain, const DomainVcpusGetVcpuArgs *args, const Request *request, Error *error) {
        if (args->vcpu == ID_NONE)
                return error_set(error, ERROR_NO_SUCH_VCPU, "there is no vCPU %u", args->vcpu);
        return show(domain, args->vcpu, args->flags & DOMAIN_VCPUS_GET_VCPU_LIVE, args->flags & DOMAIN_VCPUS_GET_VCPU_CONFIG,
                    args->flags & DOMAIN_VCPUS_GET_VCPU_GUEST, request, error);
}

int domain_vcpus_get_xml(Domain *domain, const DomainVcpusGetXmlArgs *args, const Request *request, Error *error) {
        return reply_domain_xml(domain, args->flags & DOMAIN_VCPUS_GET_XML_LIVE, args->flags & DOMAIN_VCPUS_GET_XML_CONFIG,
                                domain_vcpus_to_xml, request, error);
}

/* The threads of a guest, as they were listed a moment ago. */
typedef struct ThreadList {
        const Domain *domain;
        const GuestThread *threads;
} ThreadList;

static int append_listed_thread(sd_bus_message *message, size_t i, const void *userdata) {
        const ThreadList *list = userdata;
        const GuestThread *thread = list->threads + i;
        const Process *process = list->domain->process;
        const CpuSet *pin = tuning_cpus(&list->domain->live, thread->role, thread->role == THREAD_ROLE_EMULATOR ? 0 : thread->id);
        _cleanup_cpuset_ CpuSet affinity = {};
        SchedulerPolicy policy;
        int priority, r;

        r = sd_bus_message_append(message, "{sv}{sv}{sv}", "thread", "u", (uint32_t) thread->tid,
                                  "role", "s", thread_role_to_string(thread->role), "name", "s", thread->comm);
        if (r >= 0)
                r = dictionary_add_id(message, "id", thread->id);
        if (r >= 0 && pin)
                r = dictionary_add_cpuset(message, "cpus", pin);
        if (r >= 0 && process && thread_get_affinity(process, thread->tid, &affinity, NULL) >= 0)
                r = dictionary_add_cpuset(message, "effective_cpus", &affinity);
        if (r >= 0 && process && thread_get_scheduler(process, thread->tid, &policy, &priority, NULL) >= 0)
                r = append_scheduler(message, policy, priority);
        return r;
}

static void on_threads(int result, const Error *error, const GuestThread *threads, size_t n, void *userdata) {
        _cleanup_free_ Question *question = userdata;
        const ThreadList list = { .domain = question->domain, .threads = threads };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = result;

        if (r >= 0)
                r = call_new_reply(question->call, &reply);
        if (r >= 0)
                r = message_append_dictionaries(reply, n, append_listed_thread, &list);
        if (r < 0)
                call_fail(question->call, r, error);
        else
                call_answer_with(question->call, reply);
}

int domain_vcpus_list_threads(Domain *domain, const DomainVcpusListThreadsArgs *args, const Request *request, Error *error) {
        _cleanup_free_ Question *question = NULL;
        int r;

        question = malloc(sizeof *question);
        if (!question)
                return -ENOMEM;
        *question = (Question) { .domain = domain };
        r = call_new(request, CALL_TIMEOUT_USEC, "the guest's monitor has not told its iothreads", &question->call);
        if (r < 0)
                return r;
        r = tune_list_threads(domain, on_threads, question, error);
        if (r < 0) {
                call_drop(question->call);
                return r;
        }
        (void) TAKE_PTR(question);
        return 0;
}

/* The keys that a change of the model is told in. */
static unsigned keys_of_change(unsigned change) {
        static const struct { unsigned change; unsigned keys; } table[] = {
                { VCPU_CHANGE_PRESENCE, KEYS_ALL & ~KEYS_VOLATILE },
                { VCPU_CHANGE_ENABLED, KEYS_STATE },
                { VCPU_CHANGE_HOTPLUGGABLE, KEYS_HOTPLUGGABLE },
                { VCPU_CHANGE_ORDER, KEYS_ORDER },
                { VCPU_CHANGE_CELL, KEYS_CELL },
                { VCPU_CHANGE_UNIT, KEYS_UNIT },
                { VCPU_CHANGE_THREAD, KEYS_THREAD },
                { VCPU_CHANGE_PENDING, KEYS_STATE | KEYS_PENDING },
                { VCPU_CHANGE_PIN, KEYS_PIN },
                { VCPU_CHANGE_SCHEDULER, KEYS_SCHEDULER },
        };
        unsigned keys = 0;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (change & table[i].change)
                        keys |= table[i].keys;
        return keys;
}

static int emit_one(const Face *face, const View *view, uint32_t id, unsigned change, VcpuCause cause) {
        const Vcpu *vcpu = vcpu_table_find(view->table, id);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
        int r;

        if (!vcpu)
                return 0;
        r = sd_bus_message_new_signal(tree_bus(object_tree(face->object)), &signal, object_path(face->object),
                                      domain_vcpus_interface.name, DOMAIN_VCPUS_VCPU_CHANGED);
        if (r >= 0)
                r = sd_bus_message_append(signal, "u", id);
        if (r >= 0)
                r = sd_bus_message_open_container(signal, 'a', "{sv}");
        if (r >= 0)
                r = append_keys(signal, view, vcpu, keys_of_change(change));
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        if (r >= 0)
                r = sd_bus_message_append(signal, "s", vcpu_cause_to_string(cause));
        if (r < 0)
                return r;
        return sd_bus_send(NULL, signal, NULL);
}

static void emit(Face *face) {
        Domain *domain = face->model;
        bool stored = !domain_is_running(domain) && domain->definition, looked = stored;
        _cleanup_(view_clear) View view = {
                .domain = domain,
                .table = domain->vcpus,
                .tuning = stored ? &domain->definition->tuning : &domain->live,
                .stored = stored,
        };
        VcpuCause cause;
        unsigned change;
        uint32_t id;

        while (domain_take_vcpu_mark(domain, &id, &change, &cause)) {
                if (!looked)
                        view_look_at_threads(&view);
                looked = true;
                (void) emit_one(face, &view, id, change, cause);
        }
}

const FaceHooks domain_vcpus_hooks = {
        .emit = emit,
        .describe = domain_describe,
};
