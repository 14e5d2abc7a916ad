/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "fields.h"

static json_object *field_get(json_object *object, const char *name, json_type type) {
        json_object *value;

        if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &value) ||
            !json_object_is_type(value, type))
                return NULL;
        return value;
}

static bool value_is(json_object *value, json_type type) {
        return json_object_is_type(value, type) &&
                (type != json_type_int || json_object_get_int64(value) >= 0); /* it stops at the largest */
}

bool fields_check(json_object *object, const Field *fields, const char **ret_wrong) {
        if (!json_object_is_type(object, json_type_object)) {
                *ret_wrong = NULL;
                return false;
        }
        for (; fields->name; fields++) {
                json_object *value;

                if (json_object_object_get_ex(object, fields->name, &value) ? value_is(value, fields->type)
                                                                            : !fields->required)
                        continue;
                *ret_wrong = fields->name;
                return false;
        }
        return true;
}

bool field_number(json_object *object, const char *name, uint64_t *ret) {
        json_object *value = field_get(object, name, json_type_int);

        if (!value)
                return false;
        *ret = json_object_get_uint64(value);
        return true;
}

uint64_t field_number_or(json_object *object, const char *name, uint64_t otherwise) {
        (void) field_number(object, name, &otherwise);
        return otherwise;
}

const char *field_string(json_object *object, const char *name) {
        return json_object_get_string(field_get(object, name, json_type_string)) ?: "";
}

bool field_boolean(json_object *object, const char *name) {
        return json_object_get_boolean(field_get(object, name, json_type_boolean));
}

json_object *field_list(json_object *object, const char *name) {
        return field_get(object, name, json_type_array);
}

size_t list_length(json_object *list) {
        return list ? json_object_array_length(list) : 0;
}

bool number_parse(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t n = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                unsigned digit = (unsigned char) *text - '0';
                if (digit > 9 || n > (max - digit) / 10 || n * 10 + digit > max)
                        return false;
                n = n * 10 + digit;
        }
        *ret = n;
        return true;
}
