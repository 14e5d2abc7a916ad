/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

void cpuset_clear(CpuSet *set) {
        free(set->ranges);
        *set = (CpuSet) {};
}

static int cpuset_reserve(CpuSet *set, size_t n) {
        if (n > set->n_allocated) {
                size_t allocate = set->n_allocated ? 2 * set->n_allocated : 1;
                CpuRange *ranges;

                if (allocate < n)
                        allocate = n;
                ranges = reallocarray(set->ranges, allocate, sizeof *ranges);
                if (!ranges)
                        return -ENOMEM;
                set->ranges = ranges;
                set->n_allocated = allocate;
        }

        return 0;
}

/* The first range that ends at "cpu" or after it. */
static size_t cpuset_find(const CpuSet *set, uint32_t cpu) {
        size_t low = 0, high = set->n_ranges;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (set->ranges[middle].last < cpu)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low;
}

int cpuset_add_range(CpuSet *set, uint32_t first, uint32_t last) {
        size_t from, to;
        int r;

        if (first > last)
                return -EINVAL;
        if (last >= CPUSET_LIMIT)
                return -ERANGE;

        /* All ranges that overlap or touch the new one become one with it. */
        from = cpuset_find(set, first > 0 ? first - 1 : 0);
        for (to = from; to < set->n_ranges && set->ranges[to].first <= last + 1; to++) {
                if (set->ranges[to].first < first)
                        first = set->ranges[to].first;
                if (set->ranges[to].last > last)
                        last = set->ranges[to].last;
        }

        if (to == from) {
                r = cpuset_reserve(set, set->n_ranges + 1);
                if (r < 0)
                        return r;
        }
        memmove(set->ranges + from + 1, set->ranges + to, (set->n_ranges - to) * sizeof *set->ranges);
        set->ranges[from] = (CpuRange) { first, last };
        set->n_ranges = set->n_ranges - (to - from) + 1;

        return 0;
}

int cpuset_add(CpuSet *set, uint32_t cpu) {
        return cpuset_add_range(set, cpu, cpu);
}

static const char *skip_space(const char *p) {
        while (isspace((unsigned char) *p))
                p++;
        return p;
}

/* With so many ranges one that comes out of order costs too much to be put in between:
 * a stranger may send thousands, from the highest to the lowest. */
#define RANGES_IN_ORDER 256u

/* How many ranges begin at a CPU, less those that ended at the one before. */
typedef struct Steps {
        int *items;             /* NULL while there are none; else CPUSET_LIMIT + 1 */
} Steps;

static void steps_clear(Steps *steps) {
        free(steps->items);
}

static int steps_add(Steps *steps, uint32_t first, uint32_t last) {
        if (!steps->items) {
                steps->items = calloc(CPUSET_LIMIT + 1, sizeof *steps->items);
                if (!steps->items)
                        return -ENOMEM;
        }
        steps->items[first]++;
        steps->items[last + 1]--;
        return 0;
}

/* All ranges that were added, and those of the set. */
static int steps_take(Steps *steps, CpuSet *set) {
        _cleanup_cpuset_ CpuSet all = {};
        uint32_t first = 0;
        int depth = 0;

        for (size_t i = 0; i < set->n_ranges; i++) {
                steps->items[set->ranges[i].first]++;
                steps->items[set->ranges[i].last + 1]--;
        }
        for (uint32_t cpu = 0; cpu <= CPUSET_LIMIT; cpu++) {
                int before = depth, r;

                depth += steps->items[cpu];
                if (before == 0 && depth > 0)
                        first = cpu;
                if (before > 0 && depth == 0) {
                        r = cpuset_add_range(&all, first, cpu - 1);
                        if (r < 0)
                                return r;
                }
        }
        cpuset_clear(set);
        *set = TAKE(all);
        return 0;
}

int cpuset_parse_list(const char *text, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        _cleanup_(steps_clear) Steps steps = {};
        const char *p = skip_space(text);
        int r;

        while (*p) {
                uint64_t first, last;

                r = text_take_number(&p, CPUSET_LIMIT - 1, &first);
                if (r < 0)
                        return r;
                last = first;
                if (*p == '-') {
                        p++;
                        r = text_take_number(&p, CPUSET_LIMIT - 1, &last);
                        if (r < 0)
                                return r;
                }
                if (last < first)
                        return -EINVAL;
                if (set.n_ranges > RANGES_IN_ORDER && first <= set.ranges[set.n_ranges - 1].last)
                        r = steps_add(&steps, (uint32_t) first, (uint32_t) last);
                else
                        r = cpuset_add_range(&set, (uint32_t) first, (uint32_t) last);
                if (r < 0)
                        return r;

                if (*p == ',') {
                        if (!isdigit((unsigned char) *++p))
                                return -EINVAL;
                        continue;
                }
                p = skip_space(p);
                if (*p)
                        return -EINVAL;
        }

        if (steps.items) {
                r = steps_take(&steps, &set);
                if (r < 0)
                        return r;
        }
        *ret = TAKE(set);
        return 0;
}

