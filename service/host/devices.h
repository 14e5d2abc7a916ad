/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The PCI devices of a cell. */

#include "host.h"

typedef struct PciDevice {
        char address[16];       /* "0000:00:1f.2" */
        char *class;            /* six hexadecimal digits; these three NULL if unknown */
        char *driver;
        char *name;             /* from the hardware database */
} PciDevice;

/* Lists a cell's devices, by address. On a host with one cell, those of which the
 * kernel names no cell are its too.
 * Source: /sys/bus/pci/devices; hwdb(7). */
int devices_list(const HostCell *cell, PciDevice **ret_devices, size_t *ret_n_devices);

PciDevice *devices_free(PciDevice *devices, size_t n_devices);
