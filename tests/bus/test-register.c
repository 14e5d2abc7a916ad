/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests that are handed over: real QEMUs whose monitor is one end of a pair of sockets,
 * and a systemd of which there is no more than its descriptor store. */

#include "harness.h"
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define DOMAIN "org.berth1.Domain"
#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"

/* A QEMU, and what is handed over of it. */
typedef struct Guest {
        GSubprocess *process;
        char *pid;
        int qmp, pidfd;
} Guest;

static void become(gpointer userdata) {
        const struct passwd *entry = userdata;

        if (setgroups(0, NULL) < 0 || setgid(entry->pw_gid) < 0 || setuid(entry->pw_uid) < 0)
                _exit(99);
}

/* "user" NULL is root. */
static Guest *guest_start(const char *user) {
        Guest *guest = g_new0(Guest, 1);
        g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
        g_autoptr(GError) error = NULL;
        int pair[2];

        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        guest->qmp = pair[0];
        g_subprocess_launcher_take_fd(launcher, pair[1], 9);
        if (user)
                g_subprocess_launcher_set_child_setup(launcher, become, getpwnam(user), NULL);
        guest->process = g_subprocess_launcher_spawn(launcher, &error,
                                                     "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-S", "-nodefaults", "-display", "none",
                                                     "-m", "16", "-smp", "1,maxcpus=2", "-uuid", QEMU_UUID,
                                                     "-chardev", "socket,id=monitor,fd=9", "-mon", "chardev=monitor,mode=control", NULL);
        g_assert_no_error(error);
        guest->pid = g_strdup(g_subprocess_get_identifier(guest->process));
        guest->pidfd = (int) syscall(SYS_pidfd_open, (pid_t) g_ascii_strtoll(guest->pid, NULL, 10), 0);
        g_assert_cmpint(guest->pidfd, >=, 0);
        return guest;
}

static void guest_kill(Guest *guest) {
        qemu_kill(guest->process);
        (void) close(guest->qmp);
        (void) close(guest->pidfd);
        g_free(guest->pid);
        g_free(guest);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_kill)

/* Options as text, with descriptors by their number in the list: 0 is "qmp". */
static GVariant *register_with(GDBusConnection *bus, const char *name, const char *options, const char *flags, const int *fds, int n, GError **error) {
        g_autoptr(GUnixFDList) list = g_unix_fd_list_new();
        g_autoptr(GVariant) parsed = NULL;
        g_autofree char *text = g_strdup_printf("(%%s, handle 0, @a{sv} %s, @as %s)", options, flags);

        for (int i = 0; i < n; i++)
                g_assert_cmpint(g_unix_fd_list_append(list, fds[i], NULL), ==, i);
        parsed = g_variant_ref_sink(g_variant_new_parsed(text, name));
        return g_dbus_connection_call_with_unix_fd_list_sync(bus, BUS_NAME, ROOT_PATH, MANAGER, "RegisterDomain", parsed, G_VARIANT_TYPE("(o)"),
                                                             G_DBUS_CALL_FLAGS_NONE, 60000, list, NULL, NULL, error);
}

static void assert_refused(GDBusConnection *bus, const char *name, const char *options, const int *fds, int n, const char *error_name, const char *const *parts) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = register_with(bus, name, options, "[]", fds, n, &error);
        g_autofree char *remote = NULL;

        if (reply)
                g_error("\"%s\" with %s was not refused", name, options);
        remote = g_dbus_error_get_remote_error(error);
        if (g_strcmp0(remote, error_name) != 0)
                g_error("\"%s\" with %s was refused with \"%s\", not with %s", name, options, error->message, error_name);
        assert_says(error->message, parts);
}

static char *register_guest(GDBusConnection *bus, const char *name, const Guest *guest) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = register_with(bus, name, "{'pidfd': <handle 1>}", "[]", (int[]) { guest->qmp, guest->pidfd }, 2, &error);
        char *path;

        g_assert_no_error(error);
        g_variant_get(reply, "(o)", &path);
        return path;
}

