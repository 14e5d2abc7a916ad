/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file that cannot be read is told of until something else is stored under its name, and
 * never written over: it gets another name, or stays in the way. */

#include "guest/definitions-state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

Damage *definitions_find_damage(const Definitions *definitions, const char *name) {
        for (Damage *damage = definitions->damages; damage; damage = damage->next)
                if (strcmp(damage->name, name) == 0)
                        return damage;
        return NULL;
}

static void damage_free(Damage *damage) {
        free(damage->name);
        free(damage->message);
        free(damage);
}

static void tell_damages(Definitions *definitions) {
        Findings findings = {};

        for (const Damage *damage = definitions->damages; damage; damage = damage->next)
                findings_add(&findings, "config-damaged", SEVERITY_WARNS, "look at the file, and define the guest anew",
                             damage->name, "the guest %s: %s", damage->name, damage->message);
        findings_clear(&definitions->findings);
        definitions->findings = findings;
        if (definitions->changed)
                definitions->changed(definitions->userdata);
}

const Findings *definitions_findings(const Definitions *definitions) {
        return &definitions->findings;
}

void definitions_follow(Definitions *definitions, void (*changed)(void *userdata), void *userdata) {
        definitions->changed = changed;
        definitions->userdata = userdata;
}

void definitions_forget_damage(Definitions *definitions, const char *name) {
        for (Damage **at = &definitions->damages; *at; at = &(*at)->next)
                if (strcmp((*at)->name, name) == 0) {
                        Damage *damage = *at;

                        *at = damage->next;
                        damage_free(damage);
                        tell_damages(definitions);
                        return;
                }
}

int definitions_add_damage(Definitions *definitions, const char *name, bool in_the_way, char *message) {
        Damage *damage = definitions_find_damage(definitions, name);

        if (!damage) {
                damage = calloc(1, sizeof *damage);
                if (!damage) {
                        free(message);
                        return -ENOMEM;
                }
                damage->name = strdup(name);
                if (!damage->name) {
                        free(message);
                        free(damage);
                        return -ENOMEM;
                }
                damage->next = definitions->damages;
                definitions->damages = damage;
        }
        free(damage->message);
        damage->message = message;
        damage->in_the_way = in_the_way;
        tell_damages(definitions);
        return 0;
}

/* What only could not be opened may be sound: it stays
 * where it is, and in the way of another. */
int definitions_set_aside(Definitions *definitions, const char *name, int why, const char *reason) {
        _cleanup_free_ char *file = NULL;
        char *message;
        int r = -EIO;

        if (why == -EINVAL || why == -EFBIG || why == -EBADF)
                r = store_set_aside(definitions->stored, name, &file);
        if (r >= 0 ? asprintf(&message, "what was stored for it cannot be read, and was set aside as %s: %s", file, reason) < 0 :
                     asprintf(&message, "what is stored for it cannot be read, and nothing else is stored as long as it is there: %s", reason) < 0)
                return -ENOMEM;
        log_fields(LOG_WARNING, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_DEFINITION_DAMAGED, "BERTH_DOMAIN", name),
                   "The guest %s: %s", name, message);
        return definitions_add_damage(definitions, name, r < 0, message);
}

void definitions_forget_damages(Definitions *definitions) {
        for (Damage *damage = definitions->damages, *next; damage; damage = next) {
                next = damage->next;
                damage_free(damage);
        }
        definitions->damages = NULL;
        findings_clear(&definitions->findings);
}
