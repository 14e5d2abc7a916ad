/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The way to the service and back: connecting, a call with a deadline, and what
 * an error means to a person.
 *
 * sd-bus bounds the time of a call only once the bus has greeted us; a bus, or
 * an ssh, that accepts and then says nothing would hold us for its own 90 s. So
 * the greeting is waited for here, under the same deadline. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "agent.h"
#include "bus.h"
#include "message-json.h"
#include "waiting.h"

enum {
        TIMEOUT_SECONDS = 25,
        TIMEOUT_INTERACTIVE_SECONDS = 300, /* a person looks for a password */
};

uint64_t bus_timeout_usec(const Ctl *ctl, bool interactive) {
        if (ctl->timeout_usec > 0)
                return ctl->timeout_usec;
        return (interactive ? TIMEOUT_INTERACTIVE_SECONDS : TIMEOUT_SECONDS) * UINT64_C(1000000);
}

static int bus_wait_greeting(sd_bus *bus, uint64_t timeout_usec) {
        uint64_t end = monotonic_usec() + timeout_usec;

        for (;;) {
                int r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                r = sd_bus_is_ready(bus);
                if (r != 0)
                        return r < 0 ? r : 0;
                uint64_t now = monotonic_usec();
                if (now >= end)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, end - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static int bus_open_address(const char *address, sd_bus **ret) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE(bus);
        return 0;
}

ExitCode bus_open(Ctl *ctl) {
        const char *address = ctl->option_values[OPTION_ADDRESS], *host = ctl->option_values[OPTION_HOST];
        uint64_t timeout_usec = bus_timeout_usec(ctl, false);
        int r;

        if (ctl->bus)
                return CTL_DONE;
        if (address)
                r = bus_open_address(address, &ctl->bus);
        else if (host)
                r = sd_bus_open_system_remote(&ctl->bus, host);
        else
                r = sd_bus_open_system(&ctl->bus);
        if (r >= 0)
                r = bus_wait_greeting(ctl->bus, timeout_usec);
        if (r >= 0)
                return CTL_DONE;

        ctl->bus = sd_bus_unref(ctl->bus);
        if (address && r == -EINVAL)
                return ctl_fail(ctl, CTL_USAGE,
                                "--address=%s: this is no address of a bus.\n"
                                "One looks like unix:path=/run/dbus/system_bus_socket.", address);
        if (host && r == -EINVAL)
                return ctl_fail(ctl, CTL_USAGE, "--host=%s: it is [USER@]HOST.", host);
        if (address)
                return ctl_fail(ctl, CTL_FAILED,
                                "Cannot connect to the bus at %s: %s.\nIs the address right, and its dbus-daemon running?",
                                address, strerror(-r));
        if (host)
                return ctl_fail(ctl, CTL_FAILED,
                                "Cannot connect to the bus of %s through ssh: %s.\n"
                                "'ssh %s systemd-stdio-bridge' must log in without questions.",
                                host, strerror(-r), host);
        return ctl_fail(ctl, CTL_FAILED,
                        "Cannot connect to the system bus: %s.\n"
                        "'systemctl start dbus' starts one; --address= names another.", strerror(-r));
}

/* Errors */

static bool error_is(const sd_bus_error *error, const char *const *names) {
        for (; *names; names++)
                if (sd_bus_error_has_name(error, *names))
                        return true;
        return false;
}

static ExitCode fail_not_there(const Ctl *ctl, const char *message) {
        const char *address = ctl->option_values[OPTION_ADDRESS], *host = ctl->option_values[OPTION_HOST];

        if (address)
                return ctl_fail(ctl, CTL_FAILED,
                                "The Berth service is not on this bus: %s\n'berthd --address=%s' starts it there.",
                                message, address);
        if (host)
                return ctl_fail(ctl, CTL_FAILED,
                                "The Berth service does not run on %s: %s\n'systemctl start berthd' starts it there.",
                                host, message);
        return ctl_fail(ctl, CTL_FAILED,
                        "The Berth service does not run: %s\n'systemctl start berthd' starts it.", message);
}

static ExitCode fail_timeout(const Ctl *ctl, const Call *call) {
        double seconds = bus_timeout_usec(ctl, call->changes && !ctl_option(ctl, OPTION_NO_ASK_PASSWORD)) / 1e6;

        return ctl_fail(ctl, CTL_FAILED,
                        "The Berth service did not answer %s within %g s.\n"
                        "'systemctl status berthd' may say why; --timeout= waits longer.",
                        call->member, seconds);
}

ExitCode bus_fail(const Ctl *ctl, const Call *call, const sd_bus_error *error, int r) {
        static const char *const not_there[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked", NULL
        };
        static const char *const no_object[] = { SD_BUS_ERROR_UNKNOWN_OBJECT, NULL };
        static const char *const unknown[] = {
                SD_BUS_ERROR_UNKNOWN_METHOD, SD_BUS_ERROR_UNKNOWN_INTERFACE, SD_BUS_ERROR_UNKNOWN_PROPERTY, NULL
        };
        static const char *const timeouts[] = { SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, NULL };
        const char *name = sd_bus_error_is_set(error) ? error->name : "";
        const char *message = sd_bus_error_is_set(error) && error->message && *error->message ? error->message : name;

        if (r == -ETIMEDOUT)
                return fail_timeout(ctl, call);
        if (!*name)
                return ctl_fail(ctl, CTL_FAILED, "The bus was lost while %s was asked for: %s.",
                                call->member, strerror(-r));
        if (error_is(error, not_there) || strncmp(name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0)
                return fail_not_there(ctl, message);
        /* The bus itself says so when the service leaves with our call in hand. */
        if (error_is(error, timeouts))
                return ctl_fail(ctl, CTL_FAILED,
                                "The Berth service left without an answer to %s: %s\n"
                                "'journalctl -u berthd' may say why.", call->member, message);
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                return ctl_fail(ctl, CTL_NOT_AUTHORIZED,
                                "Not authorized without a password: %s\n%s", message,
                                ctl_option(ctl, OPTION_NO_ASK_PASSWORD)
                                        ? "Without --no-ask-password, on a terminal, it is asked for."
                                        : "It is asked for on a terminal of this machine; root needs none.");
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
                return ctl_fail(ctl, CTL_NOT_AUTHORIZED,
                                "Not authorized: %s\nRoot is; polkit's rules decide for others.", message);
        if (strncmp(name, BERTH_ERROR_NO_SUCH, strlen(BERTH_ERROR_NO_SUCH)) == 0 || error_is(error, no_object))
                return ctl_fail(ctl, CTL_NO_SUCH_OBJECT, "%s", message);
        if (error_is(error, unknown))
                return ctl_fail(ctl, CTL_FAILED,
                                "The Berth service does not know %s: %s\nIt is probably older than this berthctl.",
                                call->member, message);
        if (strncmp(name, BERTH_NAME ".Error.", strlen(BERTH_NAME ".Error.")) == 0 ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_INVALID_ARGS))
                return ctl_fail(ctl, CTL_FAILED, "%s", message);
        return ctl_fail(ctl, CTL_FAILED, "%s failed: %s (%s)", call->member, message, name);
}

/* Calls */

/* What is said to someone who leaves while a guest has not done its part. */
static void tell_interrupted(const Ctl *ctl, const Call *call, bool asked) {
        (void) ctl_fail(ctl, CTL_FAILED, "Interrupted. %s%s%s",
                        asked ? "If it was allowed already, the change goes on." : "The change goes on.",
                        call->look ? "\n" : "", call->look ?: "");
}

/* Sends @m and takes the answer, as bus_try_call() does. */
static ExitCode message_send(Ctl *ctl, const Call *call, sd_bus_message *m, json_object **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(agent_stop) Agent agent = AGENT_NONE;
        bool interactive = call->changes && !ctl_option(ctl, OPTION_NO_ASK_PASSWORD), asked = false;
        uint64_t timeout_usec = bus_timeout_usec(ctl, interactive);
        int r;

        /* Without an agent the service still answers; it may just say no. */
        if (interactive && agent_is_wanted(ctl)) {
                (void) agent_start(&agent);
                asked = true;
        }
        if (call->waits) {
                int signal_number = 0;

                /* A password is asked for on the line where it would be told. */
                r = waiting_call(ctl->bus, m, timeout_usec, asked ? NULL : call->waits, &signal_number, error, &reply);
                if (signal_number > 0) {
                        agent_stop(&agent);
                        tell_interrupted(ctl, call, asked);
                        waiting_end_by(signal_number);
                        return CTL_FAILED;
                }
        } else
                r = sd_bus_call(ctl->bus, m, timeout_usec, error, &reply);
        if (r < 0) {
                /* Our own side's errors are no answer of the service's. */
                if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || !sd_bus_error_is_set(error)) {
                        if (!sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
                                ExitCode e = bus_fail(ctl, call, NULL, r);
                                sd_bus_error_free(error);
                                return e;
                        }
                }
                return CTL_DONE;
        }
        if (!sd_bus_message_has_signature(reply, call->reply))
                return ctl_fail(ctl, CTL_FAILED,
                                "The Berth service answered %s with '%s' where '%s' is documented.\n"
                                "Are berthd and berthctl of one version?",
                                call->member, sd_bus_message_get_signature(reply, true), call->reply);
        r = message_to_json(reply, ret);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "Cannot read the answer to %s: %s.", call->member, strerror(-r));
        return CTL_DONE;
}

