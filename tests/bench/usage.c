/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

Memory memory_of(const Subject *subject) {
        char path[64], line[256];
        Memory memory = {};
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", subject->pid);
        file = fopen(path, "re");
        if (!file)
                cannot_measure("%s cannot be read", path);
        while (fgets(line, sizeof line, file)) {
                double kib;

                if (sscanf(line, "Rss: %lf kB", &kib) == 1)
                        memory.resident_kib = kib;
                else if (sscanf(line, "Private_Clean: %lf kB", &kib) == 1)
                        memory.private_kib += kib;
                else if (sscanf(line, "Private_Dirty: %lf kB", &kib) == 1) {
                        memory.private_kib += kib;
                        memory.written_kib = kib;
                }
        }
        fclose(file);
        if (memory.resident_kib == 0)
                cannot_measure("%s says nothing", path);
        return memory;
}

unsigned long wakeups_of(const Subject *subject) {
        unsigned long sum = 0;
        struct dirent *entry;
        char path[64];
        DIR *tasks;

        snprintf(path, sizeof path, "/proc/%d/task", subject->pid);
        tasks = opendir(path);
        if (!tasks)
                cannot_measure("%s cannot be read", path);
        while ((entry = readdir(tasks))) {
                char line[256];
                FILE *file;
                int fd;

                if (entry->d_name[0] == '.')
                        continue;
                snprintf(line, sizeof line, "%.32s/status", entry->d_name);
                fd = openat(dirfd(tasks), line, O_RDONLY | O_CLOEXEC);
                file = fd < 0 ? NULL : fdopen(fd, "r");
                if (!file)
                        cannot_measure("%s/%s cannot be read", path, line);
                while (fgets(line, sizeof line, file)) {
                        unsigned long n;

                        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 || sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
                                sum += n;
                }
                fclose(file);
        }
        closedir(tasks);
        if (sum == 0)
                cannot_measure("the kernel does not count the wake-ups in %s", path);
        return sum;
}

void pass(unsigned msec) {
        struct timespec rest = { .tv_sec = msec / 1000, .tv_nsec = (long) (msec % 1000) * 1000000 };

        while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
                ;
}
