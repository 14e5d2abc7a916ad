/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the two halves of the definitions share: definitions.c stores, definitions-run.c
 * brings what is stored and a run together. */

#include "guest/definitions.h"
#include "guest/store.h"

typedef struct Change Change;
typedef struct Damage Damage;
typedef struct RunEnd RunEnd;

struct Definitions {
        Guests *guests;
        const Backend *backend;
        Store *stored;                  /* NULL: "stored_error" says why */
        int stored_error;
        Store *runs;                    /* NULL: what a run has had is not kept */
        char boot[37];
        Change *changes;                /* in the order in which they came */
        sd_event_source *turn;          /* the next ones start */
        Damage *damages;                /* what was set aside, by name */
        RunEnd *run_ends;
};

/* Replaces those of these codes (NULL is at the end) in what is told of the domain's definition;
 * takes "more" over. */
void definitions_replace_findings(Domain *domain, const char *const *codes, Findings *more);

/* A definition goes from one domain to another, with the changes of it that wait. */
void definitions_move(Definitions *definitions, Domain *from, Domain *to);

/* What is to be told of a domain that is there now: what was ignored and set aside. */
void definitions_tell(Definitions *definitions, Domain *domain);

/* A domain that is off gets the table of its definition. */
int definitions_show_stored(Domain *domain);

/* Opens the folder of runs, and removes what is kept of those that are over. */
int definitions_open_runs(Definitions *definitions, const char *runtime_dir);
void definitions_close_runs(Definitions *definitions);
