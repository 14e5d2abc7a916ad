/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Host.Cell: one cell. Properties come from the snapshot, methods read
 * the kernel's files. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dictionary.h"
#include "host-cell.gen.h"
#include "host/devices.h"
#include "host/meminfo.h"
#include "host/pages.h"

int host_cell_get_id(const HostCell *cell, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 'u', &cell->id);
}

int host_cell_get_cpus(const HostCell *cell, sd_bus_message *reply) {
        return message_append_cpuset(reply, &host_cell_snapshot(cell)->cpus);
}

int host_cell_get_memory(const HostCell *cell, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 't', &host_cell_snapshot(cell)->memory_bytes);
}

int host_cell_get_cache_size(const HostCell *cell, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 't', &host_cell_snapshot(cell)->cache_bytes);
}

int host_cell_get_distances(const HostCell *cell, sd_bus_message *reply) {
        const Cell *snapshot = host_cell_snapshot(cell);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{uu}");
        for (size_t i = 0; r >= 0 && i < snapshot->n_distances; i++)
                r = sd_bus_message_append(reply, "{uu}", snapshot->distances[i].cell, snapshot->distances[i].value);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

int host_cell_get_page_sizes(const HostCell *cell, sd_bus_message *reply) {
        const Cell *snapshot = host_cell_snapshot(cell);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "t");
        if (r >= 0 && cell->host->identity.base_page_bytes > 0)
                r = sd_bus_message_append_basic(reply, 't', &cell->host->identity.base_page_bytes);
        for (size_t i = 0; r >= 0 && i < snapshot->n_pools; i++)
                r = sd_bus_message_append_basic(reply, 't', &snapshot->pools[i].size_bytes);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

int host_cell_get_sockets(const HostCell *cell, sd_bus_message *reply) {
        _cleanup_cpuset_ CpuSet sockets = {};
        int r;

        r = cell_sockets(cell->host->topology, host_cell_snapshot(cell), &sockets);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "u");
        CPUSET_FOREACH(socket, &sockets)
                if (r >= 0)
                        r = sd_bus_message_append_basic(reply, 'u', &socket);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int not_told(const HostCell *cell, int r, Error *error) {
        if (r == -EOPNOTSUPP)
                return error_set(error, ERROR_NOT_SUPPORTED, "the kernel does not tell the memory of cell %u", cell->id);
        return error_set(error, ERROR_BACKEND_FAILED, "the memory of cell %u cannot be read: %s", cell->id, strerror(-r));
}

int host_cell_get_free_memory(HostCell *cell, const Request *request, Error *error) {
        uint64_t bytes;
        int r;

        r = host_cell_free_memory(cell, &bytes);
        if (r < 0)
                return not_told(cell, r, error);
        return sd_bus_reply_method_return(request->message, "t", bytes);
}

typedef struct PageCounts {
        PageCount *counts;
        size_t n;
} PageCounts;

static int append_pages(sd_bus_message *reply, const void *userdata) {
        const PageCounts *pages = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ttt)");
        for (size_t i = 0; r >= 0 && i < pages->n; i++) {
                const PageCount *count = pages->counts + i;

                if (count->total_known && count->free_known)
                        r = sd_bus_message_append(reply, "(ttt)", count->size_bytes, count->total, count->free);
        }
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

int host_cell_get_pages(HostCell *cell, const Request *request, Error *error) {
        _cleanup_free_ PageCount *counts = NULL;
        size_t n;
        int r;

        r = pages_count(cell, &counts, &n);
        if (r < 0)
                return r;
        return reply_filled(request->message, append_pages, &(PageCounts) { counts, n });
}

static int append_stat(const char *name, size_t length, uint64_t bytes, void *userdata) {
        char key[64];

        if (snprintf(key, sizeof key, "%.*s", (int) length, name) >= (int) sizeof key)
                return 0;
        /* A captured machine could hold anything; a key is a word. */
        for (const char *p = key; *p; p++)
                if (!isgraph((unsigned char) *p))
                        return 0;
        return sd_bus_message_append(userdata, "{st}", key, bytes);
}

/* "numa_hit 123" and the like, in pages. */
static int append_numastat(sd_bus_message *reply, char *text) {
        char *line, *state = NULL;

        for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                char *space = strchr(line, ' '), key[64];
                uint64_t pages;
                int r;

                if (!space)
                        continue;
                *space = 0;
                if (strspn(line, "abcdefghijklmnopqrstuvwxyz_") != strlen(line) || number_parse_u64(space + 1, &pages) < 0)
                        continue;
                if (snprintf(key, sizeof key, "%s_pages", line) >= (int) sizeof key)
                        continue;
                r = sd_bus_message_append(reply, "{st}", key, pages);
                if (r < 0)
                        return r;
        }
        return 0;
}

int host_cell_get_memory_stats(HostCell *cell, const Request *request, Error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char text[16384];
        int r;

        r = host_cell_read_meminfo(cell, text, sizeof text);
        if (r < 0)
                return not_told(cell, r, error);
        r = sd_bus_message_new_method_return(request->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{st}");
        if (r >= 0)
                r = meminfo_foreach(text, append_stat, reply);
        if (r >= 0 && cell->host->topology->numa && sysfs_read(cell->dir_fd, "numastat", text, sizeof text) > 0)
                r = append_numastat(reply, text);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

typedef struct Devices {
        PciDevice *devices;
        size_t n;
} Devices;

static void devices_clear(Devices *devices) {
        devices_free(devices->devices, devices->n);
}

static int append_device(sd_bus_message *message, size_t i, const void *userdata) {
        const PciDevice *device = ((const Devices *) userdata)->devices + i;
        int r;

        r = dictionary_add_string(message, "address", device->address);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "class", device->class);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "driver", device->driver);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "name", device->name);
        return r;
}

static int append_devices(sd_bus_message *reply, const void *userdata) {
        return message_append_dictionaries(reply, ((const Devices *) userdata)->n, append_device, userdata);
}

int host_cell_list_devices(HostCell *cell, const Request *request, Error *error) {
        _cleanup_(devices_clear) Devices devices = {};
        int r;

        r = devices_list(cell, &devices.devices, &devices.n);
        if (r < 0)
                return r;
        return reply_filled(request->message, append_devices, &devices);
}

static int append_access(sd_bus_message *message, size_t i, const void *userdata) {
        const MemoryAccess *access = ((const Cell *) userdata)->access + i;
        const struct { const char *key; uint32_t value; } values[] = {
                { "read_latency_ns", access->read_latency_ns },
                { "write_latency_ns", access->write_latency_ns },
                { "read_bandwidth_mbs", access->read_bandwidth_mbs },
                { "write_bandwidth_mbs", access->write_bandwidth_mbs },
        };
        int r;

        r = sd_bus_message_append(message, "{sv}{sv}", "initiator", "u", access->initiator, "class", "u", access->class);
        for (size_t j = 0; r >= 0 && j < ELEMENTSOF(values); j++)
                r = dictionary_add_nonzero(message, values[j].key, values[j].value);
        return r;
}

static int append_all_access(sd_bus_message *reply, const void *userdata) {
        const Cell *cell = userdata;

        return message_append_dictionaries(reply, cell->n_access, append_access, cell);
}

int host_cell_get_access(HostCell *cell, const Request *request, Error *error) {
        return reply_filled(request->message, append_all_access, host_cell_snapshot(cell));
}
