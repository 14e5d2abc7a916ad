/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A QEMU guest's iothreads.
 * Source: query-iothreads, qapi/misc.json. */

#include "guest/backend.h"
#include "lib/json.h"

void iothreads_free(Iothread *iothreads, size_t n);

/* Reads the value that the command returned, and numbers the iothreads: one called
 * "iothreadN" has the id N, others have, as they come, the lowest numbers that are left,
 * from 1.
 * Errors: BackendFailed with what is wrong. */
int iothreads_parse(JsonObject *value, Error *error, Iothread **ret, size_t *ret_n);

/* As many share one question. */
#define QEMU_IOTHREADS_CALLERS_MAX 1024u

/* See Backend.list_iothreads. Busy where too many ask. */
int qemu_list_iothreads(Domain *domain, IothreadsDone done, void *userdata, Error *error);
