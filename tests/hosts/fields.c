/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fields.h"

#include <string.h>

void fields_compare(Context *context, const Field *fields, json_object *object) {
        g_assert_true(json_object_is_type(object, json_type_object));
        json_object_object_foreach(object, name, value) {
                const Field *field = fields;

                while (field->name && strcmp(field->name, name) != 0)
                        field++;
                if (!field->name) {
                        g_autofree char *where = fields_where(context, name);

                        report_add(context->report, where, "expected.json has a member that this test does not know");
                } else if (field->compare)
                        field->compare(context, value);
                else
                        g_assert_nonnull(field->why_not);
        }
}

json_object *fields_get(json_object *object, const char *name) {
        json_object *value;

        if (!json_object_object_get_ex(object, name, &value))
                g_error("expected.json lacks \"%s\"", name);
        return value;
}

char *fields_where(const Context *context, const char *name) {
        return context->where && context->where[0] ? g_strdup_printf("%s.%s", context->where, name) : g_strdup(name);
}
