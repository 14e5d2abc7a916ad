/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What logind is asked to do. Each is one call with a deadline; how it refuses has
 * changed with its versions, and is brought together here:
 *   a block inhibitor    to 257 org.freedesktop.DBus.Error.AccessDenied, which to root means nothing else;
 *                        since 258 org.freedesktop.login1.BlockedByInhibitorLock
 *   to sleep over one    before 257 there is no flag for it, and one that is not known is
 *                        InvalidArgs; without flags root sleeps over all of them
 *   classes of sessions  told since 256, with a method of its own */

#include "logind-state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Source: <systemd>/src/login, SD_LOGIND_ROOT_CHECK_INHIBITORS and SD_LOGIND_SKIP_INHIBITORS. */
#define FLAG_ROOT_CHECK_INHIBITORS (UINT64_C(1) << 0)
#define FLAG_SKIP_INHIBITORS (UINT64_C(1) << 4)

#define USERS_MAX 1024u

#define QUOTED_MAX 300

static const char *const sleep_methods[_LOGIND_SLEEP_MAX] = {
        [LOGIND_SUSPEND] = "SuspendWithFlags",
        [LOGIND_HIBERNATE] = "HibernateWithFlags",
        [LOGIND_HYBRID_SLEEP] = "HybridSleepWithFlags",
        [LOGIND_SUSPEND_THEN_HIBERNATE] = "SuspendThenHibernateWithFlags",
};

/* One call under way. It owns its slot: when it is freed, no answer comes. */
struct LogindAct {
        Logind *logind;
        LogindAct *next, **link;
        sd_bus_slot *slot;
        const char *member;             /* a constant */
        LogindSleep sleep;
        uint64_t flags;
        /* Asks in another way after an error: 1 if it does, 0 if there is none. */
        int (*retry)(LogindAct *act, const sd_bus_error *answer);
        /* Calls the caller's "done" with what the answer says, or with an error. */
        void (*finish)(LogindAct *act, int r, sd_bus_message *answer, const Error *error);
        union {
                LogindDone done;
                LogindInhibitDone inhibited;
                LogindUsersDone listed;
        };
        void *userdata;
};

static void act_free(LogindAct *act) {
        *act->link = act->next;
        if (act->next)
                act->next->link = act->link;
        (void) sd_bus_slot_unref(act->slot);
        free(act);
}

DEFINE_CLEANUP(LogindAct *, act_free)

void logind_cancel_acts(Logind *logind) {
        while (logind->acts) {
                LogindAct *act = logind->acts;

                act->finish(act, -ECANCELED, NULL, NULL);
                act_free(act);
        }
}

static int act_new(Logind *logind, void (*finish)(LogindAct *, int, sd_bus_message *, const Error *), void *userdata, Error *error, LogindAct **ret) {
        LogindAct *act;

        if (!logind->owner)
                return error_set(error, ERROR_BACKEND_FAILED, "there is no logind (" LOGIND ") on the bus");
        act = calloc(1, sizeof *act);
        if (!act)
                return -ENOMEM;
        act->logind = logind;
        act->finish = finish;
        act->userdata = userdata;
        act->next = logind->acts;
        act->link = &logind->acts;
        if (act->next)
                act->next->link = &act->next;
        logind->acts = act;
        *ret = act;
        return 0;
}

