/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The changes of one guest stand in a queue: the first is written by a worker, and takes
 * effect when the file is there; then the next has its turn. It gets that in a turn of
 * the loop of its own, so that none starts when the workers are being ended. A domain
 * is there as long as a change of it: domain_stopped() asks. */

#include "guest/definitions-state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/name.h"
#include "lib/log.h"

typedef enum ChangeKind {
        CHANGE_EDIT,
        CHANGE_DEFINE,
        CHANGE_UNDEFINE,
} ChangeKind;

struct Change {
        Change *next;
        Definitions *definitions;
        ChangeKind kind;
        char *name;
        Domain *domain;                 /* whose definition it is; NULL: there is none yet */
        Domain *asked;                  /* of which it was asked: "done" may need it, whoever has the definition by then */
        DefinitionEdit edit;
        BackendDone done;
        void *userdata;
        Definition *definition;         /* the new one */
        char *text;                     /* its document */
        bool under_way;
        int result;                     /* the worker's */
};

static Change *change_free(Change *change) {
        free(change->name);
        definition_free(change->definition);
        free(change->text);
        free(change);
        return NULL;
}

bool definitions_are_changing(const Domain *domain) {
        const Definitions *definitions = guests_definitions(domain->guests);

        for (const Change *change = definitions ? definitions->changes : NULL; change; change = change->next)
                if (change->domain == domain || change->asked == domain)
                        return true;
        return false;
}

void definitions_move(Definitions *definitions, Domain *from, Domain *to) {
        to->definition = TAKE_PTR(from->definition);
        for (Change *change = definitions->changes; change; change = change->next)
                if (change->domain == from)
                        change->domain = to;
}

/* Checks. */

static Domain *find_running(Guests *guests, const char *name) {
        for (Domain *domain = guests_first(guests); domain; domain = domain->next)
                if (domain_is_running(domain) && strcmp(domain->name, name) == 0)
                        return domain;
        return NULL;
}

static int check_stored(const Definitions *definitions, const char *name, Error *error) {
        const Damage *damage;

        if (!definitions)
                return error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for guests here");
        if (!definitions->stored)
                return error_set(error, ERROR_NOT_SUPPORTED, "nothing can be stored for guests, since the folder for it cannot be used: %s",
                                 definitions->stored_error == -EPERM ? "it must belong to root, and be written to by nobody else" :
                                 strerror(-definitions->stored_error));
        damage = definitions_find_damage(definitions, name);
        if (damage && damage->in_the_way)
                return error_set(error, ERROR_NOT_SUPPORTED, "%s", damage->message);
        return 0;
}

static int refuse_other(const char *name, const char *uuid, const char *what, Error *error) {
        return error_set(error, ERROR_ALREADY_EXISTS, "a guest %s %s already, with %s%s", name, what,
                         *uuid ? "the UUID " : "no UUID", uuid);
}

/* One guest has one definition. Those that are being written are looked at too: changes
 * of guests with different names do not wait for each other. */
static int check_uuid_is_free(Guests *guests, const char *name, const char *uuid, Error *error) {
        const Definitions *definitions = guests_definitions(guests);

        if (!*uuid)
                return 0;
        for (const Domain *domain = guests_first(guests); domain; domain = domain->next)
                if (domain->definition && strcmp(domain->definition->uuid, uuid) == 0 && strcmp(domain->name, name) != 0)
                        return error_set(error, ERROR_ALREADY_EXISTS, "the UUID %s is that of the guest %s, which is defined already", uuid, domain->name);
        for (const Change *change = definitions->changes; change; change = change->next)
                if (change->under_way && change->text && strcmp(change->definition->uuid, uuid) == 0 && strcmp(change->name, name) != 0)
                        return error_set(error, ERROR_ALREADY_EXISTS, "the UUID %s is that of the guest %s, which is being defined", uuid, change->name);
        return 0;
}

static int check_run(const Domain *running, const char *uuid, Error *error) {
        if (running->state == DOMAIN_UNKNOWN)
                return error_set(error, ERROR_BUSY, "the guest %s runs, and has not told yet who it is; try again when it has", running->name);
        if (strcmp(running->uuid, uuid) != 0)
                return refuse_other(running->name, running->uuid, "runs", error);
        return 0;
}

