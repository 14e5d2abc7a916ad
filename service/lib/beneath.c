/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* As many links as the kernel follows, and far deeper than /sys is. */
#define LINKS_MAX 40u
#define DEPTH_MAX 64u

/* The folders between the start and here, so that ".." is where we came from
 * and not what the file system says now: a folder that somebody moves meanwhile
 * must not take us out. */
typedef struct Walk {
        int fds[DEPTH_MAX];
        size_t depth;
} Walk;

static void walk_clear(Walk *walk) {
        while (walk->depth > 1)
                (void) close(walk->fds[--walk->depth]);
}

static int walk_here(const Walk *walk) {
        return walk->fds[walk->depth - 1];
}

static int walk_enter(Walk *walk, const char *name) {
        int fd;

        if (walk->depth >= DEPTH_MAX)
                return -ELOOP;
        fd = openat(walk_here(walk), name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        walk->fds[walk->depth++] = fd;
        return 0;
}

static int walk_leave(Walk *walk) {
        if (walk->depth <= 1)
                return -EXDEV;
        (void) close(walk->fds[--walk->depth]);
        return 0;
}

int open_beneath_walking(int dir_fd, const char *path, int flags) {
        _cleanup_(walk_clear) Walk walk = { .fds = { dir_fd }, .depth = 1 };
        char rest[PATH_MAX], link[PATH_MAX], joined[PATH_MAX];
        unsigned n_links = 0;
        int r;

        if (strlen(path) >= sizeof rest)
                return -ENAMETOOLONG;
        if (!*path)
                return -ENOENT;
        strcpy(rest, path);
        if (rest[0] == '/')
                return -EXDEV;

        for (char *p = rest;;) {
                const char *slash = "";
                char *name, *next;
                struct stat st;
                ssize_t n;

                name = p + strspn(p, "/");
                if (!*name)
                        name = (char *) ".";
                next = strchrnul(name, '/');
                if (*next) {
                        *next++ = 0;
                        next += strspn(next, "/");
                        slash = "/";
                }

                if (strcmp(name, "..") == 0) {
                        r = walk_leave(&walk);
                        if (r < 0)
                                return r;
                        p = next;
                        continue;
                }

                if (strcmp(name, ".") != 0 &&
                    fstatat(walk_here(&walk), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;

                /* A link is read here, and its text takes its place. */
                if (strcmp(name, ".") != 0 && S_ISLNK(st.st_mode)) {
                        if (++n_links > LINKS_MAX)
                                return -ELOOP;
                        n = readlinkat(walk_here(&walk), name, link, sizeof link - 1);
                        if (n < 0)
                                return -errno;
                        link[n] = 0;
                        if (link[0] == '/')
                                return -EXDEV;
                        if (snprintf(joined, sizeof joined, "%s%s%s", link, slash, next) >= (int) sizeof joined)
                                return -ENAMETOOLONG;
                        strcpy(rest, joined);
                        p = rest;
                        continue;
                }

                if (!*next) {
                        int fd;

                        /* A slash at the end asks for a folder. */
                        if (*slash)
                                flags |= O_DIRECTORY;
                        fd = openat(walk_here(&walk), name, flags | O_NOFOLLOW | O_CLOEXEC);
                        return fd < 0 ? -errno : fd;
                }

                if (strcmp(name, ".") != 0) {
                        r = walk_enter(&walk, name);
                        if (r < 0)
                                return r;
                }
                p = next;
        }
}

/* The kernel gives up a path with ".." in it when anything on the machine is
 * renamed or mounted meanwhile, and the links of /sys are such paths. It is
 * asked some times again; our own walk needs no such quiet. */
#define KERNEL_TRIES 8u

int open_beneath(int dir_fd, const char *path, int flags) {
        static bool missing = false;

        for (unsigned i = 0; i < KERNEL_TRIES && !missing; i++) {
                struct open_how how = {
                        .flags = (unsigned) (flags | O_CLOEXEC),
                        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
                };
                int fd = (int) syscall(SYS_openat2, dir_fd, path, &how, sizeof how);

                if (fd >= 0)
                        return fd;
                if (errno == ENOSYS)
                        missing = true;
                else if (errno != EAGAIN)
                        return -errno;
        }

        return open_beneath_walking(dir_fd, path, flags);
}
