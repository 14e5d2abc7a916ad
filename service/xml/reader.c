/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libxml2 has limits of its own, but some things in it take time that grows with the
 * square of the input (attributes of one element are compared each with each), and it
 * goes through a document's entities before anybody has a say. So a document is walked
 * once before, by a scanner that knows no more of XML than where tags begin and end. What
 * the scanner takes for sound and is not, libxml2 refuses. */

#include "xml/reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/text.h"
#include "xml/libxml2.h"

struct XmlDocument {
        xmlDoc *doc;
};

typedef struct Scan {
        const char *text;
        size_t length;
        size_t at;
        unsigned line;
        unsigned depth;
        unsigned n_tags;
        Error *error;
} Scan;

/* What it passes over are lines, too. */
static void scan_to(Scan *scan, size_t end) {
        for (; scan->at < end; scan->at++)
                if (scan->text[scan->at] == '\n')
                        scan->line++;
}

static bool scan_sees(const Scan *scan, const char *word) {
        size_t n = strlen(word);

        return scan->length - scan->at >= n && memcmp(scan->text + scan->at, word, n) == 0;
}

/* Goes behind the next "end". */
static int scan_past(Scan *scan, const char *end, const char *what) {
        const char *found = memmem(scan->text + scan->at, scan->length - scan->at, end, strlen(end));

        if (!found)
                return error_set(scan->error, ERROR_INVALID_ARGS, "line %u: %s that begins here does not end", scan->line, what);
        scan_to(scan, (size_t) (found - scan->text) + strlen(end));
        return 0;
}

/* "<" and a name: attributes up to ">", which may stand in their values. */
static int scan_tag(Scan *scan) {
        bool closes = scan->at + 1 < scan->length && scan->text[scan->at + 1] == '/', empty = false;
        unsigned n_attributes = 0, line = scan->line;
        size_t end = scan->at + 1;
        char quote = 0;

        for (;; end++) {
                char c;

                if (end == scan->length)
                        return error_set(scan->error, ERROR_INVALID_ARGS, "line %u: a tag that begins here does not end", line);
                c = scan->text[end];
                if (quote)
                        quote = c == quote ? 0 : quote;
                else if (c == '"' || c == '\'')
                        quote = c;
                else if (c == '=')
                        n_attributes++;
                else if (c == '>')
                        break;
        }
        if (n_attributes > XML_ATTRIBUTES_MAX)
                return error_set(scan->error, ERROR_INVALID_ARGS, "line %u: an element has %u attributes; %u is the most",
                                 line, n_attributes, XML_ATTRIBUTES_MAX);

        empty = scan->text[end - 1] == '/';
        if (closes)
                scan->depth -= scan->depth > 0;
        else if (!empty && ++scan->depth > XML_DEPTH_MAX)
                return error_set(scan->error, ERROR_INVALID_ARGS, "line %u: elements are nested deeper than %u", line, XML_DEPTH_MAX);
        scan_to(scan, end + 1);
        return 0;
}

static int scan_markup(Scan *scan) {
        if (++scan->n_tags > XML_TAGS_MAX)
                return error_set(scan->error, ERROR_INVALID_ARGS, "line %u: the document has more than %u tags", scan->line, XML_TAGS_MAX);
        if (scan_sees(scan, "<!--"))
                return scan_past(scan, "-->", "a comment");
        if (scan_sees(scan, "<![CDATA["))
                return scan_past(scan, "]]>", "a CDATA section");
        if (scan_sees(scan, "<?"))
                return scan_past(scan, "?>", "an instruction");
        if (scan_sees(scan, "<!"))
                return error_set(scan->error, ERROR_INVALID_ARGS,
                                 "line %u: a document type and entities of its own are not taken; leave out \"<!\" and what is in it", scan->line);
        return scan_tag(scan);
}

static int check_size(const char *text, size_t length, Error *error) {
        Scan scan = { .text = text, .length = length, .line = 1, .error = error };

        while (scan.at < length) {
                char c = text[scan.at];
                size_t n;
                int r;

                if (c == '<') {
                        r = scan_markup(&scan);
                        if (r < 0)
                                return r;
                } else {
                        n = text_character_length(text + scan.at, length - scan.at);
                        scan_to(&scan, scan.at + (n > 0 ? n : 1));
                }
        }
        return 0;
}

static int check_encoding(const char *text, size_t length, Error *error) {
        unsigned line = 1;

        for (size_t at = 0; at < length;) {
                size_t n = text_character_length(text + at, length - at);

                if (text[at] == '\n')
                        line++;
                if (n == 0 && text[at] != '\n' && text[at] != '\r' && text[at] != '\t')
                        return error_set(error, ERROR_INVALID_ARGS, "line %u: byte 0x%02x is no character of UTF-8 that a document may have",
                                         line, (unsigned char) text[at]);
                at += n > 0 ? n : 1;
        }
        return 0;
}

