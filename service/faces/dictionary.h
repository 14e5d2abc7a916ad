/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The aa{sv} that most lists are: an entry each with keys that may be absent. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "lib/cpuset.h"
#include "lib/finding.h"

int dictionary_add_string(sd_bus_message *message, const char *key, const char *value);
int dictionary_add_u32(sd_bus_message *message, const char *key, uint32_t value);
int dictionary_add_u64(sd_bus_message *message, const char *key, uint64_t value);
int dictionary_add_bool(sd_bus_message *message, const char *key, bool value);

/* These leave the key out: for NULL; for ID_NONE; for 0; for an empty set. */
int dictionary_add_optional_string(sd_bus_message *message, const char *key, const char *value);
int dictionary_add_id(sd_bus_message *message, const char *key, uint32_t id);
int dictionary_add_nonzero(sd_bus_message *message, const char *key, uint32_t value);
int dictionary_add_cpuset(sd_bus_message *message, const char *key, const CpuSet *set);

/* A set of CPUs as a value of its own, in the list format. */
int message_append_cpuset(sd_bus_message *message, const CpuSet *set);

/* Findings as aa{sv}. */
int message_append_findings(sd_bus_message *message, const Findings *findings);

/* An aa{sv} of "n" entries, each filled in by "each". */
int message_append_dictionaries(sd_bus_message *message, size_t n,
                                int (*each)(sd_bus_message *message, size_t i, const void *userdata), const void *userdata);

/* A method's answer that "append" fills in. */
int reply_filled(sd_bus_message *call, int (*append)(sd_bus_message *reply, const void *userdata), const void *userdata);
