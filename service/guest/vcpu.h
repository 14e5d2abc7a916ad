/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest's vCPUs at one moment: a snapshot that a backend makes whole, that is
 * compared with the one before, and never changed. Every vCPU that the guest can have
 * is in it, those that are off too.
 *
 * vCPUs come and go in units: one thread on most machines, a core of several threads
 * on others. A unit that the hypervisor tells of in two ways (it was plugged or
 * unplugged between two answers) is not settled: its vCPUs that surely run are
 * enabled, and nothing of it is chosen for a change until somebody has looked again. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cpuset.h"
#include "lib/error.h"
#include "lib/sysfs.h"

/* More vCPUs than this no guest has; QEMU builds for some 4,096 today. */
#define VCPU_MAX CPUSET_LIMIT

typedef struct Vcpu {
        uint32_t id;
        uint32_t unit;          /* index of its unit */
        uint32_t cell;          /* the guest's; ID_NONE if it has none */
        uint32_t thread;        /* as the hypervisor calls it, in its own PID namespace; 0 if off or unknown */
        uint32_t order;         /* units were enabled in this order, from 1; 0 if off */
        bool enabled;
        bool hotpluggable;      /* may be enabled if it is off, disabled if it is on */
        const char *reason;     /* why not, a constant; NULL if it is */
} Vcpu;

typedef struct PlugUnit {
        uint32_t first;         /* id of its first vCPU */
        uint32_t count;
        uint32_t cell;          /* the guest's; ID_NONE if it has none */
        uint32_t order;         /* as a vCPU's */
        bool plugged;
        bool settled;           /* false: look again */
        bool removable;         /* can be unplugged when it is plugged */
        const char *reason;     /* why not, a constant */
        void *data;             /* the backend's */
} PlugUnit;

typedef struct VcpuTable {
        PlugUnit *units;        /* in the order of their ids */
        size_t n_units;
        Vcpu *vcpus;            /* the id is the index */
        uint32_t maximum;
        uint32_t current;
        bool sparse;            /* the enabled ids are not 0…n−1 */
        bool one_thread;        /* two vCPUs share a thread: pinning one would pin the other */
        bool settled;           /* false: a unit is not, or there was a CPU that is in no unit: look again */

        size_t n_allocated;     /* units; the rest is vcpu.c's and the backend's */
        uint32_t n_vcpus_allocated;
        void (*data_free)(void *data);
} VcpuTable;

/* Makes a table for so many units and vCPUs, to be added in the order of their ids.
 * "data_free" frees a unit's data; it may be NULL. Returns -ERANGE for more than
 * VCPU_MAX of them. */
int vcpu_table_new(size_t n_units, size_t n_vcpus, void (*data_free)(void *data), VcpuTable **ret);
VcpuTable *vcpu_table_free(VcpuTable *table);
DEFINE_CLEANUP(VcpuTable *, vcpu_table_free)

/* Adds a unit that is off, settled and removable, with its vCPUs; takes "data" over.
 * NULL if the count is 0, or more than the table was made for: "data" is the
 * caller's then. */
PlugUnit *vcpu_table_add_unit(VcpuTable *table, uint32_t count, uint32_t cell, void *data);

/* A vCPU runs, in this thread (0 if unknown). */
void vcpu_table_enable(VcpuTable *table, uint32_t id, uint32_t thread);

/* Works out what follows from the units and the vCPUs. To be called when all of them
 * are there. */
int vcpu_table_finish(VcpuTable *table);

/* NULL if there is none. */
const Vcpu *vcpu_table_find(const VcpuTable *table, uint32_t id);
const PlugUnit *vcpu_table_find_unit(const VcpuTable *table, uint32_t id);

/* The ids of the unit that a vCPU is in, as a list: "3" or "8-15". */
#define VCPU_UNIT_TEXT_MAX sizeof "65535-65535"
void plug_unit_to_string(const PlugUnit *unit, char ret[static VCPU_UNIT_TEXT_MAX]);

/* The enabled ones. */
int vcpu_table_enabled(const VcpuTable *table, CpuSet *ret);

/* What differs between two tables, for one vCPU and for the whole. */
typedef enum VcpuChange {
        VCPU_CHANGE_PRESENCE = 1 << 0,          /* it is in one of them only; then alone */
        VCPU_CHANGE_ENABLED = 1 << 1,
        VCPU_CHANGE_HOTPLUGGABLE = 1 << 2,      /* or the reason */
        VCPU_CHANGE_ORDER = 1 << 3,
        VCPU_CHANGE_CELL = 1 << 4,
        VCPU_CHANGE_UNIT = 1 << 5,              /* the ids that plug together */
        VCPU_CHANGE_THREAD = 1 << 6,
} VcpuChange;

typedef enum VcpuTableChange {
        VCPU_TABLE_CHANGE_MAXIMUM = 1 << 0,
        VCPU_TABLE_CHANGE_CURRENT = 1 << 1,
        VCPU_TABLE_CHANGE_SPARSE = 1 << 2,
        VCPU_TABLE_CHANGE_VCPUS = 1 << 3,       /* at least one vCPU differs */
} VcpuTableChange;

/* Bits of VcpuChange, and of VcpuTableChange. NULL is a guest without vCPUs. */
unsigned vcpu_diff(const VcpuTable *before, const VcpuTable *after, uint32_t id);
unsigned vcpu_table_diff(const VcpuTable *before, const VcpuTable *after);

/* What is to be changed to come to what was asked: whole units, all of them plugged or
 * all of them unplugged, one after the other in this order. None: it is so already.
 * The indexes are those of the table that it was chosen from. */
typedef struct VcpuChoice {
        bool enable;
        bool by_count;          /* a count was asked for, not these */
        uint32_t cell;          /* of the count; ID_NONE: of all */
        uint32_t *units;
        size_t n_units;
} VcpuChoice;

void vcpu_choice_clear(VcpuChoice *choice);
#define _cleanup_vcpu_choice_ _cleanup_(vcpu_choice_clear)

/* The ids of the vCPUs that will have changed. */
int vcpu_choice_to_set(const VcpuTable *table, const VcpuChoice *choice, CpuSet *ret);

/* Chooses what makes "count" vCPUs enabled: the lowest free units, or the highest
 * removable ones.
 * Errors: InvalidArgs (0, above the maximum, in the middle of a unit), NotSupported
 * (too few can be unplugged), Busy (a unit is not settled). */
int vcpu_table_choose_count(const VcpuTable *table, uint32_t count, Error *error, VcpuChoice *ret);

/* The same among those of one cell of the guest, where the count may be 0 as long as
 * the guest keeps a vCPU elsewhere. More errors: NoSuchCell. */
int vcpu_table_choose_cell(const VcpuTable *table, uint32_t guest_cell, uint32_t count, Error *error, VcpuChoice *ret);

/* The same for vCPUs that were named. With "whole_units", a part of a unit stands for
 * the unit; else it is refused. What is so already is left out.
 * Errors: InvalidArgs (none named, a part of a unit, all of the guest), NoSuchVcpu,
 * NotSupported, Busy. */
int vcpu_table_choose_set(const VcpuTable *table, const CpuSet *ids, bool enable, bool whole_units,
                          Error *error, VcpuChoice *ret);
