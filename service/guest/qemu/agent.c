/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The socket of an agent is a serial line into the guest. Nobody says whether an agent
 * is at its other end; and what comes out may be the answers to questions of somebody
 * who was connected before us and left, or the end of one that was being written when
 * the guest was reset. What goes in may come behind the half of somebody's line.
 *
 * So each time that somebody wants to know something we connect, and start with a byte
 * that no JSON has, 0xFF, which ends what the agent may have read in part; then
 * comes guest-sync-delimited with a number that nobody can guess. The agent sends 0xFF
 * and that number: what comes before is passed over, and what comes after is ours.
 * Then one question at a time, and when none is left the connection is closed, since
 * QEMU lets one client in at a time, and others may want to ask too. A question that is
 * not answered in time ends its connection: a late answer goes nowhere. */

#include "guest/qemu/agent.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "guest/qemu/guest.h"
#include "guest/qemu/json-line.h"

#define SENTINEL '\xff'

/* So many answers to others' questions are passed over, each with a 0xFF before it. */
#define STRAYS_MAX 64u

/* A number that any JSON parser keeps exact. */
#define SYNC_ID_MASK ((UINT64_C(1) << 52) - 1)

typedef struct Caller {
        union {
                AgentVcpusDone vcpus;
                BackendDone changed;
        } done;
        void *userdata;
} Caller;

typedef struct Question {
        QemuAgent *agent;
        struct Question *next;
        sd_event_source *timer;
        JsonObject *command;
        bool sets;                      /* else it is guest-get-vcpus */
        bool sent;                      /* else it waits, for others or for the synchronization */
        size_t n_vcpus;                 /* of one that sets */
        Caller *callers;                /* one, for a question that sets */
        size_t n_callers;
} Question;

typedef struct Answer {
        int result;
        Error error;
        AgentVcpu *vcpus;
        size_t n;
} Answer;

struct QemuAgent {
        Domain *domain;
        QemuAgentOpen open_socket;
        void *userdata;
        sd_event_source *turn;          /* goes on outside of whatever called us */
        JsonLine *line;                 /* NULL while nobody asks */
        int64_t sync_id;
        bool synced;
        bool freeing;
        unsigned n_strays;              /* on this connection */
        Question *questions;            /* the first is the one that is being asked */
};

static void answer_clear(Answer *answer) {
        error_clear(&answer->error);
        free(answer->vcpus);
}

static Question *question_free(Question *question) {
        if (!question)
                return NULL;
        (void) sd_event_source_disable_unref(question->timer);
        json_object_putp(&question->command);
        free(question->callers);
        free(question);
        return NULL;
}
DEFINE_CLEANUP(Question *, question_free)

static void agent_disconnect(QemuAgent *agent) {
        agent->line = json_line_free(agent->line);
        agent->synced = false;
        agent->n_strays = 0;
}

static void agent_go_on(QemuAgent *agent) {
        (void) sd_event_source_set_enabled(agent->turn, SD_EVENT_ONESHOT);
}

static void agent_set_findings(QemuAgent *agent, const char *problem) {
        Findings findings = {};

        if (problem)
                findings_add(&findings, "agent-unavailable", SEVERITY_WARNS,
                             "start qemu-ga in the guest, with a virtio-serial port org.qemu.guest_agent.0 that leads to this guest's agent socket",
                             agent->domain->name, "%.300s", problem);
        domain_set_findings(agent->domain, DOMAIN_FINDINGS_AGENT, &findings);
}

/* Whether there is a way to an agent. */
static void agent_set_there(QemuAgent *agent, bool there) {
        if (agent->domain->has_agent == there)
                return;
        agent->domain->has_agent = there;
        domain_changed(agent->domain, DOMAIN_CHANGE_FEATURES);
}

