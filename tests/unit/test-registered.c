/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests that are handed over: what is taken and what is refused, how they end, and how
 * they are taken up again. The monitor is scripted, systemd is a socket that writes down
 * what it is told, and the process is a child that waits. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "guest/qemu/registered.h"
#include "line-peer.h"

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[\"oob\"]}}\n"
#define UUID "12345678-1234-1234-1234-1234567890ab"

/* A service with one monitor, and a systemd. */
typedef struct Fixture {
        Peer *peer;
        Guests *guests;
        QemuRegistered *registered;
        char *folder;                   /* for state and runtime */
        int systemd;                    /* -1 if there is none */
        GPtrArray *told;                /* what systemd was: "FDSTORE name" */
        GPtrArray *stored_names;
        GArray *stored_fds;
        unsigned n_done;
        int result;
        char *message;
        Domain *domain;
} Fixture;

static void on_done(int result, const Error *error, Domain *domain, void *userdata) {
        Fixture *fixture = userdata;

        fixture->n_done++;
        fixture->result = result;
        g_free(fixture->message);
        fixture->message = g_strdup(error ? error->message : "");
        fixture->domain = domain;
}

static Fixture *fixture_new(bool with_systemd) {
        Fixture *fixture = g_new0(Fixture, 1);
        g_autoptr(GError) error = NULL;

        fixture->peer = peer_new(NULL);
        fixture->folder = g_dir_make_tmp("berth-registered-XXXXXX", &error);
        g_assert_no_error(error);
        fixture->told = g_ptr_array_new_with_free_func(g_free);
        fixture->stored_names = g_ptr_array_new_with_free_func(g_free);
        fixture->stored_fds = g_array_new(FALSE, FALSE, sizeof(int));
        fixture->systemd = -1;
        g_unsetenv("NOTIFY_SOCKET");
        if (with_systemd) {
                struct sockaddr_un address = { .sun_family = AF_UNIX };

                g_snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", fixture->folder);
                fixture->systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                g_assert_cmpint(bind(fixture->systemd, (struct sockaddr *) &address, sizeof address), ==, 0);
                g_setenv("NOTIFY_SOCKET", address.sun_path, TRUE);
        }
        g_assert_cmpint(guests_new(fixture->peer->event, NULL, &fixture->guests), ==, 0);
        g_assert_cmpint(qemu_registered_new(fixture->guests, fixture->folder, &fixture->registered), ==, 0);
        return fixture;
}

static void fixture_free(Fixture *fixture) {
        g_autofree char *records = g_build_filename(fixture->folder, "registered", NULL), *notify = g_build_filename(fixture->folder, "notify", NULL);
        g_autoptr(GDir) dir = NULL;
        const char *name;

        qemu_registered_free(fixture->registered);
        dir = g_dir_open(records, 0, NULL);
        guests_free(fixture->guests);
        peer_free(fixture->peer);
        for (guint i = 0; i < fixture->stored_fds->len; i++)
                (void) close(g_array_index(fixture->stored_fds, int, i));
        closep(&fixture->systemd);
        (void) g_unlink(notify);
        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(records, name, NULL);

                g_assert_cmpint(g_unlink(path), ==, 0);
        }
        (void) g_rmdir(records);
        g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
        g_ptr_array_unref(fixture->told);
        g_ptr_array_unref(fixture->stored_names);
        g_array_unref(fixture->stored_fds);
        g_free(fixture->folder);
        g_free(fixture->message);
        g_free(fixture);
        g_unsetenv("NOTIFY_SOCKET");
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

/* The store: what came is in it, or not any more. */
static void systemd_read(Fixture *fixture) {
        for (;;) {
                char text[512], control[CMSG_SPACE(sizeof(int))];
                struct iovec iov = { text, sizeof text - 1 };
                struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
                ssize_t n = recvmsg(fixture->systemd, &header, MSG_CMSG_CLOEXEC);
                const char *name;

                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        return;
                }
                text[n] = 0;
                name = strstr(text, "FDNAME=");
                g_assert_nonnull(name);
                name += strlen("FDNAME=");
                if (g_str_has_prefix(text, "FDSTORE=1\n")) {
                        struct cmsghdr *fds = CMSG_FIRSTHDR(&header);

                        g_assert_nonnull(fds);
                        g_array_append_vals(fixture->stored_fds, CMSG_DATA(fds), 1);
                        g_ptr_array_add(fixture->stored_names, g_strdup(name));
                        g_ptr_array_add(fixture->told, g_strdup_printf("+ %s", name));
                } else {
                        guint i;

                        g_assert_true(g_str_has_prefix(text, "FDSTOREREMOVE=1\n"));
                        g_ptr_array_add(fixture->told, g_strdup_printf("- %s", name));
                        if (g_ptr_array_find_with_equal_func(fixture->stored_names, name, g_str_equal, &i)) {
                                (void) close(g_array_index(fixture->stored_fds, int, i));
                                g_array_remove_index(fixture->stored_fds, i);
                                g_ptr_array_remove_index(fixture->stored_names, i);
                        }
                }
        }
}

