/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetXml, GetXml with "nested", and GetCapabilitiesXml: valid against the
 * schema that the project ships, and saying what expected.json says, as far as
 * libvirt's capabilities have words for it. */

#include "expect.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xpath.h>
#include <string.h>

#include "fields.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

G_GNUC_PRINTF(2, 3)
static void collect_error(void *data, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_string_append_vprintf(data, format, arguments);
        va_end(arguments);
}

static xmlDoc *parse(Report *report, const char *name, const char *text) {
        static xmlRelaxNG *schema;
        g_autoptr(GString) errors = g_string_new(NULL);
        xmlRelaxNGValidCtxt *validator;
        xmlDoc *doc;

        if (!schema) {
                const char *path = g_getenv("BERTH_SCHEMA");
                xmlRelaxNGParserCtxt *parser;

                g_assert_nonnull(path);
                parser = xmlRelaxNGNewParserCtxt(path);
                schema = xmlRelaxNGParse(parser);
                g_assert_nonnull(schema);
                xmlRelaxNGFreeParserCtxt(parser);
        }

        doc = xmlReadMemory(text, (int) strlen(text), name, NULL, XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOBLANKS);
        if (!doc) {
                report_add(report, name, "is no XML");
                return NULL;
        }
        validator = xmlRelaxNGNewValidCtxt(schema);
        xmlRelaxNGSetValidErrors(validator, collect_error, collect_error, errors);
        if (xmlRelaxNGValidateDoc(validator, doc) != 0)
                report_add(report, name, "is not valid: %s", errors->str);
        xmlRelaxNGFreeValidCtxt(validator);
        return doc;
}

/* The elements that an XPath finds under a node. */
static xmlXPathObject *find(xmlNode *node, const char *path) {
        g_autoptr(xmlXPathContext) context = xmlXPathNewContext(node->doc);
        xmlXPathObject *found;

        context->node = node;
        found = xmlXPathEval((const xmlChar *) path, context);
        g_assert_nonnull(found);
        return found;
}

static int count(const xmlXPathObject *found) {
        return found->nodesetval ? found->nodesetval->nodeNr : 0;
}

static char *attribute(xmlNode *node, const char *name) {
        xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *) name);
        char *copy = g_strdup((const char *) value);

        xmlFree(value);
        return copy;
}

static char *content(xmlNode *node) {
        xmlChar *value = xmlNodeGetContent(node);
        char *copy = g_strdup((const char *) value);

        xmlFree(value);
        return copy;
}

/* Bytes, from two attributes or a text and an attribute. */
static guint64 size_of(const char *value, const char *unit) {
        guint64 bytes = g_ascii_strtoull(value, NULL, 10);
        static const char *const units[] = { "B", "KiB", "MiB", "GiB" };

        for (guint i = 0; i < G_N_ELEMENTS(units); i++, bytes <<= 10)
                if (g_strcmp0(unit, units[i]) == 0)
                        return bytes;
        g_error("no unit: %s", unit);
}

static void compare_number_text(Report *report, const char *where, json_object *expected, const char *seen) {
        g_autofree char *text = expected ? g_strdup_printf("%" G_GINT64_FORMAT, json_object_get_int64(expected)) : NULL;

        report_compare(report, where, text, seen);
}

static json_object *by_id(json_object *array, const char *id) {
        for (gsize i = 0; i < json_object_array_length(array); i++) {
                json_object *item = json_object_array_get_idx(array, i);

                if (json_object_get_int64(fields_get(item, "id")) == (gint64) g_ascii_strtoull(id, NULL, 10))
                        return item;
        }
        return NULL;
}

/* --- one cell */

static void compare_cpu(Report *report, const char *where, xmlNode *node, json_object *cpu) {
        static const struct { const char *xml, *expected; } ids[] = {
                { "socket_id", "package" }, { "die_id", "die" }, { "cluster_id", "cluster" },
                { "core_id", "core" }, { "book_id", "book" }, { "drawer_id", "drawer" },
        };
        g_autoptr(GArray) siblings = numbers_from_json(fields_get(cpu, "siblings"));
        g_autofree char *list = numbers_to_list(siblings), *seen_list = attribute(node, "siblings");

        for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
                g_autofree char *place = g_strdup_printf("%s %s", where, ids[i].xml);
                g_autofree char *seen = attribute(node, ids[i].xml);
                json_object *expected = NULL;

                json_object_object_get_ex(cpu, ids[i].expected, &expected);
                compare_number_text(report, place, expected, seen);
        }
        report_compare(report, where, list[0] ? list : NULL, seen_list);
}

