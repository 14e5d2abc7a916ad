/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is stored for guests, all of them: <state-dir>/domains/<name>.xml, read once at the
 * start, changed only here. And what must outlive this service but not the host's boot:
 * <runtime-dir>/runs/<name>.xml, see definition.h.
 *
 * A file is written beside the old one, synced and renamed, on a worker, and the change
 * is answered when that is done. A file that cannot be read is set aside under
 * another name, reported, and never written over. */

#include "guest/backend.h"
#include "guest/definition.h"

/* Reads what is stored, makes a domain of each, which "backend" will run, and announces
 * it, and makes itself known with guests_set_definitions(). The folders are made if they are not there.
 * Without a state folder that can be written to, all that is refused is changes of
 * "config". */
int definitions_new(Guests *guests, const Backend *backend, const char *runtime_dir, const char *state_dir, Definitions **ret);

/* After workers_free() and before guests_free(). Changes that had not had their turn end
 * here, with the error that nothing was stored. */
Definitions *definitions_free(Definitions *definitions);
DEFINE_CLEANUP(Definitions *, definitions_free)

/* Whether what is stored can be changed, as far as the folder tells. Of none: no. */
bool definitions_can_store(const Definitions *definitions);

/* What could not be read and is not stored anew: a "config-damaged" for each guest, which is
 * the subject. It calls back when that has changed. */
const Findings *definitions_findings(const Definitions *definitions);
void definitions_follow(Definitions *definitions, void (*changed)(void *userdata), void *userdata);

/* Makes a new definition out of the one that is stored (or of an empty one with the
 * guest's name, UUID and number of vCPUs) by calling "edit", stores it, and tells
 * "done", later. Changes of one guest are made one after the other; "edit" is called
 * when the turn comes (which may be within this call), and its error is the change's.
 * "edit" gets "userdata" too. The domain is there until "done" is called, also if the guest
 * goes meanwhile.
 * Errors: Busy (more than DEFINITIONS_CHANGES_MAX wait for one guest, or the guest has not
 * told who it is), AlreadyExists (another UUID's definition has this name, or another
 * name's this UUID), InvalidArgs,
 * NotSupported (nothing can be stored here), ResourceExhausted (no room), BackendFailed. */
#define DEFINITIONS_CHANGES_MAX 16u
typedef int (*DefinitionEdit)(Definition *definition, void *userdata, Error *error);
int definitions_change(Domain *domain, DefinitionEdit edit, BackendDone done, void *userdata, Error *error);

/* Stores a new one, which it takes over also on failure, and announces its domain; "done"
 * is later. AlreadyExists if another UUID has this name, or another definition this UUID. */
int definitions_check(Guests *guests, const Definition *definition, Error *error);
int definitions_define(Guests *guests, Definition *definition, BackendDone done, void *userdata, Error *error);

/* Forgets what is stored. A domain that does not run is freed before "done" is called. */
int definitions_undefine(Domain *domain, BackendDone done, void *userdata, Error *error);

/* Whether a change of what is stored for it is under way: it stays then until that is
 * over. For domain.c. */
bool definitions_are_changing(const Domain *domain);

/* The domain of that name that is off, for a guest that starts now: it gets the same
 * object. NULL if there is none. */
Domain *definitions_find_off(Guests *guests, const char *name);

/* A guest that runs has told who it is and which vCPUs it has. If its UUID is another
 * than the definition's, the two part: the definition gets a domain of its own. If
 * this run has not had its definition yet, it gets it now, as far as it goes: pins,
 * schedulers, vCPUs that are missing; the rest is a warning. To be called each time
 * that more is known; what was done is not done again. */
void definitions_meet(Domain *domain);

/* A run has ended: what of the definition it had not met is no matter any more. */
void definitions_run_over(Domain *domain);

/* What was asked of the threads of this run has changed: kept for a restart of this
 * service, until the guest's process ends. Written at once (the runtime folder is memory), without waiting for a disk. */
void definitions_keep_run(Domain *domain);