static guint count_records(const Fixture *fixture) {
        g_autofree char *path = g_build_filename(fixture->folder, "registered", NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        guint n = 0;

        while (dir && g_dir_read_name(dir))
                n++;
        return n;
}

static void service_stop(Fixture *fixture) {
        fixture->registered = qemu_registered_free(fixture->registered);
        fixture->guests = guests_free(fixture->guests);
}

/* The next one gets what systemd has. */
static void service_start(Fixture *fixture) {
        g_autofree int *fds = g_memdup2(fixture->stored_fds->data, fixture->stored_fds->len * sizeof(int));

        g_assert_cmpint(guests_new(fixture->peer->event, NULL, &fixture->guests), ==, 0);
        g_assert_cmpint(qemu_registered_new(fixture->guests, fixture->folder, &fixture->registered), ==, 0);
        for (guint i = 0; i < fixture->stored_fds->len; i++)
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        qemu_registered_restore(fixture->registered, fds, (const char *const *) fixture->stored_names->pdata, fixture->stored_fds->len);
}

/* Answers all that is asked, as a stopped QEMU of one vCPU whose thread is nobody's, until
 * there is a domain. */
static void answer_questions(Fixture *fixture, const char *capabilities) {
        static const struct { const char *command, *answer; } answers[] = {
                { "query-uuid", "\"return\":{\"UUID\":\"" UUID "\"}" },
                { "query-status", "\"return\":{\"status\":\"paused\",\"running\":false,\"singlestep\":false}" },
                { "query-hotpluggable-cpus", "\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}" },
                { "query-cpus-fast", "\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}" },
        };

        while (!guests_first(fixture->guests)) {
                g_autofree char *line = peer_wait_line(fixture->peer);
                _cleanup_json_ JsonObject *object = NULL;
                g_autofree char *answer = NULL;
                const char *command, *said = NULL;
                int64_t id;

                g_assert_nonnull(line);
                object = json_read(*line == '\xff' ? line + 1 : line);
                g_assert_cmpint(json_get_string(object, "execute", &command), ==, 0);
                g_assert_cmpint(json_get_i64(object, "id", &id), ==, 0);
                if (strcmp(command, "qmp_capabilities") == 0)
                        said = capabilities;
                for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
                        if (strcmp(answers[i].command, command) == 0)
                                said = answers[i].answer;
                g_assert_nonnull(said);
                answer = g_strdup_printf("{\"id\":%" G_GINT64_FORMAT ",%s}\n", id, said);
                peer_send(fixture->peer, answer);
                peer_settle(fixture->peer);
        }
}

#define ACCEPTED "\"return\":{}"
#define DONE_BEFORE "\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"done before\"}"

static int add(Fixture *fixture, const QemuHandover *handover) {
        _cleanup_error_ Error error = {};

        g_assert_cmpint(qemu_registered_check(fixture->registered, handover, &error), ==, 0);
        return qemu_registered_add(fixture->registered, handover, 0, on_done, fixture, &error);
}

/* Registers "alpha", and takes the descriptor away, as the end of a call does. */
static void register_alpha(Fixture *fixture, int pidfd, int agent) {
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);

        g_assert_cmpint(add(fixture, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = pidfd, .agent = agent }), ==, 0);
        g_assert_cmpuint(fixture->n_done, ==, 0);
        peer_send(fixture->peer, GREETING);
        answer_questions(fixture, ACCEPTED);
        g_assert_cmpuint(fixture->n_done, ==, 1);
        g_assert_cmpint(fixture->result, ==, 0);
        g_assert_true(fixture->domain == guests_first(fixture->guests));
        g_assert_cmpstr(fixture->domain->name, ==, "alpha");
        g_assert_cmpstr(fixture->domain->uuid, ==, UUID);
        g_assert_true(qemu_registered_has(fixture->registered, fixture->domain));
}

