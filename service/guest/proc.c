/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/proc.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/sysfs.h"
#include "lib/text.h"

int proc_stat_parse(const char *text, ProcStat *ret) {
        uint64_t numbers[40] = {};
        ProcStat stat = {};
        const char *p = text, *end;
        int r;

        r = text_take_number(&p, INT_MAX, &numbers[1]);
        if (r < 0)
                return r;
        if (strncmp(p, " (", 2) != 0)
                return -EINVAL;
        p += 2;

        /* The name may have parentheses, spaces and whole made-up lines in it; what
         * follows has none: it ends at the last one. */
        end = strrchr(p, ')');
        if (!end || (size_t) (end - p) >= sizeof stat.comm)
                return -EINVAL;
        memcpy(stat.comm, p, (size_t) (end - p));

        p = end + 1;
        if (p[0] != ' ' || !isalpha((unsigned char) p[1]))
                return -EINVAL;
        stat.state = p[1];
        p += 2;

        for (unsigned field = 4; field <= 39; field++) {
                bool is_ours = field == 14 || field == 15 || field == 20 || field == 22 || field == 39;

                if (*p++ != ' ')
                        return -EINVAL;
                if (*p == '-' && !is_ours)
                        p++;
                r = text_take_number(&p, field == 39 ? UINT32_MAX : UINT64_MAX, &numbers[field]);
                if (r < 0)
                        return r;
        }
        if (*p && !isspace((unsigned char) *p))
                return -EINVAL;

        stat.user_ticks = numbers[14];
        stat.system_ticks = numbers[15];
        stat.n_threads = numbers[20];
        stat.start_ticks = numbers[22];
        stat.last_cpu = (uint32_t) numbers[39];
        *ret = stat;
        return 0;
}

/* Numbers with white space between, up to the end of the line. */
static int take_ids(const char *p, pid_t *ret_last, unsigned *ret_n) {
        uint64_t id = 0;
        unsigned n = 0;
        int r;

        for (;;) {
                while (*p == ' ' || *p == '\t')
                        p++;
                if (!*p || *p == '\n')
                        break;
                r = text_take_number(&p, INT_MAX, &id);
                if (r < 0)
                        return r;
                if (*p && !isspace((unsigned char) *p))
                        return -EINVAL;
                if (id == 0)
                        return -ESRCH;
                n++;
        }
        if (n == 0)
                return -EINVAL;

        *ret_last = (pid_t) id;
        *ret_n = n;
        return 0;
}

int proc_status_parse(const char *text, ProcStatus *ret) {
        static const char *const keys[] = { "Tgid:", "Pid:", "NSpid:" };
        struct { pid_t id; unsigned n; } found[ELEMENTSOF(keys)] = {};
        int r;

        /* The name of the process, in the first line, is escaped by the kernel: no
         * line can be made up in it. */
        for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
                end = strchrnul(line, '\n');
                for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                        if (strncmp(line, keys[i], strlen(keys[i])) != 0)
                                continue;
                        if (found[i].n > 0)
                                return -EINVAL;
                        r = take_ids(line + strlen(keys[i]), &found[i].id, &found[i].n);
                        if (r < 0)
                                return r;
                        break;
                }
        }
        if (found[0].n != 1 || found[1].n != 1)
                return -EINVAL;

        *ret = (ProcStatus) {
                .tgid = found[0].id,
                .pid = found[1].id,
                .innermost_pid = found[2].n > 0 ? found[2].id : found[1].id,
                .namespace_depth = found[2].n > 0 ? found[2].n - 1 : 0,
        };
        return 0;
}

static const char *const role_names[_THREAD_ROLE_MAX] = {
        [THREAD_ROLE_EMULATOR] = "emulator",
        [THREAD_ROLE_VCPU] = "vcpu",
        [THREAD_ROLE_IOTHREAD] = "iothread",
        [THREAD_ROLE_VHOST] = "vhost",
};

const char *thread_role_to_string(ThreadRole role) {
        assert(role < _THREAD_ROLE_MAX);
        return role_names[role];
}

/* QEMU's names, cut by the kernel after 15 bytes. Since Linux 6.4 the threads of
 * vhost are the VMM's own; before, they are the kernel's, and not in the list. */
ThreadRole thread_role_from_comm(const char *comm, uint32_t *ret_vcpu) {
        const char *p;
        uint64_t number;

        *ret_vcpu = ID_NONE;

        if (strncmp(comm, "CPU ", 4) == 0) {
                p = comm + 4;
                if (text_take_number(&p, ID_NONE - 1, &number) < 0 || *p++ != '/' || !*p ||
                    p[strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
                        return THREAD_ROLE_EMULATOR;
                *ret_vcpu = (uint32_t) number;
                return THREAD_ROLE_VCPU;
        }

        /* The monitor's own loop is no iothread that anybody made. */
        if (strncmp(comm, "IO ", 3) == 0 && comm[3] && strcmp(comm, "IO mon_iothread") != 0)
                return THREAD_ROLE_IOTHREAD;

        if (strncmp(comm, "vhost-", 6) == 0) {
                p = comm + 6;
                if (text_take_number(&p, INT_MAX, &number) == 0 && !*p)
                        return THREAD_ROLE_VHOST;
        }

        return THREAD_ROLE_EMULATOR;
}
