/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "devices.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-hwdb.h>

#include "lib/beneath.h"

#define PCI_FOLDER "sys/bus/pci/devices"
#define PATH_BYTES 128

/* Domain, bus, device and function; domains may have more than four digits. */
static bool is_address(const char *name) {
        static const char tail[] = ":xx:xx.x";
        size_t n = strlen(name), digits;

        if (n >= sizeof ((PciDevice *) NULL)->address || n < 4 + sizeof tail - 1)
                return false;
        digits = n - (sizeof tail - 1);
        for (size_t i = 0; i < n; i++) {
                char wanted = i < digits ? 'x' : tail[i - digits];

                if (wanted == 'x' ? !isxdigit((unsigned char) name[i]) : name[i] != wanted)
                        return false;
        }
        return true;
}

static int compare_devices(const void *a, const void *b) {
        return strcmp(((const PciDevice *) a)->address, ((const PciDevice *) b)->address);
}

static bool is_plain(const char *text) {
        for (const char *p = text; *p; p++)
                if (!isgraph((unsigned char) *p))
                        return false;
        return *text;
}

static char *read_class(int device_fd) {
        char text[16];

        if (sysfs_read(device_fd, "class", text, sizeof text) != 8 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdef") != 6)
                return NULL;
        return strdup(text + 2);
}

/* The name of the folder that the link leads to; it need not be followed. */
static char *read_driver(int device_fd) {
        char target[PATH_BYTES], *name;
        ssize_t n;

        n = readlinkat(device_fd, "driver", target, sizeof target - 1);
        if (n <= 0)
                return NULL;
        target[n] = 0;
        name = strrchr(target, '/');
        name = name ? name + 1 : target;
        return is_plain(name) ? strdup(name) : NULL;
}

static char *look_up_name(sd_hwdb *hwdb, int device_fd) {
        const char *vendor, *model;
        char modalias[256], *name;

        if (!hwdb || sysfs_read(device_fd, "modalias", modalias, sizeof modalias) <= 0)
                return NULL;
        if (sd_hwdb_get(hwdb, modalias, "ID_MODEL_FROM_DATABASE", &model) < 0)
                return NULL;
        if (sd_hwdb_get(hwdb, modalias, "ID_VENDOR_FROM_DATABASE", &vendor) < 0)
                return strdup(model);
        return asprintf(&name, "%s %s", vendor, model) < 0 ? NULL : name;
}

/* Which cell a device is of: ID_NONE if the kernel does not say. */
static uint32_t read_cell(int device_fd) {
        uint32_t cell;

        return sysfs_read_id(device_fd, "numa_node", &cell) < 0 ? ID_NONE : cell;
}

int devices_list(const HostCell *cell, PciDevice **ret_devices, size_t *ret_n_devices) {
        bool only = cell->host->n_cells == 1;
        _cleanup_closedir_ DIR *dir = NULL;
        PciDevice *devices = NULL;
        sd_hwdb *hwdb = NULL;
        struct dirent *entry;
        size_t n = 0;
        int bus_fd, r = 0;

        bus_fd = sysfs_open_dir(cell->host->root_fd, PCI_FOLDER);
        if (bus_fd < 0) {
                *ret_devices = NULL;
                *ret_n_devices = 0;
                return bus_fd == -ENOENT ? 0 : bus_fd;
        }
        dir = fdopendir(bus_fd);
        if (!dir) {
                r = -errno;
                (void) close(bus_fd);
                return r;
        }
        if (sd_hwdb_new(&hwdb) < 0)
                hwdb = NULL;

        while ((entry = readdir(dir))) {
                _cleanup_close_ int device_fd = -1;
                char path[PATH_BYTES];
                PciDevice *more;
                uint32_t of;

                if (!is_address(entry->d_name))
                        continue;
                /* The entries are links that lead up and out of this folder. */
                snprintf(path, sizeof path, PCI_FOLDER "/%s", entry->d_name);
                device_fd = sysfs_open_dir(cell->host->root_fd, path);
                if (device_fd < 0)
                        continue;
                of = read_cell(device_fd);
                if (of != cell->id && !(of == ID_NONE && only))
                        continue;

                more = reallocarray(devices, n + 1, sizeof *devices);
                if (!more) {
                        r = -ENOMEM;
                        break;
                }
                devices = more;
                devices[n] = (PciDevice) {
                        .class = read_class(device_fd),
                        .driver = read_driver(device_fd),
                        .name = look_up_name(hwdb, device_fd),
                };
                strcpy(devices[n++].address, entry->d_name);
        }

        sd_hwdb_unref(hwdb);
        if (r < 0) {
                devices_free(devices, n);
                return r;
        }
        if (n > 0)
                qsort(devices, n, sizeof *devices, compare_devices);
        *ret_devices = devices;
        *ret_n_devices = n;
        return 0;
}

PciDevice *devices_free(PciDevice *devices, size_t n_devices) {
        for (size_t i = 0; i < n_devices; i++) {
                free(devices[i].class);
                free(devices[i].driver);
                free(devices[i].name);
        }
        free(devices);
        return NULL;
}