static void wait_gone(Fixture *fixture) {
        while (guests_first(fixture->guests))
                g_assert_cmpint(sd_event_run(fixture->peer->event, UINT64_MAX), >=, 0);
}

typedef struct Waiter {
        pid_t pid;
        int pidfd;
} Waiter;

/* A process that waits until it is killed, and what means it. Not every tool that we are
 * run under knows pidfd_open(2); a python that it does not look into does. */
static Waiter waiter_new(void) {
        Waiter waiter = { .pidfd = -1 };
        char control[CMSG_SPACE(sizeof(int))], byte;
        struct iovec iov = { &byte, 1 };
        struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
        g_autofree char *fd_text = NULL;
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
        fd_text = g_strdup_printf("%d", pair[1]);
        waiter.pid = fork();
        g_assert_cmpint(waiter.pid, >=, 0);
        if (waiter.pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) execlp("python3", "python3", "-c",
                              "import os, signal, socket, sys\n"
                              "with socket.socket(fileno=int(sys.argv[1])) as end:\n"
                              "    socket.send_fds(end, [b'x'], [os.pidfd_open(os.getpid())])\n"
                              "signal.alarm(600)\n"
                              "signal.pause()\n", fd_text, NULL);
                _exit(1);
        }
        (void) close(pair[1]);
        g_assert_cmpint(recvmsg(pair[0], &header, MSG_CMSG_CLOEXEC), ==, 1);
        g_assert_nonnull(CMSG_FIRSTHDR(&header));
        memcpy(&waiter.pidfd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof waiter.pidfd);
        (void) close(pair[0]);
        return waiter;
}

static void waiter_end(Waiter *waiter) {
        if (waiter->pid > 0) {
                g_assert_cmpint(kill(waiter->pid, SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(waiter->pid, NULL, 0), ==, waiter->pid);
        }
        waiter->pid = 0;
}

static void waiter_clear(Waiter *waiter) {
        waiter_end(waiter);
        closep(&waiter->pidfd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Waiter, waiter_clear)

static void guest_is_there_when_it_is_answered(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);

        register_alpha(fixture, -1, -1);
        g_assert_cmpint(fixture->domain->pid, ==, getpid());
        g_assert_false(fixture->domain->has_agent);
        g_assert_cmpuint(count_records(fixture), ==, 0);
}

static void guest_with_process_and_agent(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        g_auto(Waiter) waiter = waiter_new();
        int agent[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, agent), ==, 0);
        register_alpha(fixture, waiter.pidfd, agent[0]);
        g_assert_cmpint(fixture->domain->pid, ==, waiter.pid);
        g_assert_true(fixture->domain->has_agent);
        (void) close(agent[0]);
        (void) close(agent[1]);
}

static void silent_guest_is_there_too(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);

        g_assert_cmpint(add(fixture, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }), ==, 0);
        while (fixture->n_done == 0)
                g_assert_cmpint(sd_event_run(fixture->peer->event, UINT64_MAX), >=, 0);
        g_assert_cmpint(fixture->result, ==, 0);
        g_assert_cmpint(fixture->domain->state, ==, DOMAIN_UNKNOWN);
}

static void guest_ends_with_its_monitor(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);

        register_alpha(fixture, -1, -1);
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 1);
        g_assert_cmpuint(count_records(fixture), ==, 1);
        peer_hang_up(fixture->peer);
        wait_gone(fixture);
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
        g_assert_cmpuint(count_records(fixture), ==, 0);
        g_assert_cmpuint(fixture->n_done, ==, 1);
}

static void guest_ends_with_its_process(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        g_auto(Waiter) waiter = waiter_new();

        register_alpha(fixture, waiter.pidfd, -1);
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 2);
        waiter_end(&waiter);
        wait_gone(fixture);
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
        g_assert_cmpuint(count_records(fixture), ==, 0);
}

