/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that the service says about a host, asked once: its properties,
 * the answers of its methods, its documents. */

#include <gio/gio.h>

#include "daemon.h"
#include "numbers.h"

typedef struct SeenCell {
        guint id;
        GVariant *properties;   /* a{sv}, of org.berth1.Host.Cell */
        GVariant *pages;        /* a(ttt) */
        GVariant *access;       /* aa{sv} */
        GVariant *devices;      /* aa{sv} */
        GVariant *stats;        /* a{st}; NULL: not told */
        gboolean free_told;
        guint64 free_bytes;
} SeenCell;

typedef struct Seen {
        GVariant *topology;     /* a{sv}, properties */
        GVariant *cells;        /* the same, of Host.Cells */
        GVariant *cpus;         /* aa{sv} */
        GVariant *caches;       /* aa{sv} */
        GVariant *free_memory;  /* a(ut) */
        GVariant *free_pages;   /* a(utt) */
        GPtrArray *cell;        /* of SeenCell, by id */
        char *xml;
        char *nested_xml;
        char *capabilities_xml;
} Seen;

Seen *seen_new(Daemon *daemon);
Seen *seen_free(Seen *seen);

SeenCell *seen_cell(const Seen *seen, guint id);        /* NULL: there is none */

/* The entry of ListCpus for a CPU, NULL if there is none. Unref it. */
GVariant *seen_cpu(const Seen *seen, guint id);

/* The codes of Warnings, sorted, each once, in one word list; free it. */
char *seen_warning_codes(const Seen *seen);

/* Members of an a{sv}: FALSE, NULL if absent; another type fails the test. */
gboolean seen_u32(GVariant *dictionary, const char *key, guint32 *ret);
gboolean seen_u64(GVariant *dictionary, const char *key, guint64 *ret);
gboolean seen_bool(GVariant *dictionary, const char *key, gboolean *ret);
char *seen_string(GVariant *dictionary, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Seen, seen_free)
