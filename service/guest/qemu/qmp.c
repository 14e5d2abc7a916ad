/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A connection has no state that could be asked for. One that an earlier service used
 * may hold the end of an answer whose start that one had read, answers to its
 * questions and events, and in QEMU's hands half a command, or a greeting that nobody has
 * heard. So we send the byte 0xFF, at which QEMU's parser gives up what it had begun,
 * and the command qmp_capabilities with an id that nobody has used. QEMU takes that command
 * at any time: it says CommandNotFound when the negotiation was done before. What comes before its
 * answer is the past, and what comes after is ours. */

#include "qmp.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "json-line.h"

#define NEGOTIATION_TIMEOUT_USEC (5 * UINT64_C(1000000))

/* QEMU gives up at this byte what it has read of a command. */
#define RESET '\xff'

/* Where the ids of a connection start that others used: so that JSON keeps them exact,
 * and no answer to somebody else's question is likely to have one of ours. */
#define FIRST_ID_MASK ((UINT64_C(1) << 52) - 1)

/* One command on its way. It stays in the list until its answer comes or its time is
 * over, also when nobody wants to hear of it: its id must not be a stray's. */
struct QmpCommand {
        Qmp *qmp;
        QmpCommand *next;
        int64_t id;
        sd_event_source *timer;
        QmpDone done;                   /* NULL once it was dropped */
        void *userdata;
};

struct Qmp {
        sd_event *event;
        JsonLine *line;
        QmpHandlers handlers;
        void *userdata;
        uint64_t negotiation_timeout_usec;
        bool greeted;
        bool resuming;                  /* what comes is somebody else's until the capabilities are answered */
        bool ready;
        bool closing, freeing;
        int64_t last_id;
        uint64_t n_strays;
        QmpCommand *commands;           /* in the order in which they were sent */
};

static void command_free(QmpCommand *command) {
        (void) sd_event_source_disable_unref(command->timer);
        free(command);
}

/* Takes a command out of the list, tells how it ended, and frees it. */
static void command_end(QmpCommand *command, const QmpResult *result) {
        for (QmpCommand **at = &command->qmp->commands; *at; at = &(*at)->next)
                if (*at == command) {
                        *at = command->next;
                        break;
                }
        if (command->done)
                command->done(result, command->userdata);
        command_free(command);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        command_end(userdata, &(QmpResult) { .error = -ETIMEDOUT, .description = "the monitor did not answer in time" });
        return 0;
}

QmpCommand *qmp_command_drop(QmpCommand *command) {
        if (command)
                command->done = NULL;
        return NULL;
}

/* Ends all that is open; no other can be sent any more. */
static void end_all(Qmp *qmp, const char *reason) {
        qmp->ready = false;
        while (qmp->commands)
                command_end(qmp->commands, &(QmpResult) { .error = -ECONNRESET, .description = reason });
}

static void on_closed(const char *reason, void *userdata) {
        Qmp *qmp = userdata;

        qmp->closing = true;
        end_all(qmp, reason);
        qmp->closing = false;
        if (qmp->freeing)               /* from the end of a command */
                free(qmp);
        else
                qmp->handlers.closed(reason, qmp->userdata);
}

static int qmp_negotiate(Qmp *qmp);

static void on_capabilities(const QmpResult *result, void *userdata) {
        Qmp *qmp = userdata;
        bool done_before;

        if (result->error == -ECONNRESET)
                return;
        /* There is no other connection to try: it may be stuck, as while it saves a snapshot. */
        if (qmp->resuming && result->error == -ETIMEDOUT) {
                if (qmp_negotiate(qmp) < 0)
                        json_line_drop(qmp->line, "it does not read what is sent to it");
                return;
        }
        done_before = qmp->resuming && result->error == -EREMOTEIO && strcmp(result->class, "CommandNotFound") == 0;
        if (result->error < 0 && !done_before) {
                json_line_drop(qmp->line, result->error == -ETIMEDOUT ? "it greeted and then did not answer" : "it refused the negotiation of capabilities");
                return;
        }
        qmp->resuming = false;
        json_line_forgive(qmp->line, false);
        qmp->ready = true;
        qmp->handlers.ready(qmp->userdata);
}

static void on_answer(Qmp *qmp, JsonObject *object, int64_t id) {
        QmpCommand *command = qmp->commands;
        JsonObject *value, *error;
        QmpResult result = {};

        while (command && command->id != id)
                command = command->next;
        if (!command) {
                qmp->n_strays++;
                return;
        }

        if (json_object_object_get_ex(object, "return", &value))
                result.value = value;
        else {
                result.error = -EREMOTEIO;
                result.class = "GenericError";
                result.description = "the monitor refused without saying why";
                if (json_get_object(object, "error", &error) >= 0) {
                        (void) json_get_string(error, "class", &result.class);
                        (void) json_get_string(error, "desc", &result.description);
                }
        }
        command_end(command, &result);
}

