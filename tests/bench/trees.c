/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trees.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "figures.h"
#include "subject.h"

#define TREES "/run/bench-trees"
#define NODE "/sys/devices/system/node/node"
#define TREES_MAX 8

static char folders[TREES_MAX][128];
static size_t n_folders;

static void mount_trees(void) {
        if (mkdir(TREES, 0755) < 0 && errno != EEXIST)
                cannot_measure("no folder for the trees: %s", strerror(errno));
        /* As many files as there are: 8,192 CPUs have 386,000. */
        if (mount("tmpfs", TREES, "tmpfs", 0, "nr_inodes=0,size=100%,mode=755") < 0)
                cannot_measure("no tmpfs for the trees: %s", strerror(errno));
}

static const char *make(unsigned cpus, unsigned cells, const char *suffix, bool *ret_new) {
        char cpus_option[32], cells_option[32], *folder;

        if (n_folders == 0)
                mount_trees();
        if (n_folders >= TREES_MAX)
                cannot_measure("too many trees");
        folder = folders[n_folders];
        snprintf(folder, sizeof folders[0], TREES "/%u-%u%s", cpus, cells, suffix);
        for (size_t i = 0; i < n_folders; i++)
                if (strcmp(folders[i], folder) == 0) {
                        *ret_new = false;
                        return folders[i];
                }

        snprintf(cpus_option, sizeof cpus_option, "--cpus=%u", cpus);
        snprintf(cells_option, sizeof cells_option, "--cells=%u", cells);
        (void) run_usec((const char *[]) { program_path("MAKE_TREE"), cpus_option, cells_option, folder, NULL });
        n_folders++;
        *ret_new = true;
        return folder;
}

const char *tree_folder(unsigned cpus, unsigned cells) {
        bool new;

        return make(cpus, cells, "", &new);
}

const char *tree_folder_live_memory(unsigned cpus, unsigned cells) {
        const char *source = access(NODE "0/meminfo", R_OK) >= 0 ? NODE "0/meminfo" : "/proc/meminfo";
        bool new;
        const char *folder = make(cpus, cells, "-live-memory", &new);

        for (unsigned i = 0; new && i < cells; i++) {
                char target[256];

                snprintf(target, sizeof target, "%s" NODE "%u/meminfo", folder, i);
                if (mount(source, target, NULL, MS_BIND, NULL) < 0)
                        cannot_measure("%s cannot stand in the place of %s: %s", source, target, strerror(errno));
        }
        return folder;
}