/* Whether what is stored under this name is, or can be, that of this UUID. */
static int check_identity(Guests *guests, const char *name, const char *uuid, Error *error) {
        const Domain *defined = definitions_find(guests, name), *running = find_running(guests, name);
        int r;

        if (defined && strcmp(defined->definition->uuid, uuid) != 0)
                return refuse_other(name, defined->definition->uuid, "is defined", error);
        r = running ? check_run(running, uuid, error) : 0;
        return r < 0 ? r : check_uuid_is_free(guests, name, uuid, error);
}

int definitions_check(Guests *guests, const Definition *definition, Error *error) {
        int r;

        if (!definition->name || !guest_name_is_valid(definition->name))
                return error_set(error, ERROR_INVALID_ARGS, "a guest needs a name: 1 to %u bytes of printable UTF-8, no \"/\", no \".\" at its start",
                                 GUEST_NAME_MAX);
        r = check_stored(guests_definitions(guests), definition->name, error);
        return r < 0 ? r : check_identity(guests, definition->name, definition->uuid, error);
}

/* Changes. */

static int write_error(const Change *change, int r, Error *error) {
        switch (-r) {
        case ENOMEM:
                return error_set(error, ERROR_NO_MEMORY, "there is not enough memory to store a change of %s", change->name);
        case ECANCELED:
                return error_set(error, ERROR_BACKEND_FAILED, "this service ends, and nothing was stored for %s; repeat the change", change->name);
        case EFBIG:
                return error_set(error, ERROR_INVALID_ARGS, "what is to be stored for %s takes more than %u bytes", change->name, DEFINITION_MAX);
        case ENOSPC:
        case EDQUOT:
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "there is no room to store a change of %s; what was stored is as it was", change->name);
        default:
                return error_set(error, ERROR_BACKEND_FAILED, "a change of %s cannot be stored: %s; what was stored is as it was",
                                 change->name, strerror(-r));
        }
}

/* An empty one for a guest that runs and for which nothing is stored yet. */
static int definition_of_run(const Domain *domain, Definition **ret) {
        int r = definition_new(domain->name, domain->uuid, ret);

        if (r >= 0 && domain->vcpus)
                (*ret)->maximum = domain->vcpus->maximum;
        return r;
}

static int change_edit(Change *change, Error *error) {
        Domain *domain = change->domain;
        int r;

        if (domain->definition) {
                /* A guest that has started is in the object of one that was off, whoever it is. */
                r = domain_is_running(domain) ? check_run(domain, domain->definition->uuid, error) : 0;
                if (r < 0)
                        return r;
                r = definition_copy(domain->definition, &change->definition);
        } else if (domain_is_running(domain)) {
                r = check_identity(domain->guests, domain->name, domain->uuid, error);
                if (r < 0)
                        return r;
                r = definition_of_run(domain, &change->definition);
        } else
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s has gone, and nothing is stored for it", domain->name);
        if (r < 0)
                return write_error(change, r, error);
        return change->edit(change->definition, change->userdata, error);
}

/* What is written must be what would be read: else it could not be had again. */
static int change_write_text(Change *change, Error *error) {
        Definition *read;
        int r;

        definition_clear_run(change->definition);
        r = definition_to_xml(change->definition, &change->text);
        if (r < 0)
                return write_error(change, r, error);
        r = definition_parse(change->text, strlen(change->text), error, &read);
        if (r < 0)
                return r;
        definition_free(change->definition);
        change->definition = read;
        return 0;
}

static int change_prepare(Change *change, Error *error) {
        Guests *guests = change->definitions->guests;
        int r = 0;

        switch (change->kind) {
        case CHANGE_EDIT:
                r = change_edit(change, error);
                break;
        case CHANGE_DEFINE:
                r = definitions_check(guests, change->definition, error);
                if (r >= 0)
                        change->domain = definitions_find(guests, change->name) ?: find_running(guests, change->name);
                break;
        case CHANGE_UNDEFINE:
                if (!change->domain->definition)
                        return error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for the guest %s", change->name);
                return 0;
        }
        return r < 0 ? r : change_write_text(change, error);
}

static void change_run(void *job) {
        Change *change = job;
        const Store *store = change->definitions->stored;

        if (change->text)
                change->result = store_write(store, change->name, change->text, strlen(change->text), true);
        else {
                change->result = store_remove(store, change->name, true);
                if (change->result == -ENOENT)
                        change->result = 0;
        }
}

static void change_unlink(Change *change) {
        for (Change **at = &change->definitions->changes; *at; at = &(*at)->next)
                if (*at == change) {
                        *at = change->next;
                        return;
                }
}

