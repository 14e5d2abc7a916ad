/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
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

/* One entry, "2" or "0-3", which @text is moved past. */
static int range_parse(const char **text, unsigned *ret_first, unsigned *ret_last) {
        unsigned first, last;
        int r;

        r = id_parse(text, &first);
        if (r < 0)
                return r;
        last = first;
        if (**text == '-') {
                (*text)++;
                r = id_parse(text, &last);
                if (r < 0)
                        return r;
        }
        if (last < first)
                return -EINVAL;
        *ret_first = first;
        *ret_last = last;
        return 0;
}

static int list_parse(const char *text, bool loose, CpuList *ret) {
        CpuList list = {};
        int r;

        while (*text) {
                bool away = loose && *text == '^', found = false;
                unsigned first, last;

                text += away;
                r = range_parse(&text, &first, &last);
                if (r < 0)
                        return r;
                for (unsigned i = first; i <= last; i++) {
                        unsigned long *word = &list.bits[i / WORD_BITS], bit = 1UL << i % WORD_BITS;
                        found = found || (*word & bit);
                        *word = away ? *word & ~bit : *word | bit;
                }
                if (away && !found)
                        return -EINVAL;
                if (*text == ',' && text[1])
                        text++;
                else if (*text)
                        return -EINVAL;
        }
        memcpy(ret, &list, sizeof list);
        return 0;
}

int cpulist_parse(const char *text, CpuList *ret) {
        return list_parse(text, false, ret);
}

int cpulist_parse_loose(const char *text, CpuList *ret) {
        CpuList list;
        int r;

        r = list_parse(text, true, &list);
        if (r < 0)
                return r;
        if (cpulist_count(&list) == 0)
                return -EINVAL;
        memcpy(ret, &list, sizeof list);
        return 0;
}

char *cpulist_format(const CpuList *list) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool any = false;

        if (!f)
                return NULL;
        for (unsigned i = 0; i <= CPU_ID_MAX; i++) {
                unsigned last = i;

                if (!cpulist_has(list, i))
                        continue;
                while (last < CPU_ID_MAX && cpulist_has(list, last + 1))
                        last++;
                fprintf(f, last > i ? "%s%u-%u" : "%s%u", any ? "," : "", i, last);
                any = true;
                i = last;
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

void cpulist_add(CpuList *list, unsigned cpu) {
        list->bits[cpu / WORD_BITS] |= 1UL << cpu % WORD_BITS;
}

void cpulist_add_all(CpuList *list, const CpuList *other) {
        for (size_t i = 0; i < ELEMENTS(list->bits); i++)
                list->bits[i] |= other->bits[i];
}

void cpulist_intersect(CpuList *list, const CpuList *other) {
        for (size_t i = 0; i < ELEMENTS(list->bits); i++)
                list->bits[i] &= other->bits[i];
}

bool cpulist_equal(const CpuList *a, const CpuList *b) {
        return memcmp(a->bits, b->bits, sizeof a->bits) == 0;
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
