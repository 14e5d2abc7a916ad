/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/cpu-entries.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* QEMU has nine kinds of properties of a CPU, the longest 10 characters. */
#define PROPS_MAX 16
#define PROP_NAME_MAX 32

int cpu_refuse_value(Error *error, const char *command, size_t entry, JsonObject *object, const char *key, const char *wanted) {
        JsonObject *value;

        if (!json_object_object_get_ex(object, key, &value))
                return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: entry %zu has no \"%s\"; it should be %s",
                                 command, entry, key, wanted);
        return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: \"%s\" of entry %zu is %.100s; it should be %s",
                         command, key, entry, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) ?: "?", wanted);
}

int cpu_check_array(JsonObject *value, const char *command, Error *error) {
        if (!json_object_is_type(value, json_type_array))
                return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s is no array", command);
        if (json_object_array_length(value) > VCPU_MAX)
                return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s has %zu entries; at most %u are taken",
                                 command, json_object_array_length(value), VCPU_MAX);
        return 0;
}

int cpu_get_path(JsonObject *object, const char *command, size_t entry, Error *error, const char **ret) {
        const char *path = NULL;
        int r;

        r = json_get_string(object, "qom-path", &path);
        if (r < 0 && r != -ENODATA)
                return cpu_refuse_value(error, command, entry, object, "qom-path", "a path");
        if (path && path[0] != '/')
                return cpu_refuse_value(error, command, entry, object, "qom-path", "a path, from /");
        *ret = path;
        return 0;
}

static int compare_props(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

int cpu_read_props(JsonObject *props, const char *command, size_t entry, Error *error, char **ret_slot, uint32_t *ret_cell) {
        _cleanup_free_ char *slot = NULL;
        const char *names[PROPS_MAX];
        uint32_t cell = ID_NONE;
        size_t n = 0;
        char *p;
        int r;

        if (json_object_object_length(props) > PROPS_MAX)
                return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: entry %zu has %d properties; at most %d are taken",
                                 command, entry, json_object_object_length(props), PROPS_MAX);
        json_object_object_foreach(props, name, value) {
                size_t length = strlen(name);
                uint32_t number;

                (void) value;
                if (length == 0 || length > PROP_NAME_MAX || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length ||
                    strcmp(name, "driver") == 0 || strcmp(name, "id") == 0 || strcmp(name, "bus") == 0)
                        return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: entry %zu has a property \"%.64s\", which is none of a CPU's",
                                         command, entry, name);
                r = json_get_u32(props, name, &number);
                if (r < 0)
                        return cpu_refuse_value(error, command, entry, props, name, "a number from 0 to 4294967295");
                if (strcmp(name, "node-id") != 0) {
                        names[n++] = name;
                        continue;
                }
                if (number >= CPUSET_LIMIT)
                        return cpu_refuse_value(error, command, entry, props, name, "a cell's number, below 65536");
                cell = number;
        }

        slot = p = malloc(n * (PROP_NAME_MAX + sizeof "=4294967295,") + 1);
        if (!slot)
                return -ENOMEM;
        *p = 0;
        qsort(names, n, sizeof *names, compare_props);
        for (size_t i = 0; i < n; i++) {
                uint32_t number = 0;

                (void) json_get_u32(props, names[i], &number);
                p += sprintf(p, "%s%s=%u", i > 0 ? "," : "", names[i], number);
        }

        *ret_slot = TAKE_PTR(slot);
        *ret_cell = cell;
        return 0;
}

/* Takes "/thread[N]" off a path. */
static void split_path(RunningCpu *cpu) {
        const char *last = strrchr(cpu->path, '/'), *p;
        uint32_t place = 0;

        cpu->path_length = strlen(cpu->path);
        if (strncmp(last, "/thread[", strlen("/thread[")) != 0)
                return;
        p = last + strlen("/thread[");
        if (p[0] == ']' || (p[0] == '0' && p[1] != ']'))
                return;
        for (; *p >= '0' && *p <= '9'; p++) {
                place = place * 10 + (uint32_t) (*p - '0');
                if (place >= VCPU_MAX)
                        return;
        }
        if (p[0] != ']' || p[1])
                return;
        cpu->path_length = (size_t) (last - cpu->path);
        cpu->place = place;
}

static int compare_indexes(const void *a, const void *b) {
        const RunningCpu *x = a, *y = b;

        return x->index < y->index ? -1 : x->index > y->index;
}

int running_cpus_read(JsonObject *cpus_fast, Error *error, RunningCpu **ret, size_t *ret_n, bool *ret_s390) {
        _cleanup_free_ RunningCpu *cpus = NULL;
        size_t n = json_object_array_length(cpus_fast);
        bool s390 = false;
        int r;

        cpus = calloc(n > 0 ? n : 1, sizeof *cpus);
        if (!cpus)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                JsonObject *entry = json_object_array_get_idx(cpus_fast, i);
                RunningCpu *cpu = cpus + i;
                const char *target;

                if (!json_object_is_type(entry, json_type_object))
                        return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: entry %zu is no object", CPUS_FAST, i);
                cpu->entry = i;
                r = cpu_get_path(entry, CPUS_FAST, i, error, &cpu->path);
                if (r < 0)
                        return r;
                if (!cpu->path)
                        return cpu_refuse_value(error, CPUS_FAST, i, entry, "qom-path", "a path");
                split_path(cpu);
                r = json_get_u32(entry, "cpu-index", &cpu->index);
                if (r < 0 || cpu->index > INT_MAX)
                        return cpu_refuse_value(error, CPUS_FAST, i, entry, "cpu-index", "a number from 0 to 2147483647");
                r = json_get_u32(entry, "thread-id", &cpu->thread);
                if (r < 0 || cpu->thread == 0 || cpu->thread > INT_MAX)
                        return cpu_refuse_value(error, CPUS_FAST, i, entry, "thread-id", "a thread's number, from 1 to 2147483647");
                r = json_get_object(entry, "props", &cpu->props);
                if (r < 0 && r != -ENODATA)
                        return cpu_refuse_value(error, CPUS_FAST, i, entry, "props", "an object");
                /* QEMU before 6.0 says "arch", from 2.12 on also "target". */
                if (json_get_string(entry, "target", &target) >= 0 || json_get_string(entry, "arch", &target) >= 0)
                        s390 = s390 || strncmp(target, "s390", strlen("s390")) == 0;
        }
        qsort(cpus, n, sizeof *cpus, compare_indexes);
        for (size_t i = 1; i < n; i++)
                if (cpus[i].index == cpus[i - 1].index)
                        return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s contradicts itself: two entries have the cpu-index %u",
                                         CPUS_FAST, cpus[i].index);
        *ret = TAKE_PTR(cpus);
        *ret_n = n;
        *ret_s390 = s390;
        return 0;
}
