/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The members of the JSON objects in expected.json, each with what compares it
 * with the service. A member that no table knows fails the test, and one that
 * is not compared says why not: so nothing that somebody wrote down as expected
 * is passed over by mistake. */

#include <json.h>

#include "report.h"
#include "seen.h"

typedef json_object json_object_owned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object_owned, json_object_put)

typedef struct Context {
        Report *report;
        const Seen *seen;
        json_object *expected;          /* the whole document */
        char *where;                    /* the object that is looked at */
        SeenCell *cell;                 /* in cells[] */
        GVariant *cpu;                  /* in cpus[] */
} Context;

typedef struct Field {
        const char *name;
        void (*compare)(Context *context, json_object *value);
        const char *why_not;            /* where there is nothing to compare with */
} Field;

/* The table ends with an entry without name. */
void fields_compare(Context *context, const Field *fields, json_object *object);

/* A member that must be there. */
json_object *fields_get(json_object *object, const char *name);

/* "WHERE.NAME", to be freed. */
char *fields_where(const Context *context, const char *name);
