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

#include "lib/log.h"
#include "lib/text.h"

#define SOCKET_NAME "qmp.sock"

/* A socket is in its folder a moment before its monitor listens. After these tries, 5 s
 * in all, it is taken for the left-over of one that was killed; the next change of the
 * folder starts anew. */
#define TRIES_MAX 10u
#define FIRST_WAIT_USEC UINT64_C(5000)

struct QemuFolder {
        QemuWatch *watch;
        QemuFolder *next;
        char *name;
        int fd;                         /* of the folder, O_PATH */
        sd_event_source *inotify_source;
        sd_event_source *timer;
        unsigned n_tries;
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

bool guest_name_is_valid(const char *name) {
        _cleanup_free_ char *printable = NULL;

        if (*name == '.' || !*name || strlen(name) > GUEST_NAME_MAX || strchr(name, '/'))
                return false;
        printable = strdup(name);
        if (!printable)
                return false;
        text_make_printable(printable);
        return strcmp(printable, name) == 0;
}

/* A path that means a descriptor, so that neither a long path nor a folder that
 * somebody moves comes between. */
static const char *fd_path(int fd, const char *name, char *buffer, size_t size) {
        snprintf(buffer, size, "/proc/self/fd/%i%s%s", fd, name ? "/" : "", name ?: "");
        return buffer;
}

/* Returns a connected socket; -ENOENT if there is none, -ENOTSOCK for something else of
 * that name, -ECONNREFUSED or -EAGAIN for one that takes no connection now. */
static int connect_monitor(const QemuFolder *folder) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (fstatat(folder->fd, SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        fd_path(folder->fd, SOCKET_NAME, address.sun_path, sizeof address.sun_path);
        if (connect(fd, (const struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static void folder_retry(QemuFolder *folder) {
        uint64_t wait = FIRST_WAIT_USEC << folder->n_tries;

        if (folder->n_tries >= TRIES_MAX) {
                log_info("The monitor of %s takes no connection; it is left alone until its folder changes", folder->name);
                return;
        }
        folder->n_tries++;
        (void) sd_event_source_set_time_relative(folder->timer, wait);
        (void) sd_event_source_set_enabled(folder->timer, SD_EVENT_ONESHOT);
}

static void folder_try(QemuFolder *folder) {
        int fd;

        if (folder->connected)
                return;
        fd = connect_monitor(folder);
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

/* Something of the socket's name came: it is looked at anew, as often as a first. */
static int on_folder_event(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        QemuFolder *folder = userdata;

        if ((event->mask & IN_Q_OVERFLOW) || (event->len > 0 && strcmp(event->name, SOCKET_NAME) == 0)) {
                folder->n_tries = 0;
                folder_try(folder);
        }
        return 0;
}

static QemuFolder *folder_find(const QemuWatch *watch, const char *name) {
        for (QemuFolder *folder = watch->folders; folder; folder = folder->next)
                if (strcmp(folder->name, name) == 0)
                        return folder;
        return NULL;
}

/* First the watch, then the look: what comes between is seen twice, not never. */
static int folder_add(QemuWatch *watch, const char *name) {
        QemuFolder *folder;
        char path[64];
        int r;

        if (folder_find(watch, name))
                return 0;
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
                r = sd_event_add_inotify(watch->event, &folder->inotify_source, fd_path(folder->fd, NULL, path, sizeof path),
                                         IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR, on_folder_event, folder);
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

static int on_watch_event(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        QemuWatch *watch = userdata;
        QemuFolder *folder;

        if (event->mask & IN_Q_OVERFLOW) {
                (void) list_folders(watch);
                return 0;
        }
        if (event->len == 0 || !(event->mask & IN_ISDIR))
                return 0;
        if (event->mask & (IN_CREATE | IN_MOVED_TO)) {
                add_or_log(watch, event->name);
                return 0;
        }
        folder = folder_find(watch, event->name);
        if (folder)
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
        if (mkdir(runtime_dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        watch->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (watch->fd < 0)
                return -errno;
        r = check_owner(watch->fd);
        if (r >= 0)
                r = sd_event_add_inotify(event, &watch->inotify_source, fd_path(watch->fd, NULL, watched, sizeof watched),
                                         IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR, on_watch_event, watch);
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
