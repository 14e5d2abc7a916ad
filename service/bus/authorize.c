/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "authorize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "bus-error.h"
#include "lib/log.h"

#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define DBUS "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"

/* The bus answers this one at once, or is gone. */
#define BUS_TIMEOUT_USEC (10 * UINT64_C(1000000))

#define DETAILS_MAX 16u

/* Calls of one connection that are put aside, whoever it is of: before the bus has
 * said that, there is no other limit. */
#define QUESTIONS_OF_SENDER_MAX 64u

/* The same for calls that carry descriptors, of one connection and of all. */
#define QUESTIONS_WITH_FDS_OF_SENDER_MAX 4u
#define QUESTIONS_WITH_FDS_MAX 128u

typedef enum QuestionState {
        QUESTION_USER,          /* who is the caller? */
        QUESTION_POLKIT,        /* may it? */
        QUESTION_ANSWERED,      /* the call is in the queue again */
} QuestionState;

typedef struct Detail {
        const char *name;       /* a constant of a table */
        char *value;
} Detail;

typedef struct Question Question;

/* One call that was put aside. It owns the slots of what it waits for: when it is
 * dropped, they are too. */
struct Question {
        Authorizer *authorizer;
        Question *next, **link;

        sd_bus_message *call;
        const char *action;
        uint64_t generation;            /* of the object that was looked at */
        bool can_call;                  /* answer "yes" or "no", change nothing */
        void (*answer)(sd_bus_message *call, const char *verdict, void *model);  /* who does that; NULL: we */
        void *model;
        bool interactive;
        bool has_fds;
        uint32_t uid;
        Detail details[DETAILS_MAX];    /* the face's first */
        size_t n_details;
        size_t n_face_details;

        QuestionState state;
        uint64_t serial;                /* names it to polkit, to cancel it */
        sd_bus_slot *answer_slot;
        sd_event_source *reap_source;

        bool unknown;                   /* who asks */
        bool allowed;
        bool challenge;
        Error refusal;
};

struct Authorizer {
        sd_bus *bus;
        sd_event *event;
        AuthorizerLimits limits;
        Question *questions;
        uint64_t serial;
        sd_bus_slot *left_slot;         /* hears of all who leave the bus, while there are questions */

        bool polkit_owned, polkit_activatable;
        unsigned n_watch_answers;
        sd_bus_slot *owner_slot;
        sd_bus_slot *owned_slot;
        sd_bus_slot *activatable_slot;
        void (*changed)(bool, void *);
        void *userdata;
};

static void question_free(Question *question) {
        Authorizer *authorizer = question->authorizer;

        *question->link = question->next;
        if (question->next)
                question->next->link = question->link;
        if (!authorizer->questions)
                authorizer->left_slot = sd_bus_slot_unref(authorizer->left_slot);

        (void) sd_bus_slot_unref(question->answer_slot);
        (void) sd_event_source_disable_unref(question->reap_source);
        (void) sd_bus_message_unref(question->call);
        for (size_t i = 0; i < question->n_details; i++)
                free(question->details[i].value);
        error_clear(&question->refusal);
        free(question);
}

static void cancellation_id(const Question *question, char *buffer, size_t size) {
        snprintf(buffer, size, "berth-%" PRIu64, question->serial);
}

/* Nobody waits for the answer any more: polkit need not ask for a password. */
static void question_abandon(Question *question) {
        if (question->state == QUESTION_POLKIT) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
                char id[32];

                cancellation_id(question, id, sizeof id);
                if (sd_bus_message_new_method_call(question->authorizer->bus, &message, POLKIT, POLKIT_PATH, POLKIT_INTERFACE, "CancelCheckAuthorization") >= 0 &&
                    sd_bus_message_append(message, "s", id) >= 0 &&
                    sd_bus_message_set_expect_reply(message, 0) >= 0 &&
                    sd_bus_message_set_auto_start(message, 0) >= 0)
                        (void) sd_bus_send(question->authorizer->bus, message, NULL);
        }
        question_free(question);
}

/* Whether a signal is the bus's own: a match holds back what is broadcast, and not what
 * somebody sends to us alone. */
static bool is_from_bus(sd_bus_message *message) {
        const char *sender = sd_bus_message_get_sender(message);

        return sender && strcmp(sender, DBUS) == 0;
}

/* One match for all questions: a bus lets a connection have some hundred, and one too many
 * ends the connection. */
