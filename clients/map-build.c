/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From lists of CPUs, caches and cells to the tree that is drawn.
 *
 * Each CPU has a place on each level: a socket, a cell, a cache group, a core. The
 * CPUs are sorted by these places and cut where they change, level by level. Two
 * things make it less simple than that: where cells hold several sockets the
 * cells stand outside and the sockets in them, and where a group is cut by a
 * boundary of an outer level its parts say so. CPUs of which the kernel does not
 * say the place (most that are offline) stand in a part of their own at the end,
 * as do cells without CPUs. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpulist.h"
#include "fields.h"
#include "map.h"
#include "units.h"

enum { LEVELS = 3 }; /* two of socket and cell, and the cache group */

#define NOWHERE UINT64_MAX

typedef struct Place {
        unsigned id;
        uint64_t socket; /* a number that no other socket has: see socket_key() */
        uint64_t cell;
        uint64_t group; /* the index of its cache in the list of caches */
        uint64_t core;  /* the lowest CPU of its core */
        uint64_t levels[LEVELS];
        char kind;
        bool offline, isolated;
} Place;

typedef struct Build {
        json_object *cells, *cpus, *caches;
        Place *places;
        size_t n_places;
        uint64_t (*socket_names)[3]; /* drawer, book, socket */
        size_t n_sockets;
        bool cells_outside;
} Build;

static void build_clear(Build *b) {
        free(b->places);
        free(b->socket_names);
}

/* The tree */

MapNode *map_free(MapNode *node) {
        if (!node)
                return NULL;
        for (size_t i = 0; i < node->n_children; i++)
                map_free(node->children[i]);
        for (size_t i = 0; i < node->n_cores; i++) {
                free(node->cores[i].cpus);
                free(node->cores[i].text);
        }
        for (size_t i = 0; i < node->n_guests; i++)
                free(node->guests[i]);
        free(node->children);
        free(node->cores);
        free(node->guests);
        free(node->title);
        free(node);
        return NULL;
}

/* A child of @parent, which owns it. */
static MapNode *node_add(MapNode *parent, const char *title) {
        MapNode **children = reallocarray(parent->children, parent->n_children + 1, sizeof *children);
        MapNode *node;

        if (!children)
                return NULL;
        parent->children = children;
        node = calloc(1, sizeof *node);
        if (!node)
                return NULL;
        node->title = strdup(title);
        if (!node->title) {
                free(node);
                return NULL;
        }
        parent->children[parent->n_children++] = node;
        return node;
}

static MapCore *core_add(MapNode *node, char kind) {
        MapCore *cores = reallocarray(node->cores, node->n_cores + 1, sizeof *cores);

        if (!cores)
                return NULL;
        node->cores = cores;
        node->cores[node->n_cores] = (MapCore) { .kind = kind };
        return &node->cores[node->n_cores++];
}

static int cpu_add(MapNode *node, const Place *p, bool new_core) {
        MapCore *core = new_core ? core_add(node, p->kind) : &node->cores[node->n_cores - 1];
        MapCpu *cpus;

        if (!core)
                return -ENOMEM;
        cpus = reallocarray(core->cpus, core->n_cpus + 1, sizeof *cpus);
        if (!cpus)
                return -ENOMEM;
        core->cpus = cpus;
        core->cpus[core->n_cpus++] = (MapCpu) { .id = p->id, .offline = p->offline, .isolated = p->isolated };
        return 0;
}

/* Where each CPU is */

static int name_compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        for (size_t i = 0; i < 3; i++)
                if (x[i] != y[i])
                        return x[i] < y[i] ? -1 : 1;
        return 0;
}

/* Sockets are told apart by drawer and book too (s390): each gets the number of
 * its place in a list. */
static uint64_t socket_key(Build *b, json_object *cpu) {
        uint64_t name[3] = {
                field_number_or(cpu, "drawer", NOWHERE),
                field_number_or(cpu, "book", NOWHERE),
                field_number_or(cpu, "socket", NOWHERE),
        };

        if (name[0] == NOWHERE && name[1] == NOWHERE && name[2] == NOWHERE)
                return NOWHERE;
        for (size_t i = 0; i < b->n_sockets; i++)
                if (memcmp(b->socket_names[i], name, sizeof name) == 0)
                        return i;
        memcpy(b->socket_names[b->n_sockets], name, sizeof name);
        return b->n_sockets++;
}

