/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "numbers.h"

Numbers *numbers_new(void) {
        return g_array_new(FALSE, FALSE, sizeof(guint));
}

void numbers_add(Numbers *numbers, guint number) {
        guint at = numbers->len;

        while (at > 0 && g_array_index(numbers, guint, at - 1) >= number) {
                if (g_array_index(numbers, guint, at - 1) == number)
                        return;
                at--;
        }
        g_array_insert_val(numbers, at, number);
}

gboolean numbers_contain(const Numbers *numbers, guint number) {
        for (guint i = 0; i < numbers->len; i++)
                if (g_array_index(numbers, guint, i) == number)
                        return TRUE;
        return FALSE;
}

Numbers *numbers_from_list(const char *list) {
        g_autoptr(GArray) numbers = numbers_new();
        const char *p = list;

        while (*p) {
                guint64 first, last;
                char *end;

                if (!g_ascii_isdigit(*p))
                        return NULL;
                first = last = g_ascii_strtoull(p, &end, 10);
                if (*end == '-') {
                        if (!g_ascii_isdigit(end[1]))
                                return NULL;
                        last = g_ascii_strtoull(end + 1, &end, 10);
                }
                if (last < first || last > 1000000)
                        return NULL;
                for (guint64 n = first; n <= last; n++)
                        numbers_add(numbers, (guint) n);
                if (*end == ',' && end[1])
                        end++;
                else if (*end)
                        return NULL;
                p = end;
        }
        return g_steal_pointer(&numbers);
}

Numbers *numbers_from_json(json_object *array) {
        Numbers *numbers = numbers_new();

        g_assert_true(json_object_is_type(array, json_type_array));
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                json_object *item = json_object_array_get_idx(array, i);

                g_assert_true(json_object_is_type(item, json_type_int));
                numbers_add(numbers, (guint) json_object_get_int(item));
        }
        return numbers;
}

char *numbers_to_list(const Numbers *numbers) {
        GString *list = g_string_new(NULL);

        for (guint i = 0; i < numbers->len;) {
                guint first = g_array_index(numbers, guint, i), last = first;

                while (++i < numbers->len && g_array_index(numbers, guint, i) == last + 1)
                        last++;
                g_string_append_printf(list, list->len > 0 ? ",%u" : "%u", first);
                if (last > first)
                        g_string_append_printf(list, "-%u", last);
        }
        return g_string_free(list, FALSE);
}
