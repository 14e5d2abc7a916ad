/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "cpulist.h"

enum { WORD_BITS = 8 * sizeof(unsigned long) };

static int id_parse(const char **text, unsigned *ret) {
        unsigned n = 0;

        if (**text < '0' || **text > '9')
                return -EINVAL;
        for (; **text >= '0' && **text <= '9'; (*text)++) {
                n = n * 10 + (**text - '0');
                if (n > CPU_ID_MAX)
                        return -ERANGE;
        }
        *ret = n;
        return 0;
}

int cpulist_parse(const char *text, CpuList *ret) {
        CpuList list = {};
        unsigned first, last;
        int r;

        while (*text) {
                r = id_parse(&text, &first);
                if (r < 0)
                        return r;
                last = first;
                if (*text == '-') {
                        text++;
                        r = id_parse(&text, &last);
                        if (r < 0)
                                return r;
                }
                if (last < first)
                        return -EINVAL;
                for (unsigned i = first; i <= last; i++)
                        list.bits[i / WORD_BITS] |= 1UL << i % WORD_BITS;
                if (*text == ',' && text[1])
                        text++;
                else if (*text)
                        return -EINVAL;
        }
        memcpy(ret, &list, sizeof list);
        return 0;
}

bool cpulist_has(const CpuList *list, unsigned cpu) {
        return cpu <= CPU_ID_MAX && (list->bits[cpu / WORD_BITS] & 1UL << cpu % WORD_BITS);
}

unsigned cpulist_count(const CpuList *list) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTS(list->bits); i++)
                n += __builtin_popcountl(list->bits[i]);
        return n;
}

unsigned cpulist_first(const CpuList *list) {
        size_t i = 0;

        while (i + 1 < ELEMENTS(list->bits) && list->bits[i] == 0)
                i++;
        return i * WORD_BITS + (list->bits[i] ? __builtin_ctzl(list->bits[i]) : 0);
}