/* The sockets' numbers in the order of their names. */
static void sockets_sort(Build *b) {
        for (size_t i = 0; i < b->n_places; i++) {
                uint64_t rank = 0;
                if (b->places[i].socket == NOWHERE)
                        continue;
                for (size_t k = 0; k < b->n_sockets; k++)
                        rank += name_compare(b->socket_names[k], b->socket_names[b->places[i].socket]) < 0;
                b->places[i].socket = rank;
        }
        qsort(b->socket_names, b->n_sockets, sizeof *b->socket_names, name_compare);
}

static char kind_letter(const char *kind) {
        if (strcmp(kind, "performance") == 0)
                return 'P';
        if (strcmp(kind, "efficiency") == 0)
                return 'E';
        if (strcmp(kind, "low-power") == 0)
                return 'L';
        return 0;
}

/* Stores the lowest CPU of the list, if it has one. */
static int lowest_cpu(const char *list, CpuList *scratch, uint64_t *ret) {
        int r;

        if (!*list)
                return 0;
        r = cpulist_parse(list, scratch);
        if (r < 0)
                return r == -EINVAL ? -EBADMSG : r;
        *ret = cpulist_first(scratch);
        return 0;
}

static int places_find(Build *b) {
        _cleanup_free_ CpuList *scratch = malloc(sizeof *scratch);
        size_t n = list_length(b->cpus);
        int r;

        b->places = calloc(MAX(n, (size_t) 1), sizeof *b->places);
        b->socket_names = calloc(MAX(n, (size_t) 1), sizeof *b->socket_names);
        if (!scratch || !b->places || !b->socket_names)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *cpu = json_object_array_get_idx(b->cpus, i);
                uint64_t id = field_number_or(cpu, "id", 0);
                if (id > CPU_ID_MAX)
                        return -ERANGE;
                b->places[i] = (Place) {
                        .id = id,
                        .socket = socket_key(b, cpu),
                        .cell = field_number_or(cpu, "cell", NOWHERE),
                        .group = NOWHERE,
                        .core = id,
                        .kind = kind_letter(field_string(cpu, "kind")),
                        .offline = !field_boolean(cpu, "online"),
                        .isolated = field_boolean(cpu, "isolated"),
                };
                r = lowest_cpu(field_string(cpu, "siblings"), scratch, &b->places[i].core);
                if (r < 0)
                        return r;
        }
        b->n_places = n;
        sockets_sort(b);
        return 0;
}

/* Whether some group has several cores. */
static bool groups_are_shared(const Build *b) {
        for (size_t i = 0; i < b->n_places; i++)
                for (size_t j = 0; j < i && b->places[i].group != NOWHERE; j++)
                        if (b->places[j].group == b->places[i].group && b->places[j].core != b->places[i].core)
                                return true;
        return false;
}

/* The caches of the highest level: a third always, another if cores share it. */
static int groups_find(Build *b) {
        uint64_t level = 0;

        for (size_t i = 0; i < list_length(b->caches); i++)
                level = MAX(level, field_number_or(json_object_array_get_idx(b->caches, i), "level", 0));
        if (level < 2)
                return 0;

        _cleanup_free_ CpuList *cpus = malloc(sizeof *cpus);
        if (!cpus)
                return -ENOMEM;
        for (size_t i = 0; i < list_length(b->caches); i++) {
                json_object *cache = json_object_array_get_idx(b->caches, i);
                if (field_number_or(cache, "level", 0) != level)
                        continue;
                int r = cpulist_parse(field_string(cache, "cpus"), cpus);
                if (r < 0)
                        return r == -EINVAL ? -EBADMSG : r;
                for (size_t p = 0; p < b->n_places; p++)
                        if (b->places[p].group == NOWHERE && cpulist_has(cpus, b->places[p].id))
                                b->places[p].group = i;
        }
        if (level < 3 && !groups_are_shared(b))
                for (size_t p = 0; p < b->n_places; p++)
                        b->places[p].group = NOWHERE;
        return 0;
}

