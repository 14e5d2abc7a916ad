/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests in the tree: what their vCPUs are called in each innermost box.
 *
 * A vCPU stands in one box only. If the kernel lets it run on CPUs of one box alone
 * it is bound to that; else it stands where it last ran, which may be another
 * box a moment later. All of a guest's in one box are one word, "db 0-3". */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "cpulist.h"
#include "fields.h"
#include "guests.h"
#include "map.h"
#include "terminal.h"
#include "units.h"

enum {
        NAME_LENGTH = 20, /* in characters; the rest of a longer name is left out */
        IDS_LENGTH = 20,  /* in bytes; a longer list is counted */
};

#define NO_LEAF UINT32_MAX

typedef struct Leaf {
        MapNode *node;
        CpuList cpus; /* online ones */
} Leaf;

typedef struct Leaves {
        Leaf *leaves;
        size_t n;
        uint32_t *leaf_of; /* by CPU */
} Leaves;

static void leaves_clear(Leaves *l) {
        free(l->leaves);
        free(l->leaf_of);
}

static size_t leaves_count(const MapNode *node) {
        size_t n = node->n_cores > 0;

        for (size_t i = 0; i < node->n_children; i++)
                n += leaves_count(node->children[i]);
        return n;
}

static void leaves_take(Leaves *l, MapNode *node) {
        for (size_t i = 0; i < node->n_children; i++)
                leaves_take(l, node->children[i]);
        if (node->n_cores == 0)
                return;
        Leaf *leaf = &l->leaves[l->n];
        leaf->node = node;
        for (size_t i = 0; i < node->n_cores; i++)
                for (size_t j = 0; j < node->cores[i].n_cpus; j++)
                        if (!node->cores[i].cpus[j].offline) {
                                cpulist_add(&leaf->cpus, node->cores[i].cpus[j].id);
                                l->leaf_of[node->cores[i].cpus[j].id] = l->n;
                        }
        l->n++;
}

/* Where the vCPUs are */

typedef struct Place {
        uint32_t id, leaf;
        bool bound;
} Place;

/* The one leaf that has all these CPUs, or NO_LEAF. */
static uint32_t leaf_of_all(const Leaves *l, const CpuList *cpus) {
        uint32_t leaf = cpulist_count(cpus) > 0 ? l->leaf_of[cpulist_first(cpus)] : NO_LEAF;
        CpuList common;

        if (leaf == NO_LEAF)
                return NO_LEAF;
        memcpy(&common, cpus, sizeof common);
        cpulist_intersect(&common, &l->leaves[leaf].cpus);
        return cpulist_equal(&common, cpus) ? leaf : NO_LEAF;
}

static int place_find(const Leaves *l, json_object *vcpu, Place *ret) {
        uint64_t id = field_number_or(vcpu, "id", 0), host_cpu;
        Place place = { .leaf = NO_LEAF };
        CpuList cpus;

        if (id > CPU_ID_MAX)
                return -ERANGE;
        if (cpulist_parse(field_string(vcpu, "effective_cpus"), &cpus) < 0)
                return -EBADMSG;
        place.id = (uint32_t) id;
        place.leaf = leaf_of_all(l, &cpus);
        place.bound = place.leaf != NO_LEAF;
        if (!place.bound && field_number(vcpu, "host_cpu", &host_cpu) && host_cpu <= CPU_ID_MAX)
                place.leaf = l->leaf_of[host_cpu];
        *ret = place;
        return 0;
}

/* Words */

/* A list, or how many are in it. */
static void put_ids(FILE *f, const CpuList *list, const char *one) {
        _cleanup_free_ char *text = cpulist_format(list);

        if (text && strlen(text) <= IDS_LENGTH)
                fputs(text, f);
        else
                fprintf(f, "%u %ss", cpulist_count(list), one);
}

/* A character that takes two columns, or none, would break the frame. */
static void put_name(FILE *f, const char *name) {
        uint32_t c;
        size_t n;

        for (unsigned i = 0; (n = text_next(name, &c)) > 0; i++, name += n) {
                if (i == NAME_LENGTH) {
                        fputs("…", f);
                        return;
                }
                if (wcwidth(c) == 1)
                        fwrite(name, 1, n, f);
                else
                        putc('?', f);
        }
}

/* One guest in one leaf: which of its vCPUs, on which CPUs. */
typedef struct Share {
        CpuList bound, floating, cpus;
} Share;

static char *word_format(const char *name, const Leaf *leaf, const Share *share) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        put_name(f, name);
        if (cpulist_count(&share->bound) > 0) {
                putc(' ', f);
                put_ids(f, &share->bound, "vCPU");
                if (!cpulist_equal(&share->cpus, &leaf->cpus)) {
                        fputs("→", f);
                        put_ids(f, &share->cpus, "CPU");
                }
        }
        if (cpulist_count(&share->floating) > 0) {
                fputs(" ~", f);
                put_ids(f, &share->floating, "vCPU");
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int leaf_add_guest(const Leaf *leaf, const char *name, const Share *share) {
        char **guests = reallocarray(leaf->node->guests, leaf->node->n_guests + 1, sizeof *guests);

        if (!guests)
                return -ENOMEM;
        leaf->node->guests = guests;
        guests[leaf->node->n_guests] = word_format(name, leaf, share);
        return guests[leaf->node->n_guests++] ? 0 : -ENOMEM;
}

/* The vCPUs from @first on that are in its leaf; they are taken out of @places. */
static int share_take(const Leaves *l, const char *name, json_object *vcpus, Place *places, size_t first) {
        const Leaf *leaf = &l->leaves[places[first].leaf];
        uint32_t which = places[first].leaf;
        Share share = {};

        for (size_t i = first; i < list_length(vcpus); i++) {
                CpuList cpus;

                if (places[i].leaf != which)
                        continue;
                places[i].leaf = NO_LEAF;
                cpulist_add(places[i].bound ? &share.bound : &share.floating, places[i].id);
                if (!places[i].bound)
                        continue;
                (void) cpulist_parse(field_string(json_object_array_get_idx(vcpus, i), "effective_cpus"), &cpus);
                cpulist_add_all(&share.cpus, &cpus);
        }
        return leaf_add_guest(leaf, name, &share);
}

static int guest_place(const Leaves *l, json_object *guest, json_object *vcpus) {
        _cleanup_free_ char *name = guest_name_format(guest);
        size_t n = list_length(vcpus);
        _cleanup_free_ Place *places = calloc(MAX(n, (size_t) 1), sizeof *places);
        int r = name && places ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = place_find(l, json_object_array_get_idx(vcpus, i), &places[i]);
        for (size_t i = 0; i < n && r >= 0; i++)
                if (places[i].leaf != NO_LEAF)
                        r = share_take(l, name, vcpus, places, i);
        return r;
}

int map_add_guests(MapNode *root, json_object *guests, json_object *lists) {
        _cleanup_(leaves_clear) Leaves l = {};
        int r = 0;

        l.leaves = calloc(MAX(leaves_count(root), (size_t) 1), sizeof *l.leaves);
        l.leaf_of = malloc((CPU_ID_MAX + 1) * sizeof *l.leaf_of);
        if (!l.leaves || !l.leaf_of)
                return -ENOMEM;
        memset(l.leaf_of, 0xff, (CPU_ID_MAX + 1) * sizeof *l.leaf_of);
        leaves_take(&l, root);
        for (size_t i = 0; i < list_length(lists) && r >= 0; i++)
                r = guest_place(&l, json_object_array_get_idx(guests, i), json_object_array_get_idx(lists, i));
        return r;
}
