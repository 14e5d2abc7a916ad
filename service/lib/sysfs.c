/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"

int sysfs_open_dir(int dir_fd, const char *path) {
        return open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY);
}

/* Cuts white space at the end; a text with a NUL in it is none. */
static ssize_t finish_text(char *buffer, size_t n) {
        while (n > 0 && isspace((unsigned char) buffer[n - 1]))
                n--;
        buffer[n] = 0;
        if (memchr(buffer, 0, n))
                return -EINVAL;

        return (ssize_t) n;
}

ssize_t sysfs_read(int dir_fd, const char *path, char *buffer, size_t size) {
        _cleanup_close_ int fd = -1;
        size_t filled = 0;

        /* O_NONBLOCK: a captured tree might hold a FIFO. */
        fd = open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return fd;

        for (;;) {
                ssize_t n = read(fd, buffer + filled, size - filled);

                if (n < 0)
                        return errno == EINTR || errno == EAGAIN ? -EIO : -errno;
                filled += (size_t) n;
                if (filled >= size)
                        return -EFBIG;
                /* The kernel gives a value of less than a page at once. */
                if (n == 0 || (filled < 4096 && filled > 0 && buffer[filled - 1] == '\n'))
                        break;
        }

        return finish_text(buffer, filled);
}

ssize_t sysfs_pread(int fd, char *buffer, size_t size) {
        ssize_t n = pread(fd, buffer, size - 1, 0);

        if (n < 0)
                return -errno;
        return finish_text(buffer, (size_t) n);
}

int sysfs_read_text(int dir_fd, const char *path, char **ret) {
        for (size_t size = 4096; size <= SYSFS_TEXT_MAX; size *= 8) {
                _cleanup_free_ char *text = malloc(size);
                ssize_t n;

                if (!text)
                        return -ENOMEM;
                n = sysfs_read(dir_fd, path, text, size);
                if (n == -EFBIG)
                        continue;
                if (n < 0)
                        return (int) n;

                *ret = TAKE_PTR(text);
                return 0;
        }

        return -EFBIG;
}

int number_parse_u64(const char *text, uint64_t *ret) {
        char *end;
        uintmax_t number;

        if (!isdigit((unsigned char) *text))
                return -EINVAL;
        errno = 0;
        number = strtoumax(text, &end, 10);
        if (*end)
                return -EINVAL;
        if (errno == ERANGE || number > UINT64_MAX)
                return -ERANGE;

        *ret = number;
        return 0;
}

int sysfs_read_u64(int dir_fd, const char *path, uint64_t *ret) {
        char text[64];
        ssize_t n;

        n = sysfs_read(dir_fd, path, text, sizeof text);
        if (n < 0)
                return (int) n;
        return number_parse_u64(text, ret);
}

int sysfs_read_u32(int dir_fd, const char *path, uint32_t *ret) {
        uint64_t number;
        int r;

        r = sysfs_read_u64(dir_fd, path, &number);
        if (r < 0)
                return r;
        if (number > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) number;
        return 0;
}

int sysfs_read_size(int dir_fd, const char *path, uint64_t *ret) {
        static const struct { char letter; unsigned shift; } units[] = {
                { 'K', 10 }, { 'M', 20 }, { 'G', 30 },
        };
        char text[64];
        unsigned shift = 0;
        uint64_t number;
        ssize_t n;
        int r;

        n = sysfs_read(dir_fd, path, text, sizeof text);
        if (n < 0)
                return (int) n;
        for (size_t i = 0; n > 0 && i < ELEMENTSOF(units); i++)
                if (text[n - 1] == units[i].letter) {
                        shift = units[i].shift;
                        text[n - 1] = 0;
                        break;
                }
        r = number_parse_u64(text, &number);
        if (r < 0)
                return r;
        if (number > UINT64_MAX >> shift)
                return -ERANGE;

        *ret = number << shift;
        return 0;
}

int sysfs_read_id(int dir_fd, const char *path, uint32_t *ret) {
        char text[64];
        uint64_t number;
        ssize_t n;
        int r;

        *ret = ID_NONE;
        n = sysfs_read(dir_fd, path, text, sizeof text);
        if (n == -ENOENT || n == -ENOTDIR)
                return 0;
        if (n < 0)
                return (int) n;
        if (strcmp(text, "-1") == 0 || strcmp(text, "65535") == 0 || strcmp(text, "4294967295") == 0)
                return 0;
        r = number_parse_u64(text, &number);
        if (r < 0)
                return r;
        if (number >= INT32_MAX)
                return -ERANGE;

        *ret = (uint32_t) number;
        return 0;
}

int sysfs_read_cpuset(int dir_fd, const char *list_path, const char *mask_path, CpuSet *ret) {
        const struct { const char *path; int (*parse)(const char *, CpuSet *); } ways[] = {
                { list_path, cpuset_parse_list },
                { mask_path, cpuset_parse_mask },
        };

        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                char small[512];
                _cleanup_free_ char *large = NULL;
                ssize_t n;

                if (!ways[i].path)
                        continue;
                n = sysfs_read(dir_fd, ways[i].path, small, sizeof small);
                if (n == -EFBIG)
                        n = sysfs_read_text(dir_fd, ways[i].path, &large);
                if (n == -ENOENT)
                        continue;
                if (n < 0)
                        return (int) n;
                return ways[i].parse(large ?: small, ret);
        }

        return -ENOENT;
}

int sysfs_list_numbered(int dir_fd, const char *path, const char *prefix, CpuSet *ret_numbers) {
        _cleanup_cpuset_ CpuSet numbers = {};
        _cleanup_closedir_ DIR *dir = NULL;
        size_t prefix_length = strlen(prefix);
        int fd;

        fd = sysfs_open_dir(dir_fd, path);
        if (fd < 0)
                return fd;
        dir = fdopendir(fd);
        if (!dir) {
                int r = -errno;

                (void) close(fd);
                return r;
        }

        for (;;) {
                const char *digits;
                struct dirent *entry;
                uint64_t number;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry) {
                        if (errno != 0)
                                return -errno;
                        break;
                }
                if (strncmp(entry->d_name, prefix, prefix_length) != 0)
                        continue;
                /* "cpu07" would be the folder of no CPU. */
                digits = entry->d_name + prefix_length;
                if ((digits[0] == '0' && digits[1]) || number_parse_u64(digits, &number) < 0)
                        continue;
                if (number >= CPUSET_LIMIT)
                        continue;
                r = cpuset_add(&numbers, (uint32_t) number);
                if (r < 0)
                        return r;
        }

        *ret_numbers = TAKE(numbers);
        return 0;
}

int sysfs_write_u64(int dir_fd, const char *path, uint64_t number) {
        _cleanup_close_ int fd = -1;
        char text[32];
        int n;

        fd = open_beneath(dir_fd, path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return fd;
        n = snprintf(text, sizeof text, "%" PRIu64 "\n", number);
        if (write(fd, text, (size_t) n) != n)
                return errno ? -errno : -EIO;

        return 0;
}