static void guest_that_ends_before_it_is_known_is_an_error(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);

        g_assert_cmpint(add(fixture, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }), ==, 0);
        peer_send(fixture->peer, GREETING "rubbish\n");
        while (fixture->n_done == 0)
                g_assert_cmpint(sd_event_run(fixture->peer->event, UINT64_MAX), >=, 0);
        g_assert_cmpint(fixture->result, ==, -EIO);
        g_assert_nonnull(strstr(fixture->message, "no JSON"));
        g_assert_null(fixture->domain);
        g_assert_null(guests_first(fixture->guests));
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
        g_assert_cmpuint(count_records(fixture), ==, 0);
        /* The name is free again. */
        g_assert_cmpint(qemu_registered_check(fixture->registered, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }, NULL), ==, 0);
}

static void stop_answers_who_waits(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);

        g_assert_cmpint(add(fixture, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }), ==, 0);
        service_stop(fixture);
        g_assert_cmpuint(fixture->n_done, ==, 1);
        g_assert_nonnull(strstr(fixture->message, "stops"));
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
}

static void guest_is_let_go(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        char *line;

        register_alpha(fixture, -1, -1);
        qemu_registered_remove(fixture->registered, fixture->domain);
        g_assert_null(guests_first(fixture->guests));
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
        g_assert_cmpuint(count_records(fixture), ==, 0);
        /* What it was asked before, and the end. */
        while ((line = peer_wait_line(fixture->peer)))
                g_free(line);
        g_assert_true(fixture->peer->ended);
}

/* Descriptors that are something else. */
static int open_file(void) {
        return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

static int open_pipe(void) {
        int pair[2];

        g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
        (void) close(pair[1]);
        return pair[0];
}

static int open_datagram(void) {
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        (void) close(pair[1]);
        return pair[0];
}

static int open_packets(void) {
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
        (void) close(pair[1]);
        return pair[0];
}

static int open_lonely(void) {
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int open_listening(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = open_lonely();

        /* A name that the kernel chooses. */
        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address.sun_family), ==, 0);
        g_assert_cmpint(listen(fd, 1), ==, 0);
        return fd;
}

static int open_inet(void) {
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int open_path(void) {
        return open("/", O_PATH | O_CLOEXEC);
}

static void descriptors_of_other_kinds_are_refused(void) {
        static const struct { int (*open)(void); const char *problem; } kinds[] = {
                { open_file, "no socket" },
                { open_pipe, "no socket" },
                { open_path, "no socket" },
                { open_datagram, "stream" },
                { open_packets, "stream" },
                { open_lonely, "not connected" },
                { open_listening, "listens" },
                { open_inet, "AF_UNIX" },
        };
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                _cleanup_close_ int fd = kinds[i].open();
                const QemuHandover handovers[] = {
                        { .name = "alpha", .qmp = fd, .pidfd = -1, .agent = -1 },
                        { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = fd },
                        { .name = "alpha", .qmp = qmp, .pidfd = fd, .agent = -1 },
                };
                const char *words[] = { "\"qmp\"", "\"agent\"", "\"pidfd\"" };

                g_assert_cmpint(fd, >=, 0);
                for (size_t j = 0; j < G_N_ELEMENTS(handovers); j++) {
                        _cleanup_error_ Error error = {};

                        g_assert_cmpint(qemu_registered_check(fixture->registered, handovers + j, &error), ==, -EINVAL);
                        g_assert_nonnull(strstr(error.message, words[j]));
                        if (j < 2)
                                g_assert_nonnull(strstr(error.message, kinds[i].problem));
                }
        }
}

static void one_socket_for_both_is_refused(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer), same = fcntl(qmp, F_DUPFD_CLOEXEC, 3);
        _cleanup_error_ Error error = {};

        g_assert_cmpint(qemu_registered_check(fixture->registered, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = same }, &error), ==, -EINVAL);
}

static void process_that_has_ended_is_refused(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);
        g_auto(Waiter) waiter = waiter_new();
        _cleanup_error_ Error error = {};

        waiter_end(&waiter);
        g_assert_cmpint(qemu_registered_check(fixture->registered, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = waiter.pidfd, .agent = -1 }, &error), ==, -ENOTCONN);
        g_assert_cmpint(error.code, ==, ERROR_NOT_RUNNING);
}

