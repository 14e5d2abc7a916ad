/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What /proc says of processes and threads. */

#include "fuzz.h"

#include "guest/process.h"
#include "guest/threads.h"
#include "lib/sysfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = text_of(data, size);
        uint64_t wait_usec;
        ProcStatus status;
        ProcStat stat;
        uint32_t vcpu;

        if (proc_stat_parse(text, &stat) == 0) {
                HOLDS(memchr(stat.comm, 0, sizeof stat.comm));
                (void) thread_role_from_comm(stat.comm, &vcpu);
        }
        if (proc_status_parse(text, &status) == 0)
                HOLDS(status.tgid > 0 && status.pid > 0 && status.innermost_pid > 0);
        if (schedstat_parse(text, &wait_usec) == 0)
                HOLDS(wait_usec <= UINT64_MAX / 1000);
        HOLDS((thread_role_from_comm(text, &vcpu) == THREAD_ROLE_VCPU) == (vcpu != ID_NONE));
        return 0;
}
