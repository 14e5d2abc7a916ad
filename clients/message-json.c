/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From any part of a D-Bus message to JSON. The bus allows containers only 64
 * deep, so that this may call itself. */

#include <errno.h>
#include <math.h>

#include "message-json.h"

static int basic_to_json(sd_bus_message *m, char type, json_object **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
                int h;
        } v = {};
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                *ret = json_object_new_uint64(v.y);
                break;
        case SD_BUS_TYPE_BOOLEAN:
                *ret = json_object_new_boolean(v.b);
                break;
        case SD_BUS_TYPE_INT16:
                *ret = json_object_new_int64(v.n);
                break;
        case SD_BUS_TYPE_UINT16:
                *ret = json_object_new_uint64(v.q);
                break;
        case SD_BUS_TYPE_INT32:
                *ret = json_object_new_int64(v.i);
                break;
        case SD_BUS_TYPE_UINT32:
                *ret = json_object_new_uint64(v.u);
                break;
        case SD_BUS_TYPE_INT64:
                *ret = json_object_new_int64(v.x);
                break;
        case SD_BUS_TYPE_UINT64:
                *ret = json_object_new_uint64(v.t);
                break;
        case SD_BUS_TYPE_DOUBLE:
                if (!isfinite(v.d)) { /* JSON has no word for it */
                        *ret = NULL;
                        return 0;
                }
                *ret = json_object_new_double(v.d);
                break;
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                *ret = json_object_new_string(v.s);
                break;
        case SD_BUS_TYPE_UNIX_FD:
                *ret = NULL;
                return 0;
        default:
                return -EBADMSG;
        }
        return *ret ? 0 : -ENOMEM;
}

static int dictionary_to_json(sd_bus_message *m, json_object **ret) {
        _cleanup_json_ json_object *object = json_object_new_object();
        const char *contents;
        char type;
        int r;

        if (!object)
                return -ENOMEM;
        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                _cleanup_json_ json_object *key = NULL, *value = NULL;

                if (type != SD_BUS_TYPE_DICT_ENTRY)
                        return -EBADMSG;
                r = sd_bus_message_enter_container(m, type, contents);
                if (r < 0)
                        return r;
                r = message_value_to_json(m, &key);
                if (r > 0)
                        r = message_value_to_json(m, &value);
                if (r <= 0)
                        return r < 0 ? r : -EBADMSG;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
                if (json_object_object_add(object, json_object_get_string(key), TAKE(value)) < 0)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = TAKE(object);
        return 0;
}

static int list_to_json(sd_bus_message *m, json_object **ret) {
        _cleanup_json_ json_object *list = json_object_new_array();
        json_object *value;
        int r;

        if (!list)
                return -ENOMEM;
        while ((r = message_value_to_json(m, &value)) > 0)
                if (json_object_array_add(list, value) < 0) {
                        json_object_put(value);
                        return -ENOMEM;
                }
        if (r < 0)
                return r;
        *ret = TAKE(list);
        return 0;
}

int message_value_to_json(sd_bus_message *m, json_object **ret) {
        _cleanup_json_ json_object *value = NULL;
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r;

        if (!contents) {
                r = basic_to_json(m, type, &value);
                if (r < 0)
                        return r;
                *ret = TAKE(value);
                return 1;
        }

        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == SD_BUS_TYPE_VARIANT) {
                r = message_value_to_json(m, &value);
                if (r == 0)
                        r = -EBADMSG;
        } else if (type == SD_BUS_TYPE_ARRAY && *contents == SD_BUS_TYPE_DICT_ENTRY_BEGIN)
                r = dictionary_to_json(m, &value);
        else
                r = list_to_json(m, &value);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE(value);
        return 1;
}

int message_to_json(sd_bus_message *m, json_object **ret) {
        _cleanup_json_ json_object *list = NULL;
        int r;

        r = list_to_json(m, &list);
        if (r < 0)
                return r;
        switch (json_object_array_length(list)) {
        case 0:
                *ret = NULL;
                break;
        case 1:
                *ret = json_object_get(json_object_array_get_idx(list, 0));
                break;
        default:
                *ret = TAKE(list);
        }
        return 0;
}
