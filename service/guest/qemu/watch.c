/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "guest/name.h"
#include "lib/log.h"
#include "lib/text.h"

#define SOCKET_NAME "qmp.sock"

/* A socket is in its folder a moment before its monitor listens. After these tries, 5 s
 * in all, it is taken for the left-over of one that was killed; the next change of the
 * folder starts anew. */
#define TRIES_MAX 10u
#define FIRST_WAIT_USEC UINT64_C(5000)

/* However often a folder changes, or a monitor hangs up: a try has this distance from
 * the one before. */
#define TRY_DISTANCE_USEC UINT64_C(100000)

/* A connection that lasted so long was a good one, and the next has all its tries. */
#define GOOD_CONNECTION_USEC (60 * UINT64_C(1000000))

struct QemuFolder {
        QemuWatch *watch;
        QemuFolder *next;
        char *name;
        int fd;                         /* of the folder, O_PATH */
        sd_event_source *inotify_source;
        sd_event_source *timer;
        unsigned n_tries;
        uint64_t tried_usec;            /* when it was last tried; 0 if it was not */
        bool connected;
};

struct QemuWatch {
        sd_event *event;
        QemuWatchHandlers handlers;
        void *userdata;
        int fd;                         /* of the folder of all, O_PATH */
        sd_event_source *inotify_source;
        QemuFolder *folders;
};

static uint64_t now_usec(const QemuWatch *watch) {
        uint64_t now;

        return sd_event_now(watch->event, CLOCK_MONOTONIC, &now) < 0 ? 0 : now;
}

/* A path that means a descriptor, so that neither a long path nor a folder that
 * somebody moves comes between. */
static const char *fd_path(int fd, char *buffer, size_t size) {
        snprintf(buffer, size, "/proc/self/fd/%i", fd);
        return buffer;
}

/* Returns a descriptor of the socket itself, O_PATH. */
static int find_socket(const QemuFolder *folder, const char *name) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        fd = openat(folder->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;
        return TAKE_FD(fd);
}

bool qemu_folder_has_socket(QemuFolder *folder, const char *name) {
        _cleanup_close_ int fd = find_socket(folder, name);

        return fd >= 0;
}