static char *get_all(GDBusConnection *bus, const char *path) {
        g_autoptr(GVariant) reply = call(bus, path, "org.freedesktop.DBus.Properties", "GetAll", g_variant_new("(s)", DOMAIN), "(a{sv})");

        return g_variant_print(reply, FALSE);
}

/* Until the properties of a guest say all of "parts". */
static void wait_says(GDBusConnection *bus, const char *path, const char *const *parts) {
        for (;;) {
                g_autofree char *text = get_all(bus, path);
                gboolean all = TRUE;

                for (size_t i = 0; parts[i]; i++)
                        all = all && strstr(text, parts[i]);
                if (all)
                        return;
                g_main_context_iteration(NULL, TRUE);
        }
}

static void registered_guest_is_one_like_others(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(Guest) guest = guest_start(NULL);
        g_autofree char *path = register_guest(service->bus, "alpha", guest), *pid = g_strdup_printf("'Pid': <uint32 %s>", guest->pid);

        g_assert_cmpstr(path, ==, DOMAINS "alpha");
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "alpha'");
        wait_for_vcpus(service, path, 1);
        wait_says(service->bus, path, PARTS("'Name': <'alpha'>", "'Uuid': <'" QEMU_UUID "'>", "'State': <'paused'>", pid, "'Warnings': <@aa{sv} []>", "'pin'"));

        assert_refused(service->bus, "alpha", "{}", (int[]) { guest->qmp }, 1, "org.berth1.Error.AlreadyExists", PARTS("alpha"));
        assert_refused(service->bus, "beta", "{}", (int[]) { guest->qmp }, 1, "org.berth1.Error.AlreadyExists", PARTS("alpha"));
        g_subprocess_send_signal(guest->process, SIGKILL);
        signals_wait(signals, "InterfacesRemoved");
}

