/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "text.h"

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

/* What json-c takes in its strict mode and JSON does not: keys in single quotes, NaN
 * and Infinity, raw control characters, overlong and surrogate UTF-8. A NUL is refused
 * even where it is escaped: a text with one would not be what it seems to whoever
 * compares it. */
static bool is_strict(const char *text, size_t length) {
        static const char bare[] = " \t\r\n{}[]:,+-.0123456789aeEflnrstu";
        bool quoted = false;

        for (size_t i = 0; i < length;) {
                size_t left = length - i, n = 1;

                if (text[i] == '"')
                        quoted = !quoted;
                else if (!quoted) {
                        if (!memchr(bare, text[i], sizeof bare - 1))
                                return false;
                } else if (text[i] == '\\') {
                        if (left < 2 || (left >= 6 && memcmp(text + i, "\\u0000", 6) == 0))
                                return false;
                        n = 2;
                } else if (text[i] != 0x7f)
                        n = text_character_length(text + i, left);
                if (n == 0)
                        return false;
                i += n;
        }
        return true;
}

int json_parse(const char *text, size_t length, JsonObject **ret) {
        _cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
        _cleanup_json_ JsonObject *object = NULL;

        if (length > INT_MAX || !is_strict(text, length))
                return -EINVAL;
        tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, text, (int) length);
        if (json_tokener_get_error(tokener) != json_tokener_success || json_tokener_get_parse_end(tokener) != length)
                return -EINVAL;
        if (!json_object_is_type(object, json_type_object) && !json_object_is_type(object, json_type_array))
                return -EINVAL;

        *ret = TAKE_PTR(object);
        return 0;
}

/* A member of one type. */
static int get(JsonObject *object, const char *key, enum json_type type, JsonObject **ret) {
        JsonObject *value;

        if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
                return -ENODATA;
        if (!json_object_is_type(value, type))
                return -EINVAL;

        *ret = value;
        return 0;
}

int json_get_string(JsonObject *object, const char *key, const char **ret) {
        JsonObject *value;
        int r;

        r = get(object, key, json_type_string, &value);
        if (r < 0)
                return r;
        *ret = json_object_get_string(value);
        return 0;
}

int json_get_object(JsonObject *object, const char *key, JsonObject **ret) {
        return get(object, key, json_type_object, ret);
}

int json_get_array(JsonObject *object, const char *key, JsonObject **ret) {
        return get(object, key, json_type_array, ret);
}

int json_get_bool(JsonObject *object, const char *key, bool *ret) {
        JsonObject *value;
        int r;

        r = get(object, key, json_type_boolean, &value);
        if (r < 0)
                return r;
        *ret = json_object_get_boolean(value);
        return 0;
}

/* json-c makes a number that is too large the largest there is: that one is refused
 * with those. */
int json_get_i64(JsonObject *object, const char *key, int64_t *ret) {
        JsonObject *value;
        int64_t number;
        int r;

        r = get(object, key, json_type_int, &value);
        if (r < 0)
                return r;
        errno = 0;
        number = json_object_get_int64(value);
        if (errno != 0 || number == INT64_MAX || number == INT64_MIN)
                return -EINVAL;
        *ret = number;
        return 0;
}

int json_get_u32(JsonObject *object, const char *key, uint32_t *ret) {
        int64_t number;
        int r;

        r = json_get_i64(object, key, &number);
        if (r < 0)
                return r;
        if (number < 0 || number > UINT32_MAX)
                return -EINVAL;
        *ret = (uint32_t) number;
        return 0;
}

int json_add(JsonObject *object, const char *key, JsonObject *value) {
        if (value && json_object_object_add(object, key, value) == 0)
                return 0;
        if (value)
                (void) json_object_put(value);
        return -ENOMEM;
}

int json_add_string(JsonObject *object, const char *key, const char *value) {
        return json_add(object, key, json_object_new_string(value));
}

int json_add_i64(JsonObject *object, const char *key, int64_t value) {
        return json_add(object, key, json_object_new_int64(value));
}