int qemu_folder_open_socket(QemuFolder *folder, const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1, socket_fd = -1;

        /* What was looked at is what is connected to, whatever has the name by then. */
        socket_fd = find_socket(folder, name);
        if (socket_fd < 0)
                return socket_fd;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        fd_path(socket_fd, address.sun_path, sizeof address.sun_path);
        if (connect(fd, (const struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static void folder_wait(QemuFolder *folder, uint64_t usec) {
        (void) sd_event_source_set_time_relative(folder->timer, usec);
        (void) sd_event_source_set_enabled(folder->timer, SD_EVENT_ONESHOT);
}

static void folder_retry(QemuFolder *folder) {
        if (folder->n_tries >= TRIES_MAX) {
                log_info("The monitor of %s takes no connection that lasts; it is left alone until its socket is another", folder->name);
                return;
        }
        folder_wait(folder, FIRST_WAIT_USEC << folder->n_tries++);
}

static void folder_try(QemuFolder *folder) {
        int fd;

        if (folder->connected)
                return;
        folder->tried_usec = now_usec(folder->watch);
        fd = qemu_folder_open_socket(folder, SOCKET_NAME);
        if (fd >= 0) {
                folder->connected = true;
                (void) sd_event_source_set_enabled(folder->timer, SD_EVENT_OFF);
                folder->watch->handlers.connected(folder, folder->name, fd, folder->watch->userdata);
                return;
        }

        switch (-fd) {
        case ENOENT:
                return;
        case ECONNREFUSED:
        case EAGAIN:
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
                folder_retry(folder);
                return;
        default:
                log_warning("The monitor of %s cannot be used: %s", folder->name, strerror(-fd));
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        folder_try(userdata);
        return 0;
}

void qemu_folder_lost(QemuFolder *folder) {
        folder->connected = false;
        if (now_usec(folder->watch) - folder->tried_usec > GOOD_CONNECTION_USEC)
                folder->n_tries = 0;
        folder_retry(folder);
}

static void folder_free(QemuFolder *folder) {
        for (QemuFolder **at = &folder->watch->folders; *at; at = &(*at)->next)
                if (*at == folder) {
                        *at = folder->next;
                        break;
                }
        (void) sd_event_source_disable_unref(folder->inotify_source);
        (void) sd_event_source_disable_unref(folder->timer);
        if (folder->fd >= 0)
                (void) close(folder->fd);
        free(folder->name);
        free(folder);
}

static void folder_gone(QemuFolder *folder) {
        folder->watch->handlers.gone(folder, folder->watch->userdata);
        folder_free(folder);
}

/* Something of the socket's name came: it is looked at anew, as often as a first. The
 * folder may be the guest's own, which can make and remove sockets without end. */
static int on_folder_event(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        QemuFolder *folder = userdata;

        if (!(event->mask & IN_Q_OVERFLOW) && (event->len == 0 || strcmp(event->name, SOCKET_NAME) != 0))
                return 0;
        folder->n_tries = 0;
        if (folder->connected)
                return 0;
        if (folder->tried_usec > 0 && now_usec(folder->watch) - folder->tried_usec < TRY_DISTANCE_USEC)
                folder_wait(folder, TRY_DISTANCE_USEC);
        else
                folder_try(folder);
        return 0;
}

/* Whether the name still means the folder that we hold. */
static bool folder_is_current(const QemuFolder *folder) {
        struct stat held, named;

        return fstat(folder->fd, &held) >= 0 && fstatat(folder->watch->fd, folder->name, &named, AT_SYMLINK_NOFOLLOW) >= 0 &&
                held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static QemuFolder *folder_find(const QemuWatch *watch, const char *name) {
        for (QemuFolder *folder = watch->folders; folder; folder = folder->next)
                if (strcmp(folder->name, name) == 0)
                        return folder;
        return NULL;
}

/* First the watch, then the look: what comes between is seen twice, not never. */
static int folder_add(QemuWatch *watch, const char *name) {
        QemuFolder *folder = folder_find(watch, name);
        char path[64];
        int r;

        if (folder && folder_is_current(folder))
                return 0;
        if (folder)
                folder_gone(folder);
        if (!guest_name_is_valid(name)) {
                _cleanup_free_ char *shown = strdup(name);

                if (shown)
                        text_make_printable(shown);
                log_warning("The folder \"%.64s\" is passed over: it is no name of a guest", shown ?: "?");
                return 0;
        }

        folder = calloc(1, sizeof *folder);
        if (!folder)
                return -ENOMEM;
        folder->watch = watch;
        folder->next = watch->folders;
        watch->folders = folder;
        folder->name = strdup(name);
        folder->fd = openat(watch->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (!folder->name)
                r = -ENOMEM;
        else if (folder->fd < 0)
                r = -errno;
        else
                r = sd_event_add_time(watch->event, &folder->timer, CLOCK_MONOTONIC, 0, 0, on_timer, folder);
        if (r >= 0)
                r = sd_event_source_set_enabled(folder->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_inotify(watch->event, &folder->inotify_source, fd_path(folder->fd, path, sizeof path),
                                         IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, on_folder_event, folder);
        if (r < 0) {
                folder_free(folder);
                return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
        }

        folder_try(folder);
        return 0;
}

static void add_or_log(QemuWatch *watch, const char *name) {
        int r = folder_add(watch, name);

        if (r < 0)
                log_warning("The folder of %s cannot be followed: %s", name, strerror(-r));
}

static int list_folders(QemuWatch *watch) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        int fd;

        fd = openat(watch->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return -ENOMEM;
        }
        while ((entry = readdir(dir)))
                if (entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
                        add_or_log(watch, entry->d_name);
        return 0;
}

static void drop_stale(QemuWatch *watch) {
        for (QemuFolder *folder = watch->folders, *next; folder; folder = next) {
                next = folder->next;
                if (!folder_is_current(folder))
                        folder_gone(folder);
        }
}

static int on_watch_event(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        QemuWatch *watch = userdata;
        QemuFolder *folder;

        if (event->mask & IN_Q_OVERFLOW) {
                drop_stale(watch);
                (void) list_folders(watch);
                return 0;
        }
        if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
                log_warning("The folder of guests was removed or moved: no guest is found any more until this service is restarted");
                return 0;
        }
        if (event->len == 0 || !(event->mask & IN_ISDIR))
                return 0;
        if (event->mask & (IN_CREATE | IN_MOVED_TO)) {
                add_or_log(watch, event->name);
                return 0;
        }
        /* Two folders that were exchanged are told as gone after they are there. */
        folder = folder_find(watch, event->name);
        if (folder && !folder_is_current(folder))
                folder_gone(folder);
        return 0;
}

/* Whose folder it is decides who may put a monitor into it, which we then believe. */
static int check_owner(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return -EPERM;
        return 0;
}

/* Guests' own users have to come in, whatever our umask says. */
static int make_folder(const char *path) {
        if (mkdir(path, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        return chmod(path, 0755) < 0 ? -errno : 0;
}

int qemu_watch_new(sd_event *event, const char *runtime_dir, const QemuWatchHandlers *handlers, void *userdata, QemuWatch **ret) {
        _cleanup_(qemu_watch_freep) QemuWatch *watch = NULL;
        _cleanup_free_ char *path = NULL;
        char watched[64];
        int r;

        watch = calloc(1, sizeof *watch);
        if (!watch)
                return -ENOMEM;
        watch->event = sd_event_ref(event);
        watch->handlers = *handlers;
        watch->userdata = userdata;
        watch->fd = -1;

        if (asprintf(&path, "%s/domains", runtime_dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = make_folder(runtime_dir);
        if (r >= 0)
                r = make_folder(path);
        if (r < 0)
                return r;
        watch->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (watch->fd < 0)
                return -errno;
        r = check_owner(watch->fd);
        if (r >= 0)
                r = sd_event_add_inotify(event, &watch->inotify_source, fd_path(watch->fd, watched, sizeof watched),
                                         IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR, on_watch_event, watch);
        if (r >= 0)
                r = list_folders(watch);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(watch);
        return 0;
}

QemuWatch *qemu_watch_free(QemuWatch *watch) {
        if (!watch)
                return NULL;
        while (watch->folders)
                folder_gone(watch->folders);
        (void) sd_event_source_disable_unref(watch->inotify_source);
        if (watch->fd >= 0)
                (void) close(watch->fd);
        (void) sd_event_unref(watch->event);
        free(watch);
        return NULL;
}