/* Takes a question out and tells how it ended. The agent may be gone when this returns. */
static void question_end(Question *ended, Answer *answer) {
        _cleanup_(question_freep) Question *question = ended;
        const Error *error = answer->error.code == ERROR_NONE ? NULL : &answer->error;

        for (Question **at = &question->agent->questions; *at; at = &(*at)->next)
                if (*at == question) {
                        *at = question->next;
                        break;
                }
        agent_go_on(question->agent);
        question->timer = sd_event_source_disable_unref(question->timer);
        for (size_t i = 0; i < question->n_callers; i++) {
                const Caller *caller = question->callers + i;

                if (question->sets)
                        caller->done.changed(answer->result, error, caller->userdata);
                else
                        caller->done.vcpus(answer->result, error, answer->vcpus, answer->n, caller->userdata);
        }
        answer_clear(answer);
}

static bool is_halted(const Domain *domain) {
        return domain->state != DOMAIN_RUNNING && domain->state != DOMAIN_UNKNOWN;
}

/* Nothing was heard that is an answer. */
static void question_end_unanswered(Question *question, const char *reason) {
        QemuAgent *agent = question->agent;
        Answer answer = {};

        answer.result = error_set(&answer.error, ERROR_GUEST_AGENT_UNAVAILABLE, "the guest agent of %s cannot be asked: %s%s%s%s",
                                  agent->domain->name, reason,
                                  is_halted(agent->domain) ? "; the guest is " : "", is_halted(agent->domain) ? domain_state_to_string(agent->domain->state) : "",
                                  question->sets && question->sent ? "; what it changed is not known" : "");
        agent_set_findings(agent, answer.error.message);
        question_end(question, &answer);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Question *question = userdata;
        QemuAgent *agent = question->agent;
        const char *reason;

        if (question != agent->questions)
                reason = "other questions waited before this one";
        else if (agent->synced)
                reason = "it was there, and did not answer in time";
        else if (agent->n_strays > 0)
                reason = "it answered what nobody asked, and nothing else in time";
        else
                reason = "it is silent: it does not run in the guest, or somebody else is connected to it";
        if (question == agent->questions)
                agent_disconnect(agent);
        question_end_unanswered(question, reason);
        return 0;
}

static int compare_vcpus(const void *a, const void *b) {
        uint32_t x = ((const AgentVcpu *) a)->id, y = ((const AgentVcpu *) b)->id;

        return x < y ? -1 : x > y;
}

/* Source: qga/qapi-schema.json, GuestLogicalProcessor. An agent that does not say that a
 * vCPU can go is not asked to take it. */
static int parse_vcpus(JsonObject *value, AgentVcpu **ret, size_t *ret_n) {
        _cleanup_free_ AgentVcpu *vcpus = NULL;
        size_t n;

        if (!json_object_is_type(value, json_type_array))
                return -EINVAL;
        n = json_object_array_length(value);
        if (n == 0)
                return -EINVAL;
        vcpus = calloc(n, sizeof *vcpus);
        if (!vcpus)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                JsonObject *item = json_object_array_get_idx(value, i);

                if (json_get_u32(item, "logical-id", &vcpus[i].id) < 0 || vcpus[i].id >= CPUSET_LIMIT ||
                    json_get_bool(item, "online", &vcpus[i].online) < 0 ||
                    json_get_bool(item, "can-offline", &vcpus[i].can_offline) == -EINVAL)
                        return -EINVAL;
        }
        qsort(vcpus, n, sizeof *vcpus, compare_vcpus);
        for (size_t i = 1; i < n; i++)
                if (vcpus[i].id == vcpus[i - 1].id)
                        return -EINVAL;

        *ret = TAKE_PTR(vcpus);
        *ret_n = n;
        return 0;
}

static int parse_count(JsonObject *value, size_t n, int *ret) {
        int64_t count;

        if (!json_object_is_type(value, json_type_int))
                return -EINVAL;
        count = json_object_get_int64(value);
        if (count < 0 || (uint64_t) count > n)
                return -EINVAL;
        *ret = (int) count;
        return 0;
}

