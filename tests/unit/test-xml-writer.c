/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The XML writer: indented, escaped, and with one error for all. */

#include <errno.h>
#include <glib.h>
#include <libxml/parser.h>
#include <string.h>

#include "xml/writer.h"

static char *finish(XmlWriter *writer) {
        char *text = NULL;

        g_assert_cmpint(xml_writer_finish(writer, &text), ==, 0);
        return text;
}

static void elements_are_indented(void) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_free_ char *text = NULL;

        g_assert_cmpint(xml_writer_new(&writer), ==, 0);
        xml_open(writer, "a");
        xml_attribute(writer, "n", "%u", 5u);
        xml_open(writer, "b");
        xml_text(writer, "%s", "text");
        xml_close(writer);
        xml_element(writer, "c", "%i", -1);
        xml_open(writer, "d");
        xml_close(writer);
        xml_close(writer);
        text = finish(writer);
        g_assert_cmpstr(text, ==, "<a n=\"5\">\n  <b>text</b>\n  <c>-1</c>\n  <d/>\n</a>\n");
}

static void what_is_open_at_the_end_is_closed(void) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_free_ char *text = NULL;

        g_assert_cmpint(xml_writer_new(&writer), ==, 0);
        xml_open(writer, "a");
        xml_open(writer, "b");
        text = finish(writer);
        g_assert_cmpstr(text, ==, "<a>\n  <b/>\n</a>\n");
}

/* Whatever is put in comes out again when it is read. */
static void text_and_attributes_are_escaped(void) {
        static const char *const rows[] = {
                "plain", "<", ">", "&", "&amp;", "\"", "'", "<!--", "]]>", "</a>", "a\"b'c", "B\xc3\xbcro \xe2\x9a\x93", "%s%n", "",
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
                _cleanup_free_ char *text = NULL;
                xmlChar *attribute, *content;
                xmlNode *child;
                xmlDoc *doc;

                g_test_message("row \"%s\"", rows[i]);
                g_assert_cmpint(xml_writer_new(&writer), ==, 0);
                xml_open(writer, "a");
                xml_attribute(writer, "x", "%s", rows[i]);
                xml_element(writer, "b", "%s", rows[i]);
                xml_open(writer, "c");
                xml_text(writer, "%s", rows[i]);
                xml_close(writer);
                xml_close(writer);
                text = finish(writer);

                doc = xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOBLANKS);
                g_assert_nonnull(doc);
                attribute = xmlGetProp(xmlDocGetRootElement(doc), BAD_CAST "x");
                g_assert_cmpstr((const char *) attribute, ==, rows[i]);
                xmlFree(attribute);
                for (child = xmlDocGetRootElement(doc)->children; child; child = child->next) {
                        content = xmlNodeGetContent(child);
                        g_assert_cmpstr((const char *) content, ==, rows[i]);
                        xmlFree(content);
                }
                xmlFreeDoc(doc);
        }
}

static void the_first_error_is_the_answer(void) {
        for (unsigned way = 0; way < 3; way++) {
                _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
                char *text = NULL;

                g_assert_cmpint(xml_writer_new(&writer), ==, 0);
                xml_open(writer, "a");
                switch (way) {
                case 0:         /* an attribute of nothing */
                        xml_text(writer, "text");
                        xml_attribute(writer, "late", "%s", "x");
                        break;
                case 1:         /* the end of nothing */
                        xml_close(writer);
                        xml_close(writer);
                        break;
                case 2:         /* a name of nothing */
                        xml_open(writer, "");
                        break;
                }
                xml_open(writer, "b");
                xml_close(writer);
                g_test_message("way %u", way);
                g_assert_cmpint(xml_writer_finish(writer, &text), <, 0);
                g_assert_null(text);
        }
}

static void a_large_document_is_whole(void) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_free_ char *text = NULL;
        g_autofree char *long_text = g_strnfill(100000, 'x');

        g_assert_cmpint(xml_writer_new(&writer), ==, 0);
        xml_open(writer, "all");
        for (unsigned i = 0; i < 10000; i++)
                xml_element(writer, "e", "%u", i);
        xml_element(writer, "l", "%s", long_text);
        xml_close(writer);
        text = finish(writer);
        g_assert_nonnull(strstr(text, "  <e>0</e>\n"));
        g_assert_nonnull(strstr(text, "  <e>9999</e>\n"));
        g_assert_nonnull(strstr(text, long_text));
        g_assert_true(g_str_has_suffix(text, "</all>\n"));
}

static void an_unfinished_writer_is_freed(void) {
        XmlWriter *writer = NULL;

        g_assert_cmpint(xml_writer_new(&writer), ==, 0);
        xml_open(writer, "a");
        g_assert_null(xml_writer_free(writer));
        g_assert_null(xml_writer_free(NULL));
}

static void document_that_no_bus_carries_is_none(void) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_free_ char *piece = g_strnfill(8000, 'x');
        char *text = NULL;

        g_assert_cmpint(xml_writer_new(&writer), ==, 0);
        xml_open(writer, "a");
        for (unsigned i = 0; i <= XML_DOCUMENT_MAX / 8000; i++)
                xml_element(writer, "b", "%s", piece);
        g_assert_cmpint(xml_writer_finish(writer, &text), ==, -EFBIG);
        g_assert_null(text);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/xml-writer/document-that-no-bus-carries-is-none", document_that_no_bus_carries_is_none);
        g_test_add_func("/xml-writer/elements-are-indented", elements_are_indented);
        g_test_add_func("/xml-writer/what-is-open-at-the-end-is-closed", what_is_open_at_the_end_is_closed);
        g_test_add_func("/xml-writer/text-and-attributes-are-escaped", text_and_attributes_are_escaped);
        g_test_add_func("/xml-writer/the-first-error-is-the-answer", the_first_error_is_the_answer);
        g_test_add_func("/xml-writer/a-large-document-is-whole", a_large_document_is_whole);
        g_test_add_func("/xml-writer/an-unfinished-writer-is-freed", an_unfinished_writer_is_freed);
        r = g_test_run();
        xmlCleanupParser();
        return r;
}