/* Sends a command, also before the monitor is ready. */
static int command_send(Qmp *qmp, const char *name, JsonObject *taken, uint64_t timeout_usec,
                        QmpDone done, void *userdata, QmpCommand **ret_command) {
        _cleanup_json_ JsonObject *arguments = taken, *object = NULL;
        QmpCommand *command, **at;
        int r;

        object = json_object_new_object();
        if (!object)
                return -ENOMEM;
        command = calloc(1, sizeof *command);
        if (!command)
                return -ENOMEM;
        command->qmp = qmp;
        command->id = qmp->last_id + 1;
        command->done = done;
        command->userdata = userdata;

        r = json_add_string(object, "execute", name);
        if (r >= 0 && arguments)
                r = json_add(object, "arguments", TAKE_PTR(arguments));
        if (r >= 0)
                r = json_add_i64(object, "id", command->id);
        if (r >= 0)
                r = sd_event_add_time_relative(qmp->event, &command->timer, CLOCK_MONOTONIC, timeout_usec, 0, on_late, command);
        if (r >= 0)
                r = json_line_send(qmp->line, object);
        if (r < 0) {
                command_free(command);
                return r;
        }

        qmp->last_id = command->id;
        for (at = &qmp->commands; *at; at = &(*at)->next)
                ;
        *at = command;
        if (ret_command)
                *ret_command = command;
        return 0;
}

static int qmp_negotiate(Qmp *qmp) {
        return command_send(qmp, "qmp_capabilities", NULL, qmp->negotiation_timeout_usec, on_capabilities, qmp, NULL);
}

static void on_greeting(Qmp *qmp) {
        if (qmp->greeted) {
                qmp->n_strays++;
                return;
        }
        qmp->greeted = true;
        if (qmp_negotiate(qmp) < 0)
                json_line_drop(qmp->line, "there is not enough memory to answer its greeting");
}

static void on_object(JsonObject *object, void *userdata) {
        Qmp *qmp = userdata;
        JsonObject *data = NULL;
        const char *event;
        int64_t id;

        if (json_get_string(object, "event", &event) >= 0) {
                (void) json_get_object(object, "data", &data);
                if (qmp->ready)
                        qmp->handlers.event(event, data, qmp->userdata);
                return;
        }
        if (json_get_object(object, "QMP", &data) >= 0) {
                on_greeting(qmp);
                return;
        }
        if (json_get_i64(object, "id", &id) >= 0)
                on_answer(qmp, object, id);
        else
                qmp->n_strays++;
}

static const JsonLineHandlers line_handlers = {
        .object = on_object,
        .closed = on_closed,
};

int qmp_new(sd_event *event, int fd, const QmpHandlers *handlers, void *userdata, Qmp **ret) {
        _cleanup_(qmp_freep) Qmp *qmp = NULL;
        int r;

        qmp = calloc(1, sizeof *qmp);
        if (!qmp) {
                (void) close(fd);
                return -ENOMEM;
        }
        qmp->event = sd_event_ref(event);
        qmp->handlers = *handlers;
        qmp->userdata = userdata;
        qmp->negotiation_timeout_usec = NEGOTIATION_TIMEOUT_USEC;
        r = json_line_new(event, fd, &line_handlers, qmp, &qmp->line);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(qmp);
        return 0;
}

int qmp_resume(Qmp *qmp) {
        const char reset = RESET;
        sd_id128_t random;
        int r;

        r = sd_id128_randomize(&random);
        if (r < 0)
                return r;
        qmp->last_id = (int64_t) (random.qwords[0] & FIRST_ID_MASK);
        qmp->greeted = qmp->resuming = true;
        json_line_forgive(qmp->line, true);
        r = json_line_send_bytes(qmp->line, &reset, 1);
        return r < 0 ? r : qmp_negotiate(qmp);
}

Qmp *qmp_free(Qmp *qmp) {
        /* A command's end may free what holds us. */
        if (!qmp || qmp->freeing)
                return NULL;
        qmp->freeing = true;
        end_all(qmp, "the connection was given up");
        json_line_free(qmp->line);
        (void) sd_event_unref(qmp->event);
        if (!qmp->closing)
                free(qmp);
        return NULL;
}

void qmp_set_negotiation_timeout(Qmp *qmp, uint64_t timeout_usec) {
        qmp->negotiation_timeout_usec = timeout_usec;
}

bool qmp_is_ready(const Qmp *qmp) {
        return qmp->ready;
}

int qmp_execute(Qmp *qmp, const char *name, JsonObject *arguments, uint64_t timeout_usec,
                QmpDone done, void *userdata, QmpCommand **ret_command) {
        if (!qmp->ready) {
                json_object_putp(&arguments);
                return -ENOTCONN;
        }
        return command_send(qmp, name, arguments, timeout_usec, done, userdata, ret_command);
}

uint64_t qmp_strays(const Qmp *qmp) {
        return qmp->n_strays;
}

int qmp_fd(const Qmp *qmp) {
        return json_line_fd(qmp->line);
}