static void compare_cpus(Report *report, const char *where, xmlNode *node, json_object *cell, json_object *expected) {
        g_autoptr(xmlXPathObject) cpus = find(node, "cpus/cpu");
        g_autoptr(xmlXPathObject) list = find(node, "cpus");
        g_autoptr(GArray) members = numbers_from_json(fields_get(cell, "cpus")), seen = numbers_new();
        g_autofree char *members_list = numbers_to_list(members), *seen_list = NULL, *num = NULL;
        json_object *all = fields_get(expected, "cpus");

        if (count(list) != 1) {
                report_add(report, where, "not one <cpus>");
                return;
        }
        num = attribute(list->nodesetval->nodeTab[0], "num");
        report_compare_number(report, where, members->len, g_ascii_strtoull(num, NULL, 10));
        for (int i = 0; i < count(cpus); i++) {
                g_autofree char *id = attribute(cpus->nodesetval->nodeTab[i], "id");
                guint number = (guint) g_ascii_strtoull(id, NULL, 10);
                g_autofree char *place = g_strdup_printf("%s <cpu id='%s'>", where, id);
                json_object *cpu = number < json_object_array_length(all) ? json_object_array_get_idx(all, number) : NULL;

                /* Mostly CPUs are numbered without gaps. */
                if (!cpu || json_object_get_int(fields_get(cpu, "id")) != (int) number)
                        cpu = by_id(all, id);
                numbers_add(seen, number);
                if (cpu)
                        compare_cpu(report, place, cpus->nodesetval->nodeTab[i], cpu);
                else
                        report_add(report, place, "nobody expected it");
        }
        seen_list = numbers_to_list(seen);
        report_compare(report, where, members_list, seen_list);
}

static void compare_pages(Report *report, const char *where, xmlNode *node, json_object *cell) {
        g_autoptr(xmlXPathObject) pages = find(node, "pages");
        json_object *pools = fields_get(cell, "hugepages"), *base = NULL;
        gsize found = 0;
        gboolean base_found = FALSE;

        json_object_object_get_ex(cell, "base_pages", &base);
        for (int i = 0; i < count(pages); i++) {
                g_autofree char *size = attribute(pages->nodesetval->nodeTab[i], "size");
                g_autofree char *total = content(pages->nodesetval->nodeTab[i]);
                g_autofree char *place = g_strdup_printf("%s <pages size='%s'>", where, size);
                gint64 size_kib = (gint64) g_ascii_strtoull(size, NULL, 10);
                gboolean known = FALSE;

                if (base && json_object_get_int64(fields_get(base, "size_kib")) == size_kib) {
                        compare_number_text(report, place, fields_get(base, "total"), total);
                        base_found = TRUE;
                        continue;
                }
                for (gsize j = 0; j < json_object_array_length(pools); j++) {
                        json_object *pool = json_object_array_get_idx(pools, j);

                        if (json_object_get_int64(fields_get(pool, "size_kib")) == size_kib) {
                                compare_number_text(report, place, fields_get(pool, "total"), total);
                                known = TRUE;
                                found++;
                        }
                }
                /* Base pages of which no peer told how many they are. */
                if (!known && (i > 0 || size_kib > 64))
                        report_add(report, place, "nobody expected it");
        }
        report_compare_number(report, where, json_object_array_length(pools), found);
        if (base && !base_found)
                report_add(report, where, "no <pages> for the base pages");
}

static void compare_distances(Report *report, const char *where, xmlNode *node, json_object *cell) {
        g_autoptr(xmlXPathObject) siblings = find(node, "distances/sibling");
        json_object *distances = fields_get(cell, "distances");

        report_compare_number(report, where, json_object_array_length(distances), (guint64) count(siblings));
        for (int i = 0; i < count(siblings); i++) {
                g_autofree char *id = attribute(siblings->nodesetval->nodeTab[i], "id");
                g_autofree char *value = attribute(siblings->nodesetval->nodeTab[i], "value");
                g_autofree char *place = g_strdup_printf("%s <sibling id='%s'>", where, id);
                json_object *distance = by_id(distances, id);

                compare_number_text(report, place, distance ? fields_get(distance, "value") : NULL, value);
        }
}

