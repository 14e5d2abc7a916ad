/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Domain.Vcpus: which there are comes from the last snapshot, what its
 * thread does is asked of the kernel. */

#include "dictionary.h"
#include "domain-vcpus.gen.h"
#include "guest/domain.h"
#include "guest/threads.h"

int domain_vcpus_get_maximum(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", domain->vcpus ? domain->vcpus->maximum : 0);
}

int domain_vcpus_get_current(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", domain->vcpus ? domain->vcpus->current : 0);
}

int domain_vcpus_get_sparse(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "b", domain->vcpus && domain->vcpus->sparse);
}

/* What cannot be read of a thread is left out: it may have ended a moment ago. */
static int append_thread(sd_bus_message *message, const Domain *domain, const Vcpu *vcpu) {
        _cleanup_cpuset_ CpuSet affinity = {};
        SchedulerPolicy policy;
        ThreadStat stat;
        int priority, r;
        pid_t tid;

        if (vcpu->thread == 0 || !domain->process || process_find_thread(domain->process, (pid_t) vcpu->thread, &tid, NULL) < 0)
                return 0;

        r = dictionary_add_u32(message, "thread", (uint32_t) tid);
        if (r >= 0 && thread_get_affinity(domain->process, tid, &affinity, NULL) >= 0)
                r = dictionary_add_cpuset(message, "effective_cpus", &affinity);
        if (r >= 0 && thread_get_scheduler(domain->process, tid, &policy, &priority, NULL) >= 0) {
                r = dictionary_add_string(message, "scheduler", scheduler_policy_to_string(policy));
                if (r >= 0)
                        r = sd_bus_message_append(message, "{sv}", "priority", "i", (int32_t) priority);
        }
        if (r >= 0 && thread_read_stat(domain->process, tid, &stat, NULL) >= 0) {
                r = dictionary_add_u32(message, "host_cpu", stat.last_cpu);
                if (r >= 0)
                        r = dictionary_add_u64(message, "cpu_time_usec", stat.cpu_time_usec);
                if (r >= 0 && stat.wait_usec != WAIT_USEC_UNKNOWN)
                        r = dictionary_add_u64(message, "wait_usec", stat.wait_usec);
        }
        return r;
}

static int append_vcpu(sd_bus_message *message, size_t i, const void *userdata) {
        const Domain *domain = userdata;
        const Vcpu *vcpu = domain->vcpus->vcpus + i;
        char unit[VCPU_UNIT_TEXT_MAX];
        int r;

        plug_unit_to_string(domain->vcpus->units + vcpu->unit, unit);
        r = sd_bus_message_append(message, "{sv}{sv}{sv}{sv}",
                                  "id", "u", vcpu->id,
                                  "state", "s", vcpu->enabled ? "enabled" : "disabled",
                                  "hotpluggable", "b", (int) vcpu->hotpluggable,
                                  "unit", "s", unit);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "reason", vcpu->reason);
        if (r >= 0)
                r = dictionary_add_id(message, "cell", vcpu->cell);
        if (r >= 0)
                r = dictionary_add_nonzero(message, "order", vcpu->order);
        if (r >= 0)
                r = append_thread(message, domain, vcpu);
        return r;
}

static int append_vcpus(sd_bus_message *reply, const void *userdata) {
        const Domain *domain = userdata;

        return message_append_dictionaries(reply, domain->vcpus ? domain->vcpus->maximum : 0, append_vcpu, domain);
}

int domain_vcpus_list_vcpus(Domain *domain, const DomainVcpusListVcpusArgs *args, const Request *request, Error *error) {
        return reply_filled(request->message, append_vcpus, domain);
}