static ErrorCode code_of(const LogindAct *act, sd_bus_message *message) {
        static const struct { const char *name; ErrorCode code; } codes[] = {
                { "org.freedesktop.login1.BlockedByInhibitorLock", ERROR_INHIBITED },
                { "org.freedesktop.login1.SleepVerbNotSupported", ERROR_NOT_SUPPORTED },
                { "org.freedesktop.login1.OperationInProgress", ERROR_BUSY },
                { SD_BUS_ERROR_UNKNOWN_METHOD, ERROR_NOT_SUPPORTED },
                { SD_BUS_ERROR_LIMITS_EXCEEDED, ERROR_RESOURCE_EXHAUSTED },
                { SD_BUS_ERROR_NO_REPLY, ERROR_TIMED_OUT },
                { SD_BUS_ERROR_TIMEOUT, ERROR_TIMED_OUT },
        };
        const sd_bus_error *answer = sd_bus_message_get_error(message);
        const char *sender = sd_bus_message_get_sender(message);

        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (sd_bus_error_has_name(answer, codes[i].name))
                        return codes[i].code;
        if (!sd_bus_error_has_name(answer, SD_BUS_ERROR_ACCESS_DENIED))
                return ERROR_BACKEND_FAILED;
        /* The bus's own refusal has the same name. */
        return act->flags == FLAG_ROOT_CHECK_INHIBITORS && sender && sender[0] == ':' ? ERROR_INHIBITED : ERROR_ACCESS_DENIED;
}

static int refusal(const LogindAct *act, sd_bus_message *message, Error *error) {
        const sd_bus_error *answer = sd_bus_message_get_error(message);
        ErrorCode code = code_of(act, message);

        if (code == ERROR_TIMED_OUT)
                return error_set(error, code, "logind has not answered %s, and whether it will do it is not known: %.*s", act->member, QUOTED_MAX, answer->message ?: answer->name);
        return error_set(error, code, "logind refuses %s: %.*s", act->member, QUOTED_MAX, answer->message ?: answer->name);
}

static int nonsense(const LogindAct *act, Error *error) {
        return error_set(error, ERROR_BACKEND_FAILED, "logind's answer to %s makes no sense", act->member);
}

static int on_acted(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        _cleanup_error_ Error error = {};
        LogindAct *act = userdata;
        const sd_bus_error *answer = sd_bus_message_get_error(message);
        int r = 0;

        if (answer) {
                r = act->retry ? act->retry(act, answer) : 0;
                if (r > 0)
                        return 0;
                if (r == 0)
                        r = refusal(act, message, &error);
        }
        act->finish(act, r, message, &error);
        act_free(act);
        return 0;
}

static int send_call(LogindAct *act, sd_bus_message *message) {
        act->slot = sd_bus_slot_unref(act->slot);
        return sd_bus_call_async(act->logind->bus, &act->slot, message, on_acted, act, act->logind->limits.timeout_usec);
}

static int send_sleep(LogindAct *act, uint64_t flags) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        act->flags = flags;
        act->member = sleep_methods[act->sleep];
        r = logind_new_call(act->logind, LOGIND_MANAGER, act->member, &message);
        if (r >= 0)
                r = sd_bus_message_append(message, "t", flags);
        return r < 0 ? r : send_call(act, message);
}

static int retry_sleep(LogindAct *act, const sd_bus_error *answer) {
        int r;

        if (act->flags != FLAG_SKIP_INHIBITORS || !sd_bus_error_has_name(answer, SD_BUS_ERROR_INVALID_ARGS))
                return 0;
        r = send_sleep(act, 0);
        return r < 0 ? r : 1;
}

static void finish_sleep(LogindAct *act, int r, sd_bus_message *answer, const Error *error) {
        act->done(r, error, act->userdata);
}

int logind_suspend(Logind *logind, LogindSleep sleep, bool ignore_inhibitors, LogindDone done, void *userdata, Error *error) {
        _cleanup_(act_freep) LogindAct *act = NULL;
        int r;

        r = act_new(logind, finish_sleep, userdata, error, &act);
        if (r < 0)
                return r;
        act->sleep = sleep;
        act->retry = retry_sleep;
        act->done = done;
        r = send_sleep(act, ignore_inhibitors ? FLAG_SKIP_INHIBITORS : FLAG_ROOT_CHECK_INHIBITORS);
        if (r < 0)
                return r;
        TAKE_PTR(act);
        return 0;
}

static void finish_inhibit(LogindAct *act, int r, sd_bus_message *answer, const Error *error) {
        _cleanup_error_ Error ours = {};
        int fd = -1;

        /* The message has its own. */
        if (r >= 0 && sd_bus_message_read(answer, "h", &fd) < 0)
                r = nonsense(act, &ours);
        if (r >= 0) {
                fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = fd < 0 ? -errno : 0;
        }
        act->inhibited(r, r < 0 ? -1 : fd, ours.code != ERROR_NONE ? &ours : error, act->userdata);
}

