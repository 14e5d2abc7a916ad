/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/definition-read.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

int reading_refuse(const Reading *reading, const XmlElement *element, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        if (n < 0) {
                message = NULL;
                return -ENOMEM;
        }
        return error_set(reading->error, ERROR_INVALID_ARGS, "line %u: %s", xml_line(element), message);
}

int reading_refuse_missing(const Reading *reading, const XmlElement *element, const char *attribute) {
        return reading_refuse(reading, element, "<%.32s> has no attribute \"%s\"", xml_name(element), attribute);
}

int reading_ignore(Reading *reading, const char *parent, const char *name) {
        _cleanup_free_ char *entry = NULL;
        char *ignored = reading->definition->ignored, *longer;
        size_t n;

        if (asprintf(&entry, "%s%s%.64s", parent ?: "", parent ? "/" : "", name) < 0) {
                entry = NULL;
                return -ENOMEM;
        }
        n = strlen(entry);
        for (const char *at = ignored; at && (at = strstr(at, entry)); at += n)
                if ((at == ignored || at[-1] == ' ') && (at[n] == 0 || at[n] == ','))
                        return 0;
        if (ignored && strlen(ignored) + n > IGNORED_MAX) {
                if (strlen(ignored) > 5 && strcmp(ignored + strlen(ignored) - 5, ", ...") == 0)
                        return 0;
                free(entry);
                entry = strdup("...");
                if (!entry)
                        return -ENOMEM;
        }
        if (asprintf(&longer, "%s%s%s", ignored ?: "", ignored ? ", " : "", entry) < 0)
                return -ENOMEM;
        free(ignored);
        reading->definition->ignored = longer;
        return 0;
}

int reading_number_from_text(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t number;
        int r;

        r = text_take_number(&text, max, &number);
        if (r < 0)
                return r;
        if (*text)
                return -EINVAL;
        *ret = number;
        return 0;
}

int reading_number(const Reading *reading, const XmlElement *element, const char *attribute,
                   uint64_t min, uint64_t max, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        uint64_t number;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0 || !text)
                return r;
        if (reading_number_from_text(text, max, &number) < 0 || number < min)
                return reading_refuse(reading, element, "<%.32s %s=\"%.32s\">: it can be %" PRIu64 " to %" PRIu64,
                                      xml_name(element), attribute, text, min, max);
        *ret = number;
        return 1;
}

int reading_require_id(const Reading *reading, const XmlElement *element, const char *attribute, uint32_t *ret) {
        uint64_t number;
        int r;

        r = reading_number(reading, element, attribute, 0, VCPU_MAX - 1, &number);
        if (r < 0)
                return r;
        if (r == 0)
                return reading_refuse_missing(reading, element, attribute);
        *ret = (uint32_t) number;
        return 0;
}

void bits_set(uint64_t words[static WORDS], uint32_t first, uint32_t last, bool on) {
        for (uint32_t word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
                uint64_t mask = UINT64_MAX;

                if (word == first / WORD_BITS)
                        mask &= UINT64_MAX << first % WORD_BITS;
                if (word == last / WORD_BITS)
                        mask &= UINT64_MAX >> (WORD_BITS - 1 - last % WORD_BITS);
                words[word] = on ? words[word] | mask : words[word] & ~mask;
        }
}

bool bits_have(const uint64_t words[static WORDS], uint32_t number) {
        return words[number / WORD_BITS] >> number % WORD_BITS & 1;
}

int bits_to_set(const uint64_t words[static WORDS], CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};

        for (uint32_t word = 0; word < WORDS; word++)
                for (uint64_t rest = words[word]; rest; rest &= rest - 1) {
                        int r = cpuset_add(&set, word * WORD_BITS + (uint32_t) __builtin_ctzll(rest));

                        if (r < 0)
                                return r;
                }
        *ret = TAKE(set);
        return 0;
}

/* libvirt's lists: like the kernel's, and "^3" takes out again what stood before it.
 * A bit for each number, so that no list costs more than its length. */
static int set_from_text(const char *text, CpuSet *ret) {
        uint64_t words[WORDS] = {};
        const char *p = text;

        for (;;) {
                uint64_t first, last;
                bool out;
                int r;

                while (isspace((unsigned char) *p))
                        p++;
                out = *p == '^';
                p += out;
                r = text_take_number(&p, CPUSET_LIMIT - 1, &first);
                last = first;
                if (r >= 0 && *p == '-' && !out) {
                        p++;
                        r = text_take_number(&p, CPUSET_LIMIT - 1, &last);
                }
                if (r < 0)
                        return r;
                if (last < first)
                        return -EINVAL;
                bits_set(words, (uint32_t) first, (uint32_t) last, !out);
                while (isspace((unsigned char) *p))
                        p++;
                if (*p == 0)
                        return bits_to_set(words, ret);
                if (*p++ != ',')
                        return -EINVAL;
        }
}

int reading_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0 || !text)
                return r;
        r = set_from_text(text, &set);
        if (r == -EINVAL || r == -ERANGE)
                return reading_refuse(reading, element, "<%.32s %s=\"%.64s\"> is no list of numbers up to %u, such as \"1-4,^3,6\"",
                                      xml_name(element), attribute, text, CPUSET_LIMIT - 1);
        if (r < 0)
                return r;
        if (cpuset_is_empty(&set))
                return reading_refuse(reading, element, "<%.32s %s=\"%.64s\"> leaves nothing", xml_name(element), attribute, text);
        *ret = TAKE(set);
        return 1;
}

int reading_require_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret) {
        int r = reading_set(reading, element, attribute, ret);

        return r == 0 ? reading_refuse_missing(reading, element, attribute) : r;
}

int reading_yes(const Reading *reading, const XmlElement *element, const char *attribute, bool missing, bool *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0)
                return r;
        if (text && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
                return reading_refuse(reading, element, "<%.32s %s=\"%.32s\">: it can be \"yes\" or \"no\"", xml_name(element), attribute, text);
        *ret = text ? strcmp(text, "yes") == 0 : missing;
        return 0;
}