static bool is_linked(const Guests *guests, const Domain *domain) {
        for (const Domain *at = guests_first(guests); at; at = at->next)
                if (at == domain)
                        return true;
        return false;
}

/* One that was there for a change alone. */
static void free_if_idle(Guests *guests, Domain *domain) {
        if (domain && is_linked(guests, domain) && !domain_is_running(domain) && !domain->definition && !definitions_are_changing(domain))
                domain_free(domain);
}

/* Tells whoever asked; the domain may be gone after that. */
static void change_tell(Change *change, int result, const Error *error) {
        Guests *guests = change->definitions->guests;
        Domain *domain = change->domain, *asked = change->asked;

        change->done(result, error, change->userdata);
        change_free(change);
        free_if_idle(guests, domain);
        free_if_idle(guests, asked);
}

/* The domain is about to go, and others wait for it. */
static void drop_others(Definitions *definitions, const Domain *domain) {
        for (Change *change = definitions->changes, *next; change; change = next) {
                _cleanup_error_ Error error = {};
                int r;

                next = change->next;
                if (change->domain != domain)
                        continue;
                r = error_set(&error, ERROR_NO_SUCH_DOMAIN, "the guest %s was undefined before the change had its turn", change->name);
                change_unlink(change);
                change->done(r, &error, change->userdata);
                change_free(change);
        }
}

/* Who gets what was written: it may have started, or started again, meanwhile. One that has
 * not told yet who it is finds its definition when it has. */
static Domain *find_receiver(Change *change, const Definition *definition) {
        Domain *running = find_running(change->definitions->guests, change->name);

        if ((change->domain && change->domain->definition) || !running || running == change->domain || check_run(running, definition->uuid, NULL) < 0)
                return change->domain;
        if (running->meeting == DOMAIN_MEETING_OVER)
                definitions_keep_run(running);
        return running;
}

static int change_define(Change *change) {
        Definitions *definitions = change->definitions;
        Domain *domain = find_receiver(change, change->definition);
        Definition *definition = TAKE_PTR(change->definition);
        bool made = false;
        int r;

        if (!domain) {
                r = domain_new(definitions->guests, definitions->backend, change->name, &domain);
                if (r < 0) {
                        definition_free(definition);
                        return r;
                }
                snprintf(domain->uuid, sizeof domain->uuid, "%s", definition->uuid);
                domain->state = DOMAIN_SHUTOFF;
                made = true;
        }
        definitions_take(definitions, domain, definition);
        if (made)
                domain_announce(domain);
        return 0;
}

static void change_undefine(Change *change) {
        Domain *domain = change->domain;

        domain->definition = definition_free(domain->definition);
        definitions_forget_damage(change->definitions, change->name);
        if (domain_is_running(domain)) {
                definitions_tell_kept(domain, NULL);
                definitions_tell(change->definitions, domain);
                return;
        }
        drop_others(change->definitions, domain);
        if (change->asked == domain)
                change->asked = NULL;
        change->domain = domain_free(domain);
}

static void change_done(void *job, bool cancelled) {
        Change *change = job;
        _cleanup_error_ Error error = {};
        int r = cancelled ? -ECANCELED : change->result;

        change_unlink(change);
        if (change->definitions->changes)
                (void) sd_event_source_set_enabled(change->definitions->turn, SD_EVENT_ONESHOT);
        if (r < 0) {
                r = write_error(change, r, &error);
                if (change->domain && !cancelled)
                        definitions_tell_kept(change->domain, error.message ?: "there is not enough memory");
                change_tell(change, r, &error);
                return;
        }
        if (r > 0)
                log_warning("What is stored for %s is changed, and the disk has not confirmed it: it may be as it was if the host fails now", change->name);
        r = 0;
        if (change->text)
                r = change_define(change);
        else
                change_undefine(change);
        if (r < 0)
                r = write_error(change, r, &error);
        change_tell(change, r, r < 0 ? &error : NULL);
}

static int change_start(Change *change, Error *error) {
        Domain *domain;
        int r;

        r = change_prepare(change, error);
        if (r < 0)
                return r;
        /* This run does not get what is stored for the next ones, also if this service
         * restarts. */
        domain = change->domain;
        if (change->text && domain && domain->meeting == DOMAIN_MEETING_OVER)
                definitions_keep_run(domain);
        change->under_way = true;
        r = workers_submit(guests_workers(change->definitions->guests), change_run, change_done, change);
        if (r < 0) {
                change->under_way = false;
                return write_error(change, r, error);
        }
        return 0;
}