static int on_caller_left(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Authorizer *authorizer = userdata;
        const char *name;

        if (!is_from_bus(message) || sd_bus_message_read(message, "s", &name) < 0)
                return 0;
        for (Question *question = authorizer->questions, *next; question; question = next) {
                next = question->next;
                if (strcmp(sd_bus_message_get_sender(question->call), name) == 0)
                        question_abandon(question);
        }
        return 0;
}

static int listen_for_leaving(Authorizer *authorizer) {
        if (authorizer->left_slot)
                return 0;
        return sd_bus_add_match_async(authorizer->bus, &authorizer->left_slot,
                                      "type='signal',sender='" DBUS "',path='" DBUS_PATH "',interface='" DBUS "',member='NameOwnerChanged',arg2=''",
                                      on_caller_left, NULL, authorizer);
}

/* Runs after the call was dispatched again. If its object is gone by then, no
 * thunk has taken the question away. */
static int on_reap(sd_event_source *source, void *userdata) {
        question_free(userdata);
        return 0;
}

static void answer_can_call(Question *question) {
        const char *word = question->allowed ? "yes" : question->challenge ? "challenge" : "no";

        if (question->answer)
                question->answer(question->call, word, question->model);
        else
                (void) sd_bus_reply_method_return(question->call, "s", word);
        question_free(question);
}

/* The answer is there, in question->allowed or ->refusal: back into the queue. */
static void question_settle(Question *question) {
        int r;

        question->answer_slot = sd_bus_slot_unref(question->answer_slot);
        question->state = QUESTION_ANSWERED;
        if (question->can_call) {
                answer_can_call(question);
                return;
        }

        r = sd_bus_message_rewind(question->call, true);
        if (r >= 0)
                r = sd_event_add_defer(question->authorizer->event, &question->reap_source, on_reap, question);
        /* Behind the bus, whose queue must come first, in the same loop. */
        if (r >= 0)
                r = sd_event_source_set_priority(question->reap_source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(question->authorizer->bus, question->call);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(question->call, r, NULL);
                question_free(question);
        }
}

/* Settles it with a refusal. */
#define question_refuse(question, code, ...)                                    \
        ({                                                                      \
                Question *refused_ = (question);                                \
                (void) error_set(&refused_->refusal, code, __VA_ARGS__);        \
                question_settle(refused_);                                      \
        })

static int on_polkit_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Question *question = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(message);
        int allowed, challenge;

        if (error) {
                if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) || sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                        question_refuse(question, ERROR_ACCESS_DENIED,
                                        "%s needs polkit's word, and polkit is not running: only root may do this", question->action);
                else if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT)) {
                        char id[32];

                        cancellation_id(question, id, sizeof id);
                        (void) sd_bus_call_method_async(question->authorizer->bus, NULL, POLKIT, POLKIT_PATH, POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL, "s", id);
                        question_refuse(question, ERROR_ACCESS_DENIED, "polkit did not say in time whether %s is allowed", question->action);
                } else
                        question_refuse(question, ERROR_ACCESS_DENIED, "polkit cannot say whether %s is allowed: %s", question->action, error->message);
                return 0;
        }

        if (sd_bus_message_enter_container(message, 'r', "bba{ss}") < 0 || sd_bus_message_read(message, "bb", &allowed, &challenge) < 0) {
                question_refuse(question, ERROR_ACCESS_DENIED, "polkit's answer about %s makes no sense", question->action);
                return 0;
        }

        question->allowed = allowed;
        question->challenge = challenge;
        if (allowed || question->can_call)
                question_settle(question);
        else if (challenge && !question->interactive)
                question_refuse(question, ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "%s needs a password, and the call does not allow to ask for one", question->action);
        else if (challenge)
                question_refuse(question, ERROR_ACCESS_DENIED, "%s needs a password, and there is no polkit agent to ask for it", question->action);
        else
                question_refuse(question, ERROR_ACCESS_DENIED, "polkit does not allow %s", question->action);
        return 0;
}

static int ask_polkit(Question *question) {
        Authorizer *authorizer = question->authorizer;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        bool ask = question->interactive && !question->can_call;
        char id[32];
        int r;

        r = sd_bus_message_new_method_call(authorizer->bus, &message, POLKIT, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s", sd_bus_message_get_sender(question->call), question->action);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{ss}");
        for (size_t i = 0; i < question->n_details && r >= 0; i++)
                r = sd_bus_message_append(message, "{ss}", question->details[i].name, question->details[i].value);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        cancellation_id(question, id, sizeof id);
        if (r >= 0)
                r = sd_bus_message_append(message, "us", ask ? 1 : 0, id);
        if (r >= 0)
                r = sd_bus_call_async(authorizer->bus, &question->answer_slot, message, on_polkit_answer, question,
                                      ask ? authorizer->limits.interactive_usec : authorizer->limits.timeout_usec);
        if (r >= 0)
                question->state = QUESTION_POLKIT;
        return r;
}

