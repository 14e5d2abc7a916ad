/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A descriptor has no name that it could be opened by again, so a guest that was handed
 * over is gone with this service, unless somebody else holds the descriptor
 * meanwhile. systemd does: what it is sent with FDSTORE=1 it hands to the next start of
 * this service, under the name that we gave it.
 *
 * For each guest there is a random id, descriptors called reg-<id>-qmp, -pidfd and
 * -agent, and a record <runtime-dir>/registered/<id> with its name and process, written
 * before the descriptors are stored. The next start takes what has both; one
 * without the other is left over from a crash, and is removed. A process is the same if
 * its start time is: the number alone may be somebody else's by then.
 *
 * systemd itself drops a descriptor whose other end has hung up; all others are dropped
 * by us when their guest ends. Without systemd nothing is stored, and nothing recorded.
 *
 * Who handed over a monitor could do with it all that we do. What he could not do is bind
 * the threads of others to CPUs, with our rights: hence the process must be
 * his, and must be that of the threads that the monitor names (guest.c). */

#include "guest/qemu/registered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "guest/name.h"
#include "lib/log.h"
#include "lib/sysfs.h"

#define RECORD_VERSION 1
#define RECORD_MAX 4096u
#define ID_LENGTH 32u

typedef enum Kind {
        KIND_QMP,
        KIND_PIDFD,
        KIND_AGENT,
        _KIND_MAX,
} Kind;

static const char *const kind_names[_KIND_MAX] = {
        [KIND_QMP] = "qmp",
        [KIND_PIDFD] = "pidfd",
        [KIND_AGENT] = "agent",
};

/* The name of a descriptor in the store. */
typedef struct StoreName {
        char text[sizeof "reg--pidfd" + ID_LENGTH];
} StoreName;

typedef struct Registration {
        QemuRegistered *registered;
        struct Registration *next;
        char id[ID_LENGTH + 1];
        QemuGuest *guest;
        ino_t monitor;                  /* which socket it is */
        int pidfd;                      /* -1 if none was handed over */
        sd_event_source *pidfd_source;
        bool recorded;
        QemuRegisteredDone done;        /* NULL when it was called, or nobody waits */
        void *userdata;
} Registration;

struct QemuRegistered {
        Guests *guests;
        char *folder;
        Registration *first;
        size_t n;
};

static StoreName store_name(const char *id, Kind kind) {
        StoreName name;

        (void) snprintf(name.text, sizeof name.text, "reg-%s-%s", id, kind_names[kind]);
        return name;
}

static bool store_is_there(void) {
        return getenv("NOTIFY_SOCKET");
}

static void store_remove(const char *name) {
        if (store_is_there())
                (void) sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* What is there of a guest in the store and in the runtime folder. */
static void forget(const QemuRegistered *registered, const char *id) {
        _cleanup_free_ char *path = NULL;

        for (Kind kind = 0; kind < _KIND_MAX; kind++)
                store_remove(store_name(id, kind).text);
        if (asprintf(&path, "%s/%s", registered->folder, id) < 0)
                path = NULL;
        else if (unlink(path) < 0 && errno != ENOENT)
                log_warning("The record of a guest that was registered cannot be removed: %s: %s", path, strerror(errno));
}

static Registration *registration_free(Registration *registration) {
        QemuRegistered *registered = registration->registered;

        for (Registration **at = &registered->first; *at; at = &(*at)->next)
                if (*at == registration) {
                        *at = registration->next;
                        registered->n--;
                        break;
                }
        (void) sd_event_source_disable_unref(registration->pidfd_source);
        if (registration->pidfd >= 0)
                (void) close(registration->pidfd);
        qemu_guest_free(registration->guest);
        free(registration);
        return NULL;
}
DEFINE_CLEANUP(Registration *, registration_free)

/* For good. Who waits for it hears why. */
static void registration_end(Registration *registration, const char *reason) {
        QemuRegisteredDone done = registration->done;
        void *userdata = registration->userdata;
        _cleanup_error_ Error error = {};
        int r;

        if (registration->recorded)
                forget(registration->registered, registration->id);
        registration_free(registration);
        if (!done)
                return;
        r = error_set(&error, ERROR_BACKEND_FAILED, "the guest ended before it was known: %s", reason);
        done(r, &error, NULL, userdata);
}

static void on_ended(QemuGuest *guest, const char *reason, void *userdata) {
        registration_end(userdata, reason);
}

static void on_announced(QemuGuest *guest, void *userdata) {
        Registration *registration = userdata;
        QemuRegisteredDone done = registration->done;

        registration->done = NULL;
        if (done)
                done(0, NULL, qemu_guest_domain(guest), registration->userdata);
}

static int on_process_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Registration *registration = userdata;

        log_info("The process of %s has ended", qemu_guest_domain(registration->guest)->name);
        registration_end(registration, "its process has ended");
        return 0;
}

