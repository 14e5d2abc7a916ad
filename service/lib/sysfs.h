/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small files of the kernel, relative to a folder: one value each, read whole
 * and believed only if they look like what they should be. A captured machine
 * may hold anything, so every read has a limit. */

#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "cpuset.h"

/* The longest text that is read of one file: 8,192 CPUs, every second one, make
 * a list of 20 KiB. */
#define SYSFS_TEXT_MAX (256u * 1024u)

/* No id: what the kernel does not tell, or calls -1 or 65535. */
#define ID_NONE UINT32_MAX

/* Opens a folder relative to another. */
int sysfs_open_dir(int dir_fd, const char *path);

/* Reads a whole file into "buffer", without white space at the end.
 * Returns the length; -EFBIG if it does not fit, -EISDIR or -EINVAL for what is
 * no file with text (a NUL byte in it), else what open(2) or read(2) say. */
ssize_t sysfs_read(int dir_fd, const char *path, char *buffer, size_t size);

/* The same from the start of a descriptor that stays open, in one pread(2). What
 * is longer than the buffer is cut off. */
ssize_t sysfs_pread(int fd, char *buffer, size_t size);

/* The same into memory of its own, up to SYSFS_TEXT_MAX. */
int sysfs_read_text(int dir_fd, const char *path, char **ret);

/* A decimal number. Returns -EINVAL for anything else, -ERANGE if too large. */
int sysfs_read_u64(int dir_fd, const char *path, uint64_t *ret);
int sysfs_read_u32(int dir_fd, const char *path, uint32_t *ret);
int number_parse_u64(const char *text, uint64_t *ret);

/* A size as the kernel writes those of caches, "32K", in bytes. */
int sysfs_read_size(int dir_fd, const char *path, uint64_t *ret);

/* An id. "*ret" is ID_NONE, and that is no error, if there is no such file, or
 * the kernel says -1 or 65535 in it. */
int sysfs_read_id(int dir_fd, const char *path, uint32_t *ret);

/* A set of CPUs from a list, or where that is missing from a mask.
 * Returns -ENOENT if neither is there. Either name may be NULL. */
int sysfs_read_cpuset(int dir_fd, const char *list_path, const char *mask_path, CpuSet *ret);

/* Goes through the entries of a folder that are called PREFIX and a number, in
 * the order of the numbers. Returns -ENOENT if there is no such folder. */
int sysfs_list_numbered(int dir_fd, const char *path, const char *prefix, CpuSet *ret_numbers);

/* Writes a number to a file, in one write(2). */
int sysfs_write_u64(int dir_fd, const char *path, uint64_t number);
