/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libxml2, opened with the first document: with it come ICU and the C++ library, two
 * megabytes and a millisecond of every start, and most services never write one. Its
 * functions are called as members of "libxml2", under their own names; of the variable
 * xmlFree it is the address. */

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlwriter.h>

#define LIBXML2_FUNCTIONS(X)                    \
        X(xmlBufferContent)                     \
        X(xmlBufferCreate)                      \
        X(xmlBufferFree)                        \
        X(xmlBufferLength)                      \
        X(xmlBufferSetAllocationScheme)         \
        X(xmlCtxtReadMemory)                    \
        X(xmlDocGetRootElement)                 \
        X(xmlFree)                              \
        X(xmlFreeDoc)                           \
        X(xmlFreeParserCtxt)                    \
        X(xmlFreeTextWriter)                    \
        X(xmlGetLineNo)                         \
        X(xmlGetNoNsProp)                       \
        X(xmlNewParserCtxt)                     \
        X(xmlNewTextWriterMemory)               \
        X(xmlNodeGetContent)                    \
        X(xmlTextWriterEndDocument)             \
        X(xmlTextWriterEndElement)              \
        X(xmlTextWriterFlush)                   \
        X(xmlTextWriterSetIndent)               \
        X(xmlTextWriterSetIndentString)         \
        X(xmlTextWriterStartElement)            \
        X(xmlTextWriterWriteVFormatAttribute)   \
        X(xmlTextWriterWriteVFormatElement)     \
        X(xmlTextWriterWriteVFormatString)

typedef struct Libxml2 {
        void *handle;
#define LIBXML2_DECLARE(name) typeof(name) *name;
        LIBXML2_FUNCTIONS(LIBXML2_DECLARE)
#undef LIBXML2_DECLARE
} Libxml2;

extern Libxml2 libxml2;

/* Must have succeeded before a function is called. On the loop only.
 * Returns -ELIBACC if the library is not there. */
int libxml2_open(void);
