/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "meminfo.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Takes a line apart. Returns 1 for one with a value in kB, 0 for one without a
 * unit (a count), -EINVAL for no such line. */
static int line_parse(const char *line, const char **ret_name, size_t *ret_length, uint64_t *ret_bytes) {
        const char *name = line, *colon, *p;
        uint64_t value = 0;

        if (strncmp(name, "Node ", 5) == 0) {
                name += 5;
                if (!isdigit((unsigned char) *name))
                        return -EINVAL;
                while (isdigit((unsigned char) *name))
                        name++;
                name += strspn(name, " ");
        }

        colon = name + strcspn(name, ":\n");
        if (*colon != ':' || colon == name)
                return -EINVAL;
        /* The kernel's names are words, and go over the bus as they are. */
        for (p = name; p < colon; p++)
                if (!isgraph((unsigned char) *p))
                        return -EINVAL;
        p = colon + 1 + strspn(colon + 1, " \t");
        if (!isdigit((unsigned char) *p))
                return -EINVAL;
        for (; isdigit((unsigned char) *p); p++) {
                if (value > (UINT64_MAX >> 10) / 10 - 1)
                        return -EINVAL;
                value = value * 10 + (uint64_t) (*p - '0');
        }

        *ret_name = name;
        *ret_length = (size_t) (colon - name);
        *ret_bytes = value << 10;
        return strncmp(p, " kB", 3) == 0 && (p[3] == '\n' || p[3] == 0);
}

static const char *line_next(const char *line) {
        const char *end = strchr(line, '\n');

        return end && end[1] ? end + 1 : NULL;
}

int meminfo_foreach(const char *text, int (*each)(const char *, size_t, uint64_t, void *), void *userdata) {
        for (const char *line = text; line; line = line_next(line)) {
                const char *name;
                uint64_t bytes;
                size_t length;
                int r;

                if (line_parse(line, &name, &length, &bytes) <= 0)
                        continue;
                r = each(name, length, bytes, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int meminfo_find(const char *text, const char *wanted, uint64_t *ret_bytes) {
        size_t wanted_length = strlen(wanted);

        for (const char *line = text; line; line = line_next(line)) {
                const char *name, *found;
                uint64_t bytes;
                size_t length;

                /* Most lines are others: looked at before they are taken apart. */
                found = memmem(line, strcspn(line, "\n"), wanted, wanted_length);
                if (!found || found[wanted_length] != ':')
                        continue;
                if (line_parse(line, &name, &length, &bytes) <= 0) {
                        if (found == line || found[-1] == ' ')
                                return -EINVAL;
                        continue;
                }
                if (length == wanted_length && memcmp(name, wanted, length) == 0) {
                        *ret_bytes = bytes;
                        return 0;
                }
        }
        return -ENODATA;
}