/* The id of the process that a pidfd means.
 * Source: Pid in /proc/self/fdinfo/N; -1 when it was waited for.
 * Errors: InvalidArgs for what is no pidfd, NotRunning if it has ended. */
static int pidfd_read_pid(int pidfd, pid_t *ret, Error *error) {
        char path[sizeof "2147483647"], text[2048];
        _cleanup_close_ int folder = -1;
        const char *line;
        long pid;
        ssize_t n;

        folder = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        (void) snprintf(path, sizeof path, "%i", pidfd);
        n = sysfs_read(folder, path, text, sizeof text);
        if (n < 0 && n != -EFBIG)
                return (int) n;
        line = n < 0 ? NULL : strstr(text, "\nPid:");
        if (!line || sscanf(line, "\nPid: %ld", &pid) != 1)
                return error_set(error, ERROR_INVALID_ARGS, "\"pidfd\" is no descriptor of a process, as pidfd_open(2) makes it");
        if (pid == 0)
                return error_set(error, ERROR_INVALID_ARGS, "\"pidfd\" is of a process that cannot be seen from here");
        if (pid < 0)
                return error_set(error, ERROR_NOT_RUNNING, "the process that \"pidfd\" means has ended");
        *ret = (pid_t) pid;
        return 0;
}

static int get_option(int fd, int option) {
        int value;
        socklen_t length = sizeof value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -errno : value;
}

static int check_socket(const char *what, int fd, struct stat *ret, Error *error) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        const char *problem = NULL;
        int family = get_option(fd, SO_DOMAIN);

        if (family < 0)
                problem = "is no socket";
        else if (family != AF_UNIX)
                problem = "is a socket of another family than AF_UNIX";
        else if (get_option(fd, SO_TYPE) != SOCK_STREAM)
                problem = "is no socket for a stream";
        else if (get_option(fd, SO_ACCEPTCONN) != 0)
                problem = "is a socket that listens, and not connected itself";
        else if (getpeername(fd, (struct sockaddr *) &address, &length) < 0)
                problem = "is a socket that is not connected";
        if (problem)
                return error_set(error, ERROR_INVALID_ARGS, "\"%s\" %s; it has to be a connected stream socket", what, problem);
        return fstat(fd, ret) < 0 ? -errno : 0;
}

int qemu_registered_check(const QemuRegistered *registered, const QemuHandover *handover, Error *error) {
        struct stat monitor, agent;
        pid_t pid;
        int r;

        for (const Domain *domain = guests_first(registered->guests); domain; domain = domain->next)
                if (domain_is_running(domain) && strcmp(domain->name, handover->name) == 0)
                        return error_set(error, ERROR_ALREADY_EXISTS, "a guest with the name %s runs already", handover->name);
        r = check_socket("qmp", handover->qmp, &monitor, error);
        if (r >= 0 && handover->agent >= 0)
                r = check_socket("agent", handover->agent, &agent, error);
        if (r >= 0 && handover->agent >= 0 && agent.st_ino == monitor.st_ino)
                r = error_set(error, ERROR_INVALID_ARGS, "\"agent\" is the same socket as \"qmp\"");
        if (r >= 0 && handover->pidfd >= 0)
                r = pidfd_read_pid(handover->pidfd, &pid, error);
        if (r < 0)
                return r;
        for (const Registration *other = registered->first; other; other = other->next) {
                const char *name = qemu_guest_domain(other->guest)->name;

                /* One that is not announced yet is in no list. */
                if (strcmp(name, handover->name) == 0)
                        return error_set(error, ERROR_ALREADY_EXISTS, "a guest with the name %s is registered already", name);
                if (other->monitor == monitor.st_ino)
                        return error_set(error, ERROR_ALREADY_EXISTS, "this monitor is registered already, as that of %s", name);
        }
        if (registered->n >= QEMU_REGISTERED_MAX)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%zu guests are registered; more cannot be", registered->n);
        return 0;
}

/* The process that "pidfd" means, held; then it is looked whether that still means it: if so,
 * it did all the time between, and nobody else had its number. */
