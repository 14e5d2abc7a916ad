/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* json-c with belief taken out: what a monitor sends may be anything. A member is there
 * with the right type and within its range, or it is not there. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

typedef struct json_object JsonObject;

static inline void json_object_putp(JsonObject **object) {
        if (*object)
                (void) json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

/* How deep a document may be: json-c spends 36 bytes for each bracket of a line of
 * brackets. */
#define JSON_DEPTH_MAX 32

/* Reads one document, an object or an array: strict JSON in valid UTF-8, without any
 * NUL, no deeper than JSON_DEPTH_MAX. Of a key that comes twice, the last counts.
 * Returns -EINVAL for anything else. */
int json_parse(const char *text, size_t length, JsonObject **ret);

/* Members of an object; the strings and objects belong to it. All return -ENODATA
 * for what is not there and -EINVAL for what is of another type or out of range. */
int json_get_string(JsonObject *object, const char *key, const char **ret);
int json_get_object(JsonObject *object, const char *key, JsonObject **ret);
int json_get_array(JsonObject *object, const char *key, JsonObject **ret);
int json_get_bool(JsonObject *object, const char *key, bool *ret);
int json_get_u32(JsonObject *object, const char *key, uint32_t *ret);
int json_get_i64(JsonObject *object, const char *key, int64_t *ret);

/* Adds a member to an object that is being made; "value" is taken over, also on
 * failure. Without memory the object is incomplete: -ENOMEM. */
int json_add(JsonObject *object, const char *key, JsonObject *value);
int json_add_string(JsonObject *object, const char *key, const char *value);
int json_add_i64(JsonObject *object, const char *key, int64_t value);
