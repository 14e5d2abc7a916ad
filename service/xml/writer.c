/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "writer.h"

#include <errno.h>
#include <libxml/xmlwriter.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct XmlWriter {
        xmlBuffer *buffer;
        xmlTextWriter *writer;
        int error;
};

static void note(XmlWriter *writer, int r) {
        if (r < 0 && writer->error == 0)
                writer->error = -ENOMEM;
}

int xml_writer_new(XmlWriter **ret) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;

        writer = calloc(1, sizeof *writer);
        if (!writer)
                return -ENOMEM;
        writer->buffer = xmlBufferCreate();
        if (!writer->buffer)
                return -ENOMEM;
        xmlBufferSetAllocationScheme(writer->buffer, XML_BUFFER_ALLOC_DOUBLEIT);
        writer->writer = xmlNewTextWriterMemory(writer->buffer, 0);
        if (!writer->writer)
                return -ENOMEM;
        note(writer, xmlTextWriterSetIndent(writer->writer, 1));
        note(writer, xmlTextWriterSetIndentString(writer->writer, BAD_CAST "  "));

        *ret = TAKE_PTR(writer);
        return 0;
}

XmlWriter *xml_writer_free(XmlWriter *writer) {
        if (!writer)
                return NULL;
        if (writer->writer)
                xmlFreeTextWriter(writer->writer);
        if (writer->buffer)
                xmlBufferFree(writer->buffer);
        free(writer);
        return NULL;
}

void xml_open(XmlWriter *writer, const char *element) {
        note(writer, xmlTextWriterStartElement(writer->writer, BAD_CAST element));
}

void xml_close(XmlWriter *writer) {
        note(writer, xmlTextWriterEndElement(writer->writer));
}

void xml_attribute(XmlWriter *writer, const char *name, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        note(writer, xmlTextWriterWriteVFormatAttribute(writer->writer, BAD_CAST name, format, ap));
        va_end(ap);
}

void xml_text(XmlWriter *writer, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        note(writer, xmlTextWriterWriteVFormatString(writer->writer, format, ap));
        va_end(ap);
}

void xml_element(XmlWriter *writer, const char *element, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        note(writer, xmlTextWriterWriteVFormatElement(writer->writer, BAD_CAST element, format, ap));
        va_end(ap);
}

int xml_writer_finish(XmlWriter *writer, char **ret_text) {
        char *text;

        note(writer, xmlTextWriterEndDocument(writer->writer));
        note(writer, xmlTextWriterFlush(writer->writer));
        if (writer->error < 0)
                return writer->error;
        text = strdup((const char *) xmlBufferContent(writer->buffer));
        if (!text)
                return -ENOMEM;

        *ret_text = text;
        return 0;
}
