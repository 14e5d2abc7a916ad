/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/name.h"

#include <string.h>

#include "lib/text.h"

bool guest_name_is_valid(const char *name) {
        size_t length = strnlen(name, GUEST_NAME_MAX + 1);

        if (length == 0 || length > GUEST_NAME_MAX || *name == '.')
                return false;
        for (size_t at = 0; at < length;) {
                size_t n = text_character_length(name + at, length - at);

                if (n == 0 || name[at] == '/')
                        return false;
                /* U+0080 to U+009F: control characters, too. */
                if (n == 2 && (unsigned char) name[at] == 0xc2 && (unsigned char) name[at + 1] < 0xa0)
                        return false;
                at += n;
        }
        return true;
}