static bool has_turn(const Change *change) {
        for (const Change *before = change->definitions->changes; before != change; before = before->next)
                if (strcmp(before->name, change->name) == 0)
                        return false;
        return !change->under_way;
}

/* Who is told may change anything: after each the look starts anew. */
static int on_turn(sd_event_source *source, void *userdata) {
        Definitions *definitions = userdata;
        Change *change = definitions->changes;

        while (change) {
                _cleanup_error_ Error error = {};
                int r;

                if (!has_turn(change)) {
                        change = change->next;
                        continue;
                }
                r = change_start(change, &error);
                if (r < 0) {
                        change_unlink(change);
                        change_tell(change, r, &error);
                }
                change = definitions->changes;
        }
        return 0;
}

/* Takes the change over if it returns 0. */
static int change_add(Change *change, Error *error) {
        Definitions *definitions = change->definitions;
        unsigned n = 0;
        Change **at;
        int r;

        r = check_stored(definitions, change->name, error);
        if (r < 0)
                return r;
        for (at = &definitions->changes; *at; at = &(*at)->next)
                if (strcmp((*at)->name, change->name) == 0)
                        n++;
        if (n >= DEFINITIONS_CHANGES_MAX)
                return error_set(error, ERROR_BUSY, "%u changes of what is stored for %s are waiting already; try again when they are done", n, change->name);
        *at = change;
        change->next = NULL;
        if (n > 0)
                return 0;
        r = change_start(change, error);
        if (r < 0)
                change_unlink(change);
        return r;
}

static int change_new(Guests *guests, ChangeKind kind, const char *name, BackendDone done, void *userdata, Error *error, Change **ret) {
        Definitions *definitions = guests_definitions(guests);
        Change *change = NULL;

        if (!definitions)
                return check_stored(NULL, name, error);
        change = calloc(1, sizeof *change);
        if (!change)
                return -ENOMEM;
        change->definitions = definitions;
        change->kind = kind;
        change->name = strdup(name);
        change->done = done;
        change->userdata = userdata;
        if (!change->name) {
                change_free(change);
                return -ENOMEM;
        }
        *ret = change;
        return 0;
}

int definitions_change(Domain *domain, DefinitionEdit edit, BackendDone done, void *userdata, Error *error) {
        Change *change = NULL;
        int r;

        r = change_new(domain->guests, CHANGE_EDIT, domain->name, done, userdata, error, &change);
        if (r < 0)
                return r;
        change->domain = change->asked = domain;
        change->edit = edit;
        r = change_add(change, error);
        if (r < 0)
                change_free(change);
        return r;
}

int definitions_define(Guests *guests, Definition *taken, BackendDone done, void *userdata, Error *error) {
        _cleanup_(definition_freep) Definition *definition = taken;
        Change *change = NULL;
        int r;

        r = definitions_check(guests, definition, error);
        if (r >= 0)
                r = change_new(guests, CHANGE_DEFINE, definition->name, done, userdata, error, &change);
        if (r < 0)
                return r;
        change->definition = TAKE_PTR(definition);
        r = change_add(change, error);
        if (r < 0)
                change_free(change);
        return r;
}

int definitions_undefine(Domain *domain, BackendDone done, void *userdata, Error *error) {
        Change *change = NULL;
        int r;

        if (!domain->definition)
                return error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for the guest %s", domain->name);
        r = change_new(domain->guests, CHANGE_UNDEFINE, domain->name, done, userdata, error, &change);
        if (r < 0)
                return r;
        change->domain = change->asked = domain;
        r = change_add(change, error);
        if (r < 0)
                change_free(change);
        return r;
}

int definitions_open_changes(Definitions *definitions) {
        int r;

        r = sd_event_add_defer(guests_event(definitions->guests), &definitions->turn, on_turn, definitions);
        return r < 0 ? r : sd_event_source_set_enabled(definitions->turn, SD_EVENT_OFF);
}

void definitions_close_changes(Definitions *definitions) {
        while (definitions->changes) {
                _cleanup_error_ Error error = {};
                Change *change = definitions->changes;
                int r;

                r = write_error(change, -ECANCELED, &error);
                change_unlink(change);
                change_tell(change, r, &error);
        }
        definitions->turn = sd_event_source_disable_unref(definitions->turn);
}
