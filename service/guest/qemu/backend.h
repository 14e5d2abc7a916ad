/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The guests of plain QEMUs, each reached through its monitor below <runtime-dir>. */

#include <systemd/sd-event.h>

#include "guest/backend.h"
#include "guest/domain.h"

/* What can be done with each of them, however it was reached. */
extern const Backend qemu_backend_calls;

typedef struct QemuBackend QemuBackend;

/* "guests" must outlive it. Errors: as qemu_watch_new(). */
int qemu_backend_new(sd_event *event, Guests *guests, const char *runtime_dir, QemuBackend **ret);
QemuBackend *qemu_backend_free(QemuBackend *backend);
DEFINE_CLEANUP(QemuBackend *, qemu_backend_free)
