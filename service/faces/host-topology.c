/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Host.Topology: every answer comes from the snapshot. */

#include "dictionary.h"
#include "host-topology.gen.h"
#include "host/host.h"
#include "host/topology-xml.h"

int host_topology_get_arch(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', host->identity.arch);
}

int host_topology_get_vendor(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', host->identity.vendor);
}

int host_topology_get_model(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', host->identity.model);
}

int host_topology_get_generation(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 't', &host->generation);
}

int host_topology_get_warnings(const Host *host, sd_bus_message *reply) {
        return message_append_findings(reply, &host->topology->findings);
}

int host_topology_get_sockets(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 'u', &host->topology->n_sockets);
}

int host_topology_get_dies(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 'u', &host->topology->n_dies);
}

int host_topology_get_cores(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 'u', &host->topology->n_cores);
}

int host_topology_get_threads(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", (uint32_t) cpuset_count(&host->topology->online));
}

int host_topology_get_possible_cpus(const Host *host, sd_bus_message *reply) {
        return message_append_cpuset(reply, &host->topology->possible);
}

int host_topology_get_present_cpus(const Host *host, sd_bus_message *reply) {
        return message_append_cpuset(reply, &host->topology->present);
}

int host_topology_get_online_cpus(const Host *host, sd_bus_message *reply) {
        return message_append_cpuset(reply, &host->topology->online);
}

int host_topology_get_isolated_cpus(const Host *host, sd_bus_message *reply) {
        return message_append_cpuset(reply, &host->topology->isolated);
}

int host_topology_get_smt_active(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "b", (int) host->topology->smt_active);
}

static int append_cpu(sd_bus_message *message, size_t i, const void *userdata) {
        const Cpu *cpu = ((const Topology *) userdata)->cpus + i;
        const struct { const char *key; uint32_t id; } ids[] = {
                { "cell", cpu->cell },
                { "socket", cpu->socket },
                { "die", cpu->die },
                { "cluster", cpu->cluster },
                { "core", cpu->core },
                { "book", cpu->book },
                { "drawer", cpu->drawer },
        };
        int r;

        r = sd_bus_message_append(message, "{sv}{sv}", "id", "u", cpu->id, "online", "b", (int) cpu->online);
        for (size_t j = 0; j < ELEMENTSOF(ids) && r >= 0; j++)
                r = dictionary_add_id(message, ids[j].key, ids[j].id);
        if (r >= 0)
                r = dictionary_add_cpuset(message, "siblings", &cpu->siblings);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "kind", cpu_kind_to_string(cpu->kind));
        if (r >= 0)
                r = dictionary_add_nonzero(message, "capacity", cpu->capacity);
        if (r >= 0)
                r = dictionary_add_nonzero(message, "max_khz", cpu->max_khz);
        if (r >= 0)
                r = dictionary_add_bool(message, "isolated", cpu->isolated);
        return r;
}

static int append_cpus(sd_bus_message *reply, const void *userdata) {
        const Topology *topology = userdata;

        return message_append_dictionaries(reply, topology->n_cpus, append_cpu, topology);
}

int host_topology_list_cpus(Host *host, const Request *request, Error *error) {
        return reply_filled(request->message, append_cpus, host->topology);
}

static int append_cache(sd_bus_message *message, size_t i, const void *userdata) {
        const Cache *cache = ((const Topology *) userdata)->caches + i;
        int r;

        r = sd_bus_message_append(message, "{sv}{sv}{sv}",
                                  "level", "u", cache->level,
                                  "type", "s", cache_type_to_string(cache->type),
                                  "size", "t", cache->size_bytes);
        if (r >= 0)
                r = dictionary_add_cpuset(message, "cpus", &cache->cpus);
        if (r >= 0)
                r = dictionary_add_id(message, "id", cache->id);
        if (r >= 0)
                r = dictionary_add_id(message, "cell", cache->cell);
        return r;
}

static int append_caches(sd_bus_message *reply, const void *userdata) {
        const Topology *topology = userdata;

        return message_append_dictionaries(reply, topology->n_caches, append_cache, topology);
}

int host_topology_list_caches(Host *host, const Request *request, Error *error) {
        return reply_filled(request->message, append_caches, host->topology);
}

int host_topology_get_xml(Host *host, const HostTopologyGetXmlArgs *args, const Request *request, Error *error) {
        _cleanup_free_ char *xml = NULL;
        int r;

        r = topology_to_xml(host, args->flags & HOST_TOPOLOGY_GET_XML_NESTED, &xml);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(request->message, "s", xml);
}
