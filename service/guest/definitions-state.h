/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the definitions share: definitions.c reads and shows what is stored,
 * definitions-change.c changes it, definitions-damage.c knows what could not be read,
 * definitions-run.c brings what is stored and a run together. */

#include "guest/definitions.h"
#include "guest/store.h"

typedef struct Change Change;
typedef struct Damage Damage;
typedef struct RunEnd RunEnd;

/* What could not be read; it goes when something else is stored under the name. */
struct Damage {
        Damage *next;
        char *name;
        char *message;
        bool in_the_way;                /* it could not be set aside */
};

struct Definitions {
        Guests *guests;
        const Backend *backend;
        Store *stored;                  /* NULL: "stored_error" says why */
        int stored_error;
        bool can_store;
        Store *runs;                    /* NULL: what a run has had is not kept */
        char boot[37];
        Change *changes;                /* in the order in which they came */
        sd_event_source *turn;          /* the next ones start */
        Damage *damages;                /* what was set aside, by name */
        Findings findings;              /* what is to be told of these */
        void (*changed)(void *userdata);
        void *userdata;
        RunEnd *run_ends;
};

/* definitions.c */

/* Replaces those of these codes (NULL is at the end) in what is told of the domain's definition;
 * takes "more" over. */
void definitions_replace_findings(Domain *domain, const char *const *codes, Findings *more);

/* What is to be told of a domain that is there now: what was ignored and set aside. */
void definitions_tell(Definitions *definitions, Domain *domain);

/* Why the last change was not stored; NULL if it was. */
void definitions_tell_kept(Domain *domain, const char *message);

/* A domain that is off gets the table of its definition. */
int definitions_show_stored(Domain *domain);

/* The domain gets another definition, which is stored; the old one goes. */
void definitions_take(Definitions *definitions, Domain *domain, Definition *definition);

/* The domain that has the definition of this name, or NULL. */
Domain *definitions_find(Guests *guests, const char *name);

/* definitions-change.c */

int definitions_open_changes(Definitions *definitions);

/* Those that had not had their turn end. */
void definitions_close_changes(Definitions *definitions);

/* A definition goes from one domain to another, with the changes of it that wait. */
void definitions_move(Definitions *definitions, Domain *from, Domain *to);

/* definitions-damage.c */

Damage *definitions_find_damage(const Definitions *definitions, const char *name);

/* Takes the message over, also on failure. */
int definitions_add_damage(Definitions *definitions, const char *name, bool in_the_way, char *message);

/* A file is no definition, or cannot be read ("why", negative). */
int definitions_set_aside(Definitions *definitions, const char *name, int why, const char *reason);
void definitions_forget_damage(Definitions *definitions, const char *name);
void definitions_forget_damages(Definitions *definitions);

/* definitions-run.c */

/* Opens the folder of runs, and removes what is kept of those that are over. */
int definitions_open_runs(Definitions *definitions, const char *runtime_dir);
void definitions_close_runs(Definitions *definitions);
