/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a machine is made of, as its kernel described it at one moment: a
 * snapshot that is read whole, compared with the one before, and never changed.
 *
 * The truth is sysfs and procfs relative to a root descriptor. What they do not
 * tell is absent: ID_NONE for an id, an empty set, or a flag that says so. A
 * description that contradicts itself is a finding, and what is sound of it is
 * kept. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/cpuset.h"
#include "lib/finding.h"
#include "lib/sysfs.h"

/* Kinds of cores on machines that mix them, strongest first. */
typedef enum CpuKind {
        CPU_KIND_NONE,
        CPU_KIND_PERFORMANCE,
        CPU_KIND_EFFICIENCY,
        CPU_KIND_LOW_POWER,
} CpuKind;

/* The word for a kind; NULL for none. */
const char *cpu_kind_to_string(CpuKind kind);

typedef struct Cpu {
        uint32_t id;
        bool online;
        bool isolated;
        CpuKind kind;
        uint32_t cell;          /* each of these ID_NONE if unknown */
        uint32_t socket;
        uint32_t die;
        uint32_t cluster;
        uint32_t core;          /* counts within its socket and die */
        uint32_t book;
        uint32_t drawer;
        uint32_t package;       /* our own number of its socket, dense; ID_NONE while offline */
        uint32_t capacity;      /* 1024 for the strongest; 0 if unknown */
        uint32_t max_khz;       /* 0 if unknown */
        CpuSet siblings;        /* the threads of its core, itself included */
} Cpu;

typedef enum CacheType {
        CACHE_UNIFIED,
        CACHE_DATA,
        CACHE_INSTRUCTION,
} CacheType;

const char *cache_type_to_string(CacheType type);
int cache_type_from_string(const char *word, CacheType *ret);

typedef struct Cache {
        uint32_t level;
        CacheType type;
        uint64_t size_bytes;
        uint32_t id;            /* ID_NONE if the kernel does not number it */
        uint32_t cell;          /* ID_NONE if it spans several */
        CpuSet cpus;            /* online ones */
} Cache;

/* Snapshots are compared byte by byte up to the sets: no padding before them. */
static_assert(offsetof(Cache, cpus) == 4 * sizeof(uint32_t) + sizeof(uint64_t), "Cache has padding");

typedef struct Distance {
        uint32_t cell;
        uint32_t value;         /* 10 is local */
} Distance;

typedef struct PagePool {
        uint64_t size_bytes;
        uint64_t total;
        bool total_known;
} PagePool;

/* How fast the nearest initiators reach a cell's memory, from the HMAT. */
typedef struct MemoryAccess {
        uint32_t class;         /* 0: all initiators, 1: those with CPUs */
        uint32_t initiator;
        uint32_t read_latency_ns;       /* each 0 if unknown */
        uint32_t write_latency_ns;
        uint32_t read_bandwidth_mbs;
        uint32_t write_bandwidth_mbs;
} MemoryAccess;

/* A cache in front of a cell's memory, as libvirt's XML words it. */
typedef struct MemoryCache {
        uint32_t level;
        uint64_t size_bytes;
        uint32_t line_bytes;            /* 0 if unknown */
        const char *associativity;      /* a constant; NULL if unknown */
        const char *policy;             /* the same */
} MemoryCache;

typedef struct Cell {
        uint32_t id;
        CpuSet cpus;            /* online ones */
        bool memory_known;
        uint64_t memory_bytes;  /* huge pages included */
        uint64_t cache_bytes;   /* last level; 0 if unknown */
        Distance *distances;
        size_t n_distances;
        PagePool *pools;        /* huge pages, smallest first */
        size_t n_pools;
        MemoryAccess *access;
        size_t n_access;
        MemoryCache *memory_caches;
        size_t n_memory_caches;
} Cell;

typedef struct Topology {
        CpuSet possible;
        CpuSet present;
        CpuSet online;
        CpuSet isolated;

        Cpu *cpus;              /* every present CPU, in order */
        size_t n_cpus;
        Cache *caches;          /* by level, type and first CPU */
        size_t n_caches;
        Cell *cells;            /* in the order of their ids */
        size_t n_cells;
        bool numa;              /* false: one cell that stands for everything */

        uint32_t n_sockets;     /* with an online CPU, as the three below */
        uint32_t n_dies;
        uint32_t n_cores;
        bool smt_active;

        uint64_t base_page_bytes;       /* 0 if unknown */
        Findings findings;
} Topology;

/* Reads a machine's description. "base_page_bytes" is the kernel's page size
 * there, 0 if unknown. It may take tens of milliseconds on a large machine,
 * and touches nothing but the root and its own memory: it may run on a worker.
 * Returns -ENODATA where no CPU can be found at all. */
int topology_read(int root_fd, uint64_t base_page_bytes, Topology **ret);

Topology *topology_free(Topology *topology);
DEFINE_CLEANUP(Topology *, topology_free)

/* NULL if there is none. */
const Cpu *topology_find_cpu(const Topology *topology, uint32_t id);
const Cell *topology_find_cell(const Topology *topology, uint32_t id);

/* What differs between two snapshots, seen from the machine as a whole. */
typedef enum TopologyChange {
        TOPOLOGY_CHANGE_SOCKETS = 1 << 0,
        TOPOLOGY_CHANGE_DIES = 1 << 1,
        TOPOLOGY_CHANGE_CORES = 1 << 2,
        TOPOLOGY_CHANGE_THREADS = 1 << 3,
        TOPOLOGY_CHANGE_POSSIBLE = 1 << 4,
        TOPOLOGY_CHANGE_PRESENT = 1 << 5,
        TOPOLOGY_CHANGE_ONLINE = 1 << 6,
        TOPOLOGY_CHANGE_ISOLATED = 1 << 7,
        TOPOLOGY_CHANGE_SMT = 1 << 8,
        TOPOLOGY_CHANGE_FINDINGS = 1 << 9,
        TOPOLOGY_CHANGE_CELLS = 1 << 10,        /* one came or went */
        TOPOLOGY_CHANGE_LISTS = 1 << 11,        /* something in the lists of CPUs, caches or cells */
} TopologyChange;

/* 0 if both are the same. */
unsigned topology_diff(const Topology *before, const Topology *after);

/* The same for one cell. */
typedef enum CellChange {
        CELL_CHANGE_CPUS = 1 << 0,
        CELL_CHANGE_MEMORY = 1 << 1,
        CELL_CHANGE_CACHE = 1 << 2,
        CELL_CHANGE_DISTANCES = 1 << 3,
        CELL_CHANGE_PAGE_SIZES = 1 << 4,
        CELL_CHANGE_SOCKETS = 1 << 5,
        CELL_CHANGE_OTHER = 1 << 6,             /* nothing that a property shows */
} CellChange;

unsigned cell_diff(const Topology *before, const Cell *a, const Topology *after, const Cell *b);

/* The numbers of the sockets that have a CPU in this cell. */
int cell_sockets(const Topology *topology, const Cell *cell, CpuSet *ret);