static void on_answer(QemuAgent *agent, JsonObject *object) {
        Question *question = agent->questions;
        JsonObject *value, *refusal;
        Answer answer = {};
        int r;

        if (json_get_object(object, "error", &refusal) >= 0) {
                const char *words = "it does not say why";

                (void) json_get_string(refusal, "desc", &words);
                answer.result = error_set(&answer.error, ERROR_GUEST_REFUSED, "the guest agent of %s refused: %.500s", agent->domain->name, words);
        } else {
                if (!json_object_object_get_ex(object, "return", &value))
                        r = -EINVAL;
                else if (question->sets)
                        r = parse_count(value, question->n_vcpus, &answer.result);
                else
                        r = parse_vcpus(value, &answer.vcpus, &answer.n);
                if (r == -ENOMEM)
                        answer.result = error_set(&answer.error, ERROR_NO_MEMORY, "there is not enough memory for the answer of the guest agent");
                else if (r < 0) {
                        json_line_drop(agent->line, question->sets ? "what it sent is no count of vCPUs" : "what it sent is no list of vCPUs");
                        return;
                }
        }
        agent_set_findings(agent, NULL);
        question_end(question, &answer);
}

static void on_object(JsonObject *object, void *userdata) {
        QemuAgent *agent = userdata;
        int64_t id;

        if (!agent->synced) {
                if (json_get_i64(object, "return", &id) >= 0 && id == agent->sync_id) {
                        agent->synced = true;
                        json_line_take_all(agent->line);
                        agent_go_on(agent);
                } else if (++agent->n_strays > STRAYS_MAX)
                        json_line_drop(agent->line, "it answers again and again what nobody asked");
        } else if (agent->questions && agent->questions->sent)
                on_answer(agent, object);
        else
                json_line_drop(agent->line, "it answered what nobody asked");
}

static void on_closed(const char *reason, void *userdata) {
        QemuAgent *agent = userdata;

        agent_disconnect(agent);
        if (agent->questions)
                question_end_unanswered(agent->questions, reason);
}

static const JsonLineHandlers line_handlers = {
        .object = on_object,
        .closed = on_closed,
};

/* "taken" is taken over, also on failure, and may be NULL. */
static int make_command(const char *name, JsonObject *taken, JsonObject **ret) {
        _cleanup_json_ JsonObject *arguments = taken, *command = NULL;
        int r;

        command = json_object_new_object();
        if (!command)
                return -ENOMEM;
        r = json_add_string(command, "execute", name);
        if (r >= 0 && arguments)
                r = json_add(command, "arguments", TAKE_PTR(arguments));
        if (r < 0)
                return r;

        *ret = TAKE_PTR(command);
        return 0;
}

static int make_sync(int64_t id, JsonObject **ret) {
        _cleanup_json_ JsonObject *arguments = json_object_new_object();
        int r;

        if (!arguments)
                return -ENOMEM;
        r = json_add_i64(arguments, "id", id);
        if (r < 0)
                return r;
        return make_command("guest-sync-delimited", TAKE_PTR(arguments), ret);
}

/* Connects, and starts the synchronization. */
static int agent_connect(QemuAgent *agent) {
        static const char sentinel = SENTINEL;
        _cleanup_json_ JsonObject *sync = NULL;
        sd_id128_t random;
        int fd, r;

        r = sd_id128_randomize(&random);
        if (r < 0)
                return r;
        agent->sync_id = (int64_t) (random.qwords[0] & SYNC_ID_MASK);
        r = make_sync(agent->sync_id, &sync);
        if (r < 0)
                return r;

        fd = agent->open_socket(agent->userdata);
        if (fd >= 0 || fd == -ENOENT)
                agent_set_there(agent, fd >= 0);
        if (fd < 0)
                return fd;
        r = json_line_new(guests_event(agent->domain->guests), fd, &line_handlers, agent, &agent->line);
        if (r < 0)
                return r;
        json_line_take_marked(agent->line, SENTINEL);
        r = json_line_send_bytes(agent->line, &sentinel, 1);
        if (r >= 0)
                r = json_line_send(agent->line, sync);
        if (r < 0)
                agent_disconnect(agent);
        return r;
}

