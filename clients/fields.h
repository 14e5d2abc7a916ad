/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

/* A key that may be in an object of the service's, and what it then holds. */
typedef struct Field {
        const char *name;
        json_type type; /* json_type_int: a whole number, not negative */
        bool required;
} Field;

/* Whether @object is an object and its keys are as @fields (ended by one without
 * a name) says; other keys are not looked at. If not, returns false and stores
 * the name of the wrong one, NULL if @object is no object. */
bool fields_check(json_object *object, const Field *fields, const char **ret_wrong);

/* The value of a key, or what stands for an absent one. Once fields_check() has
 * seen the object no wrong type is left. */
bool field_number(json_object *object, const char *name, uint64_t *ret);
uint64_t field_number_or(json_object *object, const char *name, uint64_t otherwise);
const char *field_string(json_object *object, const char *name); /* "" if absent */
bool field_boolean(json_object *object, const char *name);       /* false if absent */
json_object *field_list(json_object *object, const char *name);  /* NULL if absent; not a new reference */
size_t list_length(json_object *list);                           /* 0 for NULL */

/* A number that a dictionary's key is. */
bool number_parse(const char *text, uint64_t max, uint64_t *ret);