/* Questions that are with polkit, of one user; of all for UINT32_MAX. */
static size_t questions_of(const Authorizer *authorizer, uint32_t uid) {
        size_t n = 0;

        for (const Question *question = authorizer->questions; question; question = question->next)
                if (question->state == QUESTION_POLKIT && (uid == UINT32_MAX || question->uid == uid))
                        n++;
        return n;
}

static size_t questions_of_sender(const Authorizer *authorizer, const char *sender) {
        size_t n = 0;

        for (const Question *question = authorizer->questions; question; question = question->next)
                if (strcmp(sd_bus_message_get_sender(question->call), sender) == 0)
                        n++;
        return n;
}

static bool method_takes_fds(const Method *method) {
        for (size_t i = 0; i < method->n_args; i++)
                if (method->args[i].signature[0] == 'h')
                        return true;
        return false;
}

/* Descriptors are kept open with their calls: of these there may be fewer. Nobody knows
 * yet who it is, so root can be made to wait by many connections. */
static int check_fds(const Authorizer *authorizer, const char *sender, Error *error) {
        size_t n = 0, n_of_sender = 0;

        for (const Question *question = authorizer->questions; question; question = question->next)
                if (question->has_fds) {
                        n++;
                        n_of_sender += strcmp(sd_bus_message_get_sender(question->call), sender) == 0;
                }
        if (n_of_sender >= QUESTIONS_WITH_FDS_OF_SENDER_MAX || n >= QUESTIONS_WITH_FDS_MAX)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%zu calls that carry descriptors wait for permission already, %zu of them from %s", n, n_of_sender, sender);
        return 0;
}

/* Root was let pass before: nobody can take its place by asking much. */
static int check_limits(const Question *question, Error *error) {
        const Authorizer *authorizer = question->authorizer;
        size_t n;

        n = questions_of(authorizer, question->uid);
        if (n >= authorizer->limits.per_user)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "user %u has %zu questions to polkit open already; at most %" PRIu64 " are allowed",
                                 question->uid, n, authorizer->limits.per_user);
        n = questions_of(authorizer, UINT32_MAX);
        if (n >= authorizer->limits.total)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%zu questions to polkit are open already; at most %" PRIu64 " are allowed",
                                 n, authorizer->limits.total);
        return 0;
}

static int on_user_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_error_ Error error = {};
        Question *question = userdata;
        int r;

        /* The caller left before the bus could tell who it was. */
        if (sd_bus_message_is_method_error(message, NULL) || sd_bus_message_read(message, "u", &question->uid) < 0) {
                question->unknown = true;
                question_refuse(question, ERROR_ACCESS_DENIED, "the bus does not tell who asks for %s", question->action);
                return 0;
        }
        question->answer_slot = sd_bus_slot_unref(question->answer_slot);

        if (question->uid == 0) {
                question->allowed = true;
                question_settle(question);
                return 0;
        }

        r = check_limits(question, &error);
        if (r < 0 && question->can_call) {
                (void) sd_bus_reply_method_errorf(question->call, error_code_to_name(error.code), "%s", error.message);
                question_free(question);
                return 0;
        }
        if (r < 0) {
                question_refuse(question, error.code, "%s", error.message);
                return 0;
        }

        r = ask_polkit(question);
        if (r < 0)
                question_refuse(question, ERROR_ACCESS_DENIED, "polkit cannot be asked about %s: %s", question->action, strerror(-r));
        return 0;
}

static int add_detail(void *userdata, const char *name, const char *value) {
        Question *question = userdata;
        Detail *detail = question->details + question->n_details;

        if (question->n_details >= DETAILS_MAX)
                return -E2BIG;
        detail->name = name;
        detail->value = strdup(value);
        if (!detail->value)
                return -ENOMEM;
        question->n_details++;
        return 0;
}

static int describe_face(const Face *face, const Method *method, const void *args, int (*add)(void *, const char *, const char *), void *userdata) {
        if (!face->hooks || !face->hooks->describe)
                return 0;
        return face->hooks->describe(face, method, args, add, userdata);
}

/* Goes through a question's details as the face tells them again. */
typedef struct Comparison {
        const Question *question;
        size_t n;
} Comparison;

