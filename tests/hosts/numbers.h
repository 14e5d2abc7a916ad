/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sets of small numbers (CPUs, cells) as sorted arrays, and the kernel's list
 * format, "0-3,8". The tests' own, so that a mistake in the service's cannot
 * hide itself. */

#include <glib.h>
#include <json.h>

typedef GArray Numbers;         /* of guint, ascending */

Numbers *numbers_new(void);
void numbers_add(Numbers *numbers, guint number);
gboolean numbers_contain(const Numbers *numbers, guint number);

/* NULL if it is not in the kernel's list format. */
Numbers *numbers_from_list(const char *list);

/* From a JSON array of numbers; aborts the test on anything else. */
Numbers *numbers_from_json(json_object *array);

char *numbers_to_list(const Numbers *numbers);