static void unregistered_guest_runs_on(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(Guest) guest = guest_start(NULL);
        g_autofree char *path = register_guest(service->bus, "alpha", guest), *again = NULL;
        const char *dry_run[] = { "dry-run", NULL };

        g_variant_unref(call(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", path, dry_run), "()"));
        g_free(get_all(service->bus, path));
        g_variant_unref(call(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", path, dry_run + 1), "()"));
        signals_wait(signals, "InterfacesRemoved");
        call_refused(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", path, dry_run + 1), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", PARTS("alpha"));
        g_assert_no_errno(kill((pid_t) g_ascii_strtoll(guest->pid, NULL, 10), 0));

        /* Its monitor has greeted already, and is silent now. */
        again = register_guest(service->bus, "alpha", guest);
        g_assert_cmpstr(again, ==, path);
}

static void guest_of_a_folder_cannot_be_unregistered(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        GSubprocess *qemu = qemu_start(service->folder, "alpha");
        g_autoptr(Guest) guest = guest_start(NULL);

        signals_wait(signals, "InterfacesAdded");
        call_refused(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", DOMAINS "alpha", (const char *[]) { NULL }),
                     G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NotSupported", PARTS("alpha"));
        call_refused(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", HOST_PATH, (const char *[]) { NULL }),
                     G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", PARTS(HOST_PATH));
        assert_refused(service->bus, "alpha", "{}", (int[]) { guest->qmp }, 1, "org.berth1.Error.AlreadyExists", PARTS("alpha"));
        qemu_kill(qemu);
        signals_wait(signals, "InterfacesRemoved");
}

static void garbage_is_refused(void) {
        static const char *const names[] = { "", ".", "..", "../x", "a/b", "a\nb" };
        static const struct { const char *options, *part; } options[] = {
                { "{'pidfd': <handle 0>}", "pidfd" },
                { "{'pidfd': <1>}", "(h)" },
                { "{'agent': <'x'>}", "(h)" },
                { "{'agent': <[handle 0]>}", "(h)" },
                { "{'agent': <<handle 0>>}", "(h)" },
                { "{'agent': <handle 0>}", "same" },
                { "{'agent': <handle 1>}", "agent" },
                { "{'pid': <handle 0>}", "\"pid\"" },
                { "{'': <handle 0>}", "\"\"" },
                { "{'pidfd': <handle 2>, 'pidfd': <handle 2>}", "twice" },
        };
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(Guest) guest = guest_start(NULL);
        g_autofree char *longest = g_strnfill(300, 'x');
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        const int fds[] = { guest->qmp, file, guest->pidfd };
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                assert_refused(service->bus, names[i], "{}", fds, 3, INVALID_ARGS, PARTS("name"));
        assert_refused(service->bus, longest, "{}", fds, 3, INVALID_ARGS, PARTS("name"));
        for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
                assert_refused(service->bus, "alpha", options[i].options, fds, 3, INVALID_ARGS, PARTS(options[i].part));
        assert_refused(service->bus, "alpha", "{}", fds + 1, 1, INVALID_ARGS, PARTS("\"qmp\"", "no socket"));

        /* And what is said to be done is not. */
        reply = register_with(service->bus, "alpha", "{'pidfd': <handle 2>}", "['dry-run']", fds, 3, &error);
        g_assert_no_error(error);
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "alpha"), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", NULL);
        g_free(register_guest(service->bus, "alpha", guest));
        signals_wait(signals, "InterfacesAdded");
        g_assert_cmpuint(signals_count(signals, "InterfacesAdded"), ==, 1);
        (void) close(file);
}

static void monitor_that_hangs_up_is_an_error(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        int pair[2];

        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        (void) close(pair[1]);
        assert_refused(service->bus, "alpha", "{}", pair, 1, "org.berth1.Error.BackendFailed", PARTS("closed the connection"));
        (void) close(pair[0]);
}

static void process_has_to_be_the_callers(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) allowed = bus_connect(ALLOWED_USER), refused = bus_connect(REFUSED_USER);
        g_autoptr(Guest) roots = guest_start(NULL), own = guest_start(ALLOWED_USER);
        g_autofree char *uid = g_strdup_printf("%u", getpwnam(ALLOWED_USER)->pw_uid), *path = NULL, *pid = g_strdup_printf("'Pid': <uint32 %s>", own->pid);

        assert_refused(allowed, "mine", "{'pidfd': <handle 1>}", (int[]) { roots->qmp, roots->pidfd }, 2, ACCESS_DENIED, PARTS(roots->pid, "user 0", uid));
        /* We have made both ends, and we are root. */
        assert_refused(allowed, "mine", "{}", (int[]) { own->qmp }, 1, ACCESS_DENIED, PARTS("user 0", uid));
        /* polkit decides too, for the name. */
        assert_refused(allowed, "other", "{'pidfd': <handle 1>}", (int[]) { own->qmp, own->pidfd }, 2, ACCESS_DENIED, NULL);
        assert_refused(refused, "mine", "{'pidfd': <handle 1>}", (int[]) { own->qmp, own->pidfd }, 2, ACCESS_DENIED, NULL);
        /* Nobody is asked about nonsense. */
        assert_refused(refused, "..", "{}", (int[]) { own->qmp }, 1, INVALID_ARGS, PARTS("name"));

        path = register_guest(allowed, "mine", own);
        wait_for_vcpus(service, path, 1);
        wait_says(service->bus, path, PARTS(pid, "'Warnings': <@aa{sv} []>", "'pin'"));
}

/* systemd's descriptor store. */
typedef struct Store {
        char *folder;
        char *launcher;                 /* the program that a start is */
        int notify;
        int listening;
        GPtrArray *names;
        GArray *fds;
} Store;

/* What systemd does for a service: descriptors from 3 on, their names, whom they are for. */
static const char launcher_text[] =
        "#!/usr/bin/env python3\n"
        "import os, socket, sys\n"
        "with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as store:\n"
        "    store.connect(os.environ['BERTH_TEST_STORE'])\n"
        "    names, fds, _, _ = socket.recv_fds(store, 4096, 16)\n"
        "fds = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]\n"
        "for i, fd in enumerate(fds):\n"
        "    os.dup2(fd, 3 + i)\n"
        "    os.close(fd)\n"
        "if fds:\n"
        "    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names.decode().strip())\n"
        "os.execv(os.environ['BERTHD'], [os.environ['BERTHD']] + sys.argv[1:])\n";

static int bind_socket(const char *path, int type) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        g_assert_cmpuint(g_strlcpy(address.sun_path, path, sizeof address.sun_path), <, sizeof address.sun_path);
        g_assert_no_errno(bind(fd, (struct sockaddr *) &address, sizeof address));
        return fd;
}

static Store *store_new(void) {
        Store *store = g_new0(Store, 1);
        g_autoptr(GError) error = NULL;
        g_autofree char *notify = NULL, *listening = NULL;

        store->folder = g_dir_make_tmp("berth-store-XXXXXX", &error);
        g_assert_no_error(error);
        store->launcher = g_build_filename(store->folder, "launcher", NULL);
        g_file_set_contents_full(store->launcher, launcher_text, -1, G_FILE_SET_CONTENTS_NONE, 0755, &error);
        g_assert_no_error(error);
        notify = g_build_filename(store->folder, "notify", NULL);
        store->notify = bind_socket(notify, SOCK_DGRAM);
        listening = g_build_filename(store->folder, "store", NULL);
        store->listening = bind_socket(listening, SOCK_STREAM);
        g_assert_no_errno(listen(store->listening, 1));
        store->names = g_ptr_array_new_with_free_func(g_free);
        store->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_setenv("NOTIFY_SOCKET", notify, TRUE);
        g_setenv("BERTH_TEST_STORE", listening, TRUE);
        return store;
}

static void store_free(Store *store) {
        for (guint i = 0; i < store->fds->len; i++)
                (void) close(g_array_index(store->fds, int, i));
        (void) close(store->notify);
        (void) close(store->listening);
        host_remove(store->folder, "");
        g_ptr_array_unref(store->names);
        g_array_unref(store->fds);
        g_free(store->launcher);
        g_free(store->folder);
        g_free(store);
        g_unsetenv("NOTIFY_SOCKET");
        g_unsetenv("BERTH_TEST_STORE");
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* What the service said before it answered us is here. */
static void store_read(Store *store) {
        for (;;) {
                char text[512], control[CMSG_SPACE(sizeof(int))];
                struct iovec iov = { text, sizeof text - 1 };
                struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
                ssize_t n = recvmsg(store->notify, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
                const char *name;
                guint i;

                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        return;
                }
                text[n] = 0;
                name = strstr(text, "FDNAME=");
                if (!name)
                        continue;
                name += strlen("FDNAME=");
                if (g_str_has_prefix(text, "FDSTORE=1\n")) {
                        g_assert_nonnull(CMSG_FIRSTHDR(&header));
                        g_array_append_vals(store->fds, CMSG_DATA(CMSG_FIRSTHDR(&header)), 1);
                        g_ptr_array_add(store->names, g_strdup(name));
                } else if (g_ptr_array_find_with_equal_func(store->names, name, g_str_equal, &i)) {
                        (void) close(g_array_index(store->fds, int, i));
                        g_array_remove_index(store->fds, i);
                        g_ptr_array_remove_index(store->names, i);
                }
        }
}

/* Hands all to the one that asks. */
static gpointer store_serve(gpointer userdata) {
        Store *store = userdata;
        g_autoptr(GString) names = g_string_new(NULL);
        char control[CMSG_SPACE(16 * sizeof(int))] = {};
        struct iovec iov;
        struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
        int fd = accept4(store->listening, NULL, NULL, SOCK_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        for (guint i = 0; i < store->names->len; i++)
                g_string_append_printf(names, "%s%s", i > 0 ? ":" : "", (const char *) g_ptr_array_index(store->names, i));
        g_string_append_c(names, '\n');
        iov = (struct iovec) { names->str, names->len };
        if (store->fds->len > 0) {
                size_t size = store->fds->len * sizeof(int);
                struct cmsghdr *fds;

                header.msg_control = control;
                header.msg_controllen = CMSG_SPACE(size);
                fds = CMSG_FIRSTHDR(&header);
                *fds = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size) };
                memcpy(CMSG_DATA(fds), store->fds->data, size);
        }
        g_assert_cmpint(sendmsg(fd, &header, 0), ==, (ssize_t) names->len);
        (void) close(fd);
        return NULL;
}

static Service *store_start_service(Store *store) {
        g_autofree char *option = g_strdup_printf("--runtime-dir=%s/run", store->folder);
        GThread *thread = g_thread_new("store", store_serve, store);
        /* The later option holds. */
        Service *service = service_start(store->launcher, host_make(), (const char *[]) { option, NULL });

        g_thread_join(thread);
        return service;
}

static guint count_records(const Store *store) {
        g_autofree char *path = g_build_filename(store->folder, "run", "registered", NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        guint n = 0;

        while (dir && g_dir_read_name(dir))
                n++;
        return n;
}

static void registered_guest_stays_while_the_service_restarts(void) {
        g_autoptr(Store) store = store_new();
        g_autoptr(Guest) guest = guest_start(NULL);
        g_autofree char *pid = g_strdup_printf("'Pid': <uint32 %s>", guest->pid);
        const char *none[] = { NULL };

        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(Service) service = store_start_service(store);
                g_autoptr(Signals) signals = signals_record(service->bus);

                if (i == 0)
                        g_free(register_guest(service->bus, "alpha", guest));
                else {
                        g_autoptr(GVariant) reply = g_dbus_connection_call_sync(service->bus, BUS_NAME, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "alpha"),
                                                                                NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, NULL);

                        /* It may have been there before anybody listened. */
                        if (!reply)
                                signals_wait(signals, "InterfacesAdded ('" DOMAINS "alpha'");
                }
                wait_for_vcpus(service, DOMAINS "alpha", 1);
                wait_says(service->bus, DOMAINS "alpha", PARTS("'Uuid': <'" QEMU_UUID "'>", "'State': <'paused'>", pid, "'Warnings': <@aa{sv} []>", "'pin'"));
                store_read(store);
                g_assert_cmpuint(store->fds->len, ==, 2);
                g_assert_cmpuint(count_records(store), ==, 1);
                if (i < 2)
                        continue;

                g_variant_unref(call(service->bus, ROOT_PATH, MANAGER, "UnregisterDomain", g_variant_new("(o^as)", DOMAINS "alpha", none), "()"));
                store_read(store);
                g_assert_cmpuint(store->fds->len, ==, 0);
                g_assert_cmpuint(count_records(store), ==, 0);
        }
}

static void guest_that_ended_meanwhile_is_forgotten(void) {
        g_autoptr(Store) store = store_new();
        Guest *guest = guest_start(NULL);
        Service *service = store_start_service(store);

        g_free(register_guest(service->bus, "alpha", guest));
        service_stop(service);
        guest_kill(guest);
        store_read(store);
        g_assert_cmpuint(store->fds->len, ==, 2);

        service = store_start_service(store);
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "alpha"), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", NULL);
        store_read(store);
        g_assert_cmpuint(store->fds->len, ==, 0);
        g_assert_cmpuint(count_records(store), ==, 0);
        service_stop(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/register/registered_guest_is_one_like_others", registered_guest_is_one_like_others);
        g_test_add_func("/register/unregistered_guest_runs_on", unregistered_guest_runs_on);
        g_test_add_func("/register/guest_of_a_folder_cannot_be_unregistered", guest_of_a_folder_cannot_be_unregistered);
        g_test_add_func("/register/garbage_is_refused", garbage_is_refused);
        g_test_add_func("/register/monitor_that_hangs_up_is_an_error", monitor_that_hangs_up_is_an_error);
        g_test_add_func("/register/process_has_to_be_the_callers", process_has_to_be_the_callers);
        g_test_add_func("/register/registered_guest_stays_while_the_service_restarts", registered_guest_stays_while_the_service_restarts);
        g_test_add_func("/register/guest_that_ended_meanwhile_is_forgotten", guest_that_ended_meanwhile_is_forgotten);
        return g_test_run();
}