static void compare_memory_caches(Report *report, const char *where, xmlNode *node, json_object *cell) {
        g_autoptr(xmlXPathObject) caches = find(node, "cache");
        json_object *expected = NULL;
        gsize n;

        json_object_object_get_ex(cell, "memory_side_caches", &expected);
        n = expected ? json_object_array_length(expected) : 0;
        report_compare_number(report, where, n, (guint64) count(caches));
        for (gsize i = 0; i < n && (int) i < count(caches); i++) {
                xmlNode *cache = caches->nodesetval->nodeTab[i];
                json_object *item = json_object_array_get_idx(expected, i);
                g_autoptr(xmlXPathObject) size = find(cache, "size"), line = find(cache, "line");
                g_autofree char *level = attribute(cache, "level");
                g_autofree char *associativity = attribute(cache, "associativity");
                g_autofree char *policy = attribute(cache, "policy");

                g_assert_cmpint(json_object_object_length(item), ==, 5);
                compare_number_text(report, where, fields_get(item, "level"), level);
                report_compare(report, where, json_object_get_string(fields_get(item, "associativity")), associativity);
                report_compare(report, where, json_object_get_string(fields_get(item, "policy")), policy);
                if (count(size) != 1 || count(line) != 1)
                        report_add(report, where, "a memory-side cache without size or line");
                else {
                        g_autofree char *value = attribute(size->nodesetval->nodeTab[0], "value");
                        g_autofree char *unit = attribute(size->nodesetval->nodeTab[0], "unit");
                        g_autofree char *bytes = attribute(line->nodesetval->nodeTab[0], "value");

                        report_compare_number(report, where,
                                              (guint64) json_object_get_int64(fields_get(item, "size_kib")) * 1024,
                                              size_of(value, unit));
                        compare_number_text(report, where, fields_get(item, "line"), bytes);
                }
        }
}

static void compare_cell(Report *report, xmlNode *node, json_object *cell, json_object *expected) {
        g_autoptr(xmlXPathObject) memory = find(node, "memory");
        g_autofree char *where = g_strdup_printf("XML, cell %d", json_object_get_int(fields_get(cell, "id")));
        json_object *memory_kib = fields_get(cell, "memory_kib");

        if (count(memory) > 0) {
                g_autofree char *text = content(memory->nodesetval->nodeTab[0]);
                g_autofree char *unit = attribute(memory->nodesetval->nodeTab[0], "unit");

                report_compare(report, where, "KiB", unit);
                compare_number_text(report, where, memory_kib, text);
        } else if (memory_kib)
                report_add(report, where, "no <memory>");

        compare_pages(report, where, node, cell);
        compare_distances(report, where, node, cell);
        compare_memory_caches(report, where, node, cell);
        compare_cpus(report, where, node, cell, expected);
}

/* --- what stands beside the cells */

/* One list of {kind, initiator, target, type, value}, as <interconnects>. */
static void compare_interconnects(Report *report, xmlNode *root, json_object *expected) {
        g_autoptr(xmlXPathObject) found = find(root, "/topology/interconnects/*");
        json_object *hmat = NULL, *list = NULL;
        gsize n;

        json_object_object_get_ex(expected, "hmat", &hmat);
        if (hmat) {
                /* They agree, or the answers would not have been right for all. */
                json_object_object_foreach(hmat, witness, answers) {
                        if (witness && answers)
                                list = answers;
                }
        }
        n = list ? json_object_array_length(list) : 0;
        report_compare_number(report, "XML, <interconnects>", n, (guint64) count(found));

        for (int i = 0; i < count(found); i++) {
                xmlNode *node = found->nodesetval->nodeTab[i];
                g_autofree char *initiator = attribute(node, "initiator"), *target = attribute(node, "target");
                g_autofree char *type = attribute(node, "type"), *value = attribute(node, "value");
                g_autofree char *where = g_strdup_printf("XML, <%s initiator='%s' target='%s' type='%s'>",
                                                         (const char *) node->name, initiator, target, type);
                gboolean known = FALSE;

                for (gsize j = 0; j < n; j++) {
                        json_object *item = json_object_array_get_idx(list, j);

                        if (strcmp(json_object_get_string(fields_get(item, "kind")), (const char *) node->name) != 0 ||
                            strcmp(json_object_get_string(fields_get(item, "type")), type) != 0 ||
                            strcmp(json_object_get_string(fields_get(item, "initiator")), initiator) != 0 ||
                            strcmp(json_object_get_string(fields_get(item, "target")), target) != 0)
                                continue;
                        known = TRUE;
                        compare_number_text(report, where, fields_get(item, "value"), value);
                }
                if (!known)
                        report_add(report, where, "nobody expected it");
        }
}