/* The first of them is the one that a person can do something about. */
typedef struct FirstError {
        int line;
        char *message;
} FirstError;

static void on_error(void *userdata, const xmlError *seen) {
        xmlParserCtxt *context = userdata;
        FirstError *first = context->_private;

        if (seen->level == XML_ERR_WARNING || first->message)
                return;
        first->line = seen->line;
        first->message = strdup(seen->message ?: "no XML");
}

int xml_document_parse(const char *text, size_t length, size_t max, Error *error, XmlDocument **ret) {
        _cleanup_(xml_document_freep) XmlDocument *document = NULL;
        FirstError first = {};
        xmlParserCtxt *context;
        int r;

        if (length > max || length > INT32_MAX)
                return error_set(error, ERROR_INVALID_ARGS, "the document has %zu bytes; %zu is the most", length, max);
        r = check_encoding(text, length, error);
        if (r >= 0)
                r = check_size(text, length, error);
        if (r < 0)
                return r;
        if (libxml2_open() < 0)
                return error_set(error, ERROR_NOT_SUPPORTED, "XML cannot be read here: the library libxml2 is not installed");

        document = calloc(1, sizeof *document);
        context = libxml2.xmlNewParserCtxt();
        if (!document || !context) {
                if (context)
                        libxml2.xmlFreeParserCtxt(context);
                return -ENOMEM;
        }
        context->_private = &first;
        context->sax->serror = (xmlStructuredErrorFunc) on_error;
        document->doc = libxml2.xmlCtxtReadMemory(context, text, (int) length, NULL, "UTF-8",
                                                  XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOCDATA |
                                                  XML_PARSE_IGNORE_ENC | XML_PARSE_BIG_LINES | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        libxml2.xmlFreeParserCtxt(context);
        if (first.message)
                first.message[strcspn(first.message, "\n")] = 0;
        if (!document->doc || first.message || !libxml2.xmlDocGetRootElement(document->doc)) {
                r = error_set(error, ERROR_INVALID_ARGS, "line %i: this is no XML: %.200s",
                              first.line > 0 ? first.line : 1, first.message ?: "there is no element in it");
                free(first.message);
                return r;
        }

        *ret = TAKE_PTR(document);
        return 0;
}

XmlDocument *xml_document_free(XmlDocument *document) {
        if (!document)
                return NULL;
        if (document->doc)
                libxml2.xmlFreeDoc(document->doc);
        free(document);
        return NULL;
}

static const xmlNode *node_of(const XmlElement *element) {
        return (const xmlNode *) element;
}

static const XmlElement *first_element(const xmlNode *node) {
        while (node && node->type != XML_ELEMENT_NODE)
                node = node->next;
        return (const XmlElement *) node;
}

const XmlElement *xml_document_root(const XmlDocument *document) {
        return (const XmlElement *) libxml2.xmlDocGetRootElement(document->doc);
}

const XmlElement *xml_first_child(const XmlElement *element) {
        return first_element(node_of(element)->children);
}

const XmlElement *xml_next(const XmlElement *element) {
        return first_element(node_of(element)->next);
}

const char *xml_name(const XmlElement *element) {
        return (const char *) node_of(element)->name;
}

bool xml_is(const XmlElement *element, const char *namespace_uri, const char *name) {
        const xmlNs *ns = node_of(element)->ns;

        if (strcmp(xml_name(element), name) != 0)
                return false;
        return namespace_uri ? ns && ns->href && strcmp((const char *) ns->href, namespace_uri) == 0 : !ns;
}

unsigned xml_line(const XmlElement *element) {
        long line = libxml2.xmlGetLineNo((xmlNode *) node_of(element));

        return line > 0 ? (unsigned) line : 0;
}

static int take_text(xmlChar *text, char **ret) {
        char *copy;

        copy = strdup((const char *) text);
        (*libxml2.xmlFree)(text);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

int xml_get_attribute(const XmlElement *element, const char *name, char **ret) {
        xmlChar *value = libxml2.xmlGetNoNsProp((xmlNode *) node_of(element), BAD_CAST name);

        if (!value) {
                *ret = NULL;
                return 0;
        }
        return take_text(value, ret);
}

int xml_get_text(const XmlElement *element, char **ret) {
        xmlChar *content = libxml2.xmlNodeGetContent((xmlNode *) node_of(element));
        _cleanup_free_ char *text = NULL;
        size_t start = 0, end;
        int r;

        if (!content)
                return -ENOMEM;
        r = take_text(content, &text);
        if (r < 0)
                return r;
        for (end = strlen(text); end > 0 && isspace((unsigned char) text[end - 1]);)
                end--;
        text[end] = 0;
        while (isspace((unsigned char) text[start]))
                start++;
        memmove(text, text + start, end - (start < end ? start : end) + 1);

        *ret = TAKE_PTR(text);
        return 0;
}