int cpuset_parse_mask(const char *text, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        const char *start = skip_space(text), *end = start + strlen(start);
        uint32_t base = 0;
        int r;

        while (end > start && isspace((unsigned char) end[-1]))
                end--;
        if (end == start)
                return -EINVAL;

        /* Word by word from the end, where the lowest CPUs are. */
        for (;;) {
                const char *word = end;
                uint32_t bits = 0;

                while (word > start && word[-1] != ',')
                        word--;
                if (end == word || end - word > 8)
                        return -EINVAL;
                for (const char *p = word; p < end; p++) {
                        if (!isxdigit((unsigned char) *p))
                                return -EINVAL;
                        bits = bits << 4 | (uint32_t) (isdigit((unsigned char) *p) ? *p - '0' : tolower((unsigned char) *p) - 'a' + 10);
                }

                for (uint32_t bit = 0; bit < 32 && bits >> bit; bit++)
                        if (bits >> bit & 1) {
                                r = cpuset_add(&set, base + bit);
                                if (r < 0)
                                        return r;
                        }

                if (word == start)
                        break;
                base += 32;
                end = word - 1;
        }

        *ret = TAKE(set);
        return 0;
}

char *cpuset_to_list(const CpuSet *set) {
        _cleanup_free_ char *text = NULL;
        char *p;

        /* "65535-65535," is the longest that a range can be. */
        text = p = malloc(set->n_ranges * sizeof "65535-65535" + 1);
        if (!text)
                return NULL;
        *p = 0;
        for (size_t i = 0; i < set->n_ranges; i++) {
                const CpuRange *range = set->ranges + i;

                p += sprintf(p, "%s%u", i > 0 ? "," : "", range->first);
                if (range->last > range->first)
                        p += sprintf(p, "-%u", range->last);
        }

        return TAKE_PTR(text);
}

int cpuset_copy(const CpuSet *set, CpuSet *ret) {
        CpuSet copy = {};
        int r;

        if (set->n_ranges > 0) {
                r = cpuset_reserve(&copy, set->n_ranges);
                if (r < 0)
                        return r;
                memcpy(copy.ranges, set->ranges, set->n_ranges * sizeof *set->ranges);
                copy.n_ranges = set->n_ranges;
        }

        *ret = copy;
        return 0;
}

/* Both are walked once; "keep" says whether what "b" has stays or goes. */
static int cpuset_combine(const CpuSet *a, const CpuSet *b, bool keep, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        size_t j = 0;
        int r;

        for (size_t i = 0; i < a->n_ranges; i++) {
                uint32_t next = a->ranges[i].first, last = a->ranges[i].last;

                while (j > 0 && b->ranges[j - 1].last >= next)
                        j--;
                for (; j < b->n_ranges && b->ranges[j].first <= last; j++) {
                        CpuRange other = b->ranges[j];

                        if (other.last < next)
                                continue;
                        if (other.first < next)
                                other.first = next;
                        if (other.last > last)
                                other.last = last;

                        r = 0;
                        if (keep)
                                r = cpuset_add_range(&set, other.first, other.last);
                        else if (other.first > next)
                                r = cpuset_add_range(&set, next, other.first - 1);
                        if (r < 0)
                                return r;
                        next = other.last + 1;
                }
                if (!keep && next <= last) {
                        r = cpuset_add_range(&set, next, last);
                        if (r < 0)
                                return r;
                }
        }

        *ret = TAKE(set);
        return 0;
}

int cpuset_and(const CpuSet *a, const CpuSet *b, CpuSet *ret) {
        return cpuset_combine(a, b, true, ret);
}

int cpuset_and_not(const CpuSet *a, const CpuSet *b, CpuSet *ret) {
        return cpuset_combine(a, b, false, ret);
}

bool cpuset_contains(const CpuSet *set, uint32_t cpu) {
        size_t i = cpuset_find(set, cpu);

        return i < set->n_ranges && set->ranges[i].first <= cpu;
}

bool cpuset_equal(const CpuSet *a, const CpuSet *b) {
        return a->n_ranges == b->n_ranges &&
                (a->n_ranges == 0 || memcmp(a->ranges, b->ranges, a->n_ranges * sizeof *a->ranges) == 0);
}

size_t cpuset_count(const CpuSet *set) {
        size_t n = 0;

        for (size_t i = 0; i < set->n_ranges; i++)
                n += set->ranges[i].last - set->ranges[i].first + 1;

        return n;
}