/* Banks are, as libvirt has them, the caches from the third level on. */
static void compare_banks(Report *report, xmlNode *root, json_object *expected) {
        static const struct { const char *expected, *xml; } types[] = {
                { "Unified", "both" }, { "Data", "data" }, { "Instruction", "code" },
        };
        g_autoptr(xmlXPathObject) banks = find(root, "/capabilities/host/cache/bank");
        json_object *caches = fields_get(expected, "caches");
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (int i = 0; i < count(banks); i++) {
                xmlNode *bank = banks->nodesetval->nodeTab[i];
                g_autofree char *level = attribute(bank, "level"), *type = attribute(bank, "type");
                g_autofree char *size = attribute(bank, "size"), *unit = attribute(bank, "unit");
                g_autofree char *cpus = attribute(bank, "cpus"), *id = attribute(bank, "id");

                g_hash_table_add(seen, g_strdup_printf("L%s %s of %s, %" G_GUINT64_FORMAT " bytes, id %s", level, type,
                                                       cpus, size_of(size, unit), id ? id : "none"));
        }
        for (gsize i = 0; i < json_object_array_length(caches); i++) {
                json_object *cache = json_object_array_get_idx(caches, i), *id = NULL;
                g_autoptr(GArray) cpus = numbers_from_json(fields_get(cache, "cpus"));
                g_autofree char *list = numbers_to_list(cpus), *name = NULL;
                const char *type = NULL;

                for (guint j = 0; j < G_N_ELEMENTS(types); j++)
                        if (strcmp(types[j].expected, json_object_get_string(fields_get(cache, "type"))) == 0)
                                type = types[j].xml;
                json_object_object_get_ex(cache, "id", &id);
                name = g_strdup_printf("L%d %s of %s, %" G_GINT64_FORMAT " bytes, id %s",
                                       json_object_get_int(fields_get(cache, "level")), type, list,
                                       json_object_get_int64(fields_get(cache, "size_kib")) * 1024,
                                       id ? json_object_get_string(id) : "none");
                if (json_object_get_int(fields_get(cache, "level")) >= 3 && !g_hash_table_remove(seen, name))
                        report_add(report, "capabilities, <cache>", "lacks %s", name);
        }
        {
                GHashTableIter rest;
                gpointer name;

                g_hash_table_iter_init(&rest, seen);
                while (g_hash_table_iter_next(&rest, &name, NULL))
                        report_add(report, "capabilities, <cache>", "%s: nobody expected it", (char *) name);
        }
}

static char *dump(xmlDoc *doc, xmlNode *node) {
        xmlBuffer *buffer = xmlBufferCreate();
        g_autoptr(GString) text = NULL;

        xmlNodeDump(buffer, doc, node, 0, 0);
        text = g_string_new((const char *) xmlBufferContent(buffer));
        xmlBufferFree(buffer);
        return g_strdup(text->str);
}