static const char *connect_problem(int error) {
        switch (-error) {
        case ENOENT:
                return "there is no socket " QEMU_AGENT_SOCKET " beside that of its monitor, and none was handed over";
        case ENOTSOCK:
                return "its " QEMU_AGENT_SOCKET " is no socket";
        case ECONNREFUSED:
                return "nobody listens at its socket";
        case EAGAIN:
                return "somebody else is connected to it, and others wait";
        default:
                return strerror(-error);
        }
}

/* The next step: connect, ask, or leave. */
static int on_turn(sd_event_source *source, void *userdata) {
        QemuAgent *agent = userdata;
        Question *question = agent->questions;
        int r;

        if (!question) {
                agent_disconnect(agent);
                return 0;
        }
        if (!agent->line) {
                r = agent_connect(agent);
                if (r < 0)
                        question_end_unanswered(question, connect_problem(r));
                return 0;
        }
        if (!agent->synced || question->sent)
                return 0;
        question->sent = true;
        r = json_line_send(agent->line, question->command);
        if (r == -ENOMEM)
                json_line_drop(agent->line, "there is not enough memory for the question");
        return 0;
}

int qemu_agent_new(Domain *domain, QemuAgentOpen open_socket, void *userdata, QemuAgent **ret) {
        _cleanup_(qemu_agent_freep) QemuAgent *agent = NULL;
        int r;

        agent = calloc(1, sizeof *agent);
        if (!agent)
                return -ENOMEM;
        agent->domain = domain;
        agent->open_socket = open_socket;
        agent->userdata = userdata;
        r = sd_event_add_defer(guests_event(domain->guests), &agent->turn, on_turn, agent);
        if (r >= 0)
                r = sd_event_source_set_enabled(agent->turn, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(agent);
        return 0;
}

static int refuse_gone(const QemuAgent *agent, Error *error) {
        return error_set(error, ERROR_NOT_RUNNING, "the guest %s is gone, and its agent with it", agent->domain->name);
}

QemuAgent *qemu_agent_free(QemuAgent *agent) {
        /* A question's end may free what holds us. */
        if (!agent || agent->freeing)
                return NULL;
        agent->freeing = true;
        agent_disconnect(agent);
        while (agent->questions) {
                Answer answer = {};

                answer.result = refuse_gone(agent, &answer.error);
                question_end(agent->questions, &answer);
        }
        (void) sd_event_source_disable_unref(agent->turn);
        free(agent);
        return NULL;
}

static int refuse_busy(const QemuAgent *agent, Error *error) {
        return error_set(error, ERROR_BUSY, "too many wait for the guest agent of %s already; try again later", agent->domain->name);
}

static int question_add_caller(Question *question, const Caller *caller) {
        Caller *callers = reallocarray(question->callers, question->n_callers + 1, sizeof *callers);

        if (!callers)
                return -ENOMEM;
        callers[question->n_callers++] = *caller;
        question->callers = callers;
        return 0;
}

/* Asks something new, at the end of what is asked. "taken" is taken over, also on
 * failure; "n_vcpus" is how many it sets, 0 for a question that does not set. */
static int agent_ask(QemuAgent *agent, JsonObject *taken, bool sets, size_t n_vcpus, const Caller *caller, Error *error) {
        _cleanup_(question_freep) Question *question = NULL;
        _cleanup_json_ JsonObject *command = taken;
        Question **at = &agent->questions;
        size_t n = 0;
        int r;

        if (agent->freeing)
                return refuse_gone(agent, error);
        for (; *at; at = &(*at)->next)
                n++;
        if (n > QEMU_AGENT_QUEUE_MAX)   /* one is being asked */
                return refuse_busy(agent, error);

        question = calloc(1, sizeof *question);
        if (!question)
                return -ENOMEM;
        question->agent = agent;
        question->command = TAKE_PTR(command);
        question->sets = sets;
        question->n_vcpus = n_vcpus;
        r = question_add_caller(question, caller);
        if (r >= 0)
                r = sd_event_add_time_relative(guests_event(agent->domain->guests), &question->timer, CLOCK_MONOTONIC,
                                               guests_settings(agent->domain->guests)->agent_timeout_usec, 0, on_late, question);
        if (r < 0)
                return r;

        *at = TAKE_PTR(question);
        agent_go_on(agent);
        return 0;
}

int qemu_agent_ask_vcpus(QemuAgent *agent, AgentVcpusDone done, void *userdata, Error *error) {
        const Caller caller = { .done.vcpus = done, .userdata = userdata };
        Question *last = agent->questions;
        JsonObject *command = NULL;
        int r;

        /* An answer from before a change that was asked for is none to who asks after it. */
        while (last && last->next)
                last = last->next;
        if (last && !last->sets && !agent->freeing)
                return last->n_callers < QEMU_AGENT_CALLERS_MAX ? question_add_caller(last, &caller) : refuse_busy(agent, error);

        r = make_command("guest-get-vcpus", NULL, &command);
        if (r < 0)
                return r;
        return agent_ask(agent, command, false, 0, &caller, error);
}

/* Source: qga/qapi-schema.json, GuestLogicalProcessor, guest-set-vcpus. */
static int make_vcpus(const AgentVcpu *vcpus, size_t n, JsonObject **ret) {
        _cleanup_json_ JsonObject *arguments = NULL, *list = NULL;
        int r;

        arguments = json_object_new_object();
        list = json_object_new_array();
        if (!arguments || !list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                _cleanup_json_ JsonObject *item = json_object_new_object();

                if (!item)
                        return -ENOMEM;
                r = json_add_i64(item, "logical-id", vcpus[i].id);
                if (r >= 0)
                        r = json_add(item, "online", json_object_new_boolean(vcpus[i].online));
                if (r < 0)
                        return r;
                if (json_object_array_add(list, item) < 0)
                        return -ENOMEM;
                item = NULL;
        }
        r = json_add(arguments, "vcpus", TAKE_PTR(list));
        if (r < 0)
                return r;

        *ret = TAKE_PTR(arguments);
        return 0;
}

int qemu_agent_change_vcpus(QemuAgent *agent, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error) {
        const Caller caller = { .done.changed = done, .userdata = userdata };
        JsonObject *arguments = NULL, *command = NULL;
        int r;

        r = make_vcpus(vcpus, n, &arguments);
        if (r >= 0)
                r = make_command("guest-set-vcpus", arguments, &command);
        if (r < 0)
                return r;
        return agent_ask(agent, command, true, n, &caller, error);
}

/* The agent of a domain that runs; NULL, with the error, if it does not. While the guest
 * goes, its agent is gone already. */
static QemuAgent *find_agent(const Domain *domain, Error *error) {
        QemuGuest *guest = qemu_guest_of(domain);
        QemuAgent *agent = guest ? qemu_guest_agent(guest) : NULL;

        if (!agent)
                (void) error_set(error, ERROR_NOT_RUNNING, "the guest %s does not run, so there is no agent to ask", domain->name);
        return agent;
}

int qemu_agent_get_vcpus(Domain *domain, AgentVcpusDone done, void *userdata, Error *error) {
        QemuAgent *agent = find_agent(domain, error);

        return agent ? qemu_agent_ask_vcpus(agent, done, userdata, error) : -ENOTCONN;
}

int qemu_agent_set_vcpus(Domain *domain, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error) {
        QemuAgent *agent = find_agent(domain, error);

        return agent ? qemu_agent_change_vcpus(agent, vcpus, n, done, userdata, error) : -ENOTCONN;
}
