/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the readers of a definition's elements share: attributes that are checked, errors
 * that name the line, and what is collected until the whole document was seen.
 * definition-xml.c goes through the document, definition-cputune.c through what it
 * asks of threads. */

#include "guest/definition.h"
#include "xml/reader.h"

/* What one element asks of one thread. */
typedef struct Wish Wish;

typedef struct Reading {
        Definition *definition;
        Wish *wishes;
        size_t n_wishes;
        size_t n_allocated;
        const XmlElement *vcpu, *vcpus;         /* of <domain> */
        Error *error;
} Reading;

/* As many characters as tell of what is not kept. */
#define IGNORED_MAX 400u

/* InvalidArgs, with the line. */
int reading_refuse(const Reading *reading, const XmlElement *element, const char *format, ...) _printf_(3, 4);
int reading_refuse_missing(const Reading *reading, const XmlElement *element, const char *attribute);

/* Remembers an element that is not kept. "parent" is NULL for a child of <domain>. */
int reading_ignore(Reading *reading, const char *parent, const char *name);

/* Digits alone. Returns -EINVAL, -ERANGE. */
int reading_number_from_text(const char *text, uint64_t max, uint64_t *ret);

/* These return 1, or 0 if there is no such attribute. */
int reading_number(const Reading *reading, const XmlElement *element, const char *attribute,
                   uint64_t min, uint64_t max, uint64_t *ret);
int reading_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret);

/* These refuse an element without it. */
int reading_require_id(const Reading *reading, const XmlElement *element, const char *attribute, uint32_t *ret);
int reading_require_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret);

/* "missing" is the value without it. */
int reading_yes(const Reading *reading, const XmlElement *element, const char *attribute, bool missing, bool *ret);

/* A bit for each number that a set can have. */
#define WORD_BITS 64u
#define WORDS (CPUSET_LIMIT / WORD_BITS)
void bits_set(uint64_t words[static WORDS], uint32_t first, uint32_t last, bool on);
bool bits_have(const uint64_t words[static WORDS], uint32_t number);
int bits_to_set(const uint64_t words[static WORDS], CpuSet *ret);

/* definition-cputune.c */

int reading_cputune(Reading *reading, const XmlElement *cputune);

/* When all was read: checks what was asked against the guest's vCPUs, and puts it into the
 * definition. */
int reading_keep_wishes(Reading *reading);
void reading_clear_wishes(Reading *reading);