/* The nested document: the same cells, those with CPUs within sockets. */
static void compare_nested(Report *report, xmlDoc *plain, xmlDoc *nested, json_object *expected) {
        xmlNode *root = xmlDocGetRootElement(nested);
        g_autoptr(xmlXPathObject) sockets = find(root, "/topology/cells/socket");
        g_autoptr(xmlXPathObject) outside = find(root, "/topology/cells/cell");
        json_object *packages = fields_get(expected, "packages"), *cells = fields_get(expected, "cells");
        gsize without_cpus = 0;

        report_compare_number(report, "nested XML: sockets", json_object_array_length(packages), (guint64) count(sockets));
        for (gsize i = 0; i < json_object_array_length(cells); i++) {
                json_object *cell = json_object_array_get_idx(cells, i);
                g_autofree char *in_plain = g_strdup_printf("/topology/cells/cell[@id='%d']", json_object_get_int(fields_get(cell, "id")));
                g_autofree char *in_nested = g_strdup_printf("//cell[@id='%d']", json_object_get_int(fields_get(cell, "id")));
                g_autoptr(xmlXPathObject) one = find(xmlDocGetRootElement(plain), in_plain);
                g_autoptr(xmlXPathObject) others = find(root, in_nested);
                g_autoptr(GArray) cpus = numbers_from_json(fields_get(cell, "cpus"));
                gsize expected_times = 0;

                /* Once in each socket that it has a CPU of. */
                for (gsize j = 0; j < json_object_array_length(packages); j++) {
                        g_autoptr(GArray) members = numbers_from_json(fields_get(json_object_array_get_idx(packages, j), "cpus"));

                        for (guint k = 0; k < members->len; k++)
                                if (numbers_contain(cpus, g_array_index(members, guint, k))) {
                                        expected_times++;
                                        break;
                                }
                }
                if (expected_times == 0) {
                        without_cpus++;
                        expected_times = 1;
                }
                report_compare_number(report, in_nested, expected_times, (guint64) count(others));
                if (count(one) != 1 || count(others) < 1)
                        continue;
                for (int j = 0; j < count(others); j++) {
                        g_autofree char *a = dump(plain, one->nodesetval->nodeTab[0]);
                        g_autofree char *b = dump(nested, others->nodesetval->nodeTab[j]);

                        /* One that is split between sockets may show each its own CPUs. */
                        if (expected_times == 1 && strcmp(a, b) != 0)
                                report_add(report, in_nested, "is not what GetXml says without the flag");
                }
        }
        report_compare_number(report, "nested XML: cells beside sockets", without_cpus, (guint64) count(outside));
}

void expect_valid_documents(Report *report, const Seen *seen) {
        g_autoptr(xmlDoc) plain = parse(report, "GetXml", seen->xml);
        g_autoptr(xmlDoc) nested = parse(report, "GetXml nested", seen->nested_xml);
        g_autoptr(xmlDoc) capabilities = parse(report, "GetCapabilitiesXml", seen->capabilities_xml);

        (void) plain;
        (void) nested;
        (void) capabilities;
}

void expect_documents(Report *report, json_object *expected, const Seen *seen) {
        g_autoptr(xmlDoc) plain = parse(report, "GetXml", seen->xml);
        g_autoptr(xmlDoc) nested = parse(report, "GetXml nested", seen->nested_xml);
        g_autoptr(xmlDoc) capabilities = parse(report, "GetCapabilitiesXml", seen->capabilities_xml);
        json_object *cells = fields_get(expected, "cells");

        if (!plain || !nested || !capabilities)
                return;

        {
                xmlNode *root = xmlDocGetRootElement(plain);
                g_autoptr(xmlXPathObject) found = find(root, "/topology/cells/cell");
                g_autoptr(xmlXPathObject) list = find(root, "/topology/cells");
                g_autofree char *num = count(list) == 1 ? attribute(list->nodesetval->nodeTab[0], "num") : NULL;

                report_compare_number(report, "XML, <cells num>", json_object_array_length(cells),
                                      num ? g_ascii_strtoull(num, NULL, 10) : 0);
                report_compare_number(report, "XML, <cell>", json_object_array_length(cells), (guint64) count(found));
                for (int i = 0; i < count(found); i++) {
                        g_autofree char *id = attribute(found->nodesetval->nodeTab[i], "id");
                        json_object *cell = by_id(cells, id);

                        if (cell)
                                compare_cell(report, found->nodesetval->nodeTab[i], cell, expected);
                        else
                                report_add(report, "XML", "cell %s: nobody expected it", id);
                }
                compare_interconnects(report, root, expected);
        }

        {
                xmlNode *root = xmlDocGetRootElement(capabilities);
                g_autoptr(xmlXPathObject) topology = find(root, "/capabilities/host/topology");
                g_autoptr(xmlXPathObject) other = find(xmlDocGetRootElement(plain), "/topology");

                if (count(topology) != 1 || count(other) != 1)
                        report_add(report, "capabilities", "not one <topology>");
                else {
                        g_autofree char *a = dump(capabilities, topology->nodesetval->nodeTab[0]);
                        g_autofree char *b = dump(plain, other->nodesetval->nodeTab[0]);

                        if (strcmp(a, b) != 0)
                                report_add(report, "capabilities", "<topology> is not what GetXml says");
                }
                compare_banks(report, root, expected);
        }

        compare_nested(report, plain, nested, expected);
}