static void name_and_monitor_are_taken_once(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer), same = fcntl(qmp, F_DUPFD_CLOEXEC, 3);
        const QemuHandover again[] = {
                { .name = "alpha", .qmp = open_lonely(), .pidfd = -1, .agent = -1 },
                { .name = "beta", .qmp = same, .pidfd = -1, .agent = -1 },
        };
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
        g_assert_cmpint(dup2(pair[0], again[0].qmp), ==, again[0].qmp);
        g_assert_cmpint(add(fixture, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }), ==, 0);
        /* Before it is announced, and then. */
        for (unsigned i = 0; i < 2; i++) {
                for (size_t j = 0; j < G_N_ELEMENTS(again); j++) {
                        _cleanup_error_ Error error = {};

                        g_assert_cmpint(qemu_registered_check(fixture->registered, again + j, &error), ==, -EEXIST);
                        g_assert_nonnull(strstr(error.message, "alpha"));
                }
                if (i == 0) {
                        peer_send(fixture->peer, GREETING);
                        answer_questions(fixture, ACCEPTED);
                }
        }
        (void) close(again[0].qmp);
        (void) close(pair[0]);
        (void) close(pair[1]);
}

static void process_must_be_the_callers(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);
        g_auto(Waiter) waiter = waiter_new();
        uid_t ours = getuid(), other = ours + 4711;
        const QemuHandover handovers[] = {
                { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 },
                { .name = "alpha", .qmp = qmp, .pidfd = waiter.pidfd, .agent = -1 },
        };
        g_autofree char *our_text = g_strdup_printf("user %u,", ours), *other_text = g_strdup_printf("caller's, %u", other);

        for (size_t i = 0; i < G_N_ELEMENTS(handovers); i++) {
                _cleanup_error_ Error error = {}, again = {};

                g_assert_cmpint(qemu_registered_check_user(handovers + i, ours, NULL), ==, 0);
                g_assert_cmpint(qemu_registered_check_user(handovers + i, 0, NULL), ==, 0);
                g_assert_cmpint(qemu_registered_check_user(handovers + i, other, &error), ==, -EACCES);
                g_assert_nonnull(strstr(error.message, our_text));
                g_assert_nonnull(strstr(error.message, other_text));
                g_assert_cmpint(qemu_registered_add(fixture->registered, handovers + i, other, on_done, fixture, &again), ==, -EACCES);
        }
        peer_settle(fixture->peer);
        g_assert_cmpuint(fixture->n_done, ==, 0);
        waiter_end(&waiter);
        g_assert_cmpint(qemu_registered_check_user(handovers + 1, 0, NULL), ==, -ENOTCONN);
}

static void more_than_the_limit_is_refused(void) {
        g_autoptr(Fixture) fixture = fixture_new(false);
        _cleanup_close_ int qmp = peer_take_fd(fixture->peer);
        _cleanup_error_ Error error = {};

        for (unsigned i = 0; i < QEMU_REGISTERED_MAX; i++) {
                g_autofree char *name = g_strdup_printf("guest-%u", i);
                int pair[2];

                g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
                g_assert_cmpint(add(fixture, &(QemuHandover) { .name = name, .qmp = pair[0], .pidfd = -1, .agent = -1 }), ==, 0);
                (void) close(pair[0]);
                (void) close(pair[1]);
        }
        g_assert_cmpint(qemu_registered_check(fixture->registered, &(QemuHandover) { .name = "alpha", .qmp = qmp, .pidfd = -1, .agent = -1 }, &error), ==, -ENOSPC);
        g_assert_cmpint(error.code, ==, ERROR_RESOURCE_EXHAUSTED);
}

