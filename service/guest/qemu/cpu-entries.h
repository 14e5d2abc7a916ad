/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The entries of what QEMU answers about CPUs, one by one: which values they can have.
 * How they belong together is in cpus.c. All errors are BackendFailed, with the entry. */

#include "guest/vcpu.h"
#include "lib/json.h"

#define HOTPLUGGABLE "query-hotpluggable-cpus"
#define CPUS_FAST "query-cpus-fast"

/* One entry of query-cpus-fast. */
typedef struct RunningCpu {
        size_t entry;           /* its place in the answer */
        const char *path;
        size_t path_length;     /* of its unit: without "/thread[N]" */
        uint32_t place;         /* that N, or 0 */
        uint32_t index;
        uint32_t thread;
        JsonObject *props;      /* or NULL */
} RunningCpu;

/* A member that is missing, or whose value cannot be. */
int cpu_refuse_value(Error *error, const char *command, size_t entry, JsonObject *object, const char *key, const char *wanted);

/* Whether a value is an array that we take. */
int cpu_check_array(JsonObject *value, const char *command, Error *error);

/* The path of an object; NULL if there is none. */
int cpu_get_path(JsonObject *object, const char *command, size_t entry, Error *error, const char **ret);

/* Where a CPU sits, as a text that is the same for the same place, and its cell. Every
 * property goes into device_add as it is: none may be named as what else goes there. */
int cpu_read_props(JsonObject *props, const char *command, size_t entry, Error *error, char **ret_slot, uint32_t *ret_cell);

/* All of query-cpus-fast, ordered by QEMU's index. They lie in the answer. */
int running_cpus_read(JsonObject *cpus_fast, Error *error, RunningCpu **ret, size_t *ret_n, bool *ret_s390);
