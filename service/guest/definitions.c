/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is stored, from the start on: read, shown by domains that are off, and told of
 * where it cannot be kept as it was said. How it changes is in definitions-change.c. */

#include "guest/definitions-state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

/* Findings. */

static bool code_is_in(const char *code, const char *const *codes) {
        for (; *codes; codes++)
                if (strcmp(code, *codes) == 0)
                        return true;
        return false;
}

void definitions_replace_findings(Domain *domain, const char *const *codes, Findings *more) {
        const Findings *old = domain->findings_parts + DOMAIN_FINDINGS_DEFINITION;
        _cleanup_findings_ Findings findings = {};

        for (size_t i = 0; i < old->n_items; i++) {
                const Finding *item = old->items + i;

                if (!code_is_in(item->code, codes))
                        findings_add(&findings, item->code, item->severity, item->remedy, item->subject, "%s", item->message);
        }
        findings_append(&findings, more);
        findings_clear(more);
        domain_set_findings(domain, DOMAIN_FINDINGS_DEFINITION, &findings);
}

void definitions_tell(Definitions *definitions, Domain *domain) {
        static const char *const codes[] = { "config-damaged", "config-ignored", NULL };
        const Damage *damage = definitions_find_damage(definitions, domain->name);
        Findings findings = {};

        if (damage && !domain->definition)
                findings_add(&findings, "config-damaged", SEVERITY_WARNS, "look at the file, and define the guest anew",
                             domain->name, "%s", damage->message);
        if (domain->definition && domain->definition->ignored)
                findings_add(&findings, "config-ignored", SEVERITY_WARNS, "nothing has to be done: this service does not start guests",
                             domain->name, "these parts of its document are not kept: %s", domain->definition->ignored);
        definitions_replace_findings(domain, codes, &findings);
}

void definitions_tell_kept(Domain *domain, const char *message) {
        static const char *const codes[] = { "config-not-kept", NULL };
        Findings findings = {};

        if (message)
                findings_add(&findings, "config-not-kept", SEVERITY_WARNS, "make room, or the folder writable, and repeat the change",
                             domain->name, "%s", message);
        definitions_replace_findings(domain, codes, &findings);
}

/* Domains and what is stored for them. */

static unsigned tuning_diff(const Tuning *a, const Tuning *b, uint32_t id) {
        const CpuSet *pin_a = tuning_cpus(a, THREAD_ROLE_VCPU, id), *pin_b = tuning_cpus(b, THREAD_ROLE_VCPU, id);
        const ThreadTuning *x = tuning_find(a, THREAD_ROLE_VCPU, id), *y = tuning_find(b, THREAD_ROLE_VCPU, id);
        bool scheduled_a = x && x->scheduled, scheduled_b = y && y->scheduled;
        unsigned change = 0;

        if (!pin_a != !pin_b || (pin_a && !cpuset_equal(pin_a, pin_b)))
                change |= VCPU_CHANGE_PIN;
        if (scheduled_a != scheduled_b || (scheduled_a && (x->policy != y->policy || x->priority != y->priority)))
                change |= VCPU_CHANGE_SCHEDULER;
        return change;
}

int definitions_show_stored(Domain *domain) {
        VcpuTable *before = domain->vcpus, *table = NULL;
        unsigned change;
        int r;

        r = definition_to_table(domain->definition, &table);
        if (r < 0 && r != -ENODATA)
                return r;
        domain->vcpus = table;
        domain->vcpus_of_run = false;
        change = vcpu_table_diff(before, table);
        for (uint32_t id = 0; id < (table ? table->maximum : 0) || id < (before ? before->maximum : 0); id++)
                domain_mark_vcpu(domain, id, vcpu_diff(before, table, id), VCPU_CAUSE_REQUEST);
        vcpu_table_free(before);
        if (change & ~(unsigned) VCPU_TABLE_CHANGE_VCPUS)
                domain_changed(domain, DOMAIN_CHANGE_VCPUS);
        return 0;
}

void definitions_take(Definitions *definitions, Domain *domain, Definition *definition) {
        _cleanup_(definition_freep) Definition *old = domain->definition;

        domain->definition = definition;
        definitions_forget_damage(definitions, domain->name);
        if (!domain_is_running(domain)) {
                (void) definitions_show_stored(domain);
                for (uint32_t id = 0; old && domain->vcpus && id < domain->vcpus->maximum; id++)
                        domain_mark_vcpu(domain, id, tuning_diff(&old->tuning, &definition->tuning, id), VCPU_CAUSE_REQUEST);
        }
        definitions_tell_kept(domain, NULL);
        definitions_tell(definitions, domain);
}

bool definitions_can_store(const Definitions *definitions) {
        return definitions && definitions->can_store;
}