/* Ways in which an earlier service may have left the connection. */
static void guest_is_there_after_a_restart(void) {
        static const struct { const char *left, *capabilities; } rows[] = {
                { "", DONE_BEFORE },
                { "", ACCEPTED },
                { GREETING, ACCEPTED },
                { "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}\n", DONE_BEFORE },
                { "pus-fast\",\"id\":5}\n", DONE_BEFORE },
                { "\r\n", DONE_BEFORE },
                { "17}\r\n{\"return\":{\"UUID\":\"00000000-0000-0000-0000-00000000000f\"},\"id\":2}\r\n", DONE_BEFORE },
                { "[1]\n\xff\n{\"return\":{},\"id\":1}\n{\"error\":{\"class\":\"GenericError\",\"desc\":\"JSON parse error\"}}\n", DONE_BEFORE },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Fixture) fixture = fixture_new(true);
                g_auto(Waiter) waiter = waiter_new();
                int agent[2];

                g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, agent), ==, 0);
                register_alpha(fixture, waiter.pidfd, agent[0]);
                (void) close(agent[0]);
                systemd_read(fixture);
                g_assert_cmpuint(fixture->stored_fds->len, ==, 3);
                service_stop(fixture);
                systemd_read(fixture);
                g_assert_cmpuint(fixture->stored_fds->len, ==, 3);
                g_string_set_size(fixture->peer->input, 0);

                peer_send(fixture->peer, rows[i].left);
                service_start(fixture);
                answer_questions(fixture, rows[i].capabilities);
                fixture->domain = guests_first(fixture->guests);
                g_assert_cmpstr(fixture->domain->name, ==, "alpha");
                g_assert_cmpstr(fixture->domain->uuid, ==, UUID);
                g_assert_cmpint(fixture->domain->pid, ==, waiter.pid);
                g_assert_true(fixture->domain->has_agent);
                g_assert_true(qemu_registered_has(fixture->registered, fixture->domain));
                systemd_read(fixture);
                g_assert_cmpuint(fixture->stored_fds->len, ==, 3);

                /* It is watched as before. */
                waiter_end(&waiter);
                wait_gone(fixture);
                systemd_read(fixture);
                g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
                g_assert_cmpuint(count_records(fixture), ==, 0);
                (void) close(agent[1]);
        }
}

static void ids_of_the_earlier_service_are_not_ours(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        g_autofree char *line = NULL;
        _cleanup_json_ JsonObject *object = NULL;
        int64_t id;

        register_alpha(fixture, -1, -1);
        systemd_read(fixture);
        service_stop(fixture);
        g_string_set_size(fixture->peer->input, 0);
        service_start(fixture);
        line = peer_wait_line(fixture->peer);
        g_assert_true(*line == '\xff');
        object = json_read(line + 1);
        g_assert_cmpint(json_get_i64(object, "id", &id), ==, 0);
        /* The chance is one in 2^32. */
        g_assert_cmpint(id, >, 1 << 20);
        answer_questions(fixture, DONE_BEFORE);
}

static void guest_whose_process_ended_meanwhile_is_gone(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        g_auto(Waiter) waiter = waiter_new();

        register_alpha(fixture, waiter.pidfd, -1);
        systemd_read(fixture);
        service_stop(fixture);
        waiter_end(&waiter);
        service_start(fixture);
        peer_settle(fixture->peer);
        g_assert_null(guests_first(fixture->guests));
        systemd_read(fixture);
        g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
        g_assert_cmpuint(count_records(fixture), ==, 0);
}