static int open_by_pidfd(int pidfd, Process **ret, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;
        pid_t pid, again;
        int r;

        r = pidfd_read_pid(pidfd, &pid, error);
        if (r >= 0)
                r = process_open(pid, &process, error);
        if (r >= 0)
                r = pidfd_read_pid(pidfd, &again, error);
        if (r < 0)
                return r;
        if (again != pid)
                return error_set(error, ERROR_NOT_RUNNING, "process %i has ended", (int) pid);
        *ret = TAKE_PTR(process);
        return 0;
}

/* NULL, for root alone, if nobody can tell. */
static int open_process(const QemuHandover *handover, uid_t uid, Process **ret, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;
        uid_t owner;
        int r;

        if (handover->pidfd >= 0) {
                r = open_by_pidfd(handover->pidfd, &process, error);
                if (r < 0)
                        return r;
        } else {
                r = process_open_peer(handover->qmp, &process, NULL);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 && uid != 0)
                        return error_set(error, ERROR_ACCESS_DENIED, "the process that made \"qmp\" is gone, so it is not known to be one of user %u; \"pidfd\" may name the guest's", uid);
        }

        if (uid != 0) {
                r = process_owner(process, &owner);
                if (r < 0)
                        return error_set(error, ERROR_NOT_RUNNING, "process %i has ended", (int) process->pid);
                if (owner != uid)
                        return error_set(error, ERROR_ACCESS_DENIED, "process %i is one of user %u, and not of the caller's, %u", (int) process->pid, owner, uid);
        }
        *ret = TAKE_PTR(process);
        return 0;
}

int qemu_registered_check_user(const QemuHandover *handover, uid_t uid, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;

        return open_process(handover, uid, &process, error);
}

static int write_file(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        size_t length = strlen(text);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, length);
        return n < 0 ? -errno : (size_t) n < length ? -ENOSPC : 0;
}

