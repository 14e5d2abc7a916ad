/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "text.h"

#include <ctype.h>
#include <errno.h>

#include "cleanup.h"

size_t text_character_length(const char *text, size_t n) {
        static const struct { unsigned char first, last, low, high; size_t length; } forms[] = {
                { 0x20, 0x7e, 0, 0, 1 },
                { 0xc2, 0xdf, 0x80, 0xbf, 2 },
                { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
                { 0xe1, 0xec, 0x80, 0xbf, 3 },
                { 0xed, 0xed, 0x80, 0x9f, 3 },
                { 0xee, 0xef, 0x80, 0xbf, 3 },
                { 0xf0, 0xf0, 0x90, 0xbf, 4 },
                { 0xf1, 0xf3, 0x80, 0xbf, 4 },
                { 0xf4, 0xf4, 0x80, 0x8f, 4 },
        };
        const unsigned char *p = (const unsigned char *) text;

        for (size_t i = 0; i < ELEMENTSOF(forms) && n > 0; i++) {
                if (p[0] < forms[i].first || p[0] > forms[i].last)
                        continue;
                if (forms[i].length > n)
                        return 0;
                if (forms[i].length > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))
                        return 0;
                for (size_t j = 2; j < forms[i].length; j++)
                        if ((p[j] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

void text_make_printable(char *text) {
        for (char *p = text; *p;) {
                size_t n = text_character_length(p, SIZE_MAX);  /* the NUL ends it */

                if (n == 0)
                        *p = '?';
                p += n > 0 ? n : 1;
        }
}

int text_take_number(const char **text, uint64_t max, uint64_t *ret) {
        uint64_t number = 0;
        const char *p = *text;

        if (!isdigit((unsigned char) *p))
                return -EINVAL;
        for (; isdigit((unsigned char) *p); p++) {
                unsigned digit = (unsigned) (*p - '0');

                if (digit > max || number > (max - digit) / 10)
                        return -ERANGE;
                number = number * 10 + digit;
        }

        *text = p;
        *ret = number;
        return 0;
}
