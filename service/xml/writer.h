/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libxml2's text writer with one addition: the first thing that goes wrong is
 * remembered, and all after it does nothing, so that a document is written down
 * without a check at every line and asked for its error once, at the end. */

#include <stdint.h>

#include "lib/cleanup.h"

typedef struct XmlWriter XmlWriter;

/* Returns -ELIBACC where libxml2 is not installed. */
int xml_writer_new(XmlWriter **ret);
XmlWriter *xml_writer_free(XmlWriter *writer);
DEFINE_CLEANUP(XmlWriter *, xml_writer_free)

void xml_open(XmlWriter *writer, const char *element);
void xml_close(XmlWriter *writer);

/* An attribute of the element that was opened last. */
void xml_attribute(XmlWriter *writer, const char *name, const char *format, ...) _printf_(3, 4);

/* Text in the element that was opened last; escaped. */
void xml_text(XmlWriter *writer, const char *format, ...) _printf_(2, 3);

/* A whole element with nothing but a text in it. */
void xml_element(XmlWriter *writer, const char *element, const char *format, ...) _printf_(3, 4);

/* A document is an answer on the bus, which carries no more than 32 MiB. */
#define XML_DOCUMENT_MAX (16 * 1024 * 1024)

/* What was written, without an XML declaration. Nothing can be written after.
 * Returns what went wrong first: -EFBIG for more than XML_DOCUMENT_MAX, -ENOMEM. */
int xml_writer_finish(XmlWriter *writer, char **ret_text);