/* The folder is memory, and nobody waits for a disk. */
static int record_write(const Registration *registration, const Domain *domain, const Process *process) {
        _cleanup_free_ char *path = NULL, *new_path = NULL;
        _cleanup_json_ JsonObject *object = NULL;
        const char *folder = registration->registered->folder;
        int r;

        if (asprintf(&path, "%s/%s", folder, registration->id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (asprintf(&new_path, "%s.new", path) < 0) {
                new_path = NULL;
                return -ENOMEM;
        }
        object = json_object_new_object();
        if (!object)
                return -ENOMEM;
        r = json_add_i64(object, "version", RECORD_VERSION);
        if (r >= 0)
                r = json_add_string(object, "name", domain->name);
        if (r >= 0)
                r = json_add_i64(object, "pid", process ? process->pid : 0);
        if (r >= 0)
                r = json_add_i64(object, "start_ticks", process ? (int64_t) process->start_ticks : 0);
        if (r < 0)
                return r;

        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                return -errno;
        r = write_file(new_path, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
        if (r >= 0 && rename(new_path, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(new_path);
        return r;
}

static int store(const char *id, Kind kind, int fd) {
        StoreName name = store_name(id, kind);
        _cleanup_free_ char *text = NULL;
        int r;

        if (fd < 0)
                return 0;
        if (asprintf(&text, "FDSTORE=1\nFDNAME=%s", name.text) < 0) {
                text = NULL;
                return -ENOMEM;
        }
        r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
        return r < 0 ? r : 0;
}

/* A guest that cannot be kept is followed all the same. */
static void keep(Registration *registration, const QemuHandover *handover, const Process *process) {
        const Domain *domain = qemu_guest_domain(registration->guest);
        int r;

        if (!store_is_there())
                return;
        r = record_write(registration, domain, process);
        registration->recorded = r >= 0;
        if (r >= 0)
                r = store(registration->id, KIND_QMP, handover->qmp);
        if (r >= 0)
                r = store(registration->id, KIND_PIDFD, handover->pidfd);
        if (r >= 0)
                r = store(registration->id, KIND_AGENT, handover->agent);
        if (r >= 0)
                return;
        log_warning("The guest %s will not be known any more when this service is restarted: %s", domain->name, strerror(-r));
        if (registration->recorded)
                forget(registration->registered, registration->id);
        registration->recorded = false;
}

/* All three descriptors are taken over, also on failure, and the process. */
static int follow(QemuRegistered *registered, const char *name, int qmp, int pidfd, int agent, Process *taken, Registration **ret) {
        _cleanup_(process_freep) Process *process = taken;
        _cleanup_close_ int qmp_fd = qmp, agent_fd = agent;
        _cleanup_(registration_freep) Registration *registration = NULL;
        pid_t pid = process ? process->pid : 0;
        struct stat st;
        int r;

        registration = calloc(1, sizeof *registration);
        if (!registration) {
                closep(&pidfd);
                return -ENOMEM;
        }
        registration->registered = registered;
        registration->pidfd = pidfd;
        if (fstat(qmp_fd, &st) < 0)
                return -errno;
        registration->monitor = st.st_ino;
        r = qemu_guest_new(registered->guests, name, TAKE_FD(qmp_fd), pid, TAKE_PTR(process), NULL, on_ended, registration, &registration->guest);
        if (r >= 0 && pidfd >= 0)
                r = sd_event_add_io(guests_event(registered->guests), &registration->pidfd_source, pidfd, EPOLLIN, on_process_ended, registration);
        if (r < 0)
                return r;
        if (agent_fd >= 0)
                qemu_guest_take_agent(registration->guest, TAKE_FD(agent_fd));
        qemu_guest_when_announced(registration->guest, on_announced, registration);

        registration->next = registered->first;
        registered->first = registration;
        registered->n++;
        *ret = TAKE_PTR(registration);
        return 0;
}

static int duplicate(int fd, int *ret) {
        if (fd < 0)
                return 0;
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

int qemu_registered_add(QemuRegistered *registered, const QemuHandover *handover, uid_t uid,
                        QemuRegisteredDone done, void *userdata, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_close_ int qmp = -1, pidfd = -1, agent = -1;
        Registration *registration;
        sd_id128_t id;
        const Process *kept;
        int r;

        r = open_process(handover, uid, &process, error);
        if (r >= 0)
                r = duplicate(handover->qmp, &qmp);
        if (r >= 0)
                r = duplicate(handover->pidfd, &pidfd);
        if (r >= 0)
                r = duplicate(handover->agent, &agent);
        if (r >= 0)
                r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        kept = process;         /* the guest's, which lives until the loop runs again */
        r = follow(registered, handover->name, TAKE_FD(qmp), TAKE_FD(pidfd), TAKE_FD(agent), TAKE_PTR(process), &registration);
        if (r < 0)
                return r;
        (void) sd_id128_to_string(id, registration->id);
        registration->done = done;
        registration->userdata = userdata;
        keep(registration, handover, kept);
        return 0;
}

static Registration *find(const QemuRegistered *registered, const Domain *domain) {
        for (Registration *registration = registered->first; registration; registration = registration->next)
                if (qemu_guest_domain(registration->guest) == domain)
                        return registration;
        return NULL;
}

bool qemu_registered_has(const QemuRegistered *registered, const Domain *domain) {
        return find(registered, domain);
}

void qemu_registered_remove(QemuRegistered *registered, Domain *domain) {
        registration_end(ASSERT_PTR(find(registered, domain)), "it was unregistered");
}

/* What is in a record. */
typedef struct Record {
        char *name;
        pid_t pid;                      /* 0 if it was not known */
        uint64_t start_ticks;
} Record;

static void record_clear(Record *record) {
        free(record->name);
}

static int record_read(int folder, const char *id, Record *ret) {
        _cleanup_json_ JsonObject *object = NULL;
        _cleanup_close_ int fd = -1;
        char text[RECORD_MAX];
        uint32_t version, pid;
        int64_t start_ticks;
        const char *name;
        ssize_t n;

        fd = openat(folder, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, text, sizeof text);
        if (n < 0)
                return -errno;
        if ((size_t) n == sizeof text || json_parse(text, (size_t) n, &object) < 0 || !json_object_is_type(object, json_type_object) ||
            json_get_u32(object, "version", &version) < 0 || version != RECORD_VERSION ||
            json_get_string(object, "name", &name) < 0 || !guest_name_is_valid(name) ||
            json_get_u32(object, "pid", &pid) < 0 || pid > INT32_MAX ||
            json_get_i64(object, "start_ticks", &start_ticks) < 0 || start_ticks < 0)
                return -EINVAL;
        ret->name = strdup(name);
        if (!ret->name)
                return -ENOMEM;
        ret->pid = (pid_t) pid;
        ret->start_ticks = (uint64_t) start_ticks;
        return 0;
}

static bool is_id(const char *text) {
        return strlen(text) == ID_LENGTH && strspn(text, "0123456789abcdef") == ID_LENGTH;
}

static int take_descriptor(int *fds, const char *const *names, size_t n, const char *id, Kind kind) {
        StoreName name = store_name(id, kind);

        for (size_t i = 0; i < n; i++)
                if (fds[i] >= 0 && strcmp(names[i], name.text) == 0)
                        return TAKE_FD(fds[i]);
        return -1;
}

/* A process that was only the peer of its monitor's socket need not be the guest's, and
 * may end before it. One that was handed over is. */
static int open_recorded(const Record *record, int pidfd, Process **ret) {
        _cleanup_(process_freep) Process *process = NULL;
        int r;

        r = pidfd >= 0 ? open_by_pidfd(pidfd, &process, NULL) : process_open(record->pid, &process, NULL);
        if (r >= 0 && (process->pid != record->pid || process->start_ticks != record->start_ticks))
                r = -ENOTCONN;
        if (r < 0)
                return pidfd >= 0 || r == -ENOMEM ? r : 0;
        *ret = TAKE_PTR(process);
        return 0;
}

static int restore(QemuRegistered *registered, int folder, const char *id, int *fds, const char *const *names, size_t n) {
        _cleanup_close_ int qmp = take_descriptor(fds, names, n, id, KIND_QMP), pidfd = take_descriptor(fds, names, n, id, KIND_PIDFD),
                agent = take_descriptor(fds, names, n, id, KIND_AGENT);
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_(record_clear) Record record = {};
        Registration *registration;
        struct stat st;
        int r;

        if (qmp < 0)
                return -ENOENT;
        r = record_read(folder, id, &record);
        if (r >= 0)
                r = check_socket("qmp", qmp, &st, NULL);
        if (r >= 0 && agent >= 0)
                r = check_socket("agent", agent, &st, NULL);
        if (r >= 0)
                r = open_recorded(&record, pidfd, &process);
        if (r >= 0)
                r = follow(registered, record.name, TAKE_FD(qmp), TAKE_FD(pidfd), TAKE_FD(agent), TAKE_PTR(process), &registration);
        if (r < 0)
                return r;
        memcpy(registration->id, id, sizeof registration->id);
        registration->recorded = true;
        r = qemu_guest_resume(registration->guest);
        if (r < 0)
                registration_end(registration, strerror(-r));
        return 0;
}

static void restore_all(QemuRegistered *registered, int *fds, const char *const *names, size_t n) {
        _cleanup_closedir_ DIR *dir = opendir(registered->folder);
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                if (!is_id(entry->d_name)) {
                        (void) unlinkat(dirfd(dir), entry->d_name, 0);
                        continue;
                }
                r = restore(registered, dirfd(dir), entry->d_name, fds, names, n);
                if (r >= 0)
                        continue;
                log_info("A guest that was registered is not known any more: %s", strerror(-r));
                forget(registered, entry->d_name);
        }
}

void qemu_registered_restore(QemuRegistered *registered, const int *fds, const char *const *names, size_t n) {
        _cleanup_free_ int *left = n > 0 ? malloc(n * sizeof *left) : NULL;

        if (left) {
                memcpy(left, fds, n * sizeof *left);
                fds = left;
        }
        restore_all(registered, left, names, left ? n : 0);
        for (size_t i = 0; i < n; i++)
                if (fds[i] >= 0) {
                        (void) close(fds[i]);
                        store_remove(names[i]);
                }
}

void qemu_registered_restore_stored(QemuRegistered *registered) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);
        _cleanup_free_ int *fds = n > 0 ? malloc((size_t) n * sizeof *fds) : NULL;

        for (int i = 0; fds && i < n; i++)
                fds[i] = SD_LISTEN_FDS_START + i;
        if (n <= 0 || fds)
                qemu_registered_restore(registered, fds, (const char *const *) names, n > 0 ? (size_t) n : 0);
        for (char **name = names; name && *name; name++)
                free(*name);
        free(names);
}

int qemu_registered_new(Guests *guests, const char *runtime_dir, QemuRegistered **ret) {
        QemuRegistered *registered = calloc(1, sizeof *registered);

        if (!registered)
                return -ENOMEM;
        registered->guests = guests;
        if (asprintf(&registered->folder, "%s/registered", runtime_dir) < 0) {
                free(registered);
                return -ENOMEM;
        }
        *ret = registered;
        return 0;
}

/* A caller who hears that it failed must not find the guest later. */
QemuRegistered *qemu_registered_free(QemuRegistered *registered) {
        if (!registered)
                return NULL;
        while (registered->first)
                if (registered->first->done)
                        registration_end(registered->first, "this service stops");
                else
                        registration_free(registered->first);
        free(registered->folder);
        free(registered);
        return NULL;
}
