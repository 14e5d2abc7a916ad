/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/backend.h"

#include <errno.h>
#include <string.h>

#include "guest/qemu/agent.h"
#include "guest/qemu/guest.h"
#include "guest/qemu/iothreads.h"
#include "guest/qemu/unit.h"
#include "guest/qemu/watch.h"
#include "lib/log.h"

/* A guest of a folder. */
typedef struct Followed {
        struct Followed *next;
        QemuGuest *guest;
} Followed;

struct QemuBackend {
        sd_event *event;
        Guests *guests;
        QemuWatch *watch;
        Followed *first;
};

static int qemu_set_unit(Domain *domain, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                         BackendDone done, void *userdata, Error *error) {
        QemuGuest *guest = qemu_guest_of(domain);
        QemuUnits *units = guest ? qemu_guest_units(guest) : NULL;

        if (!units)
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s does not run any more", domain->name);
        return qemu_units_set(units, vcpu, enable, timeout_usec, done, userdata, error);
}

const Backend qemu_backend_calls = {
        .name = "qemu",
        .set_unit = qemu_set_unit,
        .list_iothreads = qemu_list_iothreads,
        .agent_get_vcpus = qemu_agent_get_vcpus,
        .agent_set_vcpus = qemu_agent_set_vcpus,
};

/* Takes the guest of a folder out of the list. NULL if there is none. */
static QemuGuest *take_guest(QemuBackend *backend, const QemuFolder *folder) {
        for (Followed **at = &backend->first; *at; at = &(*at)->next)
                if (qemu_guest_folder((*at)->guest) == folder) {
                        Followed *followed = *at;
                        QemuGuest *guest = followed->guest;

                        *at = followed->next;
                        free(followed);
                        return guest;
                }
        return NULL;
}

static void on_ended(QemuGuest *guest, const char *reason, void *userdata) {
        QemuFolder *folder = qemu_guest_folder(guest);

        qemu_guest_free(take_guest(userdata, folder));
        qemu_folder_lost(folder);
}

static int follow(QemuBackend *backend, QemuFolder *folder, const char *name, int taken) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_free_ Followed *followed = NULL;
        _cleanup_close_ int fd = taken;
        pid_t pid;
        int r;

        followed = calloc(1, sizeof *followed);
        if (!followed)
                return -ENOMEM;
        (void) process_open_peer(fd, &process, NULL);
        pid = process ? process->pid : 0;
        r = qemu_guest_new(backend->guests, name, TAKE_FD(fd), pid, TAKE_PTR(process), folder, on_ended, backend, &followed->guest);
        if (r < 0)
                return r;
        followed->next = backend->first;
        backend->first = TAKE_PTR(followed);
        return 0;
}

static void on_connected(QemuFolder *folder, const char *name, int fd, void *userdata) {
        int r = follow(userdata, folder, name, fd);

        if (r < 0) {
                log_warning("The guest %s cannot be followed: %s", name, strerror(-r));
                qemu_folder_lost(folder);
        }
}

static void on_gone(QemuFolder *folder, void *userdata) {
        qemu_guest_free(take_guest(userdata, folder));
}

static const QemuWatchHandlers watch_handlers = {
        .connected = on_connected,
        .gone = on_gone,
};

int qemu_backend_new(sd_event *event, Guests *guests, const char *runtime_dir, QemuBackend **ret) {
        _cleanup_(qemu_backend_freep) QemuBackend *backend = NULL;
        int r;

        backend = calloc(1, sizeof *backend);
        if (!backend)
                return -ENOMEM;
        backend->event = sd_event_ref(event);
        backend->guests = guests;
        r = qemu_watch_new(event, runtime_dir, &watch_handlers, backend, &backend->watch);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(backend);
        return 0;
}

QemuBackend *qemu_backend_free(QemuBackend *backend) {
        if (!backend)
                return NULL;
        qemu_watch_free(backend->watch);
        while (backend->first)
                qemu_guest_free(take_guest(backend, qemu_guest_folder(backend->first->guest)));
        (void) sd_event_unref(backend->event);
        free(backend);
        return NULL;
}