static int compare_detail(void *userdata, const char *name, const char *value) {
        Comparison *comparison = userdata;
        const Detail *detail = comparison->question->details + comparison->n;

        if (comparison->n >= comparison->question->n_face_details || strcmp(detail->name, name) != 0 || strcmp(detail->value, value) != 0)
                return -ESTALE;
        comparison->n++;
        return 0;
}

/* Whether a call would still be about what polkit was told. */
static bool is_about_the_same(const Question *question, const Method *method, const Face *face, const void *args) {
        Comparison comparison = { .question = question };

        return question->generation == object_generation(face->object) &&
               describe_face(face, method, args, compare_detail, &comparison) >= 0 &&
               comparison.n == question->n_face_details;
}

/* Puts a call aside and asks who it is from. First the match, then the question,
 * and the bus keeps their order: a caller that leaves at any time is either heard
 * to leave or not found. */
static int question_start(Authorizer *authorizer, const Method *method, Face *face, const void *args, uint32_t given, sd_bus_message *call, bool can_call, Error *error) {
        const char *sender = sd_bus_message_get_sender(call);
        Question *question;
        size_t n;
        int r;

        if (!sender)
                return error_set(error, ERROR_ACCESS_DENIED, "the bus does not tell who asks");
        n = questions_of_sender(authorizer, sender);
        if (n >= QUESTIONS_OF_SENDER_MAX)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%zu calls of %s wait for permission already", n, sender);

        if (!can_call && method_takes_fds(method)) {
                r = check_fds(authorizer, sender, error);
                if (r < 0)
                        return r;
        }

        question = calloc(1, sizeof *question);
        if (!question)
                return -ENOMEM;
        question->has_fds = !can_call && method_takes_fds(method);
        question->authorizer = authorizer;
        question->next = authorizer->questions;
        question->link = &authorizer->questions;
        if (question->next)
                question->next->link = &question->next;
        authorizer->questions = question;

        question->call = sd_bus_message_ref(call);
        question->action = method->choose_action ? method->choose_action(face->model, args) : method->action;
        question->generation = object_generation(face->object);
        question->can_call = can_call;
        question->interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0;
        question->uid = UINT32_MAX;
        question->serial = ++authorizer->serial;

        r = describe_face(face, method, args, add_detail, question);
        question->n_face_details = question->n_details;
        if (r >= 0)
                r = add_detail(question, "verb", method->name);
        if (r >= 0)
                r = args_describe(method, args, given, add_detail, question);
        if (r >= 0)
                r = listen_for_leaving(authorizer);
        if (r >= 0) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

                r = sd_bus_message_new_method_call(authorizer->bus, &message, DBUS, DBUS_PATH, DBUS, "GetConnectionUnixUser");
                if (r >= 0)
                        r = sd_bus_message_append(message, "s", sender);
                if (r >= 0)
                        r = sd_bus_call_async(authorizer->bus, &question->answer_slot, message, on_user_answer, question, BUS_TIMEOUT_USEC);
        }
        if (r < 0)
                question_free(question);
        return r;
}

int authorizer_ask(Authorizer *authorizer, const Method *method, Face *face, const void *args, Request *request, Error *error) {
        Question *question = authorizer->questions;
        const char *action;
        int r = 1;

        while (question && question->call != request->message)
                question = question->next;
        if (!question) {
                r = question_start(authorizer, method, face, args, ARGS_ALL, request->message, false, error);
                return r < 0 ? r : 0;
        }

        action = method->choose_action ? method->choose_action(face->model, args) : method->action;
        if (question->refusal.code != ERROR_NONE) {
                r = error_set(error, question->refusal.code, "%s", question->refusal.message ?: question->action);
                /* Who asks too much, or asks and leaves, must not fill the journal by it. */
                log_fields(question->refusal.code == ERROR_RESOURCE_EXHAUSTED || question->unknown ? LOG_DEBUG : LOG_INFO,
                           LOG_FIELDS("BERTH_ACTION", question->action, "BERTH_OBJECT", object_path(face->object)),
                           "Refused %s on %s: %s", method->name, object_path(face->object), question->refusal.message ?: "");
        } else if (question->state != QUESTION_ANSWERED || !question->allowed)
                r = error_set(error, ERROR_ACCESS_DENIED, "%s was not allowed", question->action);
        else if (!is_about_the_same(question, method, face, args))
                r = error_set(error, ERROR_UNKNOWN_OBJECT, "%s is not the object any more that the permission was asked for", object_path(face->object));
        else if (strcmp(action, question->action) != 0)
                r = error_set(error, ERROR_ACCESS_DENIED, "what was allowed is %s, but now it would be %s", question->action, action);
        else
                request->uid = question->uid;
        question_free(question);
        return r;
}

