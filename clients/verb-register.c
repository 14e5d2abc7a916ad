/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest whose monitor is somewhere else. It is connected to with our own rights,
 * and the service gets the connection: so nobody hands out what he could not
 * use himself. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "change.h"
#include "fields.h"
#include "show.h"

/* Tells if the path cannot be one of a socket. */
static ExitCode socket_check(const Ctl *ctl, const char *path) {
        struct sockaddr_un address;

        if (!*path)
                return ctl_fail(ctl, CTL_USAGE, "'' is no path of a socket.");
        if (strlen(path) >= sizeof address.sun_path)
                return ctl_fail(ctl, CTL_USAGE, "'%s' is too long: the path of a socket has at most %zu bytes.\n"
                                "From another folder a shorter one may do.", path, sizeof address.sun_path - 1);
        return CTL_DONE;
}

static ExitCode socket_connect(const Ctl *ctl, const char *path, const char *what, int *ret) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return ctl_fail(ctl, CTL_FAILED, "Cannot make a socket: %m.");
        memcpy(address.sun_path, path, strlen(path));
        if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0) {
                const char *remedy = "";
                if (errno == EAGAIN)
                        remedy = "\nSomebody else is connected, and it takes no second one.";
                else if (errno == ECONNREFUSED)
                        remedy = "\nNobody listens there: is it a socket, and does the guest run?";
                return ctl_fail(ctl, CTL_FAILED, "Cannot connect to the %s at %s: %s.%s", what, path, strerror(errno), remedy);
        }
        *ret = fd;
        fd = -1;
        return CTL_DONE;
}

static ExitCode pid_parse(const Ctl *ctl, const char *text, pid_t *ret) {
        uint64_t n;

        if (!number_parse(text, INT32_MAX, &n) || n == 0)
                return ctl_fail(ctl, CTL_USAGE, "--pid=%s: it is the number of a process.", text);
        *ret = (pid_t) n;
        return CTL_DONE;
}

typedef struct Request {
        const char *name, *socket, *agent;
        pid_t pid; /* 0: the socket's peer */
        bool dry_run;
} Request;

static ExitCode request_parse(const Ctl *ctl, Request *ret) {
        const char *pid = ctl->option_values[OPTION_PID];
        Request request = {
                .name = ctl->arguments[0],
                .socket = ctl->arguments[1],
                .agent = ctl->option_values[OPTION_AGENT],
                .dry_run = ctl_option(ctl, OPTION_DRY_RUN),
        };
        ExitCode e;

        e = guest_name_check(ctl, request.name);
        if (e == CTL_DONE)
                e = socket_check(ctl, request.socket);
        if (e == CTL_DONE && request.agent)
                e = socket_check(ctl, request.agent);
        if (e == CTL_DONE && pid)
                e = pid_parse(ctl, pid, &request.pid);
        if (e != CTL_DONE)
                return e;
        if (ctl_option(ctl, OPTION_HOST))
                return ctl_fail(ctl, CTL_USAGE, "--host: a guest is registered on the machine that it runs on.");
        *ret = request;
        return CTL_DONE;
}

static int arguments_append(sd_bus_message *m, const Request *request, int socket, int agent, int pidfd) {
        int r;

        r = sd_bus_message_append(m, "sh", request->name, socket);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && pidfd >= 0)
                r = sd_bus_message_append(m, "{sv}", "pidfd", "h", pidfd);
        if (r >= 0 && agent >= 0)
                r = sd_bus_message_append(m, "{sv}", "agent", "h", agent);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return request->dry_run ? sd_bus_message_append(m, "as", 1, "dry-run") : sd_bus_message_append(m, "as", 0);
}

int verb_register(Ctl *ctl) {
        static const Call call = { BERTH_PATH, BERTH_MANAGER, "RegisterDomain", "o", true, NULL, NULL };
        _cleanup_close_ int socket = -1, agent = -1, pidfd = -1;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_json_ json_object *path = NULL;
        Request request = {};
        ExitCode e;

        e = request_parse(ctl, &request);
        if (e == CTL_DONE)
                e = socket_connect(ctl, request.socket, "monitor", &socket);
        if (e == CTL_DONE && request.agent)
                e = socket_connect(ctl, request.agent, "guest agent", &agent);
        if (e != CTL_DONE)
                return e;
        if (request.pid > 0) {
                pidfd = (int) syscall(SYS_pidfd_open, request.pid, 0);
                if (pidfd < 0)
                        return ctl_fail(ctl, CTL_FAILED, "Cannot open the process %d: %m.", (int) request.pid);
        }

        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        int r = arguments_append(m, &request, socket, agent, pidfd);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = bus_call_send(ctl, &call, m, &path);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "domain", json_object_get(path));
                return ctl_print_json(ctl, object);
        }
        terminal_printf(&ctl->terminal, request.dry_run ? "%s: would be registered.\n" : "%s: is registered.\n", request.name);
        if (!request.dry_run)
                hint(ctl, "'berthctl vcpus %s' shows its vCPUs.", request.name);
        return CTL_DONE;
}