/* Cells stand outside if one holds several sockets, and none is held by one that holds several. */
static void order_find(Build *b) {
        bool cell_has_sockets = false, socket_has_cells = false;
        _cleanup_free_ uint64_t *cell_of = malloc(MAX(b->n_sockets, (size_t) 1) * sizeof *cell_of);

        if (!cell_of)
                return;
        for (size_t i = 0; i < b->n_sockets; i++)
                cell_of[i] = NOWHERE;
        for (size_t i = 0; i < b->n_places; i++) {
                const Place *p = &b->places[i];
                if (p->socket == NOWHERE || p->cell == NOWHERE)
                        continue;
                if (cell_of[p->socket] == NOWHERE)
                        cell_of[p->socket] = p->cell;
                else if (cell_of[p->socket] != p->cell)
                        socket_has_cells = true;
        }
        for (size_t i = 0; i < b->n_sockets; i++)
                for (size_t j = i + 1; j < b->n_sockets && !cell_has_sockets; j++)
                        cell_has_sockets = cell_of[i] != NOWHERE && cell_of[i] == cell_of[j];
        b->cells_outside = cell_has_sockets && !socket_has_cells;
}

static int place_compare(const void *a, const void *b) {
        const Place *x = a, *y = b;

        for (size_t i = 0; i < LEVELS; i++)
                if (x->levels[i] != y->levels[i])
                        return x->levels[i] < y->levels[i] ? -1 : 1;
        /* The strong cores first. */
        static const char order[] = "PEL";
        const char *kx = x->kind ? strchr(order, x->kind) : order, *ky = y->kind ? strchr(order, y->kind) : order;
        if (kx != ky)
                return kx < ky ? -1 : 1;
        if (x->core != y->core)
                return x->core < y->core ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

/* Titles */

static json_object *cell_find(const Build *b, uint64_t id) {
        for (size_t i = 0; i < list_length(b->cells); i++) {
                json_object *cell = json_object_array_get_idx(b->cells, i);
                if (field_number_or(cell, "Id", NOWHERE) == id)
                        return cell;
        }
        return NULL;
}

static void cell_title(const Build *b, uint64_t id, char *buffer, size_t size) {
        uint64_t memory = field_number_or(cell_find(b, id), "Memory", 0);
        char text[UNIT_TEXT_MAX];

        if (memory > 0)
                snprintf(buffer, size, "Cell %" PRIu64 ": %s", id, bytes_format(text, memory));
        else
                snprintf(buffer, size, "Cell %" PRIu64, id);
}

static void socket_title(const Build *b, uint64_t key, char *buffer, size_t size) {
        static const char *const names[] = { "drawer", "book", "socket" };

        *buffer = '\0';
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (b->socket_names[key][i] != NOWHERE)
                        snprintf(buffer + strlen(buffer), size - strlen(buffer), "%s%s %" PRIu64, *buffer ? ", " : "",
                                 names[i], b->socket_names[key][i]);
        if (*buffer >= 'a')
                *buffer -= 'a' - 'A';
}

static void group_title(const Build *b, uint64_t key, char *buffer, size_t size) {
        json_object *cache = json_object_array_get_idx(b->caches, key);
        uint64_t bytes = field_number_or(cache, "size", 0);
        char text[UNIT_TEXT_MAX];

        snprintf(buffer, size, "L%" PRIu64 "%s%s", field_number_or(cache, "level", 0), bytes > 0 ? " " : "",
                 bytes > 0 ? bytes_format(text, bytes) : "");
}

static void level_title(const Build *b, size_t level, uint64_t key, char *buffer, size_t size) {
        if (level == 2)
                group_title(b, key, buffer, size);
        else if ((level == 0) == b->cells_outside)
                cell_title(b, key, buffer, size);
        else
                socket_title(b, key, buffer, size);
}

/* For CPUs that stand beside others that have a place on that level. */
static const char *nowhere_title(const Build *b, size_t level, const Place *places, size_t n) {
        bool offline = true;

        for (size_t i = 0; i < n; i++)
                offline = offline && places[i].offline;
        if (offline)
                return "Offline";
        if (level == 2)
                return ""; /* just without such a cache */
        return (level == 0) == b->cells_outside ? "In no cell" : "In no socket";
}

/* Whether CPUs of this group stand elsewhere in the tree too. */
static bool is_part(const Build *b, size_t level, const Place *first, size_t n) {
        size_t all = 0;

        for (size_t i = 0; i < b->n_places; i++)
                all += b->places[i].levels[level] == first->levels[level];
        return all > n;
}

/* Cutting */

static int subtree_build(Build *b, MapNode *parent, size_t level, const Place *places, size_t n) {
        int r;

        while (level < LEVELS && places[0].levels[level] == NOWHERE && places[n - 1].levels[level] == NOWHERE)
                level++;
        if (level == LEVELS) {
                for (size_t i = 0; i < n; i++) {
                        r = cpu_add(parent, &places[i], i == 0 || places[i].core != places[i - 1].core);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        for (size_t i = 0, end; i < n; i = end) {
                char title[128];
                for (end = i + 1; end < n && places[end].levels[level] == places[i].levels[level]; end++)
                        ;
                if (places[i].levels[level] == NOWHERE)
                        snprintf(title, sizeof title, "%s", nowhere_title(b, level, places + i, end - i));
                else {
                        level_title(b, level, places[i].levels[level], title, sizeof title);
                        if (is_part(b, level, &places[i], end - i))
                                snprintf(title + strlen(title), sizeof title - strlen(title), " (a part)");
                }
                MapNode *node = node_add(parent, title);
                if (!node)
                        return -ENOMEM;
                r = subtree_build(b, node, level + 1, places + i, end - i);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool cell_has_cpus(const Build *b, uint64_t id) {
        for (size_t i = 0; i < b->n_places; i++)
                if (b->places[i].cell == id)
                        return true;
        return false;
}

/* The CPUs that are offline, and of which the kernel does not say where. */
static int offline_build(Build *b, MapNode *root, const Place *places, size_t n) {
        MapNode *node = node_add(root, "Offline");

        return node ? subtree_build(b, node, LEVELS, places, n) : -ENOMEM;
}

static int memory_build(Build *b, MapNode *root) {
        MapNode *node = NULL;

        for (size_t i = 0; i < list_length(b->cells); i++) {
                uint64_t id = field_number_or(json_object_array_get_idx(b->cells, i), "Id", 0);
                char title[128];
                MapCore *core;

                if (cell_has_cpus(b, id))
                        continue;
                cell_title(b, id, title, sizeof title);
                if (!node)
                        node = node_add(root, "Without CPUs");
                core = node ? core_add(node, 0) : NULL;
                if (!core || asprintf(&core->text, "[%s]", title) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int tree_build(Build *b, MapNode *root) {
        size_t known = b->n_places;
        int r = 0;

        while (known > 0 && b->places[known - 1].levels[0] == NOWHERE && b->places[known - 1].levels[1] == NOWHERE &&
               b->places[known - 1].offline)
                known--;
        if (known > 0) {
                bool placed = b->places[0].levels[0] != NOWHERE || b->places[0].levels[1] != NOWHERE ||
                        b->places[0].levels[2] != NOWHERE;
                MapNode *node = placed ? root : node_add(root, "CPUs");
                r = node ? subtree_build(b, node, 0, b->places, known) : -ENOMEM;
        }
        if (r >= 0 && known < b->n_places)
                r = offline_build(b, root, b->places + known, b->n_places - known);
        return r < 0 ? r : memory_build(b, root);
}

int map_build(json_object *cells, json_object *cpus, json_object *caches, MapNode **ret) {
        _cleanup_(build_clear) Build b = { .cells = cells, .cpus = cpus, .caches = caches };
        _cleanup_map_ MapNode *root = calloc(1, sizeof *root);
        int r;

        if (!root)
                return -ENOMEM;
        r = places_find(&b);
        if (r >= 0)
                r = groups_find(&b);
        if (r < 0)
                return r;
        order_find(&b);
        for (size_t i = 0; i < b.n_places; i++) {
                Place *p = &b.places[i];
                p->levels[0] = b.cells_outside ? p->cell : p->socket;
                p->levels[1] = b.cells_outside ? p->socket : p->cell;
                p->levels[2] = p->group;
        }
        qsort(b.places, b.n_places, sizeof *b.places, place_compare);
        r = tree_build(&b, root);
        if (r < 0)
                return r;
        *ret = TAKE(root);
        return 0;
}
