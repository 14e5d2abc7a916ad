/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libxml2.h"

struct XmlWriter {
        xmlBuffer *buffer;
        xmlTextWriter *writer;
        int error;
};

static void note(XmlWriter *writer, int r) {
        if (writer->error < 0)
                return;
        if (r < 0)
                writer->error = -ENOMEM;
        else if (libxml2.xmlBufferLength(writer->buffer) > XML_DOCUMENT_MAX)
                writer->error = -EFBIG;
}

int xml_writer_new(XmlWriter **ret) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        int r;

        r = libxml2_open();
        if (r < 0)
                return r;
        writer = calloc(1, sizeof *writer);
        if (!writer)
                return -ENOMEM;
        writer->buffer = libxml2.xmlBufferCreate();
        if (!writer->buffer)
                return -ENOMEM;
        libxml2.xmlBufferSetAllocationScheme(writer->buffer, XML_BUFFER_ALLOC_DOUBLEIT);
        writer->writer = libxml2.xmlNewTextWriterMemory(writer->buffer, 0);
        if (!writer->writer)
                return -ENOMEM;
        note(writer, libxml2.xmlTextWriterSetIndent(writer->writer, 1));
        note(writer, libxml2.xmlTextWriterSetIndentString(writer->writer, BAD_CAST "  "));

        *ret = TAKE_PTR(writer);
        return 0;
}

XmlWriter *xml_writer_free(XmlWriter *writer) {
        if (!writer)
                return NULL;
        if (writer->writer)
                libxml2.xmlFreeTextWriter(writer->writer);
        if (writer->buffer)
                libxml2.xmlBufferFree(writer->buffer);
        free(writer);
        return NULL;
}

void xml_open(XmlWriter *writer, const char *element) {
        if (writer->error < 0)
                return;
        note(writer, libxml2.xmlTextWriterStartElement(writer->writer, BAD_CAST element));
}

void xml_close(XmlWriter *writer) {
        if (writer->error < 0)
                return;
        note(writer, libxml2.xmlTextWriterEndElement(writer->writer));
}

void xml_attribute(XmlWriter *writer, const char *name, const char *format, ...) {
        va_list ap;

        if (writer->error < 0)
                return;
        va_start(ap, format);
        note(writer, libxml2.xmlTextWriterWriteVFormatAttribute(writer->writer, BAD_CAST name, format, ap));
        va_end(ap);
}

void xml_text(XmlWriter *writer, const char *format, ...) {
        va_list ap;

        if (writer->error < 0)
                return;
        va_start(ap, format);
        note(writer, libxml2.xmlTextWriterWriteVFormatString(writer->writer, format, ap));
        va_end(ap);
}

void xml_element(XmlWriter *writer, const char *element, const char *format, ...) {
        va_list ap;

        if (writer->error < 0)
                return;
        va_start(ap, format);
        note(writer, libxml2.xmlTextWriterWriteVFormatElement(writer->writer, BAD_CAST element, format, ap));
        va_end(ap);
}

int xml_writer_finish(XmlWriter *writer, char **ret_text) {
        char *text;

        note(writer, libxml2.xmlTextWriterEndDocument(writer->writer));
        note(writer, libxml2.xmlTextWriterFlush(writer->writer));
        if (writer->error < 0)
                return writer->error;
        text = strdup((const char *) libxml2.xmlBufferContent(writer->buffer));
        if (!text)
                return -ENOMEM;

        *ret_text = text;
        return 0;
}