Domain *definitions_find(Guests *guests, const char *name) {
        for (Domain *domain = guests_first(guests); domain; domain = domain->next)
                if (domain->definition && strcmp(domain->name, name) == 0)
                        return domain;
        return NULL;
}

Domain *definitions_find_off(Guests *guests, const char *name) {
        Domain *domain = definitions_find(guests, name);

        return domain && !domain_is_running(domain) ? domain : NULL;
}

/* The start and the end. */

typedef struct Listing {
        struct { char *name, *file; } *items;
        size_t n;
} Listing;

static void listing_clear(Listing *listing) {
        for (size_t i = 0; i < listing->n; i++) {
                free(listing->items[i].name);
                free(listing->items[i].file);
        }
        free(listing->items);
}

static int list_file(const char *name, const char *file, void *userdata) {
        Listing *listing = userdata;
        void *items = reallocarray(listing->items, listing->n + 1, sizeof *listing->items);

        if (!items)
                return -ENOMEM;
        listing->items = items;
        listing->items[listing->n].name = strdup(name);
        listing->items[listing->n].file = file ? strdup(file) : NULL;
        listing->n++;
        return listing->items[listing->n - 1].name && (!file || listing->items[listing->n - 1].file) ? 0 : -ENOMEM;
}

static int load(Definitions *definitions, const char *name) {
        _cleanup_(definition_freep) Definition *definition = NULL;
        _cleanup_error_ Error error = {};
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        Domain *domain;
        int r;

        r = store_read(definitions->stored, name, DEFINITION_MAX, &text, &length);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = definition_parse(text, length, &error, &definition);
        if (r >= 0 && (!definition->name || strcmp(definition->name, name) != 0))
                r = error_set(&error, ERROR_INVALID_ARGS, "it is that of a guest \"%s\"", definition->name ?: "");
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return definitions_set_aside(definitions, name, r, error.message ?: r == -EFBIG ? "it is larger than 1 MiB" :
                                 r == -EBADF ? "it is no regular file" : strerror(-r));
        definition_clear_run(definition);
        r = domain_new(definitions->guests, definitions->backend, name, &domain);
        if (r < 0)
                return r;
        snprintf(domain->uuid, sizeof domain->uuid, "%s", definition->uuid);
        domain->state = DOMAIN_SHUTOFF;
        definitions_take(definitions, domain, TAKE_PTR(definition));
        domain_announce(domain);
        return 0;
}

static int load_all(Definitions *definitions) {
        _cleanup_(listing_clear) Listing listing = {};
        int r;

        r = store_list(definitions->stored, list_file, &listing);
        for (size_t i = 0; i < listing.n && r >= 0; i++) {
                char *message;

                if (!listing.items[i].file)
                        continue;
                if (asprintf(&message, "what was stored for it could not be read at an earlier start, and was set aside as %s", listing.items[i].file) < 0)
                        return -ENOMEM;
                r = definitions_add_damage(definitions, listing.items[i].name, false, message);
        }
        for (size_t i = 0; i < listing.n && r >= 0; i++)
                if (!listing.items[i].file)
                        r = load(definitions, listing.items[i].name);
        return r;
}

int definitions_new(Guests *guests, const Backend *backend, const char *runtime_dir, const char *state_dir, Definitions **ret) {
        _cleanup_(definitions_freep) Definitions *definitions = NULL;
        int r;

        definitions = calloc(1, sizeof *definitions);
        if (!definitions)
                return -ENOMEM;
        definitions->guests = guests;
        definitions->backend = backend;
        r = definitions_open_changes(definitions);
        if (r < 0)
                return r;

        r = definitions_open_runs(definitions, runtime_dir);
        if (r < 0) {
                log_warning("What is asked of guests that run is not kept for a restart of this service, since %s/runs cannot be used: %s",
                            runtime_dir, strerror(-r));
                definitions_close_runs(definitions);
        }
        definitions->stored_error = store_open(state_dir, "domains", &definitions->stored);
        if (definitions->stored_error < 0)
                log_warning("Nothing can be stored for guests, since %s/domains cannot be used: %s", state_dir, strerror(-definitions->stored_error));
        else if (!store_is_writable(definitions->stored))
                log_warning("Nothing can be stored for guests, since %s/domains cannot be written to; what is there is read", state_dir);
        else
                definitions->can_store = true;
        guests_set_definitions(guests, definitions);
        r = definitions->stored ? load_all(definitions) : 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_warning("What is stored for guests in %s/domains cannot be read: %s", state_dir, strerror(-r));

        *ret = TAKE_PTR(definitions);
        return 0;
}

Definitions *definitions_free(Definitions *definitions) {
        if (!definitions)
                return NULL;
        definitions_close_changes(definitions);
        guests_set_definitions(definitions->guests, NULL);
        definitions_close_runs(definitions);
        store_free(definitions->stored);
        definitions_forget_damages(definitions);
        free(definitions);
        return NULL;
}
