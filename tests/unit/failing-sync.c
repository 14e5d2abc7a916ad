/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "failing-sync.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool folders_fail_to_sync;

int fsync(int fd) {
        struct stat st;

        if (folders_fail_to_sync && fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode)) {
                errno = EIO;
                return -1;
        }
        return (int) syscall(SYS_fsync, fd);
}
