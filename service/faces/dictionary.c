/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dictionary.h"

#include <errno.h>

#include "lib/sysfs.h"

int dictionary_add_string(sd_bus_message *message, const char *key, const char *value) {
        return sd_bus_message_append(message, "{sv}", key, "s", value);
}

int dictionary_add_u32(sd_bus_message *message, const char *key, uint32_t value) {
        return sd_bus_message_append(message, "{sv}", key, "u", value);
}

int dictionary_add_u64(sd_bus_message *message, const char *key, uint64_t value) {
        return sd_bus_message_append(message, "{sv}", key, "t", value);
}

int dictionary_add_bool(sd_bus_message *message, const char *key, bool value) {
        return sd_bus_message_append(message, "{sv}", key, "b", (int) value);
}

int dictionary_add_optional_string(sd_bus_message *message, const char *key, const char *value) {
        return value ? dictionary_add_string(message, key, value) : 0;
}

int dictionary_add_id(sd_bus_message *message, const char *key, uint32_t id) {
        return id != ID_NONE ? dictionary_add_u32(message, key, id) : 0;
}

int dictionary_add_nonzero(sd_bus_message *message, const char *key, uint32_t value) {
        return value != 0 ? dictionary_add_u32(message, key, value) : 0;
}

int dictionary_add_cpuset(sd_bus_message *message, const char *key, const CpuSet *set) {
        _cleanup_free_ char *list = NULL;

        if (cpuset_is_empty(set))
                return 0;
        list = cpuset_to_list(set);
        return list ? dictionary_add_string(message, key, list) : -ENOMEM;
}

int message_append_cpuset(sd_bus_message *message, const CpuSet *set) {
        _cleanup_free_ char *list = cpuset_to_list(set);

        return list ? sd_bus_message_append_basic(message, 's', list) : -ENOMEM;
}

int message_append_dictionaries(sd_bus_message *message, size_t n,
                                int (*each)(sd_bus_message *, size_t, const void *), const void *userdata) {
        int r;

        r = sd_bus_message_open_container(message, 'a', "a{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = sd_bus_message_open_container(message, 'a', "{sv}");
                if (r >= 0)
                        r = each(message, i, userdata);
                if (r >= 0)
                        r = sd_bus_message_close_container(message);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(message);
}

static int append_finding(sd_bus_message *message, size_t i, const void *userdata) {
        const Finding *finding = ((const Findings *) userdata)->items + i;

        return sd_bus_message_append(message, "{sv}{sv}{sv}{sv}{sv}",
                                     "code", "s", finding->code,
                                     "severity", "s", severity_to_string(finding->severity),
                                     "subject", "s", finding->subject,
                                     "message", "s", finding->message,
                                     "remedy", "s", finding->remedy);
}

int message_append_findings(sd_bus_message *message, const Findings *findings) {
        return message_append_dictionaries(message, findings->n_items, append_finding, findings);
}

int reply_filled(sd_bus_message *call, int (*append)(sd_bus_message *, const void *), const void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append(reply, userdata);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}
