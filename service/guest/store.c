/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/name.h"
#include "lib/log.h"
#include "lib/text.h"

#define ENDING ".xml"
#define DAMAGED_ENDING ".xml.damaged-"
/* With a dot before it no guest's name. */
#define NEW_ENDING ".xml.new"

#define FILE_NAME_MAX (GUEST_NAME_MAX + sizeof ".xml.damaged-99")
static_assert(FILE_NAME_MAX <= 256, "a file's name has at most 255 bytes");

struct Store {
        int fd;
};

typedef struct FileName {
        char text[FILE_NAME_MAX];
} FileName;

static FileName file_name(const char *before, const char *name, const char *ending) {
        FileName file;

        assert(strlen(name) <= GUEST_NAME_MAX);
        snprintf(file.text, sizeof file.text, "%s%s%s", before, name, ending);
        return file;
}

static int check_owner(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return -EPERM;
        return 0;
}

int store_open(const char *parent, const char *folder, Store **ret) {
        _cleanup_close_ int parent_fd = -1, fd = -1;
        Store *store;
        int r;

        if (mkdir(parent, 0755) < 0 && errno != EEXIST && errno != EROFS)
                return -errno;
        parent_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent_fd < 0)
                return -errno;
        if (mkdirat(parent_fd, folder, 0700) < 0 && errno != EEXIST && errno != EROFS)
                return -errno;
        fd = openat(parent_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = check_owner(fd);
        if (r < 0)
                return r;
        store = calloc(1, sizeof *store);
        if (!store)
                return -ENOMEM;
        store->fd = TAKE_FD(fd);

        *ret = store;
        return 0;
}

Store *store_free(Store *store) {
        if (!store)
                return NULL;
        (void) close(store->fd);
        free(store);
        return NULL;
}

bool store_is_writable(const Store *store) {
        return faccessat(store->fd, ".", W_OK | X_OK, AT_EACCESS) >= 0;
}

static bool ends_with(const char *text, const char *ending) {
        size_t n = strlen(text), m = strlen(ending);

        return n > m && strcmp(text + n - m, ending) == 0;
}

/* The guest's name in that of a file that was set aside. */
static char *name_of_damaged(const char *file) {
        const char *at = file;
        char *name = NULL;

        for (const char *p; (p = strstr(at, DAMAGED_ENDING)); at = p + 1) {
                const char *digits = p + strlen(DAMAGED_ENDING);

                if (*digits && digits[strspn(digits, "0123456789")] == 0) {
                        name = strndup(file, (size_t) (p - file));
                        break;
                }
        }
        if (name && !guest_name_is_valid(name)) {
                free(name);
                return NULL;
        }
        return name;
}

static int visit_file(Store *store, const char *file, StoreVisit visit, void *userdata) {
        _cleanup_free_ char *name = NULL, *shown = NULL;

        if (file[0] == '.' && ends_with(file, NEW_ENDING)) {
                (void) unlinkat(store->fd, file, 0);
                return 0;
        }
        name = name_of_damaged(file);
        if (name)
                return visit(name, file, userdata);
        if (ends_with(file, ENDING)) {
                name = strndup(file, strlen(file) - strlen(ENDING));
                if (!name)
                        return -ENOMEM;
                if (guest_name_is_valid(name))
                        return visit(name, NULL, userdata);
        }
        shown = strdup(file);
        if (!shown)
                return -ENOMEM;
        text_make_printable(shown);
        log_warning("The file \"%.64s\" is passed over: it is not what is stored for a guest", shown);
        return 0;
}

int store_list(Store *store, StoreVisit visit, void *userdata) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        int fd;

        fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return -ENOMEM;
        }
        for (;;) {
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = visit_file(store, entry->d_name, visit, userdata);
                if (r < 0)
                        return r;
        }
}

int store_read(const Store *store, const char *name, size_t max, char **ret, size_t *ret_length) {
        FileName file = file_name("", name, ENDING);
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -1;
        struct stat st;
        size_t n = 0;

        /* Without waiting for who would write to a FIFO. */
        fd = openat(store->fd, file.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return errno == ELOOP || errno == ENXIO ? -EBADF : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        if (st.st_size < 0 || (size_t) st.st_size > max)
                return -EFBIG;
        text = malloc(max + 1);
        if (!text)
                return -ENOMEM;
        for (;;) {
                ssize_t got = read(fd, text + n, max + 1 - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        break;
                n += (size_t) got;
                if (n > max)
                        return -EFBIG;
        }

        text[n] = 0;
        *ret = TAKE_PTR(text);
        *ret_length = n;
        return 0;
}

/* A signal wakes workers when the service stops; what they are at is ended all the
 * same. */
static int sync_fd(int fd) {
        while (fsync(fd) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* What was done cannot be taken back: others may have seen it. */
static int sync_folder(const Store *store) {
        return sync_fd(store->fd) < 0;
}

static int write_all(int fd, const char *text, size_t length) {
        while (length > 0) {
                ssize_t n = write(fd, text, length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text += n;
                length -= (size_t) n;
        }
        return 0;
}

int store_write(const Store *store, const char *name, const char *text, size_t length, bool sync) {
        FileName file = file_name("", name, ENDING), new_file = file_name(".", name, NEW_ENDING);
        _cleanup_close_ int fd = -1;
        int r;

        if (unlinkat(store->fd, new_file.text, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(store->fd, new_file.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, length);
        if (r >= 0 && sync)
                r = sync_fd(fd);
        if (r >= 0 && renameat(store->fd, new_file.text, store->fd, file.text) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(store->fd, new_file.text, 0);
                return r;
        }
        return sync ? sync_folder(store) : 0;
}

int store_remove(const Store *store, const char *name, bool sync) {
        FileName file = file_name("", name, ENDING);

        if (unlinkat(store->fd, file.text, 0) < 0)
                return -errno;
        return sync ? sync_folder(store) : 0;
}

/* A file system without RENAME_NOREPLACE may have links. */
static int rename_to_new(int fd, const char *from, const char *to) {
        if (renameat2(fd, from, fd, to, RENAME_NOREPLACE) >= 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        if (linkat(fd, from, fd, to, 0) < 0 || unlinkat(fd, from, 0) < 0)
                return -errno;
        return 0;
}

int store_set_aside(const Store *store, const char *name, char **ret_file) {
        FileName file = file_name("", name, ENDING);
        int r = -EEXIST;

        for (unsigned n = 1; n <= STORE_DAMAGED_MAX && r == -EEXIST; n++) {
                _cleanup_free_ char *aside = NULL;

                if (asprintf(&aside, "%s" DAMAGED_ENDING "%u", name, n) < 0) {
                        aside = NULL;
                        return -ENOMEM;
                }
                r = rename_to_new(store->fd, file.text, aside);
                if (r >= 0)
                        *ret_file = TAKE_PTR(aside);
        }
        return r;
}
