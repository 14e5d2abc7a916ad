/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A document that anybody may have written, read with libxml2 and held to be looked
 * at. Nothing outside of it is opened whatever is in it, and what makes a small document
 * a large one (entities, elements and attributes without end) is found out before
 * libxml2 sees it. */

#include <stdbool.h>
#include <stddef.h>

#include "lib/cleanup.h"
#include "lib/error.h"

typedef struct XmlDocument XmlDocument;
typedef struct XmlElement XmlElement;

/* What a document may have. */
#define XML_DEPTH_MAX 32u
#define XML_TAGS_MAX 65536u             /* start tags, end tags, comments and the like */
#define XML_ATTRIBUTES_MAX 64u          /* of one element */

/* Reads a document in UTF-8, whatever encoding it claims to have.
 * Errors: InvalidArgs with the line, NotSupported where libxml2 is not installed. */
int xml_document_parse(const char *text, size_t length, size_t max, Error *error, XmlDocument **ret);
XmlDocument *xml_document_free(XmlDocument *document);
DEFINE_CLEANUP(XmlDocument *, xml_document_free)

/* Elements belong to the document. */
const XmlElement *xml_document_root(const XmlDocument *document);
const XmlElement *xml_first_child(const XmlElement *element);
const XmlElement *xml_next(const XmlElement *element);

/* Without its prefix. */
const char *xml_name(const XmlElement *element);

/* Whether it has this name, in that namespace (NULL: in none). */
bool xml_is(const XmlElement *element, const char *namespace_uri, const char *name);
unsigned xml_line(const XmlElement *element);

/* The value of an attribute that is in no namespace; "*ret" is NULL if there is none. */
int xml_get_attribute(const XmlElement *element, const char *name, char **ret);

/* The text in it, without white space at both ends. */
int xml_get_text(const XmlElement *element, char **ret);