int logind_inhibit(Logind *logind, const char *what, const char *who, const char *why, const char *mode,
                   LogindInhibitDone done, void *userdata, Error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        _cleanup_(act_freep) LogindAct *act = NULL;
        int r;

        r = act_new(logind, finish_inhibit, userdata, error, &act);
        if (r < 0)
                return r;
        act->inhibited = done;
        act->member = "Inhibit";
        r = logind_new_call(logind, LOGIND_MANAGER, act->member, &message);
        if (r >= 0)
                r = sd_bus_message_append(message, "ssss", what, who, why, mode);
        if (r >= 0)
                r = send_call(act, message);
        if (r < 0)
                return r;
        TAKE_PTR(act);
        return 0;
}

static int send_list(LogindAct *act, const char *member) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        act->member = member;
        r = logind_new_call(act->logind, LOGIND_MANAGER, act->member, &message);
        return r < 0 ? r : send_call(act, message);
}

#define LIST "ListSessions"
#define LIST_WITH_CLASS "ListSessionsEx"     /* since systemd 256 */

static int retry_list(LogindAct *act, const sd_bus_error *answer) {
        int r;

        if (strcmp(act->member, LIST_WITH_CLASS) != 0 || !sd_bus_error_has_name(answer, SD_BUS_ERROR_UNKNOWN_METHOD))
                return 0;
        r = send_list(act, LIST);
        return r < 0 ? r : 1;
}

typedef struct Users {
        uint32_t uids[USERS_MAX];
        size_t n;
} Users;

static void users_add(Users *users, uint32_t uid) {
        size_t at = 0;

        while (at < users->n && users->uids[at] < uid)
                at++;
        if ((at < users->n && users->uids[at] == uid) || users->n == USERS_MAX)
                return;
        memmove(users->uids + at + 1, users->uids + at, (users->n - at) * sizeof *users->uids);
        users->uids[at] = uid;
        users->n++;
}

/* Source: ListSessions: id, uid, user, seat, path; ListSessionsEx: id, uid, user, seat,
 * leader, class, terminal, idle, since, path. */
static int read_users(sd_bus_message *answer, bool with_class, Users *users) {
        const char *class = "user", *terminal;
        uint32_t uid, leader;
        uint64_t since;
        int r, idle;

        r = sd_bus_message_enter_container(answer, 'a', with_class ? "(sussussbto)" : "(susso)");
        while (r >= 0) {
                const char *id, *user, *seat, *path;

                r = with_class ? sd_bus_message_read(answer, "(sussussbto)", &id, &uid, &user, &seat, &leader, &class, &terminal, &idle, &since, &path)
                               : sd_bus_message_read(answer, "(susso)", &id, &uid, &user, &seat, &path);
                if (r <= 0)
                        return r;
                if (strncmp(class, "user", 4) == 0)
                        users_add(users, uid);
        }
        return r;
}

static void finish_list(LogindAct *act, int r, sd_bus_message *answer, const Error *error) {
        _cleanup_error_ Error ours = {};
        Users users = {};

        if (r >= 0 && read_users(answer, strcmp(act->member, LIST_WITH_CLASS) == 0, &users) < 0)
                r = nonsense(act, &ours);
        act->listed(r, users.uids, r < 0 ? 0 : users.n, ours.code != ERROR_NONE ? &ours : error, act->userdata);
}

int logind_list_users(Logind *logind, LogindUsersDone done, void *userdata, Error *error) {
        _cleanup_(act_freep) LogindAct *act = NULL;
        int r;

        r = act_new(logind, finish_list, userdata, error, &act);
        if (r < 0)
                return r;
        act->retry = retry_list;
        act->listed = done;
        r = send_list(act, LIST_WITH_CLASS);
        if (r < 0)
                return r;
        TAKE_PTR(act);
        return 0;
}
