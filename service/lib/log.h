/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line for each thing that an operator should know, with its fields apart
 * where the journal listens, and plain on standard error where a person does.
 * Log or return an error, never both. */

#include <syslog.h>

#include "cleanup.h"

/* Message ids: each has a text for operators in data/berth.catalog. */
#define MESSAGE_ID_STARTED "5136cb89606f438baf94203ecd555fe0"
#define MESSAGE_ID_CONFIG_INVALID "c614d9daebb649df8e5e977e4efa4c48"
#define MESSAGE_ID_POLKIT_MISSING "d4877943bf7e45298dd88f048e5591df"
#define MESSAGE_ID_HOST_CONTRADICTS "9a229de2d2b24a6fbf79146e2954dfd3"
#define MESSAGE_ID_PAGES_ALLOCATED "f562eb90e18546db92e4f0c8a2a11672"
#define MESSAGE_ID_GUEST_CHANGED "3f0e1c6f5ad84a0c9f7d2a4be1c7785d"
#define MESSAGE_ID_DEFINITION_DAMAGED "d0d6b18f485b4865a42a48db2a40f3c8"

/* Nothing less urgent than this syslog(3) level is logged. */
void log_set_level(int level);

/* "err", "warning", "notice", "info", "debug". Returns -EINVAL for others. */
int log_level_from_string(const char *word, int *ret_level);

void log_message(int level, const char *format, ...) _printf_(2, 3);

/* Like log_message(), with up to eight fields more: names and values in turn, NULL
 * at the end. Names in capitals. A field without a value (NULL) is left out. */
void log_fields(int level, const char *const *fields, const char *format, ...) _printf_(3, 4);

#define LOG_FIELDS(...) ((const char *const[]) { __VA_ARGS__, NULL })

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)