int authorizer_can_call(Authorizer *authorizer, const Method *method, Face *face, const void *args, uint32_t given, sd_bus_message *call, Error *error) {
        if (!method->action)
                return sd_bus_reply_method_return(call, "s", "yes");
        return question_start(authorizer, method, face, args, given, call, true, error);
}

/* The thunk's part for an action that no method of ours has. */
int authorizer_ask_verdict(Authorizer *authorizer, const char *action, const char *verb, Face *face, sd_bus_message *call,
                           void (*answer)(sd_bus_message *, const char *, void *), Error *error) {
        const Method method = { .name = verb, .action = action };
        int r;

        r = question_start(authorizer, &method, face, NULL, 0, call, true, error);
        if (r < 0)
                return r;
        authorizer->questions->answer = answer;
        authorizer->questions->model = face->model;
        return 0;
}

/* Told once both answers are there, and from then on. */
static void tell_polkit(Authorizer *authorizer) {
        if (authorizer->n_watch_answers >= 2)
                authorizer->changed(!authorizer->polkit_owned && !authorizer->polkit_activatable, authorizer->userdata);
}

static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Authorizer *authorizer = userdata;
        const char *name, *before, *after;

        if (!is_from_bus(message) || sd_bus_message_read(message, "sss", &name, &before, &after) < 0)
                return 0;
        authorizer->polkit_owned = *after;
        tell_polkit(authorizer);
        return 0;
}

static int on_owned(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Authorizer *authorizer = userdata;

        authorizer->polkit_owned = !sd_bus_message_is_method_error(message, NULL);
        authorizer->n_watch_answers++;
        tell_polkit(authorizer);
        return 0;
}

static int on_activatable(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Authorizer *authorizer = userdata;
        const char *name;

        if (!sd_bus_message_is_method_error(message, NULL) && sd_bus_message_enter_container(message, 'a', "s") >= 0)
                while (sd_bus_message_read(message, "s", &name) > 0)
                        if (strcmp(name, POLKIT) == 0)
                                authorizer->polkit_activatable = true;
        authorizer->n_watch_answers++;
        tell_polkit(authorizer);
        return 0;
}

int authorizer_watch(Authorizer *authorizer, void (*changed)(bool, void *), void *userdata) {
        int r;

        authorizer->changed = changed;
        authorizer->userdata = userdata;
        r = sd_bus_add_match_async(authorizer->bus, &authorizer->owner_slot,
                                   "type='signal',sender='" DBUS "',path='" DBUS_PATH "',interface='" DBUS "',member='NameOwnerChanged',arg0='" POLKIT "'",
                                   on_owner_changed, NULL, authorizer);
        if (r >= 0)
                r = sd_bus_call_method_async(authorizer->bus, &authorizer->owned_slot, DBUS, DBUS_PATH, DBUS, "GetNameOwner", on_owned, authorizer, "s", POLKIT);
        if (r >= 0)
                r = sd_bus_call_method_async(authorizer->bus, &authorizer->activatable_slot, DBUS, DBUS_PATH, DBUS, "ListActivatableNames", on_activatable, authorizer, NULL);
        return r;
}

void authorizer_set_limits(Authorizer *authorizer, const AuthorizerLimits *limits) {
        authorizer->limits = *limits;
}

int authorizer_new(sd_bus *bus, sd_event *event, const AuthorizerLimits *limits, Authorizer **ret) {
        Authorizer *authorizer;

        authorizer = calloc(1, sizeof *authorizer);
        if (!authorizer)
                return -ENOMEM;
        authorizer->bus = sd_bus_ref(bus);
        authorizer->event = sd_event_ref(event);
        authorizer->limits = *limits;

        *ret = authorizer;
        return 0;
}

Authorizer *authorizer_free(Authorizer *authorizer) {
        if (!authorizer)
                return NULL;
        while (authorizer->questions)
                question_abandon(authorizer->questions);
        (void) sd_bus_slot_unref(authorizer->left_slot);
        (void) sd_bus_slot_unref(authorizer->owner_slot);
        (void) sd_bus_slot_unref(authorizer->owned_slot);
        (void) sd_bus_slot_unref(authorizer->activatable_slot);
        (void) sd_bus_unref(authorizer->bus);
        (void) sd_event_unref(authorizer->event);
        free(authorizer);
        return NULL;
}
