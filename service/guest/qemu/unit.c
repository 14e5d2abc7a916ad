/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/unit.h"

#include <errno.h>

struct QemuUnits {
        QemuGuest *guest;
};

int qemu_units_new(QemuGuest *guest, QemuUnits **ret) {
        QemuUnits *units = calloc(1, sizeof *units);

        if (!units)
                return -ENOMEM;
        units->guest = guest;
        *ret = units;
        return 0;
}

QemuUnits *qemu_units_free(QemuUnits *units) {
        free(units);
        return NULL;
}

int qemu_units_set(QemuUnits *units, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                   BackendDone done, void *userdata, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "vCPUs cannot be plugged yet");
}

void qemu_units_event(QemuUnits *units, const char *name, JsonObject *data) {
}

void qemu_units_looked(QemuUnits *units) {
}