ExitCode bus_call_new(Ctl *ctl, const Call *call, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitCode e;
        int r;

        e = bus_open(ctl);
        if (e != CTL_DONE)
                return e;
        r = sd_bus_message_new_method_call(ctl->bus, &m, BERTH_NAME, call->path, call->interface, call->member);
        if (r >= 0 && call->changes && !ctl_option(ctl, OPTION_NO_ASK_PASSWORD))
                r = sd_bus_message_set_allow_interactive_authorization(m, true);
        if (r < 0)
                return bus_fail_to_ask(ctl, call, r);
        *ret = TAKE(m);
        return CTL_DONE;
}

ExitCode bus_fail_to_ask(const Ctl *ctl, const Call *call, int r) {
        return ctl_fail(ctl, CTL_FAILED, "Cannot ask for %s: %s.", call->member, strerror(-r));
}

ExitCode bus_call_send(Ctl *ctl, const Call *call, sd_bus_message *m, json_object **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode e;

        e = message_send(ctl, call, m, ret, &error);
        if (e == CTL_DONE && sd_bus_error_is_set(&error))
                return bus_fail(ctl, call, &error, 0);
        return e;
}

ExitCode bus_call_flags(Ctl *ctl, const Call *call, const char *const *flags, json_object **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitCode e;

        e = bus_call_new(ctl, call, &m);
        if (e != CTL_DONE)
                return e;
        int r = sd_bus_message_append_strv(m, (char **) flags);
        if (r < 0)
                return bus_fail_to_ask(ctl, call, r);
        return bus_call_send(ctl, call, m, ret);
}

static ExitCode call_send(Ctl *ctl, const Call *call, json_object **ret, sd_bus_error *error,
                          const char *types, va_list ap) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitCode e;
        int r = 0;

        e = bus_call_new(ctl, call, &m);
        if (e != CTL_DONE)
                return e;
        if (types && *types)
                r = sd_bus_message_appendv(m, types, ap);
        if (r < 0)
                return bus_fail_to_ask(ctl, call, r);
        return message_send(ctl, call, m, ret, error);
}

ExitCode bus_try_call(Ctl *ctl, const Call *call, json_object **ret, sd_bus_error *ret_error,
                      const char *types, ...) {
        va_list ap;
        ExitCode e;

        va_start(ap, types);
        e = call_send(ctl, call, ret, ret_error, types, ap);
        va_end(ap);
        return e;
}

ExitCode bus_call(Ctl *ctl, const Call *call, json_object **ret, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;
        ExitCode e;

        va_start(ap, types);
        e = call_send(ctl, call, ret, &error, types, ap);
        va_end(ap);
        if (e == CTL_DONE && sd_bus_error_is_set(&error))
                return bus_fail(ctl, call, &error, 0);
        return e;
}
