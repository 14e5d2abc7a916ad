/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whatever a monitor says over its socket: it is heard to the end, each command ends
 * once, and the connection is closed once. */

#include "fuzz.h"

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "guest/qemu/qmp.h"

typedef struct Seen {
        Qmp *qmp;
        unsigned n_closed, n_sent, n_ended;
} Seen;

static void on_done(const QmpResult *result, void *userdata) {
        Seen *seen = userdata;

        HOLDS(result->error == 0 || result->description);
        seen->n_ended++;
}

static void on_ready(void *userdata) {
        Seen *seen = userdata;

        for (unsigned i = 0; i < 3; i++)
                if (qmp_execute(seen->qmp, "query-status", NULL, UINT64_C(60000000), on_done, seen, NULL) == 0)
                        seen->n_sent++;
}

static void on_event(const char *name, JsonObject *data, void *userdata) {
        HOLDS(name);
}

static void on_closed(const char *reason, void *userdata) {
        Seen *seen = userdata;

        HOLDS(reason && *reason);
        HOLDS(seen->n_closed++ == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const QmpHandlers handlers = { .ready = on_ready, .event = on_event, .closed = on_closed };
        sd_event *event = NULL;
        Seen seen = {};
        int fds[2];

        HOLDS(sd_event_new(&event) >= 0);
        HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        HOLDS(qmp_new(event, fds[0], &handlers, &seen, &seen.qmp) >= 0);
        /* As much as a socket takes at once. */
        if (size > 65536)
                size = 65536;
        HOLDS(size == 0 || send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t) size);
        HOLDS(shutdown(fds[1], SHUT_WR) == 0);
        while (seen.n_closed == 0)
                HOLDS(sd_event_run(event, UINT64_MAX) >= 0);
        HOLDS(seen.n_ended == seen.n_sent);
        qmp_free(seen.qmp);
        (void) close(fds[1]);
        (void) sd_event_unref(event);
        return 0;
}