/* Writes over the one record that there is; or renames it, if there is no text. */
static void spoil_record(const Fixture *fixture, const char *text) {
        g_autofree char *folder = g_build_filename(fixture->folder, "registered", NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        g_autofree char *path = g_build_filename(folder, g_dir_read_name(dir), NULL), *other = g_build_filename(folder, "0123456789abcdef0123456789abcdef", NULL);

        if (text)
                g_assert_true(g_file_set_contents(path, text, -1, NULL));
        else
                g_assert_cmpint(g_rename(path, other), ==, 0);
}

static void record_that_does_not_fit_is_removed(void) {
        g_autofree char *long_text = g_strnfill(5000, ' ');
        const char *const texts[] = {
                NULL,
                "",
                "{}",
                "[1]",
                "rubbish",
                "{\"version\":2,\"name\":\"alpha\",\"pid\":0,\"start_ticks\":0}",
                "{\"version\":1,\"name\":\"../alpha\",\"pid\":0,\"start_ticks\":0}",
                "{\"version\":1,\"name\":\"alpha\",\"pid\":-1,\"start_ticks\":0}",
                "{\"version\":1,\"name\":\"alpha\",\"pid\":4000000000,\"start_ticks\":0}",
                "{\"version\":1,\"name\":\"alpha\",\"pid\":1,\"start_ticks\":\"x\"}",
                long_text,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(Fixture) fixture = fixture_new(true);

                register_alpha(fixture, -1, -1);
                systemd_read(fixture);
                service_stop(fixture);
                spoil_record(fixture, texts[i]);
                service_start(fixture);
                peer_settle(fixture->peer);
                g_assert_null(guests_first(fixture->guests));
                systemd_read(fixture);
                g_assert_cmpuint(fixture->stored_fds->len, ==, 0);
                g_assert_cmpuint(count_records(fixture), ==, 0);
        }
}

/* The number is somebody else's by now. */
static void process_of_another_start_is_not_believed(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        g_autofree char *text = g_strdup_printf("{\"version\":1,\"name\":\"alpha\",\"pid\":%d,\"start_ticks\":1}", (int) getpid());

        register_alpha(fixture, -1, -1);
        systemd_read(fixture);
        service_stop(fixture);
        g_string_set_size(fixture->peer->input, 0);
        spoil_record(fixture, text);
        service_start(fixture);
        answer_questions(fixture, DONE_BEFORE);
        g_assert_cmpint(guests_first(fixture->guests)->pid, ==, 0);
}

static void strangers_in_the_store_are_closed(void) {
        g_autoptr(Fixture) fixture = fixture_new(true);
        const char *const names[] = { "stored", "reg-0123456789abcdef0123456789abcdef-qmp", "reg-x-qmp" };
        int fds[G_N_ELEMENTS(names)];

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                fds[i] = open_lonely();
        qemu_registered_restore(fixture->registered, fds, names, G_N_ELEMENTS(names));
        systemd_read(fixture);
        g_assert_cmpuint(fixture->told->len, ==, G_N_ELEMENTS(names));
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *removed = g_strdup_printf("- %s", names[i]);

                g_assert_cmpstr(g_ptr_array_index(fixture->told, i), ==, removed);
                g_assert_cmpint(fcntl(fds[i], F_GETFD), <, 0);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/registered/guest_is_there_when_it_is_answered", guest_is_there_when_it_is_answered);
        g_test_add_func("/registered/guest_with_process_and_agent", guest_with_process_and_agent);
        g_test_add_func("/registered/silent_guest_is_there_too", silent_guest_is_there_too);
        g_test_add_func("/registered/guest_ends_with_its_monitor", guest_ends_with_its_monitor);
        g_test_add_func("/registered/guest_ends_with_its_process", guest_ends_with_its_process);
        g_test_add_func("/registered/guest_that_ends_before_it_is_known_is_an_error", guest_that_ends_before_it_is_known_is_an_error);
        g_test_add_func("/registered/stop_answers_who_waits", stop_answers_who_waits);
        g_test_add_func("/registered/guest_is_let_go", guest_is_let_go);
        g_test_add_func("/registered/descriptors_of_other_kinds_are_refused", descriptors_of_other_kinds_are_refused);
        g_test_add_func("/registered/one_socket_for_both_is_refused", one_socket_for_both_is_refused);
        g_test_add_func("/registered/process_that_has_ended_is_refused", process_that_has_ended_is_refused);
        g_test_add_func("/registered/name_and_monitor_are_taken_once", name_and_monitor_are_taken_once);
        g_test_add_func("/registered/process_must_be_the_callers", process_must_be_the_callers);
        g_test_add_func("/registered/more_than_the_limit_is_refused", more_than_the_limit_is_refused);
        g_test_add_func("/registered/guest_is_there_after_a_restart", guest_is_there_after_a_restart);
        g_test_add_func("/registered/ids_of_the_earlier_service_are_not_ours", ids_of_the_earlier_service_are_not_ours);
        g_test_add_func("/registered/guest_whose_process_ended_meanwhile_is_gone", guest_whose_process_ended_meanwhile_is_gone);
        g_test_add_func("/registered/record_that_does_not_fit_is_removed", record_that_does_not_fit_is_removed);
        g_test_add_func("/registered/process_of_another_start_is_not_believed", process_of_another_start_is_not_believed);
        g_test_add_func("/registered/strangers_in_the_store_are_closed", strangers_in_the_store_are_closed);
        return g_test_run();
}
